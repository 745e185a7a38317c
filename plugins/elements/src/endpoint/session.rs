// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for sessions: asked for, opened, negotiated, ended.
use super::attachment::SessionFault;
use super::control::{CAT, Control};
use super::inbox::Signalled;
use super::peer::{Peer, Pending};
use super::track::Taken;
use gst::glib::prelude::*;
use rtc_driver::SessionOptions;
use rtc_payload::{Codec, MediaKind, Mid, SessionId};
use rtc_rtp::MediaEvent;
use rtc_session::{
    CodecOffer, Command, DescriptionKind, Direction, Event, MediaState, SessionError,
    SignalingState, TransceiverInit,
};
use rtc_signaller::{EndCode, Role, SignallerExt, Wish};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

impl Control {
    pub(super) fn on_signalled(&mut self, signalled: Signalled) {
        match signalled {
            Signalled::Requested {
                session,
                peer,
                role,
                wish,
            } => self.on_requested(session, peer, role, wish),
            Signalled::IceServers { session, servers } => self.on_ice_servers(&session, servers),
            Signalled::Ended {
                session,
                code,
                text,
            } => self.on_ended(&session, &code, text),
            Signalled::Listening { web_uri, text } => self.on_listening(web_uri, text),
            Signalled::Failed(text) => {
                gst::warning!(CAT, "signaller: {text}");
                self.to_all(|attachment| attachment.signaller_failed(&text));
            }
            Signalled::Closed(text) => {
                self.to_all(|attachment| attachment.signaller_closed(&text));
            }
            Signalled::Description { ref session, .. }
            | Signalled::Candidate { ref session, .. } => {
                let waiting = self.pending.iter_mut().find(|p| p.session == *session);
                match (waiting, self.names.get(session).copied()) {
                    (Some(pending), _) => pending.keep(signalled),
                    (None, Some(id)) => self.pass_on(id, signalled),
                    (None, None) => gst::debug!(CAT, "a message for no session: {session}"),
                }
            }
        }
    }

    /// Hands a description or candidate to its session.
    fn pass_on(&mut self, id: SessionId, signalled: Signalled) {
        let manual = self.is_manual();
        match signalled {
            Signalled::Description { kind, sdp, session } => {
                let Some(kind) = DescriptionKind::from_text(&kind) else {
                    gst::warning!(CAT, "{session}: no such kind of description: {kind}");
                    return;
                };
                if manual {
                    self.show(id, |model, _, _| model.tell_description(kind, &sdp));
                    return;
                }
                let command = Command::RemoteDescription { kind, sdp };
                self.setup.handle.command(id, command);
            }
            Signalled::Candidate {
                candidate,
                mid,
                index,
                ..
            } => {
                let candidate = candidate.unwrap_or_default();
                let mid = mid.as_deref().map(Mid::from);
                let index = u16::try_from(index).ok();
                self.show(id, |model, _, _| match manual {
                    true => model.tell_remote_candidate(&candidate, mid.as_ref(), index),
                    false => model.on_remote_candidate(&candidate, mid.as_ref(), index),
                });
                if !manual {
                    let command = Command::RemoteCandidate {
                        candidate,
                        mid,
                        index,
                    };
                    self.setup.handle.command(id, command);
                }
            }
            _ => {}
        }
    }

    /// The peer, or signalling itself, ended a session.
    fn on_ended(&mut self, session: &str, code: &str, text: String) {
        self.pending.retain(|pending| pending.session != session);
        let id = self.names.get(session);
        let Some(peer) = id.and_then(|id| self.peers.get_mut(id)) else {
            return;
        };
        peer.farewell_said = true;
        self.setup.handle.command(peer.id, Command::Close);
        let code = EndCode::from_text(code).unwrap_or(EndCode::Error);
        if code != EndCode::Bye {
            let fault = SessionFault {
                session: session.into(),
                peer: peer.peer.clone(),
                code: code.as_str(),
                text,
            };
            self.report_fault(&fault);
        }
    }

