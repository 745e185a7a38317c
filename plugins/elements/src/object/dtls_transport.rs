// SPDX-License-Identifier: MPL-2.0
//! `GstRtcDtlsTransport`: W3C's RTCDtlsTransport (webrtc-pc §5.5).
use super::enums::DtlsTransportState;
use super::ice_transport::IceTransport;
use super::slot;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::{LazyLock, Mutex, PoisonError};

glib::wrapper! {
    /// The DTLS transport of one session. A `GstObject`, which any thread may use.
    pub struct DtlsTransport(ObjectSubclass<imp::DtlsTransport>) @extends gst::Object;
}

impl DtlsTransport {
    pub(crate) fn new(ice: &IceTransport) -> Self {
        let object: Self = glib::Object::new();
        slot::replace(&object.imp().ice_transport, Some(ice.clone()));
        object
    }

    /// The old state if this is another.
    pub(crate) fn set_state(&self, state: DtlsTransportState) -> Option<DtlsTransportState> {
        slot::replace(&self.imp().state, state)
    }

    /// The certificate that the peer showed, DER.
    pub(crate) fn set_certificate(&self, der: &[u8]) {
        let certificate = Some(glib::Bytes::from(der));
        slot::replace(&self.imp().remote_certificate, certificate);
    }
}

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::DtlsTransport)]
    pub struct DtlsTransport {
        #[property(
            name = "state",
            get,
            blurb = "W3C's state (read-only)",
            builder(DtlsTransportState::New)
        )]
        pub(super) state: Mutex<DtlsTransportState>,
        #[property(
            name = "ice-transport",
            get,
            nullable,
            blurb = "The ICE transport below (read-only)"
        )]
        pub(super) ice_transport: Mutex<Option<IceTransport>>,
        #[property(
            name = "remote-certificate",
            get,
            nullable,
            blurb = "The certificate that the peer showed, DER; NULL until its fingerprint was verified (read-only)"
        )]
        pub(super) remote_certificate: Mutex<Option<glib::Bytes>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for DtlsTransport {
        const NAME: &'static str = "GstRtcDtlsTransport";
        type Type = super::DtlsTransport;
        type ParentType = gst::Object;
    }

    #[glib::derived_properties]
    impl ObjectImpl for DtlsTransport {
        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
                vec![
                    // (rtc-error: name, message, error-detail): before the state changes.
                    glib::subclass::Signal::builder("on-error")
                        .param_types([gst::Structure::static_type()])
                        .build(),
                    // -> rtc-certificates {certificate-0}, the peer's, DER; empty before it is verified.
                    glib::subclass::Signal::builder("get-remote-certificates")
                        .return_type::<gst::Structure>()
                        .action()
                        .class_handler(|values| {
                            let object = values[0].get::<super::DtlsTransport>().ok()?;
                            let held = object.imp().remote_certificate.lock();
                            let held = held.unwrap_or_else(PoisonError::into_inner);
                            let mut made = gst::Structure::new_empty("rtc-certificates");
                            made.set_if_some("certificate-0", held.as_ref());
                            Some(made.to_value())
                        })
                        .build(),
                ]
            });
            &SIGNALS
        }
    }

    impl GstObjectImpl for DtlsTransport {}
}
