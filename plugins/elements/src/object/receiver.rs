// SPDX-License-Identifier: MPL-2.0
//! `GstRtcReceiver`: W3C's RTCRtpReceiver (webrtc-pc §5.3). Its track is a source pad of `rtcsrc`.
use super::dtls_transport::DtlsTransport;
use super::slot;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Mutex;

glib::wrapper! {
    /// The receiving half of a transceiver. A `GstObject`, which any thread may use.
    pub struct Receiver(ObjectSubclass<imp::Receiver>) @extends gst::Object;
}

impl Receiver {
    pub(crate) fn new() -> Self {
        glib::Object::new()
    }

    /// The pad that its media come out of.
    pub(crate) fn set_track(&self, pad: Option<gst::Pad>) {
        if slot::replace(&self.imp().track, pad).is_some() {
            self.notify_track();
        }
    }

    /// Set by the first description that has its m-line, taken away by a rollback.
    pub(crate) fn set_transport(&self, transport: Option<DtlsTransport>) {
        if slot::replace(&self.imp().transport, transport).is_some() {
            self.notify_transport();
        }
    }
}

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Receiver)]
    pub struct Receiver {
        #[property(
            name = "track",
            get,
            nullable,
            blurb = "The source pad that its media come out of; NULL if there is none (read-only)"
        )]
        pub(super) track: Mutex<Option<gst::Pad>>,
        #[property(
            name = "transport",
            get,
            nullable,
            blurb = "What carries it; NULL before a description has its m-line (read-only)"
        )]
        pub(super) transport: Mutex<Option<DtlsTransport>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Receiver {
        const NAME: &'static str = "GstRtcReceiver";
        type Type = super::Receiver;
        type ParentType = gst::Object;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Receiver {}

    impl GstObjectImpl for Receiver {}
}
