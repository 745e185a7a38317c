// SPDX-License-Identifier: MPL-2.0
//! `rtcdatasrc` as its endpoint sees it; called on the control thread.
use super::RtcDataSrc;
use super::label;
use crate::data::{Channel, ChannelFault, DataChannel, Queue};
use crate::endpoint::{Attachment, Listening, SessionFault};
use crate::report;
use gst::glib;
use gst::prelude::*;
use rtc_session::CandidateError;
use std::sync::Arc;

/// Holds the element weakly: the endpoint must not keep it alive.
pub(super) struct Attached {
    pub(super) element: glib::WeakRef<RtcDataSrc>,
    pub(super) queue: Arc<Queue>,
    /// Which channels are read.
    pub(super) label: String,
    pub(super) protocol: String,
}

impl Attachment for Attached {
    fn wants_data(&self) -> bool {
        true
    }

    fn channel_opened(&self, channel: &Arc<Channel>, object: &DataChannel) {
        let Some(element) = self.element.upgrade() else {
            return;
        };
        let init = &channel.init;
        let protocol_fits = self.protocol.is_empty() || self.protocol == init.protocol;
        if label::fits(&self.label, &init.label) && protocol_fits {
            self.queue.opened();
            channel.add_sink(self.queue.clone());
        }
        element.emit_by_name::<()>("on-data-channel", &[&channel.session_name, object]);
    }

    fn channel_failed(&self, fault: &ChannelFault) {
        self.post(fault.structure());
    }

    fn server_failed(&self, session: &str, error: &CandidateError) {
        self.post(report::server_error(session, error));
    }

    fn session_failed(&self, fault: &SessionFault) {
        self.post(
            gst::Structure::builder("rtc-session-error")
                .field("session", &fault.session)
                .field("peer", &fault.peer)
                .field("code", fault.code)
                .field("text", &fault.text)
                .build(),
        );
    }

    fn listening(&self, listening: &Listening) {
        let Some(element) = self.element.upgrade() else {
            return;
        };
        let text = announcement(&element.name(), listening);
        self.post(
            gst::Structure::builder("rtc-listening")
                .field("uri", &listening.web_uri)
                .field("udp-port", u32::from(listening.udp_port))
                .field("text", &text)
                .build(),
        );
        if !element.property::<bool>("quiet") {
            eprintln!("{text}");
        }
    }

    fn signaller_failed(&self, text: &str) {
        if let Some(element) = self.element.upgrade() {
            gst::element_warning!(element, gst::ResourceError::Failed, ("signalling: {text}"));
        }
    }
}

impl Attached {
    fn post(&self, structure: gst::Structure) {
        if let Some(element) = self.element.upgrade() {
            let message = gst::message::Element::builder(structure).src(&element);
            // Without a bus nobody wants to know.
            let _ = element.post_message(message.build());
        }
    }
}

/// The one line for the user.
fn announcement(name: &str, listening: &Listening) -> String {
    let Listening {
        web_uri,
        text,
        udp_port,
    } = listening;
    if web_uri.is_empty() {
        return format!("{name}: {text}  (ICE udp {udp_port})");
    }
    let base = web_uri.trim_end_matches('/');
    format!("{name}: data channels at {base}/  (WHEP {base}/whep, ICE udp {udp_port})")
}
