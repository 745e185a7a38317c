// SPDX-License-Identifier: MPL-2.0
//! The control thread: signalling to sessions and back, tracks to transceivers, wants to elements.
use super::attachment::{Attachment, Listening, SessionFault};
use super::channels::Channels;
use super::inbox::{Inbox, Message, Messages, Signalled};
use super::keyframe::Merger;
use super::peer::{Peer, Pending};
use super::route::Routes;
use super::tones::Tones;
use super::track::{Encoding, Takers, Track};
use super::{AttachmentId, EndpointError, SessionSettings};
use crate::connect::signalled_servers;
use crate::data::Hub;
use crate::object::SessionList;
use gst::glib;
use gst::glib::prelude::*;
use rtc_driver::Handle;
use rtc_payload::{Codec, SessionId, TrackId};
use rtc_rtp::Ladder;
use rtc_session::{Certificate, CodecOffer, Command};
use rtc_signaller::{EndCode, Signaller, SignallerExt, Wish};
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc;
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::Instant;

/// The debug category of endpoints.
pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtcendpoint",
        gst::DebugColorFlags::empty(),
        Some("Sessions and signalling of rtcsink and rtcsrc"),
    )
});

/// What a control thread is made with.
pub(super) struct Setup {
    pub(super) messages: Messages,
    pub(super) inbox: Inbox,
    pub(super) routes: Routes,
    pub(super) handle: Handle,
    pub(super) hub: Hub,
    pub(super) list: SessionList,
    pub(super) signaller: Signaller,
    pub(super) certificate: Arc<Certificate>,
    pub(super) sessions: SessionSettings,
}

/// Starts the thread and, on it, the signaller; returns when that has started.
pub(super) fn start(setup: Setup) -> Result<JoinHandle<()>, EndpointError> {
    let (started, wait) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("rtc-control".into())
        .spawn(move || {
            let handlers = connect(&setup.signaller, &setup.inbox);
            let result = super::start_signaller(&setup.signaller);
            let running = result.is_ok();
            let signaller = setup.signaller.clone();
            let _ = started.send(result);
            if running {
                Control::new(setup).run();
            }
            for handler in handlers {
                signaller.disconnect(handler);
            }
        })?;
    match wait.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => {
            let _ = thread.join();
            Err(error)
        }
        Err(_) => Err(EndpointError::Signaller(
            "the signaller panicked as it started".into(),
        )),
    }
}

/// Every signal of the signaller becomes a message; the handlers may run on any thread.
fn connect(signaller: &Signaller, inbox: &Inbox) -> Vec<glib::SignalHandlerId> {
    let send = |inbox: &Inbox| {
        let inbox = inbox.clone();
        move |signalled| inbox.send_signalled(signalled)
    };
    let [
        requested,
        description,
        candidate,
        servers,
        ended,
        listening,
        failed,
        closed,
    ] = std::array::from_fn(|_| send(inbox));
    vec![
        signaller.connect_session_requested(move |_, session, peer, role, wish| {
            requested(Signalled::Requested {
                session: session.into(),
                peer: peer.into(),
                role,
                wish,
            });
        }),
        signaller.connect_description(move |_, session, kind, sdp| {
            description(Signalled::Description {
                session: session.into(),
                kind: kind.into(),
                sdp: sdp.into(),
            });
        }),
        signaller.connect_candidate(move |_, session, text, mid, index| {
            candidate(Signalled::Candidate {
                session: session.into(),
                candidate: text.map(Into::into),
                mid: mid.map(Into::into),
                index,
            });
        }),
        signaller.connect_ice_servers(move |_, session, structure| {
            servers(Signalled::IceServers {
                session: session.into(),
                servers: signalled_servers(structure),
            });
        }),
        signaller.connect_session_ended(move |_, session, code, text| {
            ended(Signalled::Ended {
                session: session.into(),
                code: code.into(),
                text: text.into(),
            });
        }),
        signaller.connect_listening(move |_, web_uri, text| {
            listening(Signalled::Listening {
                web_uri: web_uri.into(),
                text: text.into(),
            });
        }),
        signaller.connect_error(move |_, text| failed(Signalled::Failed(text.into()))),
        signaller.connect_closed(move |_, text| closed(Signalled::Closed(text.into()))),
    ]
}

