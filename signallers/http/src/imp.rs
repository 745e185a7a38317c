// SPDX-License-Identifier: MPL-2.0
//! The GObject face of the client; the work stands in the other files.
use crate::address;
use crate::client::{Client, Settings};
use crate::life::{Life, Order};
use crate::wire::Candidate;
use gst::glib;
use gst::glib::subclass::prelude::*;
use gst::prelude::*;
use rtc_signaller::{EndCode, Signaller, SignallerImpl};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtchttp",
        gst::DebugColorFlags::empty(),
        Some("WHIP and WHEP clients of rtcsink and rtcsrc"),
    )
});

/// As gst-plugins-rs's WHIP client has it.
const DEFAULT_TIMEOUT: u32 = 15;

/// What the properties say.
#[derive(Debug)]
pub(crate) struct Properties {
    uri: String,
    auth_token: String,
    tls_ca: String,
    tls_insecure: bool,
    timeout: u32,
    reconnect: bool,
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            uri: String::new(),
            auth_token: String::new(),
            tls_ca: String::new(),
            tls_insecure: false,
            timeout: DEFAULT_TIMEOUT,
            reconnect: true,
        }
    }
}

#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::HttpSignaller)]
pub struct Http {
    #[property(name = "uri", get, set, construct_only, type = String, member = uri,
        blurb = "The server's endpoint: whip://, whips:// to publish, whep://, wheps:// to view (URI; set at construction)")]
    #[property(name = "auth-token", set, type = String, member = auth_token,
        blurb = "Bearer token shown to the server with every request (text, write-only; default empty = none; takes effect at the next start)")]
    #[property(name = "tls-ca", get, set, type = String, member = tls_ca,
        blurb = "File with certificates of authorities to trust beside the system's (path of a PEM file; default empty = the system's alone; takes effect at the next start)")]
    #[property(name = "tls-insecure", get, set, type = bool, member = tls_insecure,
        blurb = "Accept any certificate, so that whoever sits on the way may read and change everything (default false; for tests; takes effect at the next start)")]
    #[property(name = "timeout", get, set, type = u32, member = timeout, minimum = 1, maximum = 3600, default = DEFAULT_TIMEOUT,
        blurb = "The longest that a request may take (seconds; default 15; takes effect at the next start)")]
    #[property(name = "reconnect", get, set, type = bool, member = reconnect, default = true,
        blurb = "Start a session anew when it could not be had or was lost, after half a second, then ever longer, up to 30 s (default true; false makes both an error; takes effect at the next start)")]
    properties: Mutex<Properties>,
    life: Mutex<Option<Life>>,
}

impl Http {
    fn order(&self, order: Order) {
        if let Some(life) = &*lock(&self.life) {
            life.order(order);
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for Http {
    const NAME: &'static str = "GstRtcHttpSignaller";
    type Type = super::HttpSignaller;
    type Interfaces = (Signaller,);
}

#[glib::derived_properties]
impl ObjectImpl for Http {}

impl SignallerImpl for Http {
    fn start(&self) -> Result<(), String> {
        let (address, settings, reconnect) = {
            let properties = lock(&self.properties);
            let settings = Settings {
                auth_token: properties.auth_token.clone(),
                tls_ca: properties.tls_ca.clone(),
                tls_insecure: properties.tls_insecure,
                timeout: Duration::from_secs(properties.timeout.into()),
            };
            (
                address::parse(&properties.uri)?,
                settings,
                properties.reconnect,
            )
        };
        let client = Client::new(&settings, &address.url)?;
        let mut life = lock(&self.life);
        if life.is_some() {
            return Err("the client is running already".to_owned());
        }
        *life = Some(Life::start(
            self.obj().downgrade(),
            client,
            address,
            reconnect,
        ));
        Ok(())
    }

    fn stop(&self) {
        let life = lock(&self.life).take();
        if let Some(life) = life {
            life.stop();
        }
    }

    fn send_description(&self, session_id: &str, kind: &str, sdp: &str) {
        match kind {
            "offer" | "answer" => self.order(Order::Description {
                session: session_id.to_owned(),
                sdp: sdp.to_owned(),
            }),
            other => gst::warning!(
                CAT,
                imp = self,
                "{session_id}: HTTP has no way to send a {other}"
            ),
        }
    }

    fn send_candidate(
        &self,
        session_id: &str,
        candidate: Option<&str>,
        mid: Option<&str>,
        _index: i32,
    ) {
        self.order(Order::Candidate {
            session: session_id.to_owned(),
            candidate: Candidate {
                candidate: candidate.map(str::to_owned),
                mid: mid.map(str::to_owned),
            },
        });
    }

    fn end_session(&self, session_id: &str, code: &str, text: &str) {
        let code = EndCode::from_text(code).unwrap_or(EndCode::Error);
        self.order(Order::End {
            session: session_id.to_owned(),
            text: text.to_owned(),
            // Nothing in common with this server, or an element that can't do what its uri asks of it.
            for_good: code == EndCode::NotAcceptable,
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
