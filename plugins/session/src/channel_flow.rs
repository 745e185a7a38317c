// SPDX-License-Identifier: MPL-2.0
//! What flows through the data channels: packets in and out, messages, the closing procedure.
use crate::channels::{Channels, Resets, Stage, sctp_failed};
use crate::dcep::{Dcep, ppid};
use crate::sctp::{Association, Incoming, SctpEvent};
use crate::{ChannelError, ChannelEvent, ChannelKey, SctpState};
use rtc_jsep::MAX_MESSAGE_SIZE;
use std::time::Instant;

/// Messages told in one turn; after a hold there may be many.
const MESSAGES_A_TURN: usize = 1024;

impl Channels {
    /// Takes an SCTP packet that DTLS decrypted.
    pub(crate) fn handle_packet(&mut self, packet: &[u8], now: Instant) {
        if let Some(association) = &mut self.association {
            association.handle_packet(packet, now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(association) = &mut self.association {
            association.advance(now);
        }
    }

    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let association = self.association.as_ref()?;
        if self.more && !self.holding {
            return Some(now);
        }
        association.deadline()
    }

    /// ICE chose another pair of addresses (RFC 8831 §5).
    pub(crate) fn path_changed(&mut self) {
        if let Some(association) = &mut self.association {
            association.path_changed();
        }
    }

    /// Whether messages stay in SCTP's window until they are wanted again.
    pub(crate) fn hold(&mut self, hold: bool) {
        self.holding = hold;
    }

    /// Does what follows from the inputs so far; packets and events are to be polled after it.
    pub(crate) fn pump(&mut self, now: Instant) {
        if let Some(association) = &mut self.association {
            association.advance(now);
        }
        self.take_events(now);
        self.take_messages(now);
        self.take_resets();
        // Feeding makes packets, and room for more.
        let mut before = usize::MAX;
        while self.packets.len() != before {
            before = self.packets.len();
            self.feed(now);
            self.take_events(now);
        }
    }

    fn take_events(&mut self, now: Instant) {
        while let Some(event) = self.association.as_mut().and_then(Association::poll_event) {
            match event {
                SctpEvent::Packet(packet) => self.packets.push_back(packet),
                SctpEvent::Connected => {
                    self.set_state(SctpState::Connected);
                    self.open_waiting(now);
                }
                SctpEvent::Ended { reason, cause } => {
                    // What came before it is told before, wanted or not: there is nowhere to keep it.
                    self.holding = false;
                    self.more = true;
                    while self.more {
                        self.take_messages(now);
                    }
                    self.take_resets();
                    self.end(ChannelError::Sctp { reason, cause }, now);
                }
                SctpEvent::Reset(streams) => self.reset_done(&streams),
                SctpEvent::ResetFailed(streams) => self.reset_failed(&streams),
                SctpEvent::PeerReset(streams) if streams.is_empty() => {
                    self.left.extend(self.streams.keys());
                }
                SctpEvent::PeerReset(streams) => self.left.extend(streams),
            }
        }
    }

    fn take_messages(&mut self, now: Instant) {
        self.more = false;
        if self.holding {
            return;
        }
        for _ in 0..MESSAGES_A_TURN {
            let association = self.association.as_mut();
            let Some(message) = association.and_then(Association::poll_message) else {
                return;
            };
            self.take_message(message, now);
        }
        self.more = true;
    }

    fn take_message(&mut self, message: Incoming, now: Instant) {
        let key = self.streams.get(&message.stream).copied();
        if message.ppid == ppid::DCEP {
            return self.take_dcep(key, &message, now);
        }
        let Some(key) = key else {
            tracing::debug!(stream = message.stream, "a message on no data channel");
            return;
        };
        if self
            .channels
            .get(&key)
            .is_none_or(|channel| channel.stage != Stage::Open)
        {
            return;
        }
        let (text, empty) = match message.ppid {
            ppid::STRING => (true, false),
            ppid::BINARY => (false, false),
            ppid::EMPTY_STRING => (true, true),
            ppid::EMPTY_BINARY => (false, true),
            other => {
                return self.breach(key, format!("a message came with the unknown PPID {other}"));
            }
        };
        let size = message.payload.len() as u64;
        if size > MAX_MESSAGE_SIZE {
            let text = format!(
                "a message of {size} bytes came, though at most {MAX_MESSAGE_SIZE} are taken"
            );
            return self.breach(key, text);
        }
        let payload = if empty { Vec::new() } else { message.payload };
        let text = text && std::str::from_utf8(&payload).is_ok();
        self.messages_received += 1;
        self.tell(ChannelEvent::Message {
            key,
            data: payload.into(),
            text,
        });
    }

    fn take_dcep(&mut self, key: Option<ChannelKey>, message: &Incoming, now: Instant) {
        match (Dcep::parse(&message.payload), key) {
            (Some(Dcep::Ack), Some(key)) => {
                if let Some(channel) = self.channels.get_mut(&key) {
                    channel.acknowledged = true;
                }
            }
            (Some(Dcep::Open(open)), None) => self.opened_by_peer(message.stream, open, now),
            (Some(Dcep::Open(open)), Some(key)) => {
                if self.is_left_by_peer(key) {
                    // It uses the stream anew, so our reset is done, though we have not heard so yet.
                    self.remove(key, None);
                    self.opened_by_peer(message.stream, open, now);
                } else {
                    self.breach(key, "the peer opened its stream once more".into());
                }
            }
            (None, Some(key)) => self.breach(key, "a message of DCEP is malformed".into()),
            (_, None) => {}
        }
    }

    /// Whether the peer closed the channel and only the word that our part is done is missing.
    fn is_left_by_peer(&self, key: ChannelKey) -> bool {
        let stage = self.channels.get(&key).map(|channel| channel.stage);
        matches!(stage, Some(Stage::Closing(resets)) if resets.theirs && resets.asked)
    }

    fn feed(&mut self, now: Instant) {
        if self.active.is_empty()
            || !self
                .association
                .as_ref()
                .is_some_and(Association::is_connected)
        {
            return;
        }
        for key in self.take_turns() {
            self.feed_channel(key, now);
        }
    }

    fn feed_channel(&mut self, key: ChannelKey, now: Instant) {
        let (Some(association), Some(channel)) =
            (&mut self.association, self.channels.get_mut(&key))
        else {
            self.active.remove(&key);
            return;
        };
        let (Some(stream), stage) = (channel.stream, channel.stage) else {
            // It becomes active again when it is opened.
            self.active.remove(&key);
            return;
        };
        let delivery = channel.delivery();
        let progress = channel.outgoing.feed(association, stream, delivery, now);
        let done = channel.outgoing.is_empty();
        self.cost -= progress.freed;
        if let Some((sent, buffered)) = progress.told {
            self.tell(ChannelEvent::Sent {
                key,
                sent,
                buffered,
            });
        }
        if progress.low {
            self.tell(ChannelEvent::BufferedAmountLow { key });
        }
        if !done {
            return;
        }
        self.active.remove(&key);
        if let Stage::Closing(resets) = stage
            && !resets.asked
        {
            self.reset(key, stream, resets);
        }
    }

    /// Resets our stream.
    fn reset(&mut self, key: ChannelKey, stream: u16, resets: Resets) {
        if self.resetting.contains(&stream) {
            // That of the channel that had the stream before: ours can be asked for when it is done.
            return;
        }
        if !self.reset_stream(stream) {
            tracing::debug!(stream, "the peer knows no reset of streams");
            return self.remove(key, None);
        }
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.stage = Stage::Closing(Resets {
                asked: true,
                ..resets
            });
        }
    }