/// The state of the thread.
pub(super) struct Control {
    pub(super) setup: Setup,
    pub(super) attachments: BTreeMap<AttachmentId, Attached>,
    pub(super) tracks: Vec<Track>,
    pub(super) takers: Takers,
    /// Of the inputs with several encodings.
    pub(super) ladders: HashMap<(TrackId, Codec), Arc<Ladder>>,
    pub(super) targets: HashMap<Encoding, u64>,
    pub(super) keyframes: Merger<Encoding>,
    pub(super) peers: HashMap<SessionId, Peer>,
    pub(super) names: HashMap<String, SessionId>,
    pub(super) pending: Vec<Pending>,
    pub(super) channels: Channels,
    pub(super) tones: Tones,
    listening: Option<Listening>,
}

/// An element that is attached.
pub(super) struct Attached {
    pub(super) attachment: Arc<dyn Attachment>,
    pub(super) receive: Vec<Codec>,
}

impl Control {
    fn new(setup: Setup) -> Self {
        Self {
            setup,
            attachments: BTreeMap::new(),
            tracks: Vec::new(),
            takers: Takers::default(),
            ladders: HashMap::new(),
            targets: HashMap::new(),
            keyframes: Merger::new(),
            peers: HashMap::new(),
            names: HashMap::new(),
            pending: Vec::new(),
            channels: Channels::default(),
            tones: Tones::default(),
            listening: None,
        }
    }

