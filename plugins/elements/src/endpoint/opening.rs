// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for sessions that begin: asked for, kept until inputs are ready, opened.
use super::attachment::SessionFault;
use super::control::{CAT, Control};
use super::identity::{self, Own, PeerIdentity};
use super::peer::{Peer, Pending};
use gst::glib::prelude::*;
use rtc_driver::SessionOptions;
use rtc_payload::{Codec, MediaKind};
use rtc_session::{CodecOffer, Command, Direction, TransceiverInit};
use rtc_signaller::{EndCode, Role, SignallerExt, Wish};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

impl Control {
    pub(super) fn on_requested(&mut self, session: String, peer: String, role: Role, wish: Wish) {
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
        let own = self.ask_for_own_identity(&session);
        self.pending.push(Pending {
            own,
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
            if let Own::Asked(until) = pending.own {
                match until <= now {
                    true => {
                        let pending = self.pending.remove(index);
                        self.refuse_unvouched(&pending, &identity::timeout());
                    }
                    false => index += 1,
                }
                continue;
            }
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
        options.playout_delay_ms = settings.playout_delay_ms;
        // Who asked by HTTP can't be offered anything.
        options.restarts = pending.role == Role::Offer;
        options.ice_servers = settings.ice.servers(SystemTime::now());
        options.ice_servers.extend(pending.servers.iter().cloned());
        options.ice_transport_policy = settings.ice.policy;
        let polite = options.polite;
        let id = self.setup.handle.open(options);
        let transceivers = self.transceivers(&pending, sends, &receive_codecs);
        let tracks: HashSet<_> = transceivers.iter().filter_map(|init| init.track).collect();
        let mut peer = Peer {
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
            identity: PeerIdentity::default(),
            model: self.model(id, &pending, polite),
        };
        peer.identity.own = pending.own.known();
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
            self.receive(id, signalled);
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

    pub(super) fn refuse(&self, session: &str, peer: &str, code: EndCode, text: &str) {
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