    fn on_requested(&mut self, session: String, peer: String, role: Role, wish: Wish) {
        gst::info!(
            CAT,
            "session {session} asked for by {peer}: {role:?}, {wish:?}"
        );
        let limit = self.setup.sessions.max_sessions as usize;
        if limit > 0 && self.peers.len() + self.pending.len() >= limit {
            let text = format!("all {limit} places are taken (max-consumers={limit})");
            self.refuse(&session, &peer, EndCode::Busy, &text);
            return;
        }
        if self.names.contains_key(&session) || self.pending.len() >= MAX_PENDING {
            self.refuse(
                &session,
                &peer,
                EndCode::Busy,
                "too many sessions are starting",
            );
            return;
        }
        let patience = match wish {
            Wish::Publish => RECEIVER_PATIENCE,
            Wish::View | Wish::Any => INPUT_PATIENCE,
        };
        self.pending.push(Pending {
            session,
            peer,
            role,
            wish,
            deadline: Instant::now() + patience,
            servers: Vec::new(),
            early: Vec::new(),
        });
        self.start_pending(Instant::now());
    }

    /// Opens the pending sessions for which there is all they wait for, or whose time is up.
    pub(super) fn start_pending(&mut self, now: Instant) {
        let mut index = 0;
        while let Some(pending) = self.pending.get(index) {
            let over = pending.deadline <= now;
            if self.has_all(pending.wish) || over {
                let pending = self.pending.remove(index);
                self.start_or_refuse(pending);
            } else {
                index += 1;
            }
        }
    }

    fn has_all(&self, wish: Wish) -> bool {
        let receives = self.attachments.values().any(|a| !a.receive.is_empty());
        let ready =
            !self.tracks.is_empty() && self.tracks.iter().all(super::track::Track::is_ready);
        let data = self.wants_data() && self.tracks.is_empty();
        match wish {
            Wish::Publish => receives,
            Wish::View => ready || data,
            Wish::Any => ready || data || (receives && self.tracks.is_empty()),
        }
    }

    fn start_or_refuse(&mut self, pending: Pending) {
        let sends = pending.wish != Wish::Publish && self.tracks.iter().any(|t| t.is_ready());
        let receives =
            pending.wish != Wish::View && self.attachments.values().any(|a| !a.receive.is_empty());
        if !sends && !receives && !self.wants_data() {
            let (code, text) = match pending.wish {
                Wish::Publish => (
                    EndCode::NotAcceptable,
                    "nothing here receives: the pipeline has no rtcsrc on this endpoint",
                ),
                _ if self.tracks.is_empty() => (
                    EndCode::NotFound,
                    "nothing is sent here: the pipeline has no rtcsink input on this endpoint",
                ),
                _ => (
                    EndCode::Busy,
                    "no input has begun yet: is the pipeline playing, does its source give data?",
                ),
            };
            self.refuse(&pending.session, &pending.peer, code, text);
            return;
        }
        self.open(pending, sends, receives);
    }

    fn open(&mut self, pending: Pending, sends: bool, receives: bool) {
        let settings = &self.setup.sessions;
        let receive_codecs = if receives {
            self.receive_codecs()
        } else {
            Vec::new()
        };
        let mut options = SessionOptions::new(self.setup.certificate.clone());
        options.receive_codecs.clone_from(&receive_codecs);
        options.dtls_version = settings.dtls_version;
        options.polite = self.is_polite(pending.role);
        options.retransmission = settings.retransmission;
        options.start_bitrate = settings.start_bitrate;
        options.min_bitrate = settings.min_bitrate;
        options.max_bitrate = settings.max_bitrate;
        options.congestion_control = settings.congestion_control;
        options.max_latency_ms = settings.max_latency_ms;
        options.ice_servers = settings.ice.servers(SystemTime::now());
        options.ice_servers.extend(pending.servers.iter().cloned());
        options.ice_transport_policy = settings.ice.policy;
        let polite = options.polite;
        let id = self.setup.handle.open(options);
        let transceivers = self.transceivers(&pending, sends, &receive_codecs);
        let tracks: HashSet<_> = transceivers.iter().filter_map(|init| init.track).collect();
        let peer = Peer {
            id,
            session: pending.session.clone(),
            peer: pending.peer.clone(),
            wish: pending.wish,
            may_offer: pending.role == Role::Offer,
            offer_asked: pending.role == Role::Offer,
            tracks,
            sending: Vec::new(),
            receiving: HashMap::new(),
            data: false,
            estimate: self.setup.sessions.start_bitrate,
            farewell_said: false,
            logins: HashMap::new(),
            model: self.model(id, &pending, polite),
        };
        gst::info!(CAT, "session {} starts as {id}", peer.session);
        self.peers.insert(id, peer);
        self.names.insert(pending.session.clone(), id);
        self.tell_added(id);
        self.begin_channels(id, &pending.session, pending.role);
        for init in transceivers {
            self.setup.handle.command(id, Command::AddTransceiver(init));
        }
        if pending.role == Role::Offer && !self.is_manual() {
            self.setup.handle.command(id, Command::Negotiate);
        }
        for signalled in pending.early {
            self.pass_on(id, signalled);
        }
    }

