// SPDX-License-Identifier: MPL-2.0
//! `GstRtcSession`: W3C's RTCPeerConnection (webrtc-pc §4.4).
mod actions;
mod descriptions;
mod imp;
mod signals;

use super::enums::{
    IceConnectionState, IceGatheringState, PeerConnectionState, SignalingState, TriState,
};
use super::link::Link;
use super::model::Setup;
use super::stats::Known;
use super::transceiver::Transceiver;
use super::{candidate, slot};
use super::{dtls_transport::DtlsTransport, ice_transport::IceTransport};
use crate::data::DataChannel;
use crate::object::sctp_transport::SctpTransport;
use descriptions::Descriptions;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_session::SessionStats;
use std::sync::{Arc, MutexGuard, PoisonError};

glib::wrapper! {
    /// One peer connection with one peer. A `GstObject`, which any thread may use; it may be read when
    /// the session is over.
    pub struct Session(ObjectSubclass<imp::Session>) @extends gst::Object;
}

impl Session {
    pub(super) fn new(setup: &Setup<'_>, link: &Arc<Link>) -> Self {
        let object: Self = glib::Object::new();
        let imp = object.imp();
        slot::replace(&imp.id, setup.name.to_owned());
        slot::replace(&imp.peer, setup.peer.to_owned());
        slot::replace(&imp.polite, setup.polite);
        slot::replace(&imp.manual_negotiation, setup.manual);
        assert!(imp.link.set(Arc::clone(link)).is_ok(), "set once");
        object
    }

    /// Whether that is new.
    pub(super) fn set_peer_identity(&self, identity: &str) -> bool {
        slot::replace(&self.imp().peer_identity, Some(identity.to_owned())).is_some()
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

    /// What statistics need besides counters.
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        let known = self.imp().known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of the pad of an m-line's sender or receiver.
    pub(super) fn pad_of(&self, mid: &str, sends: bool) -> Option<String> {
        let all = self.held().clone();
        let line = all.iter().find(|t| t.mid().as_deref() == Some(mid))?;
        let pad = match sends {
            true => line.sender()?.track(),
            false => line.receiver()?.track(),
        };
        Some(pad?.name().to_string())
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

    /// A candidate of the peer, for `get-remote-candidates`.
    pub(super) fn note_remote_candidate(&self, line: &str, mid: Option<&str>, index: Option<i64>) {
        let ice = slot::read(&self.imp().ice_transport);
        if let Some(ice) = ice.filter(|_| !line.is_empty()) {
            let index = index.and_then(|index| u16::try_from(index).ok());
            ice.add_remote(candidate::structure(line, mid, index));
        }
    }

    /// The name in signalling.
    pub(crate) fn name_in_signalling(&self) -> String {
        slot::read(&self.imp().id)
    }
}
