// SPDX-License-Identifier: MPL-2.0
//! Offers and answers of a session: perfect negotiation (W3C webrtc-pc §10.7), restarts, candidates.
//!
//! Nothing here waits: host candidates are known from the start, so every operation is done when its
//! call returns, and operations are in order by nature. What must wait for `stable` is an offer.
use crate::candidates::{candidate_ufrag, local_name};
use crate::requested::Change;
use crate::session::Session;
use crate::{Command, DataState, Event, IceTransportPolicy, SessionError, convert};
use rtc_jsep::{
    DescriptionKind, JsepError, LocalTransport, RemoteTransport, Setup, SignalingState,
    check_candidate,
};
use std::net::IpAddr;
use std::time::Instant;

impl Session {
    pub(crate) fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::AddTransceiver(init) => self.change(Change::Add(init)),
            Command::RemoveTrack(track) => self.change(Change::Remove(track)),
            Command::SetDirection(id, direction) => self.change(Change::Direction(id, direction)),
            Command::StopTransceiver(id) => self.change(Change::Stop(id)),
            Command::Request(id, request) => self.request(id, request, now),
            Command::SetTrackCodecs(track, codecs) => self.change(Change::Codecs(track, codecs)),
            Command::Negotiate => self.negotiate(now),
            Command::RemoteDescription { kind, sdp } => self.remote_description(kind, &sdp, now),
            Command::RemoteCandidate { candidate, .. } => self.remote_candidate(&candidate, now),
            Command::RequestKeyframe(mid) => return self.media.request_keyframe(&mid, now),
            Command::InsertDtmf {
                track,
                tones,
                duration_ms,
                gap_ms,
            } => self.insert_tones(track, &tones, duration_ms, gap_ms, now),
            Command::StartTone {
                track,
                tone,
                volume,
            } => self.start_tone(track, tone, volume, now),
            Command::StopTone(track) => self.media.stop_tone(track, now),
            // With no credentials told yet there are none to replace (PC-50).
            Command::AddIceServers(servers) => self.gatherer.add(&servers, now),
            Command::SetLogin { url, login } => self.gatherer.set_login(&url, &login, now),
            Command::RestartIce => self.restart_wanted |= self.has_told_credentials(),
            Command::OfferData => self.change(Change::Data),
            Command::OpenChannel(init) => {
                if self.channels.open(init, now) {
                    self.change(Change::Data);
                }
            }
            Command::SendMessage {
                channel,
                data,
                text,
            } => return self.channels.send(channel, data, text, now),
            Command::SetLowThreshold { channel, bytes } => {
                return self.channels.set_low_threshold(channel, bytes);
            }
            Command::HoldMessages(hold) => return self.channels.hold(hold),
            Command::CloseChannel(key) => self.channels.close_channel(key),
            Command::Close => self.close(None, now),
        }
        // What has returned by now changes nothing of what is negotiated.
        self.needs_checking = true;
    }

    /// Emits [`Event::NegotiationNeeded`] when it becomes true (PC-30), once for any number of changes
    /// (PC-32).
    pub(crate) fn check_negotiation_needed(&mut self) {
        if self.needs_checking {
            self.tell_transceivers();
        }
        if !std::mem::take(&mut self.needs_checking)
            || self.jsep.signaling_state() != SignalingState::Stable
        {
            return;
        }
        let needed = self.jsep.negotiation_needed() || self.restart_wanted;
        if needed && !self.needed {
            self.events.push_back(Event::NegotiationNeeded);
        }
        self.needed = needed;
    }

    pub(crate) fn resolved(&mut self, name: &str, addresses: &[IpAddr], now: Instant) {
        for candidate in self.candidates.resolved(name, addresses) {
            let result = self.add_candidate(candidate, now);
            self.refuse(result);
        }
    }

    fn negotiate(&mut self, now: Instant) {
        if self.jsep.signaling_state() == SignalingState::Stable {
            self.make_offer(now);
        } else {
            self.offer_wanted = true;
        }
    }

    fn make_offer(&mut self, now: Instant) {
        if self.restart_wanted {
            self.ice.prepare_restart(now);
        }
        self.gatherer.start(self.restart_wanted, now);
        match self.jsep.create_offer(&self.local_transport()) {
            Ok(sdp) => {
                self.restart_offered = std::mem::take(&mut self.restart_wanted);
                let kind = DescriptionKind::Offer;
                self.events.push_back(Event::LocalDescription { kind, sdp });
                self.note_signaling();
                self.carry_found(now);
            }
            Err(error) => {
                self.ice.abandon_restart();
                self.refuse(Err(SessionError::Negotiation {
                    kind: DescriptionKind::Offer,
                    reason: error.to_string(),
                }));
            }
        }
        self.note_signaling();
    }

    fn remote_description(&mut self, kind: DescriptionKind, sdp: &str, now: Instant) {
        let result = match kind {
            DescriptionKind::Offer => self.remote_offer(sdp, now),
            DescriptionKind::Answer | DescriptionKind::Pranswer => {
                self.remote_answer(kind, sdp, now)
            }
            DescriptionKind::Rollback => self.remote_rollback(),
        };
        self.refuse(result.map_err(|fault| match fault {
            Fault::Refused(error) => SessionError::Description {
                kind,
                reason: error.to_string(),
            },
            Fault::Session(error) => error,
        }));
        self.note_signaling();
        if std::mem::take(&mut self.answered) {
            self.negotiated(now);
        }
    }

    fn remote_offer(&mut self, sdp: &str, now: Instant) -> Result<(), Fault> {
        let collides = self.jsep.signaling_state() != SignalingState::Stable;
        self.ignores_offer = collides && !self.config.polite;
        if self.ignores_offer {
            tracing::debug!(session = %self.config.id, "ignoring an offer that collides with ours");
            return Ok(());
        }
        let applied = self.jsep.apply_remote(DescriptionKind::Offer, sdp)?;
        if collides {
            // Ours was rolled back, and what it was made for is still wanted.
            self.events.push_back(Event::RolledBack);
            self.take_back_restart();
        }
        self.note_remote(DescriptionKind::Offer, sdp);
        if applied.ice_restart {
            self.ice.prepare_restart(now);
        }
        let Some(transport) = applied.transport else {
            return self.give_up_offer("it has no transport");
        };
        let client = self.is_client(Some(&transport));
        let role = if client {
            Setup::Active
        } else {
            Setup::Passive
        };
        self.gatherer.start(applied.ice_restart, now);
        let sdp = match self.jsep.create_answer(&self.local_transport(), role) {
            Ok(sdp) => sdp,
            Err(error) => return self.give_up_offer(&error.to_string()),
        };
        let kind = DescriptionKind::Answer;
        self.events.push_back(Event::LocalDescription { kind, sdp });
        self.note_signaling();
        self.carry_found(now);
        self.answered = true;
        self.apply_transport(&transport, client, transport.ice_lite, now);
        Ok(())
    }

    fn remote_answer(
        &mut self,
        kind: DescriptionKind,
        sdp: &str,
        now: Instant,
    ) -> Result<(), Fault> {
        let applied = self.jsep.apply_remote(kind, sdp)?;
        self.note_remote(kind, sdp);
        self.answered = kind == DescriptionKind::Answer;
        if self.answered {
            self.restart_offered = false;
        }
        let Some(transport) = applied.transport else {
            return Ok(());
        };
        let client = self.is_client(Some(&transport));
        self.apply_transport(&transport, client, true, now);
        Ok(())
    }

    fn remote_rollback(&mut self) -> Result<(), Fault> {
        self.jsep.apply_remote(DescriptionKind::Rollback, "")?;
        self.events.push_back(Event::RolledBack);
        self.take_back_restart();
        Ok(())
    }

    /// An offer that was applied but cannot be answered leaves no trace.
    fn give_up_offer(&mut self, reason: &str) -> Result<(), Fault> {
        self.ice.abandon_restart();
        if let Err(error) = self.jsep.rollback() {
            tracing::warn!(session = %self.config.id, %error, "an offer could not be rolled back");
        }
        self.events.push_back(Event::RolledBack);
        Err(Fault::Session(SessionError::Description {
            kind: DescriptionKind::Offer,
            reason: reason.to_owned(),
        }))
    }

    pub(crate) fn take_back_restart(&mut self) {
        self.ice.abandon_restart();
        self.restart_wanted |= std::mem::take(&mut self.restart_offered);
    }

    pub(crate) fn apply_transport(
        &mut self,
        transport: &RemoteTransport,
        client: bool,
        controlling: bool,
        now: Instant,
    ) {
        if let Err(error) = self.dtls.set_peer(transport.fingerprints.clone(), client) {
            // Another certificate on the same association is another peer.
            return self.close(Some(error), now);
        }
        if self.ice.remote_ufrag() != Some(&transport.ufrag) {
            self.outage.on_restart(now);
        }
        self.ice
            .start(&transport.ufrag, &transport.pwd, controlling, now);
        let described = transport.candidates.iter().map(|c| c.candidate.clone());
        if transport.end_of_candidates || transport.trickle != Some(true) {
            self.ice.end_remote();
        }
        let held = self.candidates.release(&transport.ufrag);
        for candidate in described.chain(held) {
            // One bad candidate is no reason to refuse a description.
            if let Err(error) = self.add_candidate(candidate, now) {
                tracing::debug!(session = %self.config.id, %error, "a candidate is left out");
            }
        }
    }

    fn remote_candidate(&mut self, candidate: &str, now: Instant) {
        if candidate.is_empty() || candidate == "candidate:" {
            return self.ice.end_remote();
        }
        let result = match check_candidate(candidate) {
            Ok(candidate) => self.add_candidate(candidate.to_owned(), now),
            Err(error) => Err(SessionError::Candidate {
                reason: error.to_string(),
            }),
        };
        if self.ignores_offer && result.is_err() {
            return;
        }
        self.refuse(result);
    }

    pub(crate) fn add_candidate(
        &mut self,
        candidate: String,
        now: Instant,
    ) -> Result<(), SessionError> {
        let named = candidate_ufrag(&candidate);
        let belongs = self
            .ice
            .remote_ufrag()
            .is_some_and(|ufrag| named.is_none_or(|named| named == ufrag));
        if !belongs {
            return self.candidates.hold(candidate);
        }
        if let Some(name) = local_name(&candidate) {
            // It would show where we are (RFC 8827 §6.4).
            if self.config.ice_transport_policy == IceTransportPolicy::Relay {
                return Ok(());
            }
            let name = name.to_owned();
            if self.candidates.resolve(&name, candidate)? {
                self.events.push_back(Event::Resolve { name });
            }
            return Ok(());
        }
        self.ice.add_remote(&candidate, now)
    }

    /// After each answer, theirs or ours.
    pub(crate) fn negotiated(&mut self, now: Instant) {
        if self.is_closing() {
            return;
        }
        let media = self.jsep.media();
        let data = media.data.as_ref().map(|data| DataState {
            max_message_size: data.max_message_size,
        });
        self.events.push_back(Event::Data(data));
        self.events.push_back(Event::Media(convert::states(&media)));
        self.negotiated = Some(convert::params(&media, self.playout_delay));
        self.configure_media(now);
        match media.data {
            Some(data) => {
                let client = self.dtls.client().unwrap_or_default();
                self.channels.negotiated(data, client, now);
            }
            None if !self.jsep.wants_data() => self.channels.rejected(now),
            // They were asked for after the offer: the next one is theirs.
            None => {}
        }
        self.needed = false;
        self.needs_checking = true;
        if std::mem::take(&mut self.offer_wanted)
            && (self.jsep.negotiation_needed() || self.restart_wanted)
        {
            self.make_offer(now);
        }
    }

    pub(crate) fn has_told_credentials(&self) -> bool {
        self.ice.has_peer() || self.jsep.signaling_state() != SignalingState::Stable
    }

    pub(crate) fn local_transport(&self) -> LocalTransport {
        let ice = self.ice.local();
        LocalTransport {
            ufrag: ice.ufrag,
            pwd: ice.pwd,
            fingerprint: self.config.certificate.fingerprint(),
            candidates: ice.candidates,
            gathering_done: self.gatherer.is_done(),
        }
    }

    /// Tells of a description of the peer that was applied, and what follows from it (W3C webrtc-pc
    /// §4.4.1.5: the signaling state before the tracks).
    pub(crate) fn note_remote(&mut self, kind: DescriptionKind, sdp: &str) {
        let sdp = sdp.to_owned();
        self.events
            .push_back(Event::RemoteDescription { kind, sdp });
        self.note_signaling();
        self.tell_tracks();
    }

    pub(crate) fn note_signaling(&mut self) {
        self.tell_transceivers();
        let state = self.jsep.signaling_state();
        if state != self.signaling && !self.is_closing() {
            self.signaling = state;
            self.events.push_back(Event::Signaling(state));
        }
    }

    pub(crate) fn refuse(&mut self, result: Result<(), SessionError>) {
        if let Err(error) = result {
            self.events.push_back(Event::Refused(error));
        }
    }
}

/// Why a description was not applied.
enum Fault {
    Refused(JsepError),
    Session(SessionError),
}

impl From<JsepError> for Fault {
    fn from(error: JsepError) -> Self {
        Self::Refused(error)
    }
}
