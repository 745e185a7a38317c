// SPDX-License-Identifier: MPL-2.0
//! `GstRtcSession`: W3C's RTCPeerConnection (webrtc-pc §4.4).
mod descriptions;
mod imp;
mod signals;

use super::enums::{
    IceConnectionState, IceGatheringState, PeerConnectionState, SignalingState, TriState,
};
use super::link::Link;
use super::slot;
use super::transceiver::Transceiver;
use super::{dtls_transport::DtlsTransport, ice_transport::IceTransport};
use crate::data::DataChannel;
use crate::object::sctp_transport::SctpTransport;
use descriptions::Descriptions;
use gst::glib;
use gst::subclass::prelude::*;
use rtc_session::SessionStats;
use std::sync::{Arc, MutexGuard, PoisonError};

glib::wrapper! {
    /// One peer connection with one peer. A `GstObject`, which any thread may use; it may be read when
    /// the session is over.
    pub struct Session(ObjectSubclass<imp::Session>) @extends gst::Object;
}

impl Session {
    pub(crate) fn new(id: &str, peer: &str, polite: bool, manual: bool, link: &Arc<Link>) -> Self {
        let object: Self = glib::Object::new();
        let imp = object.imp();
        slot::replace(&imp.id, id.to_owned());
        slot::replace(&imp.peer, peer.to_owned());
        slot::replace(&imp.polite, polite);
        slot::replace(&imp.manual_negotiation, manual);
        assert!(imp.link.set(Arc::clone(link)).is_ok(), "set once");
        object
    }

    pub(super) fn set_transports(&self, dtls: &DtlsTransport, ice: &IceTransport) {
        slot::replace(&self.imp().dtls_transport, Some(dtls.clone()));
        slot::replace(&self.imp().ice_transport, Some(ice.clone()));
    }

    pub(super) fn set_sctp(&self, sctp: Option<SctpTransport>) {
        if slot::replace(&self.imp().sctp, sctp).is_some() {
            self.notify_sctp();
        }
    }

    pub(super) fn set_signaling(&self, state: SignalingState) -> Option<SignalingState> {
        slot::replace(&self.imp().signaling_state, state)
    }

    pub(super) fn set_gathering(&self, state: IceGatheringState) -> Option<IceGatheringState> {
        slot::replace(&self.imp().ice_gathering_state, state)
    }

    pub(super) fn set_ice(&self, state: IceConnectionState) -> Option<IceConnectionState> {
        slot::replace(&self.imp().ice_connection_state, state)
    }

    pub(super) fn set_connection(&self, state: PeerConnectionState) -> Option<PeerConnectionState> {
        slot::replace(&self.imp().connection_state, state)
    }

    pub(super) fn set_can_trickle(&self, can: TriState) -> bool {
        slot::replace(&self.imp().can_trickle_ice_candidates, can).is_some()
    }

    pub(super) fn descriptions(&self) -> MutexGuard<'_, Descriptions> {
        let descriptions = self.imp().descriptions.lock();
        descriptions.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Vec<Transceiver>> {
        let transceivers = self.imp().transceivers.lock();
        transceivers.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn channels(&self) -> MutexGuard<'_, Vec<DataChannel>> {
        let channels = self.imp().channels.lock();
        channels.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_last_stats(&self, stats: &SessionStats) {
        let last = self.imp().last_stats.lock();
        *last.unwrap_or_else(PoisonError::into_inner) = Some(stats.clone());
    }

    /// Whether the application closed it, which is told to nobody (PC-06).
    pub(super) fn is_closed_here(&self) -> bool {
        self.imp().is_closed()
    }

    /// It is over: every value says so, nothing is told.
    pub(super) fn close_silently(&self) {
        self.imp().close_silently();
    }

    /// The name in signalling.
    pub(crate) fn name_in_signalling(&self) -> String {
        slot::read(&self.imp().id)
    }
}
