// SPDX-License-Identifier: MPL-2.0
//! `GstRtcSctpTransport`: W3C's RTCSctpTransport (webrtc-pc §6.1).
use super::dtls_transport::DtlsTransport;
use super::enums::SctpTransportState;
use super::slot;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Mutex;

glib::wrapper! {
    /// The SCTP association of one session. A `GstObject`, which any thread may use.
    pub struct SctpTransport(ObjectSubclass<imp::SctpTransport>) @extends gst::Object;
}

impl SctpTransport {
    pub(crate) fn new(dtls: &DtlsTransport) -> Self {
        let object: Self = glib::Object::new();
        slot::replace(&object.imp().transport, Some(dtls.clone()));
        slot::replace(&object.imp().max_channels, -1);
        object
    }

    /// The old state if this is another.
    pub(crate) fn set_state(&self, state: SctpTransportState) -> Option<SctpTransportState> {
        if state == SctpTransportState::Connected {
            slot::replace(&self.imp().max_channels, MAX_CHANNELS);
        }
        slot::replace(&self.imp().state, state)
    }

    /// Bytes; 0 for any.
    pub(crate) fn set_max_message_size(&self, bytes: u64) {
        let size = match bytes {
            0 => f64::INFINITY,
            bytes => bytes as f64,
        };
        slot::replace(&self.imp().max_message_size, size);
    }
}

/// Data channels that a session may have at a time.
const MAX_CHANNELS: i32 = 1024;

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::SctpTransport)]
    pub struct SctpTransport {
        #[property(
            name = "state",
            get,
            blurb = "W3C's state (read-only)",
            builder(SctpTransportState::Connecting)
        )]
        pub(super) state: Mutex<SctpTransportState>,
        #[property(
            name = "transport",
            get,
            nullable,
            blurb = "The DTLS transport below (read-only)"
        )]
        pub(super) transport: Mutex<Option<DtlsTransport>>,
        #[property(name = "max-message-size", get, maximum = f64::INFINITY,
            blurb = "The largest message the peer takes (bytes, infinite for any; read-only)")]
        pub(super) max_message_size: Mutex<f64>,
        #[property(name = "max-channels", get, minimum = -1, maximum = 65_535, default = -1,
            blurb = "Channels there may be at a time (number; -1 until it is connected, as W3C's null; read-only)")]
        pub(super) max_channels: Mutex<i32>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for SctpTransport {
        const NAME: &'static str = "GstRtcSctpTransport";
        type Type = super::SctpTransport;
        type ParentType = gst::Object;
    }

    #[glib::derived_properties]
    impl ObjectImpl for SctpTransport {}

    impl GstObjectImpl for SctpTransport {}
}