    /// Which side gives way when offers collide: what signalling says, else the one that offered first.
    fn is_polite(&self, role: Role) -> bool {
        if let Some(polite) = self.setup.sessions.polite {
            return polite;
        }
        let signaller = &self.setup.signaller;
        match signaller.has_property_with_type("polite", bool::static_type()) {
            true => signaller.property("polite"),
            false => role == Role::Offer,
        }
    }

    /// The transceivers a session begins with. An answerer that only receives has none: they come with
    /// the offer.
    fn transceivers(
        &self,
        pending: &Pending,
        sends: bool,
        receive_codecs: &[Codec],
    ) -> Vec<TransceiverInit> {
        let receives = |kind| receive_codecs.iter().any(|codec| codec.kind() == kind);
        let mut list: Vec<_> = self
            .tracks
            .iter()
            .filter(|track| sends && track.is_ready())
            .map(|track| track.transceiver(receives(track.kind)))
            .collect();
        if pending.role == Role::Offer {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                if receives(kind) && !list.iter().any(|init| init.kind == kind) {
                    list.push(receiver(kind, receive_codecs));
                }
            }
        }
        list
    }

    pub(super) fn receive_codecs(&self) -> Vec<Codec> {
        let mut codecs = Vec::new();
        for codec in self.attachments.values().flat_map(|a| &a.receive) {
            if !codecs.contains(codec) {
                codecs.push(*codec);
            }
        }
        codecs
    }

    fn refuse(&self, session: &str, peer: &str, code: EndCode, text: &str) {
        self.setup
            .signaller
            .end_session(session, code.as_str(), text);
        self.report_fault(&SessionFault {
            session: session.into(),
            peer: peer.into(),
            code: code.as_str(),
            text: text.into(),
        });
    }

    pub(super) fn on_session_event(&mut self, id: SessionId, event: Event) {
        self.show_event(id, &event);
        let manual = self.is_manual();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        match event {
            Event::LocalDescription { kind, sdp } => {
                peer.offer_asked &= kind != DescriptionKind::Offer;
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

pub(super) fn receiver(kind: MediaKind, codecs: &[Codec]) -> TransceiverInit {
    let codecs = codecs.iter().filter(|codec| codec.kind() == kind);
    TransceiverInit {
        kind,
        direction: Direction::RecvOnly,
        track: None,
        codecs: codecs
            .map(|codec| CodecOffer {
                codec: *codec,
                fmtp: String::new(),
            })
            .collect(),
        stream: String::new(),
    }
}

/// How long a session waits for the inputs' caps: a camera or an RTSP source takes seconds to start.
const INPUT_PATIENCE: Duration = Duration::from_secs(5);

/// How long a publisher waits for an element that receives: those of one pipeline come at once.
const RECEIVER_PATIENCE: Duration = Duration::from_millis(500);

/// Sessions that may wait for inputs at a time.
const MAX_PENDING: usize = 256;

const NO_COMMON_CODEC: &str = "the peer takes none of the codecs offered: name one it knows in \
    video-caps or audio-caps, or give raw video instead of an encoded stream";
