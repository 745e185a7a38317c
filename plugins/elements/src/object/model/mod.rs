// SPDX-License-Identifier: MPL-2.0
//! From a session's events to its objects: first all values are set, then they are told, in W3C's order.
mod candidates;
mod requests;
mod states;
mod transceivers;

use super::dtls_transport::DtlsTransport;
use super::ice_transport::IceTransport;
use super::link::Link;
use super::mirror::Mirror;
use super::sctp_transport::SctpTransport;
use super::session::Session;
use gst::prelude::*;
use rtc_payload::{Mid, TrackId};
use rtc_session::{ChannelKey, DtlsState, Event, IceConnectionState, RequestId, TransceiverState};
use std::collections::HashMap;
use std::sync::Arc;

/// What the objects of a session show of the elements round it.
pub(crate) trait Pads {
    /// The sink pad that feeds a track.
    fn of_track(&self, track: TrackId) -> Option<gst::Pad>;
    /// The source pad that an m-line's media come out of.
    fn of_line(&self, mid: &Mid) -> Option<gst::Pad>;
}

/// What the objects of a session are made with.
pub(crate) struct Setup<'a> {
    /// Its name in signalling.
    pub(crate) name: &'a str,
    /// The peer's.
    pub(crate) peer: &'a str,
    pub(crate) polite: bool,
    pub(crate) manual: bool,
    /// Ours, DER.
    pub(crate) certificate: &'a [u8],
}

/// The objects of one session, as the control thread keeps them up to date.
pub(crate) struct Model {
    session: Session,
    link: Arc<Link>,
    ice: IceTransport,
    dtls: DtlsTransport,
    sctp: Option<SctpTransport>,
    /// What the session said last, for the aggregate.
    ice_state: IceConnectionState,
    dtls_state: DtlsState,
    /// Candidates that stand in our description and were not told yet.
    untold: Vec<gst::Structure>,
    /// The m-line that our candidates belong to.
    line: Option<(String, u16)>,
    /// Username fragments of our last description and of the peer's.
    ufrag: String,
    remote_ufrag: String,
    /// MediaStream ids of what the peer sends, by transceiver.
    streams: HashMap<u64, Vec<String>>,
    /// Data channels that an application asked for and that are not open yet.
    opening: HashMap<ChannelKey, RequestId>,
}

impl Model {
    /// The objects of a session that was just opened.
    pub(crate) fn new(setup: Setup<'_>, link: Link) -> Self {
        let link = Arc::new(link);
        let session = Session::new(&setup, &link);
        session.known().certificate = setup.certificate.to_vec();
        let ice = IceTransport::new();
        let dtls = DtlsTransport::new(&ice);
        session.set_transports(&dtls, &ice);
        Self {
            session,
            link,
            ice,
            dtls,
            sctp: None,
            ice_state: IceConnectionState::New,
            dtls_state: DtlsState::New,
            untold: Vec::new(),
            line: None,
            ufrag: String::new(),
            remote_ufrag: String::new(),
            streams: HashMap::new(),
            opening: HashMap::new(),
        }
    }

    /// The object for applications.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// The peer's identity provider said who it is.
    pub(crate) fn on_identity(&self, identity: &str, mirror: &Mirror<'_>) {
        if !self.session.is_closed_here() && self.session.set_peer_identity(identity) {
            self.session.notify_peer_identity();
            mirror.event("session", "peer-identity", |structure| {
                structure.set("identity", identity);
            });
        }
    }

    /// Takes an event of the session; nothing is told once the application closed it (PC-06).
    pub(crate) fn on_event(&mut self, event: &Event, pads: &dyn Pads, mirror: &Mirror<'_>) {
        if !self.session.is_closed_here() {
            self.take(event, pads, mirror);
        } else if let Event::LastStats(stats) = event {
            self.session.set_last_stats(stats);
        }
        if self.session.is_closed_here() {
            // It may have been closed while a state was set.
            self.session.close_silently();
        }
    }

    fn take(&mut self, event: &Event, pads: &dyn Pads, mirror: &Mirror<'_>) {
        match event {
            Event::LocalDescription { kind, sdp } => self.on_local(*kind, sdp),
            Event::RemoteDescription { kind, sdp } => self.on_remote(*kind, sdp),
            Event::RolledBack => self.session.descriptions().roll_back(),
            Event::Transceivers(states) => {
                let streams = |state: &TransceiverState| (state.id, state.remote_streams.clone());
                self.streams = states.iter().map(streams).collect();
                self.on_transceivers(states, pads);
            }
            Event::Track { transceiver, added } => {
                self.on_track(*transceiver, *added, pads, mirror);
            }
            Event::Signaling(state) => self.on_signaling((*state).into(), mirror),
            Event::LocalCandidate {
                candidate: Some(candidate),
                mid,
                index,
            } => {
                self.on_candidate(candidate, mid, *index, mirror);
            }
            Event::Gathering(state) => self.on_gathering(*state, mirror),
            Event::CandidateError(error) => {
                self.on_candidate_error(error, mirror);
            }
            Event::NegotiationNeeded => {
                mirror.event("session", "negotiation-needed", |_| {});
                self.session
                    .emit_by_name::<()>("on-negotiation-needed", &[]);
            }
            Event::Reply { request, result } => self.on_reply(*request, result),
            Event::LastStats(stats) => self.session.set_last_stats(stats),
            other => self.take_transport(other, mirror),
        }
    }

    /// What happens to the transports.
    fn take_transport(&mut self, event: &Event, mirror: &Mirror<'_>) {
        match event {
            Event::IceParameters(parameters) => {
                let changed = self.ice.set_parameters(parameters);
                if changed {
                    self.ice.notify_role();
                }
            }
            Event::SelectedPair(pair) => {
                self.session.known().pair_changes += 1;
                self.ice.set_pair(pair.clone());
                self.tell_pair(mirror);
            }
            Event::Ice(state) => {
                self.ice_state = *state;
                self.on_states(mirror, None);
            }
            Event::Dtls {
                state,
                certificate,
                error,
            } => {
                self.dtls_state = *state;
                if let Some(der) = certificate {
                    self.dtls.set_certificate(der);
                }
                self.on_states(mirror, error.as_ref());
            }
            Event::Connection(state) => self.on_connection(*state, mirror),
            Event::Data(data) => match data {
                Some(data) => {
                    self.sctp_transport()
                        .set_max_message_size(data.max_message_size);
                }
                None => self.sctp = None,
            },
            Event::Sctp(state) => self.on_sctp(*state, mirror),
            _ => {}
        }
    }
}
