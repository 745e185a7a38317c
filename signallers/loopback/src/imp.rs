// SPDX-License-Identifier: MPL-2.0
//! The GObject face of an end of a loopback; the work stands in `room.rs`.
use crate::room;
use gst::glib;
use gst::glib::subclass::prelude::*;
use gst::prelude::*;
use rtc_signaller::{Signaller, SignallerExt, SignallerImpl};
use std::sync::Mutex;

#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::LoopbackSignaller)]
pub struct Loopback {
    #[property(
        get,
        set,
        construct_only,
        blurb = "Name of the meeting point in this process; both ends give the same (text; set at construction)"
    )]
    room: Mutex<String>,
    #[property(
        get,
        set,
        blurb = "What is at this end: sink (it offers), source (it answers), or empty for either (text; may be changed until start)"
    )]
    role: Mutex<String>,
}

#[glib::object_subclass]
impl ObjectSubclass for Loopback {
    const NAME: &'static str = "GstRtcLoopbackSignaller";
    type Type = super::LoopbackSignaller;
    type Interfaces = (Signaller,);
}

#[glib::derived_properties]
impl ObjectImpl for Loopback {}

impl SignallerImpl for Loopback {
    fn start(&self) -> Result<(), String> {
        room::enter(&self.obj())
    }

    fn stop(&self) {
        room::leave(&self.obj());
    }

    fn send_description(&self, session_id: &str, kind: &str, sdp: &str) {
        room::pass(&self.obj(), session_id, |peer, id| {
            peer.report_description(id, kind, sdp)
        });
    }

    fn send_candidate(
        &self,
        session_id: &str,
        candidate: Option<&str>,
        mid: Option<&str>,
        index: i32,
    ) {
        room::pass(&self.obj(), session_id, |peer, id| {
            peer.report_candidate(id, candidate, mid, index);
        });
    }

    fn end_session(&self, session_id: &str, code: &str, text: &str) {
        room::end(&self.obj(), session_id, code, text);
    }
}