    /// Asks for a reset of our stream; `false`: the peer knows no resets.
    pub(crate) fn reset_stream(&mut self, stream: u16) -> bool {
        let association = self.association.as_mut();
        let asked = association.is_some_and(|association| association.reset(&[stream]));
        if asked {
            self.resetting.insert(stream);
        }
        asked
    }

    fn reset_done(&mut self, streams: &[u16]) {
        self.reset_ended(streams);
        self.note_resets(streams, |resets| resets.ours = resets.asked);
    }

    /// Channels that took the streams over may be waiting for that.
    fn reset_ended(&mut self, streams: &[u16]) {
        for stream in streams {
            self.resetting.remove(stream);
        }
        self.active.extend(self.keys_of(streams));
    }

    fn reset_failed(&mut self, streams: &[u16]) {
        self.reset_ended(streams);
        for key in self.keys_of(streams) {
            if let Some(channel) = self.channels.get_mut(&key)
                && let Stage::Closing(resets) = &mut channel.stage
            {
                resets.asked = false;
            }
        }
    }

    /// What the peer closed closes once the messages that came before are told.
    fn take_resets(&mut self) {
        if self.left.is_empty() || self.holding || self.more {
            return;
        }
        let streams = std::mem::take(&mut self.left);
        self.peer_reset(&streams);
    }

    fn peer_reset(&mut self, streams: &[u16]) {
        for key in self.keys_of(streams) {
            let open = self
                .channels
                .get(&key)
                .is_some_and(|c| c.stage == Stage::Open);
            if open {
                // Nobody reads what waits.
                self.drop_waiting(key);
                self.start_closing(key, Resets::default());
            }
        }
        self.note_resets(streams, |resets| resets.theirs = true);
    }

    /// Notes how far the closing of channels is, and forgets those that are through.
    fn note_resets(&mut self, streams: &[u16], note: impl Fn(&mut Resets)) {
        for key in self.keys_of(streams) {
            if let Some(channel) = self.channels.get_mut(&key)
                && let Stage::Closing(resets) = &mut channel.stage
            {
                note(resets);
                if resets.ours && resets.theirs {
                    self.remove(key, None);
                }
            }
        }
    }

    fn keys_of(&self, streams: &[u16]) -> Vec<ChannelKey> {
        match streams {
            [] => self.streams.values().copied().collect(),
            streams => streams
                .iter()
                .filter_map(|stream| self.streams.get(stream).copied())
                .collect(),
        }
    }

    /// DTLS carries nothing any more.
    pub(crate) fn dtls_lost(&mut self, now: Instant) {
        if self.association.is_some() {
            self.end(sctp_failed("DTLS ended"), now);
        }
    }
}
