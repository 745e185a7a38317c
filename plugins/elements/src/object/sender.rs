// SPDX-License-Identifier: MPL-2.0
//! `GstRtcSender`: W3C's RTCRtpSender (webrtc-pc §5.2). Its track is a sink pad of `rtcsink`.
use super::dtls_transport::DtlsTransport;
use super::dtmf_sender::DtmfSender;
use super::half::{self, Half, Owner};
use super::session::Session;
use super::slot;
use super::transceiver::Transceiver;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::{LazyLock, Mutex};

glib::wrapper! {
    /// The sending half of a transceiver. A `GstObject`, which any thread may use.
    pub struct Sender(ObjectSubclass<imp::Sender>) @extends gst::Object;
}

impl Sender {
    pub(crate) fn new(dtmf: Option<DtmfSender>) -> Self {
        let object: Self = glib::Object::new();
        slot::replace(&object.imp().dtmf, dtmf);
        object
    }

    /// The pad whose media it sends.
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

impl Half for Sender {
    const SENDS: bool = true;

    fn owner(&self) -> &Owner {
        &self.imp().owner
    }

    fn is_of(&self, transceiver: &Transceiver) -> bool {
        transceiver.sender().as_ref() == Some(self)
    }
}

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Sender)]
    pub struct Sender {
        #[property(
            name = "track",
            get,
            nullable,
            blurb = "The sink pad whose media it sends; NULL if there is none (read-only)"
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
        #[property(
            name = "dtmf",
            get,
            nullable,
            blurb = "Sends tones; NULL for video (read-only)"
        )]
        pub(super) dtmf: Mutex<Option<DtmfSender>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Sender {
        const NAME: &'static str = "GstRtcSender";
        type Type = super::Sender;
        type ParentType = gst::Object;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Sender {
        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> =
                LazyLock::new(half::signals::<super::Sender>);
            &SIGNALS
        }
    }

    impl GstObjectImpl for Sender {}
}
