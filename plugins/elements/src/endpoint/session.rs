// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for sessions that run: what they tell, and their end.
use super::attachment::SessionFault;
use super::control::{CAT, Control};
use super::track::Taken;
use rtc_payload::{Mid, SessionId};
use rtc_rtp::MediaEvent;
use rtc_session::{Command, DescriptionKind, Event, MediaState, SessionError, SignalingState};
use rtc_signaller::{EndCode, SignallerExt};
use std::time::Instant;

impl Control {
    pub(super) fn on_session_event(&mut self, id: SessionId, event: Event) {
        self.show_event(id, &event);
        let manual = self.is_manual();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        match event {
            Event::LocalDescription { kind, sdp } => {
                peer.offer_asked &= kind != DescriptionKind::Offer;
                let sdp = peer.identity.described(sdp);
                self.setup
                    .signaller
                    .send_description(&peer.session, kind.as_str(), &sdp);
            }
            Event::LocalCandidate {
                candidate,
                mid,
                index,
            } => self.setup.signaller.send_candidate(
                &peer.session,
                candidate.as_deref(),
                Some(mid.as_str()),
                i32::from(index),
            ),
            Event::CandidateError(error) => {
                gst::warning!(
                    CAT,
                    "{}: {}: {} {}",
                    peer.session,
                    error.url,
                    error.code,
                    error.text
                );
                let session = peer.session.clone();
                self.to_all(|attachment| attachment.server_failed(&session, &error));
            }
            Event::Signaling(SignalingState::Stable) => {
                // If there is still need for the offer that was asked for, the session says so.
                peer.offer_asked = false;
            }
            Event::NegotiationNeeded if peer.may_offer && !peer.offer_asked && !manual => {
                peer.offer_asked = true;
                self.setup.handle.command(id, Command::Negotiate);
            }
            Event::Data(data) => peer.data = data.is_some(),
            Event::Channel(event) => self.on_channel(id, event),
            Event::Media(states) => {
                self.on_media(id, &states);
                self.tones_negotiated(id, &states);
                self.show(id, |model, pads, _| model.on_media(&states, pads));
            }
            Event::LoginWanted(wanted) => self.on_login_wanted(id, wanted, Instant::now()),
            Event::Rtp(event) => self.on_rtp(id, event),
            Event::Refused(error) => self.on_refused(id, &error),
            Event::Closed(error) => self.on_closed(id, error),
            Event::Connection(state) => {
                gst::info!(CAT, "session {}: {}", peer.session, state.as_str());
                self.tones_connected(id, state);
            }
            other => gst::debug!(CAT, "session {}: {other:?}", peer.session),
        }
    }

    fn on_rtp(&mut self, id: SessionId, event: MediaEvent) {
        match event {
            MediaEvent::KeyframeWanted {
                track,
                codec,
                layer,
                ..
            } => self.on_keyframe_wanted(id, (track, codec), layer),
            MediaEvent::Layer {
                track,
                codec,
                sent,
                wanted,
                ..
            } => self.on_layer(id, (track, codec), Taken { sent, wanted }),
            MediaEvent::Estimate { bits_per_second } => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.estimate = bits_per_second;
                }
                self.retarget(id);
            }
            MediaEvent::Tone(tone) => self.on_tone(id, &tone),
            MediaEvent::ToneChange {
                track,
                tone,
                buffer,
                ..
            } => self.on_tone_change(id, track, &tone, &buffer),
            other => gst::debug!(CAT, "session {id}: {other:?}"),
        }
    }

    /// The m-lines after a negotiation: encoders first, so that they warm up while ICE still runs.
    fn on_media(&mut self, id: SessionId, states: &[MediaState]) {
        let takes = states.iter().filter_map(|s| s.sending.as_ref());
        let takes: Vec<_> = takes
            .map(|(track, params)| (*track, params.codec))
            .filter(|(track, _)| self.tracks.iter().any(|known| known.id == *track))
            .collect();
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.sending.clone_from(&takes);
        }
        self.set_taken(id, &takes);
        self.retarget(id);
        self.update_receivers(id, states);
        let nothing = self
            .peers
            .get(&id)
            .is_some_and(|peer| peer.sending.is_empty() && peer.receiving.is_empty() && !peer.data);
        if nothing {
            self.end(id, EndCode::NotAcceptable, NO_COMMON_CODEC);
        }
    }

    fn on_refused(&mut self, id: SessionId, error: &SessionError) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        gst::warning!(CAT, "session {}: {error}", peer.session);
        if matches!(error, SessionError::Tones(_)) {
            return;
        }
        // Without a first negotiation there is no session to go on with.
        if peer.sending.is_empty() && peer.receiving.is_empty() && !peer.data {
            let code = match error {
                SessionError::Candidate { .. } => return,
                SessionError::Description { .. } => EndCode::BadRequest,
                _ => EndCode::NotAcceptable,
            };
            self.end(id, code, &error.to_string());
        }
    }

    /// Ends a session by our own decision.
    fn end(&mut self, id: SessionId, code: EndCode, text: &str) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        self.setup.handle.command(id, Command::Close);
        if !std::mem::replace(&mut peer.farewell_said, true) {
            let (session, peer) = (peer.session.clone(), peer.peer.clone());
            self.refuse(&session, &peer, code, text);
        }
    }

    /// Ends a session for a fault of the peer that signalling has no code for.
    pub(super) fn end_with(&mut self, id: SessionId, fault: &SessionFault) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        self.setup.handle.command(id, Command::Close);
        if !std::mem::replace(&mut peer.farewell_said, true) {
            let code = EndCode::NotAcceptable.as_str();
            self.setup
                .signaller
                .end_session(&fault.session, code, &fault.text);
            self.report_fault(fault);
        }
    }

    fn on_closed(&mut self, id: SessionId, error: Option<SessionError>) {
        self.tones_over(id);
        self.set_taken(id, &[]);
        let mids: Vec<Mid> = match self.peers.get(&id) {
            Some(peer) => peer.receiving.keys().cloned().collect(),
            None => return,
        };
        for mid in mids {
            self.remove_receiver(id, &mid);
        }
        self.end_channels(id);
        self.show(id, |model, _, mirror| {
            model.on_closed(error.as_ref(), mirror)
        });
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        let session = peer.model.session().clone();
        self.setup.list.remove(&session);
        self.names.remove(&peer.session);
        gst::info!(CAT, "session {} is over: {error:?}", peer.session);
        let fault = error.filter(|error| !matches!(error, SessionError::PeerClosed));
        if !peer.farewell_said {
            let (code, text) = match &fault {
                Some(error) => (EndCode::Error, error.to_string()),
                None => (EndCode::Bye, String::new()),
            };
            let signaller = &self.setup.signaller;
            signaller.end_session(&peer.session, code.as_str(), &text);
        }
        if let Some(error) = fault.filter(|_| !peer.farewell_said) {
            self.report_fault(&SessionFault {
                session: peer.session,
                peer: peer.peer,
                code: EndCode::Error.as_str(),
                text: error.to_string(),
            });
        }
        self.to_all(|attachment| attachment.session_ended(id));
        self.to_all(|attachment| attachment.session_removed(&session));
        // Those that remain may afford more, or less, without it.
        for other in self.peers.keys().copied().collect::<Vec<_>>() {
            self.retarget(other);
        }
    }
}

const NO_COMMON_CODEC: &str = "the peer takes none of the codecs offered: name one it knows in \
    video-caps or audio-caps, or give raw video instead of an encoded stream";
