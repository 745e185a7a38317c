// SPDX-License-Identifier: MPL-2.0
//! A source pad: which m-line of which session it shows.
use super::audible::Audible;
use crate::endpoint::IncomingMedia;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::RtcSrcPad)]
pub struct RtcSrcPad {
    #[property(
        get,
        blurb = "Identification tag of the pad's m-line, as a=mid has it (text; read-only)"
    )]
    mid: Mutex<String>,
    #[property(
        get,
        blurb = "The session the pad belongs to, as signalling names it (text; read-only)"
    )]
    session: Mutex<String>,
    #[property(
        get,
        blurb = "The peer's MediaStream ids of this track, separated by spaces; tracks with a common id belong together (text, may be empty; read-only)"
    )]
    msid: Mutex<String>,
    /// Tones that are to be heard, once there were any.
    pub(super) audible: OnceLock<Arc<Audible>>,
}

impl RtcSrcPad {
    /// Says what the pad shows; before anyone sees it.
    pub(super) fn describe(&self, media: &IncomingMedia) {
        let set = |field: &Mutex<String>, text: String| {
            *field.lock().unwrap_or_else(PoisonError::into_inner) = text;
        };
        set(&self.mid, media.mid.to_string());
        set(&self.session, media.peer.clone());
        set(&self.msid, media.streams.join(" "));
    }
}

#[glib::object_subclass]
impl ObjectSubclass for RtcSrcPad {
    const NAME: &'static str = "GstRtcSrcPad";
    type Type = super::RtcSrcPad;
    type ParentType = gst::GhostPad;
}

#[glib::derived_properties]
impl ObjectImpl for RtcSrcPad {}
impl GstObjectImpl for RtcSrcPad {}
impl PadImpl for RtcSrcPad {}
impl ProxyPadImpl for RtcSrcPad {}
impl GhostPadImpl for RtcSrcPad {}
