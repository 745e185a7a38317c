// SPDX-License-Identifier: MPL-2.0
//! The GObject face of the server; the work stands in the other files.
use crate::server::{Server, Settings};
use crate::sessions::{Delivery, End};
use crate::wire::{Kind, ToPeer};
use gst::glib;
use gst::glib::subclass::prelude::*;
use gst::prelude::*;
use rtc_signaller::{EndCode, Signaller, SignallerExt, SignallerImpl};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtcserve",
        gst::DebugColorFlags::empty(),
        Some("Embedded signalling server of rtcsink and rtcsrc"),
    )
});

#[derive(Debug, glib::Properties)]
#[properties(wrapper_type = super::ServeSignaller)]
pub struct Serve {
    #[property(name = "web-address", get = Self::web_address, set = Self::set_web_address, type = String,
        default = "127.0.0.1:8080",
        blurb = "Address and port to listen on; port 0 is any free one (text; takes effect at the next start)")]
    #[property(name = "auth-token", set = Self::set_auth_token, type = String,
        blurb = "Token that peers must give, as a bearer token or ?token=; empty: none (text; takes effect at the next start)")]
    #[property(name = "allowed-origins", get = Self::allowed_origins, set = Self::set_allowed_origins, type = String,
        blurb = "Origins whose pages may connect beside our own, separated by commas, * for any; empty: for WHIP and WHEP this machine's, or any if web-address is no loopback address (text; takes effect at the next start)")]
    #[property(name = "max-sessions", get = Self::max_sessions, set = Self::set_max_sessions, type = u32,
        minimum = 1, maximum = 65_535, default = 1000,
        blurb = "Sessions at once; more are told to come later (count; takes effect at the next start)")]
    #[property(name = "polite", get = Self::polite, set = Self::set_polite, type = bool, default = false,
        blurb = "Whether our side gives way when offers collide (default false: the page, which joined later, does, and is told so as it starts; takes effect at the next start)")]
    #[property(name = "directory", get = Self::directory, set = Self::set_directory, type = String,
        blurb = "Folder of an application's own pages: index.html in place of the player, and every other file by its path; what is not there is as without (path; empty, the default, for none; takes effect at the next start)")]
    settings: Mutex<Settings>,
    server: Mutex<Option<Server>>,
}

impl Default for Serve {
    fn default() -> Self {
        let settings = Settings {
            web_address: "127.0.0.1:8080".to_owned(),
            auth_token: String::new(),
            allowed_origins: String::new(),
            max_sessions: 1000,
            polite: false,
            directory: String::new(),
        };
        Self {
            settings: Mutex::new(settings),
            server: Mutex::default(),
        }
    }
}

impl Serve {
    fn web_address(&self) -> String {
        lock(&self.settings).web_address.clone()
    }
    fn set_web_address(&self, value: String) {
        lock(&self.settings).web_address = value;
    }
    fn set_auth_token(&self, value: Option<String>) {
        lock(&self.settings).auth_token = value.unwrap_or_default();
    }
    fn allowed_origins(&self) -> String {
        lock(&self.settings).allowed_origins.clone()
    }
    fn set_allowed_origins(&self, value: Option<String>) {
        lock(&self.settings).allowed_origins = value.unwrap_or_default();
    }
    fn max_sessions(&self) -> u32 {
        lock(&self.settings).max_sessions
    }
    fn set_max_sessions(&self, value: u32) {
        lock(&self.settings).max_sessions = value;
    }
    fn polite(&self) -> bool {
        lock(&self.settings).polite
    }
    fn set_polite(&self, value: bool) {
        lock(&self.settings).polite = value;
    }

    fn directory(&self) -> String {
        lock(&self.settings).directory.clone()
    }
    fn set_directory(&self, value: Option<String>) {
        lock(&self.settings).directory = value.unwrap_or_default();
    }

    /// Sends by the table of sessions; a peer that can't be reached any more has ended its session.
    fn deliver(&self, session_id: &str, send: impl FnOnce(&crate::sessions::Sessions) -> Delivery) {
        let delivery = match &*lock(&self.server) {
            Some(server) => send(&server.hub().sessions),
            None => Delivery::Unknown,
        };
        match delivery {
            Delivery::Done => {}
            Delivery::NoWay => {
                gst::warning!(
                    CAT,
                    imp = self,
                    "session {session_id}: HTTP has no way to renegotiate"
                );
            }
            Delivery::Unknown => {
                gst::debug!(
                    CAT,
                    imp = self,
                    "session {session_id} is over, message dropped"
                );
            }
            Delivery::Lost => {
                let text = "the peer's signalling connection was lost";
                self.obj()
                    .report_session_ended(session_id, EndCode::Error.as_str(), text);
            }
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for Serve {
    const NAME: &'static str = "GstRtcServeSignaller";
    type Type = super::ServeSignaller;
    type Interfaces = (Signaller,);
}

#[glib::derived_properties]
impl ObjectImpl for Serve {}

impl SignallerImpl for Serve {
    fn start(&self) -> Result<(), String> {
        let settings = lock(&self.settings).clone();
        let address = {
            let mut running = lock(&self.server);
            if running.is_some() {
                return Err("the server is running already".to_owned());
            }
            let server = Server::start(&settings, self.obj().downgrade())?;
            running.insert(server).address()
        };
        let uri = crate::address::page_uri(address);
        gst::info!(CAT, imp = self, "listening on {address}");
        self.obj()
            .report_listening(&uri, &crate::address::hint(&uri, address));
        Ok(())
    }

    fn stop(&self) {
        let server = lock(&self.server).take();
        if let Some(server) = server {
            server.stop();
        }
    }

    fn send_description(&self, session_id: &str, kind: &str, sdp: &str) {
        match Kind::from_text(kind) {
            Some(kind) => self.deliver(session_id, |sessions| {
                sessions.description(session_id, kind, sdp)
            }),
            None => gst::warning!(CAT, imp = self, "no such kind of description: {kind}"),
        }
    }

    fn send_candidate(
        &self,
        session_id: &str,
        candidate: Option<&str>,
        mid: Option<&str>,
        index: i32,
    ) {
        let message = ToPeer::Candidate {
            candidate: candidate.map(str::to_owned),
            mid: mid.map(str::to_owned),
            index: u16::try_from(index).ok(),
        };
        self.deliver(session_id, |sessions| {
            sessions.candidate(session_id, message)
        });
    }

    fn end_session(&self, session_id: &str, code: &str, text: &str) {
        let code = EndCode::from_text(code).unwrap_or(EndCode::Error);
        if let Some(server) = &*lock(&self.server) {
            server.hub().sessions.end(
                session_id,
                End {
                    code,
                    text: text.to_owned(),
                },
            );
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
