// SPDX-License-Identifier: MPL-2.0
//! Negotiation by the application: its requests, done one behind another (PC-20 to PC-26).
//!
//! An offer or answer is made on a copy of the negotiator, which takes the negotiator's place when the
//! description is set. What was asked of the negotiator in between is asked of the copy again.
use crate::candidates::candidate_ufrag;
use crate::request::{RefusalKind, Reply, Request, RequestId};
use crate::session::Session;
use crate::{Event, Refusal, SessionError};
use rtc_jsep::{
    CodecOffer, DescriptionKind, Direction, LocalTransport, Negotiator, RemoteTransport, Setup,
    SignalingState, TransceiverInit, check_candidate,
};
use rtc_payload::{Mid, TrackId};
use std::time::Instant;

/// The description made last, not set yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    kind: DescriptionKind,
    sdp: String,
    local: LocalTransport,
    jsep: Negotiator,
    /// What was asked of the negotiator since.
    later: Vec<Change>,
}

/// Something asked of the negotiator.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Add(TransceiverInit),
    Remove(TrackId),
    Codecs(TrackId, Vec<CodecOffer>),
    Direction(u64, Direction),
    Stop(u64),
    Data,
}

impl Change {
    fn apply(self, jsep: &mut Negotiator) {
        let done = match self {
            Self::Add(init) => {
                jsep.add_transceiver(init);
                Ok(())
            }
            Self::Remove(track) => {
                jsep.remove_track(track);
                Ok(())
            }
            Self::Codecs(track, codecs) => {
                jsep.set_track_codecs(track, codecs);
                Ok(())
            }
            Self::Data => {
                jsep.add_data();
                Ok(())
            }
            Self::Direction(id, direction) => jsep.set_direction(id, direction),
            Self::Stop(id) => jsep.stop(id),
        };
        if let Err(error) = done {
            // Stopped meanwhile: what was asked has no object any more.
            tracing::debug!(%error, "a transceiver is left alone");
        }
    }
}

/// Negotiation by the application.
#[derive(Debug, Default)]
pub(crate) struct ByHand {
    prepared: Option<Prepared>,
    /// The transport of the peer's offer that waits for an answer.
    offered: Option<RemoteTransport>,
}

/// Changes kept for a description that was made and not set; then it is out of date.
const MAX_LATER: usize = 256;

impl Session {
    /// Asks something of the negotiator, and of what was made of it.
    pub(crate) fn change(&mut self, change: Change) {
        if let Some(prepared) = &mut self.by_hand.prepared {
            prepared.later.push(change.clone());
            if prepared.later.len() > MAX_LATER {
                self.by_hand.prepared = None;
            }
        }
        change.apply(&mut self.jsep);
    }

    pub(crate) fn request(&mut self, id: RequestId, request: Request, now: Instant) {
        let result = match request {
            Request::CreateOffer { ice_restart } => self.create_offer(ice_restart, now),
            Request::CreateAnswer => self.create_answer(),
            Request::SetLocalDescription { kind, sdp } => self.set_local(kind, &sdp, now),
            Request::SetRemoteDescription { kind, sdp } => self.set_remote(kind, &sdp, now),
            Request::AddIceCandidate {
                candidate,
                mid,
                index,
                ufrag,
            } => self.add_ice_candidate(&candidate, mid.as_ref(), index, ufrag.as_deref(), now),
            Request::AddTransceiver(init) => Ok(self.add_transceiver(init)),
        };
        self.events.push_back(Event::Reply {
            request: id,
            result,
        });
    }

    fn add_transceiver(&mut self, init: TransceiverInit) -> Reply {
        let before: Vec<u64> = self.jsep.transceivers().iter().map(|t| t.id).collect();
        self.change(Change::Add(init));
        self.tell_transceivers();
        let now = self.jsep.transceivers();
        let new = now.iter().find(|t| !before.contains(&t.id));
        // A transceiver that took a track over is the last one of its kind.
        let id = new.or_else(|| now.last()).map_or(0, |t| t.id);
        Reply::Transceiver(id)
    }

    fn create_offer(&mut self, ice_restart: bool, now: Instant) -> Result<Reply, Refusal> {
        self.must_be(
            "an offer",
            &[SignalingState::Stable, SignalingState::HaveLocalOffer],
        )?;
        self.restart_wanted |= ice_restart && self.has_told_credentials();
        if self.restart_wanted {
            self.ice.prepare_restart(now);
        }
        self.prepare(DescriptionKind::Offer)
    }

