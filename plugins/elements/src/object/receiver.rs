// SPDX-License-Identifier: MPL-2.0
//! `GstRtcReceiver`: W3C's RTCRtpReceiver (webrtc-pc §5.3). Its track is a source pad of `rtcsrc`.
use super::dtls_transport::DtlsTransport;
use super::half::{self, Half, Owner};
use super::session::Session;
use super::slot;
use super::transceiver::Transceiver;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::{LazyLock, Mutex};

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

    /// The session it belongs to.
    pub(super) fn set_owner(&self, session: &Session) {
        self.imp().owner.set(session);
    }

    /// Set by the first description that has its m-line, taken away by a rollback.
    pub(crate) fn set_transport(&self, transport: Option<DtlsTransport>) {
        if slot::replace(&self.imp().transport, transport).is_some() {
            self.notify_transport();
        }
    }
}

impl Half for Receiver {
    const SENDS: bool = false;

    fn owner(&self) -> &Owner {
        &self.imp().owner
    }

    fn is_of(&self, transceiver: &Transceiver) -> bool {
        transceiver.receiver().as_ref() == Some(self)
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
        pub(super) owner: Owner,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Receiver {
        const NAME: &'static str = "GstRtcReceiver";
        type Type = super::Receiver;
        type ParentType = gst::Object;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Receiver {
        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> =
                LazyLock::new(half::signals::<super::Receiver>);
            &SIGNALS
        }
    }

    impl GstObjectImpl for Receiver {}
}
