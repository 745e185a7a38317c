// SPDX-License-Identifier: MPL-2.0
//! Transceivers with their senders and receivers, and the session's data channels.
use super::{Model, Pads};
use crate::data::DataChannel;
use crate::object::dtmf_sender::DtmfSender;
use crate::object::mirror::Mirror;
use crate::object::receiver::Receiver;
use crate::object::sender::Sender;
use crate::object::transceiver::Transceiver;
use gst::prelude::*;
use rtc_payload::{MediaKind, TrackId};
use rtc_session::{MediaState, TransceiverState};

impl Model {
    /// What the session has now: new ones get objects, those that are gone are stopped.
    pub(super) fn on_transceivers(&self, states: &[TransceiverState], pads: &dyn Pads) {
        let mut known = self.session.held().clone();
        let is_listed = |t: &Transceiver| states.iter().any(|state| t.id() == Some(state.id));
        let gone: Vec<_> = known.extract_if(.., |t| !is_listed(t)).collect();
        let mut told = Vec::new();
        for transceiver in gone {
            let changed = transceiver.stop();
            told.push((transceiver, changed));
        }
        for state in states {
            let found = known.iter().find(|t| t.id() == Some(state.id)).cloned();
            let transceiver = found.unwrap_or_else(|| {
                let made = self.make(state);
                known.push(made.clone());
                made
            });
            let changed = transceiver.apply(state);
            told.push((transceiver, changed));
        }
        known.sort_by_key(Transceiver::id);
        *self.session.held() = known;
        for (transceiver, changed) in told {
            transceiver.tell(changed);
        }
        for state in states {
            self.feed(state, pads);
        }
    }

    fn make(&self, state: &TransceiverState) -> Transceiver {
        let dtmf = (state.kind == MediaKind::Audio).then(|| DtmfSender::new(&self.link));
        let (sender, receiver) = (Sender::new(dtmf), Receiver::new());
        sender.set_owner(&self.session);
        receiver.set_owner(&self.session);
        Transceiver::new(state, &self.link, &sender, &receiver)
    }

    /// Pads and transports of a transceiver's halves.
    fn feed(&self, state: &TransceiverState, pads: &dyn Pads) {
        let Some(transceiver) = self.transceiver(state.id) else {
            return;
        };
        let transport = state.mid.is_some().then(|| self.dtls.clone());
        if let Some(sender) = transceiver.sender() {
            sender.set_track(state.track.and_then(|track| pads.of_track(track)));
            sender.set_transport(transport.clone());
            if let Some(dtmf) = sender.dtmf() {
                dtmf.set_track(state.track);
            }
        }
        if let Some(receiver) = transceiver.receiver() {
            receiver.set_transport(transport);
        }
    }

    pub(super) fn on_track(&self, id: u64, added: bool, pads: &dyn Pads, mirror: &Mirror<'_>) {
        let Some(transceiver) = self.transceiver(id).filter(|_| added) else {
            return;
        };
        let Some(receiver) = transceiver.receiver() else {
            return;
        };
        let mid = transceiver.mid();
        let pad = mid.as_deref().and_then(|mid| pads.of_line(&mid.into()));
        let streams = self.streams.get(&id).cloned().unwrap_or_default();
        mirror.event("session", "track", |event| {
            event.set_if_some("mid", mid.as_deref());
            event.set("stream-ids", streams.join(" "));
        });
        self.session
            .emit_by_name::<()>("on-track", &[&receiver, &pad, &streams, &transceiver]);
    }

    /// The m-lines after a negotiation, once the elements have taken them.
    pub(crate) fn on_media(&self, states: &[MediaState], pads: &dyn Pads) {
        if self.session.is_closed_here() {
            return;
        }
        self.session.known().lines = states.to_vec();
        for state in states {
            let all = self.session.held().clone();
            let of = |t: &&Transceiver| t.mid().as_deref() == Some(state.mid.as_str());
            let receiver = all.iter().find(of).and_then(Transceiver::receiver);
            if let Some(receiver) = receiver {
                let receives = !state.receiving.is_empty();
                let pad = receives.then(|| pads.of_line(&state.mid)).flatten();
                receiver.set_track(pad);
            }
        }
    }

    /// The tracks on which tones can be sent now.
    pub(crate) fn on_tones_possible(&self, tracks: &[TrackId]) {
        let all = self.session.held().clone();
        for dtmf in all.iter().filter_map(dtmf_sender) {
            dtmf.set_possible(tracks.iter().any(|track| dtmf.is_of(*track)));
        }
    }

    /// A tone begins, or a series is over.
    pub(crate) fn on_tone(&self, track: TrackId, tone: &str, buffer: &str, mirror: &Mirror<'_>) {
        for dtmf in self.dtmf_senders(track) {
            mirror.event("dtmf-sender", "tone-change", |event| {
                event.set("tone", tone)
            });
            dtmf.tone_changed(tone, buffer);
        }
    }

    fn dtmf_senders(&self, track: TrackId) -> Vec<DtmfSender> {
        let all = self.session.held().clone();
        let senders = all.iter().filter_map(dtmf_sender);
        senders.filter(|dtmf| dtmf.is_of(track)).collect()
    }

    /// A data channel is open.
    pub(crate) fn on_channel(&self, channel: &DataChannel, mirror: &Mirror<'_>) {
        if self.session.is_closed_here() {
            return;
        }
        self.session.channels().push(channel.clone());
        self.session.known().opened += 1;
        self.tell_channel(channel, "data-channel", mirror);
        self.session
            .emit_by_name::<()>("on-data-channel", &[channel]);
    }

    /// An event of a data channel, for the bus.
    pub(crate) fn tell_channel(&self, channel: &DataChannel, event: &str, mirror: &Mirror<'_>) {
        let object = match event {
            "data-channel" => "session",
            _ => "data-channel",
        };
        mirror.event(object, event, |event| {
            event.set("label", channel.property::<String>("label"));
            event.set("id", channel.property::<i32>("id"));
        });
    }

    /// A data channel is closed.
    pub(crate) fn on_channel_closed(&self, channel: &DataChannel, mirror: &Mirror<'_>) {
        self.session.channels().retain(|other| other != channel);
        self.session.known().closed += 1;
        if !self.session.is_closed_here() {
            self.tell_channel(channel, "close", mirror);
        }
    }

    pub(super) fn transceiver(&self, id: u64) -> Option<Transceiver> {
        let all = self.session.held();
        all.iter().find(|t| t.id() == Some(id)).cloned()
    }
}

fn dtmf_sender(transceiver: &Transceiver) -> Option<DtmfSender> {
    transceiver.sender()?.dtmf()
}