    fn create_answer(&mut self) -> Result<Reply, Refusal> {
        self.must_be("an answer", &ANSWERING)?;
        self.prepare(DescriptionKind::Answer)
    }

    fn prepare(&mut self, kind: DescriptionKind) -> Result<Reply, Refusal> {
        let (mut jsep, local) = (self.jsep.clone(), self.local_transport());
        let sdp = match kind {
            DescriptionKind::Offer => jsep.create_offer(&local)?,
            _ => jsep.create_answer(&local, self.answering_role())?,
        };
        self.by_hand.prepared = Some(Prepared {
            kind,
            sdp: sdp.clone(),
            local,
            jsep,
            later: Vec::new(),
        });
        Ok(Reply::Description { kind, sdp })
    }

    fn answering_role(&self) -> Setup {
        match self.is_client(self.by_hand.offered.as_ref()) {
            true => Setup::Active,
            false => Setup::Passive,
        }
    }

    /// Our DTLS role towards a transport of the peer.
    pub(crate) fn is_client(&self, transport: Option<&RemoteTransport>) -> bool {
        let wanted = || transport.is_some_and(|transport| transport.setup == Setup::Passive);
        self.dtls.client().unwrap_or_else(wanted)
    }

    fn set_local(
        &mut self,
        kind: Option<DescriptionKind>,
        sdp: &str,
        now: Instant,
    ) -> Result<Reply, Refusal> {
        let kind = kind.unwrap_or_else(|| match self.jsep.signaling_state() {
            SignalingState::HaveRemoteOffer | SignalingState::HaveLocalPranswer => {
                DescriptionKind::Answer
            }
            _ => DescriptionKind::Offer,
        });
        match kind {
            DescriptionKind::Offer => {
                self.must_be(
                    "a local offer",
                    &[SignalingState::Stable, SignalingState::HaveLocalOffer],
                )?;
            }
            DescriptionKind::Rollback => return self.roll_back_by_hand(),
            _ => self.must_be("a local answer", &ANSWERING)?,
        }
        let made = match kind {
            DescriptionKind::Offer => DescriptionKind::Offer,
            _ => DescriptionKind::Answer,
        };
        let fits =
            |prepared: &Prepared| prepared.kind == made && (sdp.is_empty() || prepared.sdp == sdp);
        if sdp.is_empty() && !self.by_hand.prepared.as_ref().is_some_and(fits) {
            match made {
                DescriptionKind::Offer => self.create_offer(false, now)?,
                _ => self.create_answer()?,
            };
        }
        // What was made last stays if something else is given.
        let Some(mut prepared) = self.by_hand.prepared.take_if(|prepared| fits(prepared)) else {
            let text = format!(
                "it is not the {} that was made last; make another and set it as it is",
                made.as_str()
            );
            return Err(Refusal::new(RefusalKind::InvalidModification, text));
        };
        if kind == DescriptionKind::Pranswer {
            prepared.jsep = self.jsep.clone();
            let role = self.answering_role();
            prepared.sdp = prepared.jsep.create_pranswer(&prepared.local, role)?;
            prepared.later.clear();
        }
        self.apply_prepared(kind, prepared, now);
        Ok(Reply::Done)
    }

    fn apply_prepared(&mut self, kind: DescriptionKind, prepared: Prepared, now: Instant) {
        let Prepared {
            sdp,
            mut jsep,
            later,
            ..
        } = prepared;
        for change in later {
            change.apply(&mut jsep);
        }
        self.jsep = jsep;
        let restarts = match kind {
            DescriptionKind::Offer => {
                self.restart_offered = std::mem::take(&mut self.restart_wanted);
                self.restart_offered
            }
            _ => self.ice.restarts(),
        };
        self.events.push_back(Event::LocalDescription { kind, sdp });
        self.note_signaling();
        self.gatherer.start(restarts, now);
        self.carry_found(now);
        if kind == DescriptionKind::Offer {
            return;
        }
        let transport = match kind {
            DescriptionKind::Answer => self.by_hand.offered.take(),
            _ => self.by_hand.offered.clone(),
        };
        if let Some(transport) = transport {
            let client = self.is_client(Some(&transport));
            let controlling = transport.ice_lite;
            self.apply_transport(&transport, client, controlling, now);
        }
        if kind == DescriptionKind::Answer {
            self.negotiated(now);
        }
    }

