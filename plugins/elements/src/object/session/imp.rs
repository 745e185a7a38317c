// SPDX-License-Identifier: MPL-2.0
//! GObject traits of `GstRtcSession`.
use super::descriptions::{Described, Descriptions};
use super::signals;
use crate::data::DataChannel;
use crate::object::dtls_transport::DtlsTransport;
use crate::object::enums::{
    DtlsTransportState, IceConnectionState, IceGatheringState, IceTransportState,
    PeerConnectionState, SctpTransportState, SignalingState, TriState,
};
use crate::object::ice_transport::IceTransport;
use crate::object::link::Link;
use crate::object::sctp_transport::SctpTransport;
use crate::object::slot;
use crate::object::stats::Known;
use crate::object::transceiver::Transceiver;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_session::{Command, SessionStats};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// See the module above.
#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::Session)]
pub struct Session {
    #[property(
        name = "id",
        get,
        blurb = "The session's name in signalling (read-only)"
    )]
    pub(super) id: Mutex<String>,
    #[property(
        name = "peer",
        get,
        blurb = "The peer's name in signalling (read-only)"
    )]
    pub(super) peer: Mutex<String>,
    #[property(
        name = "peer-identity",
        get,
        nullable,
        blurb = "Who the peer is, USER@DOMAIN, as its identity provider says; NULL until it did (W3C's \
                 peerIdentity; read-only)"
    )]
    pub(super) peer_identity: Mutex<Option<String>>,
    #[property(
        name = "polite",
        get,
        blurb = "Whether this side gives way when offers collide (read-only)"
    )]
    pub(super) polite: Mutex<bool>,
    #[property(
        name = "manual-negotiation",
        get,
        blurb = "Whether the application makes and applies descriptions; as it was on the element when the \
                 session began (read-only)"
    )]
    pub(super) manual_negotiation: Mutex<bool>,
    #[property(
        name = "signaling-state",
        get,
        blurb = "W3C's signalingState (read-only)",
        builder(SignalingState::Stable)
    )]
    pub(super) signaling_state: Mutex<SignalingState>,
    #[property(
        name = "ice-gathering-state",
        get,
        blurb = "W3C's iceGatheringState (read-only)",
        builder(IceGatheringState::New)
    )]
    pub(super) ice_gathering_state: Mutex<IceGatheringState>,
    #[property(
        name = "ice-connection-state",
        get,
        blurb = "W3C's iceConnectionState (read-only)",
        builder(IceConnectionState::New)
    )]
    pub(super) ice_connection_state: Mutex<IceConnectionState>,
    #[property(
        name = "connection-state",
        get,
        blurb = "W3C's connectionState (read-only)",
        builder(PeerConnectionState::New)
    )]
    pub(super) connection_state: Mutex<PeerConnectionState>,
    #[property(
        name = "can-trickle-ice-candidates",
        get,
        blurb = "Whether the peer takes candidates after its description; null before one came (read-only)",
        builder(TriState::Null)
    )]
    pub(super) can_trickle_ice_candidates: Mutex<TriState>,
    #[property(
        name = "ice-transport",
        get,
        nullable,
        blurb = "The ICE transport; BUNDLE is required, so there is one (read-only)"
    )]
    pub(super) ice_transport: Mutex<Option<IceTransport>>,
    #[property(
        name = "dtls-transport",
        get,
        nullable,
        blurb = "The DTLS transport; BUNDLE is required, so there is one (read-only)"
    )]
    pub(super) dtls_transport: Mutex<Option<DtlsTransport>>,
    #[property(
        name = "sctp",
        get,
        nullable,
        blurb = "The SCTP transport; NULL until data channels are negotiated (read-only)"
    )]
    pub(super) sctp: Mutex<Option<SctpTransport>>,
    #[property(name = "local-description", get = |s: &Self| s.sdp(|d| d.local.newest()), nullable, type = Option<String>,
        blurb = "SDP of W3C's localDescription (read-only)")]
    #[property(name = "local-description-type", get = |s: &Self| s.kind(|d| d.local.newest()), nullable, type = Option<String>,
        blurb = "Type of W3C's localDescription: offer, pranswer or answer (read-only)")]
    #[property(name = "current-local-description", get = |s: &Self| s.sdp(|d| d.local.current.as_ref()), nullable, type = Option<String>,
        blurb = "SDP of W3C's currentLocalDescription (read-only)")]
    #[property(name = "current-local-description-type", get = |s: &Self| s.kind(|d| d.local.current.as_ref()), nullable, type = Option<String>,
        blurb = "Type of W3C's currentLocalDescription (read-only)")]
    #[property(name = "pending-local-description", get = |s: &Self| s.sdp(|d| d.local.pending.as_ref()), nullable, type = Option<String>,
        blurb = "SDP of W3C's pendingLocalDescription (read-only)")]
    #[property(name = "pending-local-description-type", get = |s: &Self| s.kind(|d| d.local.pending.as_ref()), nullable, type = Option<String>,
        blurb = "Type of W3C's pendingLocalDescription (read-only)")]
    #[property(name = "remote-description", get = |s: &Self| s.sdp(|d| d.remote.newest()), nullable, type = Option<String>,
        blurb = "SDP of W3C's remoteDescription (read-only)")]
    #[property(name = "remote-description-type", get = |s: &Self| s.kind(|d| d.remote.newest()), nullable, type = Option<String>,
        blurb = "Type of W3C's remoteDescription (read-only)")]
    #[property(name = "current-remote-description", get = |s: &Self| s.sdp(|d| d.remote.current.as_ref()), nullable, type = Option<String>,
        blurb = "SDP of W3C's currentRemoteDescription (read-only)")]
    #[property(name = "current-remote-description-type", get = |s: &Self| s.kind(|d| d.remote.current.as_ref()), nullable, type = Option<String>,
        blurb = "Type of W3C's currentRemoteDescription (read-only)")]
    #[property(name = "pending-remote-description", get = |s: &Self| s.sdp(|d| d.remote.pending.as_ref()), nullable, type = Option<String>,
        blurb = "SDP of W3C's pendingRemoteDescription (read-only)")]
    #[property(name = "pending-remote-description-type", get = |s: &Self| s.kind(|d| d.remote.pending.as_ref()), nullable, type = Option<String>,
        blurb = "Type of W3C's pendingRemoteDescription (read-only)")]
    pub(super) descriptions: Mutex<Descriptions>,
    #[property(name = "transceivers", get = Self::transceiver_list, type = gio::ListModel,
        blurb = "W3C's getTransceivers, as of now: a list of GstRtcTransceiver (read-only)")]
    #[property(name = "senders", get = Self::sender_list, type = gio::ListModel,
        blurb = "W3C's getSenders, as of now: a list of GstRtcSender (read-only)")]
    #[property(name = "receivers", get = Self::receiver_list, type = gio::ListModel,
        blurb = "W3C's getReceivers, as of now: a list of GstRtcReceiver (read-only)")]
    pub(super) transceivers: Mutex<Vec<Transceiver>>,
    #[property(name = "data-channels", get = Self::channel_list, type = gio::ListModel,
        blurb = "The data channels that are not closed, as of now: a list of GstRtcDataChannel (read-only)")]
    pub(super) channels: Mutex<Vec<DataChannel>>,
    pub(super) known: Mutex<Known>,
    pub(super) last_stats: Mutex<Option<SessionStats>>,
    pub(super) link: OnceLock<Arc<Link>>,
    closed: AtomicBool,
}

