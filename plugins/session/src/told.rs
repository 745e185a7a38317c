// SPDX-License-Identifier: MPL-2.0
//! What the application was told of the parts of a session, so that it hears of real changes alone.
use crate::session::Session;
use crate::{
    Direction, DtlsState, Event, IceParameters, SelectedPair, SessionError, TransceiverState,
};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// What was told last.
#[derive(Debug, Default)]
pub(crate) struct Told {
    dtls: DtlsState,
    parameters: IceParameters,
    /// The addresses of the pair told of, which are cheaper to compare than its candidates.
    path: Option<(SocketAddr, SocketAddr)>,
    pair: Option<SelectedPair>,
    transceivers: Vec<TransceiverState>,
    /// Transceivers on which the peer sends (W3C FiredDirection).
    receiving: BTreeSet<u64>,
}

impl Session {
    /// Tells of credentials, role and pair.
    pub(crate) fn tell_ice(&mut self) {
        if let Some(parameters) = self.ice.parameters(&self.told.parameters) {
            self.told.parameters = parameters.clone();
            self.events.push_back(Event::IceParameters(parameters));
        }
        let path = self.ice.addresses();
        if path != self.told.path {
            self.told.path = path;
            let pair = self.ice.selected_pair();
            if pair != self.told.pair {
                self.told.pair.clone_from(&pair);
                self.events.push_back(Event::SelectedPair(pair));
            }
        }
    }

    pub(crate) fn tell_dtls(&mut self, error: Option<&SessionError>) {
        let state = self.dtls.state();
        if state == self.told.dtls {
            return;
        }
        self.told.dtls = state;
        let connected = state == DtlsState::Connected;
        let certificate = self.dtls.peer_certificate().filter(|_| connected);
        let certificate = certificate.map(<[u8]>::to_vec);
        self.events.push_back(Event::Dtls {
            state,
            certificate,
            error: error.filter(|_| state == DtlsState::Failed).cloned(),
        });
    }

    /// Tells of the transceivers if any of them changed.
    pub(crate) fn tell_transceivers(&mut self) {
        let transceivers = self.jsep.transceivers();
        if transceivers != self.told.transceivers && !self.is_closing() {
            self.told.transceivers.clone_from(&transceivers);
            self.events.push_back(Event::Transceivers(transceivers));
        }
    }

    /// Tells on which transceivers the peer sends, after a description of it was applied.
    pub(crate) fn tell_tracks(&mut self) {
        let receives =
            |seen: &&TransceiverState| seen.offered_direction.is_some_and(Direction::receives);
        let receiving = self.told.transceivers.iter().filter(receives);
        let receiving: BTreeSet<u64> = receiving.map(|seen| seen.id).collect();
        let before = std::mem::replace(&mut self.told.receiving, receiving);
        let track = |transceiver: &u64, added| {
            let transceiver = *transceiver;
            Event::Track { transceiver, added }
        };
        let now = &self.told.receiving;
        let gone = before.difference(now).map(|id| track(id, false));
        let new = now.difference(&before).map(|id| track(id, true));
        self.events.extend(gone.chain(new));
    }
}