    fn roll_back_by_hand(&mut self) -> Result<Reply, Refusal> {
        self.must_be(
            "a rollback",
            &[
                SignalingState::HaveLocalOffer,
                SignalingState::HaveRemoteOffer,
            ],
        )?;
        self.jsep.rollback()?;
        self.by_hand.prepared = None;
        self.by_hand.offered = None;
        self.take_back_restart();
        self.events.push_back(Event::RolledBack);
        self.note_signaling();
        self.tell_tracks();
        Ok(Reply::Done)
    }

    fn set_remote(
        &mut self,
        kind: DescriptionKind,
        sdp: &str,
        now: Instant,
    ) -> Result<Reply, Refusal> {
        if kind == DescriptionKind::Rollback {
            return self.roll_back_by_hand();
        }
        let collides = self.jsep.signaling_state() == SignalingState::HaveLocalOffer;
        let applied = self.jsep.apply_remote(kind, sdp)?;
        self.by_hand.prepared = None;
        if kind == DescriptionKind::Offer {
            if collides {
                self.events.push_back(Event::RolledBack);
            }
            self.take_back_restart();
            self.note_remote(kind, sdp);
            if applied.ice_restart {
                self.ice.prepare_restart(now);
            }
            self.by_hand.offered = applied.transport;
            return Ok(Reply::Done);
        }
        self.note_remote(kind, sdp);
        if kind == DescriptionKind::Answer {
            self.restart_offered = false;
        }
        if let Some(transport) = &applied.transport {
            let client = self.is_client(Some(transport));
            self.apply_transport(transport, client, true, now);
        }
        if kind == DescriptionKind::Answer {
            self.negotiated(now);
        }
        Ok(Reply::Done)
    }

    fn add_ice_candidate(
        &mut self,
        candidate: &str,
        mid: Option<&Mid>,
        index: Option<u16>,
        ufrag: Option<&str>,
        now: Instant,
    ) -> Result<Reply, Refusal> {
        let operation = |text: String| Refusal::new(RefusalKind::Operation, text);
        let Some(found) = self.jsep.remote_line(mid, index) else {
            let text = "no description of the peer was set yet";
            return Err(Refusal::new(RefusalKind::InvalidState, text));
        };
        let is_end = candidate.is_empty() || candidate == "candidate:";
        if !is_end && mid.is_none() && index.is_none() {
            let text = "a candidate needs sdp-mid or sdp-mline-index";
            return Err(Refusal::new(RefusalKind::Type, text));
        }
        if !found {
            let name = mid.map_or_else(|| format!("{index:?}"), Mid::to_string);
            let text = format!("the peer's description has no m-line {name}");
            return Err(operation(text));
        }
        let ufrag = ufrag.or_else(|| candidate_ufrag(candidate));
        if let Some(ufrag) = ufrag.filter(|ufrag| !self.jsep.has_remote_ufrag(ufrag)) {
            let text = format!("no description of the peer has the username fragment {ufrag}");
            return Err(operation(text));
        }
        if is_end {
            return Ok(Reply::Done);
        }
        let text = check_candidate(candidate).map_err(|error| operation(error.to_string()))?;
        let result = self.add_candidate(text.to_owned(), now);
        let reason = |error: SessionError| operation(error.to_string());
        result.map(|()| Reply::Done).map_err(reason)
    }

    fn must_be(&self, what: &str, states: &[SignalingState]) -> Result<(), Refusal> {
        let state = self.jsep.signaling_state();
        if states.contains(&state) {
            return Ok(());
        }
        let names: Vec<_> = states.iter().map(|state| state.as_str()).collect();
        let text = format!(
            "{what} is possible in {} alone, and the signaling state is {}",
            names.join(" and "),
            state.as_str()
        );
        Err(Refusal::new(RefusalKind::InvalidState, text))
    }
}

/// Where an answer of ours is due.
const ANSWERING: [SignalingState; 2] = [
    SignalingState::HaveRemoteOffer,
    SignalingState::HaveLocalPranswer,
];