impl Session {
    fn sdp(&self, which: fn(&Descriptions) -> Option<&Described>) -> Option<String> {
        which(&self.obj().descriptions()).map(|(_, sdp)| sdp.clone())
    }

    fn kind(&self, which: fn(&Descriptions) -> Option<&Described>) -> Option<String> {
        which(&self.obj().descriptions()).map(|(kind, _)| kind.as_str().to_owned())
    }

    fn transceiver_list(&self) -> gio::ListModel {
        list(self.obj().held().clone())
    }

    fn sender_list(&self) -> gio::ListModel {
        let transceivers = self.obj().held().clone();
        list(
            transceivers
                .iter()
                .filter_map(Transceiver::sender)
                .collect(),
        )
    }

    fn receiver_list(&self) -> gio::ListModel {
        let transceivers = self.obj().held().clone();
        list(
            transceivers
                .iter()
                .filter_map(Transceiver::receiver)
                .collect(),
        )
    }

    fn channel_list(&self) -> gio::ListModel {
        list(self.obj().channels().clone())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// W3C's close().
    pub(super) fn close(&self) {
        if self.is_closed() {
            return;
        }
        self.close_silently();
        if let Some(link) = self.link.get() {
            link.command(Command::Close);
        }
    }

    pub(super) fn close_silently(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(link) = self.link.get() {
            link.close();
        }
        slot::replace(&self.signaling_state, SignalingState::Closed);
        slot::replace(&self.ice_connection_state, IceConnectionState::Closed);
        slot::replace(&self.connection_state, PeerConnectionState::Closed);
        if let Some(ice) = slot::read(&self.ice_transport) {
            ice.set_state(IceTransportState::Closed);
        }
        if let Some(dtls) = slot::read(&self.dtls_transport) {
            dtls.set_state(DtlsTransportState::Closed);
        }
        if let Some(sctp) = slot::read(&self.sctp) {
            sctp.set_state(SctpTransportState::Closed);
        }
        for transceiver in self.obj().held().drain(..) {
            transceiver.stop();
        }
    }
}

/// A list as of now.
pub(super) fn list<T: IsA<glib::Object>>(objects: Vec<T>) -> gio::ListModel {
    let store = gio::ListStore::new::<T>();
    store.extend_from_slice(&objects);
    store.upcast()
}

#[glib::object_subclass]
impl ObjectSubclass for Session {
    const NAME: &'static str = "GstRtcSession";
    type Type = super::Session;
    type ParentType = gst::Object;
}

#[glib::derived_properties]
impl ObjectImpl for Session {
    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(signals::all);
        &SIGNALS
    }
}

impl GstObjectImpl for Session {}