    fn run(mut self) {
        loop {
            let now = Instant::now();
            let wait = self.deadline().map(|at| at.saturating_duration_since(now));
            match self.setup.messages.next(wait) {
                Some(Message::Stop) => break,
                Some(message) => self.handle(message),
                None => {}
            }
            self.handle_deadlines(Instant::now());
        }
        self.stop();
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Attach {
                id,
                attachment,
                receive,
            } => {
                if let Some(listening) = &self.listening {
                    attachment.listening(listening);
                }
                let attached = Attached {
                    attachment: Arc::clone(&attachment),
                    receive,
                };
                self.attachments.insert(id, attached);
                for peer in self.peers.values() {
                    attachment.session_added(peer.model.session());
                }
                self.offer_data(&*attachment);
                self.start_pending(Instant::now());
            }
            Message::Detach { id, done } => {
                self.detach(id);
                let _ = done.send(());
            }
            Message::AddTrack(track) => self.tracks.push(track),
            Message::TrackLadder(track, codec, ladder) => {
                self.ladders.insert((track, codec), ladder);
            }
            Message::TrackCodecs(track, codecs) => self.set_track_codecs(track, codecs),
            Message::RemoveTrack(track) => self.remove_track(track),
            Message::Tones(track, request) => self.send_tones(track, &request),
            Message::AddChannel(owner, init) => self.add_channel(owner, init),
            Message::RemoveChannel(key) => self.remove_channel(key),
            Message::OpenChannel(session, init) => self.open_channel(session, init),
            Message::Signalled(signalled) => self.on_signalled(signalled),
            Message::Session(session, event) => self.on_session_event(session, event),
            Message::Asserted(session, answer) => self.on_asserted(&session, answer),
            Message::Vouched(session, answer) => self.on_vouched(session, answer),
            Message::Stats(reply) => {
                for peer in self.peers.values() {
                    let (reply, session, name) =
                        (reply.clone(), peer.session.clone(), peer.peer.clone());
                    self.setup.handle.stats(peer.id, move |stats| {
                        let _ = reply.send((session, name, stats));
                    });
                }
            }
            Message::Asked(session, ask) => self.on_asked(session, ask),
            Message::Figures(session, request, selected, json, figures) => {
                self.show(session, |model, _, _| {
                    model.answer_stats(request, &selected, json, &figures);
                });
            }
            Message::Stop => unreachable!("taken by the loop"),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let pending = self.pending.iter().map(Pending::due).min();
        let identity = self.identity_deadline();
        [
            pending,
            identity,
            self.keyframes.deadline(),
            self.takers.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn handle_deadlines(&mut self, now: Instant) {
        while let Some(encoding) = self.keyframes.pop_due(now) {
            self.to_owner(encoding.track, |a| a.keyframe_wanted(encoding));
        }
        if self.takers.deadline().is_some_and(|due| due <= now) {
            let changes = self.takers.settle(now);
            self.apply(changes);
        }
        if self.identity_deadline().is_some_and(|due| due <= now) {
            self.give_up_providers(now);
        }
        if self.pending.iter().any(|pending| pending.due() <= now) {
            self.start_pending(now);
        }
    }

    fn set_track_codecs(&mut self, id: TrackId, codecs: Vec<CodecOffer>) {
        let Some(track) = self.tracks.iter_mut().find(|track| track.id == id) else {
            return;
        };
        if track.codecs == codecs {
            return;
        }
        track.codecs.clone_from(&codecs);
        let track = track.clone();
        let receives = |wish| {
            let codecs = self.attachments.values().flat_map(|a| &a.receive);
            wish == Wish::Any && codecs.into_iter().any(|codec| codec.kind() == track.kind)
        };
        let mut changed = Vec::new();
        for peer in self.peers.values_mut() {
            if peer.tracks.contains(&id) {
                changed.push((peer.id, Command::SetTrackCodecs(id, codecs.clone())));
            } else if peer.wish != Wish::Publish {
                peer.tracks.insert(id);
                let init = track.transceiver(receives(peer.wish));
                changed.push((peer.id, Command::AddTransceiver(init)));
            }
        }
        for (peer, command) in changed {
            self.setup.handle.command(peer, command);
            self.renegotiate(peer);
        }
        self.start_pending(Instant::now());
    }

    fn remove_track(&mut self, id: TrackId) {
        self.tracks.retain(|track| track.id != id);
        for encoding in self.takers.remove_track(id) {
            self.forget_encoding(encoding);
        }
        self.ladders.retain(|(track, _), _| *track != id);
        let mut changed = Vec::new();
        for peer in self.peers.values_mut() {
            if peer.tracks.remove(&id) {
                peer.sending.retain(|(track, _)| *track != id);
                changed.push(peer.id);
            }
        }
        for peer in changed {
            self.setup.handle.command(peer, Command::RemoveTrack(id));
            self.renegotiate(peer);
        }
    }

    pub(super) fn renegotiate(&mut self, id: SessionId) {
        if self.is_manual() {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.may_offer = true;
            peer.offer_asked = true;
            self.setup.handle.command(id, Command::Negotiate);
        }
    }

    fn detach(&mut self, id: AttachmentId) {
        let tracks: Vec<_> = self
            .tracks
            .iter()
            .filter(|track| track.owner == id)
            .collect();
        let tracks: Vec<_> = tracks.into_iter().map(|track| track.id).collect();
        // The element still hears what is released, so that it can take its encoders down.
        for track in tracks {
            for encoding in self.takers.remove_track(track) {
                self.forget_encoding(encoding);
                self.to_owner(track, |attachment| attachment.encoding_released(encoding));
            }
            self.remove_track(track);
        }
        self.drop_receiver(id);
        self.drop_channels(id);
        self.attachments.remove(&id);
    }

    pub(super) fn to_owner(&self, track: TrackId, call: impl FnOnce(&dyn Attachment)) {
        let owner = self.tracks.iter().find(|known| known.id == track);
        if let Some(attached) = owner.and_then(|track| self.attachments.get(&track.owner)) {
            call(&*attached.attachment);
        }
    }

    pub(super) fn to_all(&self, call: impl Fn(&dyn Attachment)) {
        for attached in self.attachments.values() {
            call(&*attached.attachment);
        }
    }

    pub(super) fn on_listening(&mut self, web_uri: String, text: String) {
        let listening = Listening {
            web_uri,
            text,
            udp_port: self.setup.handle.port(),
        };
        self.to_all(|attachment| attachment.listening(&listening));
        self.listening = Some(listening);
    }

    pub(super) fn report_fault(&self, fault: &SessionFault) {
        gst::warning!(
            CAT,
            "session {} with {}: {}: {}",
            fault.session,
            fault.peer,
            fault.code,
            fault.text
        );
        self.to_all(|attachment| attachment.session_failed(fault));
    }

    fn stop(mut self) {
        let signaller = self.setup.signaller.clone();
        for peer in self.peers.values() {
            peer.model.stop();
            self.setup.list.remove(peer.model.session());
            self.setup.handle.command(peer.id, Command::Close);
            if !peer.farewell_said {
                let bye = EndCode::Bye.as_str();
                signaller.end_session(&peer.session, bye, "the sender stopped");
            }
        }
        for pending in self.pending.drain(..) {
            let bye = EndCode::Bye.as_str();
            signaller.end_session(&pending.session, bye, "the sender stopped");
        }
        signaller.stop();
    }
}
