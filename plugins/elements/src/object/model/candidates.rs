// SPDX-License-Identifier: MPL-2.0
//! Descriptions and candidates: what is kept of them, and what is told.
use super::Model;
use crate::object::candidate;
use crate::object::enums::{IceGatheringState, TriState};
use crate::object::mirror::Mirror;
use gst::prelude::*;
use rtc_payload::Mid;
use rtc_session::{CandidateError, DescriptionKind, GatheringState, Outline};

impl Model {
    pub(super) fn on_local(&mut self, kind: DescriptionKind, sdp: &str) {
        self.session.descriptions().set_local(kind, sdp);
        let read = Outline::of(sdp);
        if read.ufrag != self.ufrag {
            // Another generation: all of its candidates are new.
            self.ufrag.clone_from(&read.ufrag);
            self.ice.forget_local();
            self.untold = structures(&read);
        }
        self.line = read.line;
    }

    pub(super) fn on_remote(&mut self, kind: DescriptionKind, sdp: &str) {
        self.session.descriptions().set_remote(kind, sdp);
        let read = Outline::of(sdp);
        if self.remote_ufrag != read.ufrag {
            self.remote_ufrag.clone_from(&read.ufrag);
            self.ice.forget_remote();
        }
        for candidate in structures(&read) {
            self.ice.add_remote(candidate);
        }
        // PC-54
        let can = TriState::from(Some(read.trickles));
        if self.session.set_can_trickle(can) {
            self.session.notify_can_trickle_ice_candidates();
        }
    }

    /// A candidate of the peer was given to the session.
    pub(crate) fn on_remote_candidate(&self, line: &str, mid: Option<&Mid>, index: Option<u16>) {
        if !line.is_empty() {
            let mid = mid.map(Mid::as_str);
            self.ice.add_remote(candidate::structure(line, mid, index));
        }
    }

    pub(super) fn on_candidate(&self, line: &str, mid: &Mid, index: u16, mirror: &Mirror<'_>) {
        let mut descriptions = self.session.descriptions();
        descriptions.add_local_candidate(Some(line), index);
        drop(descriptions);
        let found = candidate::structure(line, Some(mid.as_str()), Some(index));
        self.tell_candidate(&found, mirror);
    }

    pub(super) fn on_candidate_error(&self, error: &CandidateError, mirror: &Mirror<'_>) {
        let structure = candidate::error(error);
        mirror.event("session", "ice-candidate-error", |event| {
            copy(&structure, event);
        });
        self.session
            .emit_by_name::<()>("on-ice-candidate-error", &[&structure]);
    }

    /// The transport's state before that of the whole, with the candidates in between (PC-11).
    pub(super) fn on_gathering(&mut self, state: GatheringState, mirror: &Mirror<'_>) {
        let is_complete = state == GatheringState::Complete;
        if is_complete {
            for candidate in std::mem::take(&mut self.untold) {
                self.tell_candidate(&candidate, mirror);
            }
            if let Some((mid, index)) = self.line.clone() {
                let mut descriptions = self.session.descriptions();
                descriptions.add_local_candidate(None, index);
                drop(descriptions);
                let end = candidate::structure("", Some(&mid), Some(index));
                self.tell_candidate(&end, mirror);
            }
        }
        let state = IceGatheringState::from(state);
        let of_transport = self.ice.set_gathering(state);
        let of_session = self.session.set_gathering(state);
        if let Some(old) = of_transport {
            let (old, new) = (old.as_str(), state.as_str());
            mirror.change("ice-transport", "gathering-state-change", old, new);
            self.ice.notify_gathering_state();
        }
        if let Some(old) = of_session {
            let (old, new) = (old.as_str(), state.as_str());
            mirror.change("session", "ice-gathering-state-change", old, new);
            self.session.notify_ice_gathering_state();
        }
        if is_complete {
            let nothing = (None::<gst::Structure>, None::<String>);
            self.session
                .emit_by_name::<()>("on-ice-candidate", &[&nothing.0, &nothing.1]);
        } else if state == IceGatheringState::Gathering {
            for candidate in std::mem::take(&mut self.untold) {
                self.tell_candidate(&candidate, mirror);
            }
        }
    }

    fn tell_candidate(&self, candidate: &gst::Structure, mirror: &Mirror<'_>) {
        if candidate.has_field("foundation") {
            self.ice.add_local(candidate.clone());
        }
        mirror.event("session", "ice-candidate", |event| copy(candidate, event));
        self.session
            .emit_by_name::<()>("on-ice-candidate", &[candidate, &None::<String>]);
    }
}

fn copy(from: &gst::StructureRef, to: &mut gst::StructureRef) {
    for (name, value) in from.iter() {
        to.set_value(name, value.clone());
    }
}

/// The candidates of a description as applications see them.
fn structures(outline: &Outline) -> Vec<gst::Structure> {
    let candidates = outline.candidates.iter();
    let shown = candidates.map(|described| {
        let mid = described.mid.as_ref().map(Mid::as_str);
        candidate::structure(&described.candidate, mid, Some(described.index))
    });
    shown.collect()
}
