// SPDX-License-Identifier: MPL-2.0
//! Descriptions and candidates: what is kept of them, and what is told.
use super::Model;
use crate::object::candidate;
use crate::object::enums::{IceGatheringState, TriState};
use crate::object::mirror::Mirror;
use gst::prelude::*;
use rtc_payload::Mid;
use rtc_session::{CandidateError, DescriptionKind, GatheringState};

impl Model {
    pub(super) fn on_local(&mut self, kind: DescriptionKind, sdp: &str) {
        self.session.descriptions().set_local(kind, sdp);
        let read = Read::of(sdp);
        if read.ufrag != self.ufrag {
            // Another generation: all of its candidates are new.
            self.ufrag.clone_from(&read.ufrag);
            self.ice.forget_local();
            self.untold = read.candidates;
        }
        self.line = read.line;
    }

    pub(super) fn on_remote(&mut self, kind: DescriptionKind, sdp: &str) {
        self.session.descriptions().set_remote(kind, sdp);
        let read = Read::of(sdp);
        if self.remote_ufrag != read.ufrag {
            self.remote_ufrag.clone_from(&read.ufrag);
            self.ice.forget_remote();
        }
        for candidate in read.candidates {
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

/// What is of interest in a description, ours or the peer's; both were checked before.
struct Read {
    candidates: Vec<gst::Structure>,
    ufrag: String,
    trickles: bool,
    /// Mid and index of the first m-line in use.
    line: Option<(String, u16)>,
}

impl Read {
    fn of(sdp: &str) -> Self {
        let mut read = Self {
            candidates: Vec::new(),
            ufrag: String::new(),
            trickles: false,
            line: None,
        };
        let sections = sdp.split("\nm=").enumerate();
        for (at, section) in sections {
            let in_use = at > 0 && section.split(' ').nth(1) != Some("0");
            let lines = || section.lines().filter_map(|line| line.strip_prefix("a="));
            let mid = lines().find_map(|line| line.strip_prefix("mid:"));
            let index = u16::try_from(at.saturating_sub(1)).ok();
            if in_use && read.line.is_none() {
                read.line = index.map(|index| (mid.unwrap_or_default().to_owned(), index));
            }
            for line in lines() {
                if let Some(options) = line.strip_prefix("ice-options:") {
                    read.trickles |= options.split(' ').any(|option| option == "trickle");
                } else if let Some(ufrag) = line.strip_prefix("ice-ufrag:")
                    && read.ufrag.is_empty()
                {
                    ufrag.clone_into(&mut read.ufrag);
                } else if line.starts_with("candidate:") && read.candidates.len() < MAX_CANDIDATES {
                    let candidate = candidate::structure(line, mid, index);
                    read.candidates.push(candidate);
                }
            }
        }
        read
    }
}

/// The session takes no more of them either.
const MAX_CANDIDATES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_by_m_line() {
        gst::init().unwrap();
        let sdp = "v=0\r\na=ice-options:trickle ice2\r\nm=audio 0 RTP\r\na=mid:a\r\n\
                   m=video 9 RTP\r\na=mid:v\r\na=ice-ufrag:abcd\r\n\
                   a=candidate:1 1 udp 7 10.0.0.1 5 typ host\r\n";
        let read = Read::of(sdp);
        assert!(read.trickles);
        assert_eq!(read.ufrag, "abcd");
        assert_eq!(read.line, Some(("v".to_owned(), 1)));
        assert_eq!(read.candidates.len(), 1);
        assert_eq!(read.candidates[0].get::<&str>("sdp-mid"), Ok("v"));
        assert_eq!(read.candidates[0].get::<u32>("sdp-mline-index"), Ok(1));
    }
}
