// SPDX-License-Identifier: MPL-2.0
//! `GstRtcSinkPad`: what an application may say of one input.
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::{Mutex, PoisonError};

glib::wrapper! {
    /// An input of rtcsink; its settings alone, the work is done in `stream.rs`.
    pub struct RtcSinkPad(ObjectSubclass<imp::RtcSinkPad>)
        @extends gst::GhostPad, gst::ProxyPad, gst::Pad, gst::Object;
}

impl RtcSinkPad {
    /// The MediaStream id to announce, or `default` if none was set.
    pub(super) fn stream_id(&self, default: &str) -> String {
        let msid = self
            .imp()
            .msid
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if msid.is_empty() {
            default.to_owned()
        } else {
            msid.clone()
        }
    }
}

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::RtcSinkPad)]
    pub struct RtcSinkPad {
        #[property(name = "msid", get, set, type = String, nick = "MediaStream id",
            blurb = "MediaStream id announced for this input (a=msid): inputs of one id are one stream to \
                     a browser and are played in sync (text; default empty = the element's name, so all \
                     inputs of the element are one stream; changeable until the element goes to READY)",
            mutable_ready)]
        pub(super) msid: Mutex<String>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for RtcSinkPad {
        const NAME: &'static str = "GstRtcSinkPad";
        type Type = super::RtcSinkPad;
        type ParentType = gst::GhostPad;
    }

    #[glib::derived_properties]
    impl ObjectImpl for RtcSinkPad {}
    impl GstObjectImpl for RtcSinkPad {}
    impl PadImpl for RtcSinkPad {}
    impl ProxyPadImpl for RtcSinkPad {}
    impl GhostPadImpl for RtcSinkPad {}
}
