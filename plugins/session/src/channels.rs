// SPDX-License-Identifier: MPL-2.0
//! The data channels of a session: opened, told of, closed (RFC 8831 §6, RFC 8832, W3C webrtc-pc §6).
#[cfg(test)]
#[path = "channels_test.rs"]
mod channels_test;

use crate::dcep::{Dcep, Open};
use crate::outgoing::Outgoing;
use crate::sctp::{Association, Delivery};
use crate::{
    ChannelError, ChannelEvent, ChannelInit, ChannelKey, Event, SctpState, SctpStats, SessionError,
};
use bytes::Bytes;
use rtc_jsep::NegotiatedData;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Channels of a session, those the peer opens included.
const MAX_CHANNELS: usize = 1024;
/// Memory of messages that wait, on all channels of a session together, bytes; what browsers allow a
/// single channel.
pub(crate) const MAX_BUFFERED: u64 = 16 * 1024 * 1024;
/// RFC 8831 §6.5: 65535 is no stream.
const MAX_STREAM: u16 = 65534;

/// A channel that is not closed.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) init: ChannelInit,
    pub(crate) stage: Stage,
    pub(crate) stream: Option<u16>,
    /// The peer knows of it: before that, messages must be in order (RFC 8832 §6).
    pub(crate) acknowledged: bool,
    pub(crate) outgoing: Outgoing,
    /// Why it is being closed.
    pub(crate) error: Option<ChannelError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// For the association.
    Waiting,
    Open,
    Closing(Resets),
}

/// How far the closing procedure is (RFC 8831 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resets {
    /// We asked for the reset of our stream.
    pub(crate) asked: bool,
    /// It was done.
    pub(crate) ours: bool,
    /// The peer reset its own.
    pub(crate) theirs: bool,
}

/// Everything about data channels in a session.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) association: Option<Association>,
    data: Option<NegotiatedData>,
    state: Option<SctpState>,
    /// Whether we are the DTLS client, which has the even streams.
    client: bool,
    /// DTLS can carry packets.
    ready: bool,
    /// Why no channel can be opened any more.
    over: Option<ChannelError>,
    pub(crate) channels: BTreeMap<ChannelKey, Channel>,
    pub(crate) streams: HashMap<u16, ChannelKey>,
    /// Streams of ours whose reset the peer has not confirmed.
    pub(crate) resetting: BTreeSet<u16>,
    /// Streams the peer reset, until the messages that came before are told.
    pub(crate) left: Vec<u16>,
    /// Those that wait for the association, in the order asked for.
    waiting: VecDeque<ChannelKey>,
    /// Those with something to send or to close.
    pub(crate) active: BTreeSet<ChannelKey>,
    /// Where feeding begins the next time, so that channels take turns.
    turn: ChannelKey,
    opened_by_peer: u64,
    /// Memory of messages that wait.
    pub(crate) cost: u64,
    /// Messages stay in SCTP, which holds the peer back.
    pub(crate) holding: bool,
    /// Messages were left for the next turn.
    pub(crate) more: bool,
    pub(crate) packets: VecDeque<Vec<u8>>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) messages_sent: u64,
    pub(crate) messages_received: u64,
}

impl Channels {
    pub(crate) fn new() -> Self {
        Self {
            association: None,
            data: None,
            state: None,
            client: false,
            ready: false,
            over: None,
            channels: BTreeMap::new(),
            streams: HashMap::new(),
            resetting: BTreeSet::new(),
            left: Vec::new(),
            waiting: VecDeque::new(),
            active: BTreeSet::new(),
            turn: ChannelKey(0),
            opened_by_peer: 0,
            cost: 0,
            holding: false,
            more: false,
            packets: VecDeque::new(),
            events: VecDeque::new(),
            messages_sent: 0,
            messages_received: 0,
        }
    }

    /// Counters, once there was an association.
    pub(crate) fn stats(&self) -> Option<SctpStats> {
        let association = self.association.as_ref();
        Some(SctpStats {
            state: self.state?,
            channels: self.channels.len(),
            buffered: self.channels.values().map(|c| c.outgoing.buffered()).sum(),
            messages_sent: self.messages_sent,
            messages_received: self.messages_received,
            transport: association.map(Association::counters).unwrap_or_default(),
        })
    }

    pub(crate) fn contains(&self, key: ChannelKey) -> bool {
        self.channels.contains_key(&key)
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn poll_packet(&mut self) -> Option<Vec<u8>> {
        self.packets.pop_front()
    }

    /// Opens a channel; whether it was accepted.
    pub(crate) fn open(&mut self, init: ChannelInit, now: Instant) -> bool {
        let key = init.key;
        if self.channels.contains_key(&key) {
            // No `Closed`: that would be about the other.
            let reason = "another data channel has its key";
            self.refuse(key, None, ChannelError::Init { reason });
            return false;
        }
        if let Err(error) = self.check(&init) {
            self.tell_closed(key, Some(error));
            return false;
        }
        let channel = Channel {
            outgoing: Outgoing::new(init.low_threshold),
            stage: Stage::Waiting,
            stream: None,
            acknowledged: init.negotiated,
            error: None,
            init,
        };
        self.channels.insert(key, channel);
        self.waiting.push_back(key);
        self.open_waiting(now);
        true
    }

    /// Sends a message, or refuses it.
    pub(crate) fn send(&mut self, key: ChannelKey, data: Bytes, text: bool, now: Instant) {
        let size = data.len() as u64;
        let limit = self.max_message_size();
        let Some(channel) = self.channels.get_mut(&key) else {
            return self.refuse(key, Some(size), ChannelError::NotOpen);
        };
        let buffered = self.cost;
        let error = if matches!(channel.stage, Stage::Closing(_)) {
            ChannelError::NotOpen
        } else if limit.is_some_and(|limit| size > limit) {
            let limit = limit.unwrap_or_default();
            ChannelError::TooLarge { size, limit }
        } else if buffered + size > MAX_BUFFERED {
            let limit = MAX_BUFFERED;
            ChannelError::BufferFull {
                size,
                buffered,
                limit,
            }
        } else {
            self.cost += channel.outgoing.push(data, text, now);
            self.messages_sent += 1;
            self.active.insert(key);
            return;
        };
        self.refuse(key, Some(size), error);
    }

    pub(crate) fn set_low_threshold(&mut self, key: ChannelKey, bytes: u64) {
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.outgoing.threshold = bytes;
        }
    }

    /// Closes a channel once what waits is sent (DC-07).
    pub(crate) fn close_channel(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(&key) else {
            return self.refuse(key, None, ChannelError::NotOpen);
        };
        match channel.stage {
            Stage::Waiting => self.remove(key, None),
            Stage::Open => self.start_closing(key, Resets::default()),
            Stage::Closing(_) => {}
        }
    }

    /// What a finished negotiation says of data channels.
    pub(crate) fn negotiated(&mut self, data: NegotiatedData, client: bool, now: Instant) {
        let ports = (data.local_port, data.remote_port);
        let limit = data.max_message_size;
        self.client = client;
        self.data = Some(data);
        if let Some(association) = &self.association
            && association.ports() != ports
        {
            // RFC 8841 §9.3: another port is another association, and channels do not survive that.
            self.end(sctp_failed("the peer changed its SCTP port"), now);
        }
        if limit > 0 {
            self.drop_larger(limit);
        }
        self.start(now);
    }

    /// The m-line of data channels was rejected.
    pub(crate) fn rejected(&mut self, now: Instant) {
        self.data = None;
        if self.association.is_some() || !self.channels.is_empty() {
            self.end(sctp_failed("the peer takes no data channels"), now);
            // Another offer may be answered otherwise.
            self.over = None;
        }
    }

    /// DTLS can carry packets.
    pub(crate) fn dtls_ready(&mut self, now: Instant) {
        self.ready = true;
        self.start(now);
    }

    fn start(&mut self, now: Instant) {
        let Some(data) = &self.data else { return };
        if !self.ready || self.association.is_some() || self.over.is_some() {
            return;
        }
        let mut association = Association::new(data.local_port, data.remote_port, now);
        association.connect(now);
        self.association = Some(association);
        self.set_state(SctpState::Connecting);
    }

    pub(crate) fn set_state(&mut self, state: SctpState) {
        if self.state != Some(state) {
            self.state = Some(state);
            self.events.push_back(Event::Sctp(state));
        }
    }

    /// Ends the association and with it every channel, without a closing procedure (DC-07).
    pub(crate) fn end(&mut self, error: ChannelError, now: Instant) {
        self.abort(now);
        self.over = Some(error.clone());
        for key in self.channels.keys().copied().collect::<Vec<_>>() {
            self.remove(key, Some(error.clone()));
        }
    }

    /// The session ends, by us or by an error.
    pub(crate) fn close(&mut self, error: Option<&SessionError>, now: Instant) {
        self.abort(now);
        let error = error.map(|error| sctp_failed(&error.to_string()));
        for key in self.channels.keys().copied().collect::<Vec<_>>() {
            self.remove(key, error.clone());
        }
    }

    fn abort(&mut self, now: Instant) {
        let Some(mut association) = self.association.take() else {
            return;
        };
        self.resetting.clear();
        self.left.clear();
        association.abort(now);
        while let Some(event) = association.poll_event() {
            if let crate::sctp::SctpEvent::Packet(packet) = event {
                self.packets.push_back(packet);
            }
        }
        self.set_state(SctpState::Closed);
    }

    /// The largest message the peer takes, bytes; `None`: any, or not known yet.
    pub(crate) fn max_message_size(&self) -> Option<u64> {
        let size = self.data.as_ref()?.max_message_size;
        (size > 0).then_some(size)
    }

    fn check(&self, init: &ChannelInit) -> Result<(), ChannelError> {
        let refuse = |reason| Err(ChannelError::Init { reason });
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        if init.key.is_by_peer() {
            return refuse("its key has the top bit set");
        }
        if init.label.len() > usize::from(u16::MAX) {
            return refuse("its label is longer than 65535 bytes");
        }
        if init.protocol.len() > usize::from(u16::MAX) {
            return refuse("its protocol is longer than 65535 bytes");
        }
        if init.max_retransmits.is_some() && init.max_packet_lifetime_ms.is_some() {
            return refuse("it has both a number of retransmits and a lifetime");
        }
        if init.negotiated && init.id.is_none() {
            return refuse("it is negotiated and has no id");
        }
        if init.negotiated && init.id.is_some_and(|id| id > MAX_STREAM) {
            return refuse("its id is larger than 65534");
        }
        if self.channels.len() >= MAX_CHANNELS {
            let reason = "1024 data channels exist";
            return Err(ChannelError::NoStream { reason });
        }
        Ok(())
    }

    /// Opens channels that wait, if the association permits.
    pub(crate) fn open_waiting(&mut self, now: Instant) {
        let connected = self
            .association
            .as_ref()
            .is_some_and(Association::is_connected);
        while connected && let Some(key) = self.waiting.pop_front() {
            match self.stream_for(key) {
                Ok(Some(stream)) => self.activate(key, stream, now),
                Ok(None) => {}
                Err(reason) => self.remove(key, Some(ChannelError::NoStream { reason })),
            }
        }
    }

    fn stream_for(&self, key: ChannelKey) -> Result<Option<u16>, &'static str> {
        let (Some(channel), Some(association)) = (self.channels.get(&key), &self.association)
        else {
            return Ok(None);
        };
        let count = association.max_streams();
        let is_free = |stream: &u16| !self.streams.contains_key(stream);
        if channel.init.negotiated {
            let stream = channel.init.id.unwrap_or(MAX_STREAM);
            return match (stream < count, is_free(&stream)) {
                (false, _) => Err("its id is larger than the peer permits"),
                (_, false) => Err("its id is in use"),
                _ => Ok(Some(stream)),
            };
        }
        // RFC 8832 §6: even for the DTLS client.
        let first = u16::from(!self.client);
        let mut streams = (first..count).step_by(2);
        match streams.find(is_free) {
            Some(stream) => Ok(Some(stream)),
            None => Err("all are in use"),
        }
    }

    fn activate(&mut self, key: ChannelKey, stream: u16, now: Instant) {
        let (Some(channel), Some(association)) =
            (self.channels.get_mut(&key), &mut self.association)
        else {
            return;
        };
        association.set_priority(stream, channel.init.priority.max(1));
        channel.init.id = Some(stream);
        channel.stream = Some(stream);
        channel.stage = Stage::Open;
        if !channel.init.negotiated {
            let open = Dcep::Open(Open {
                label: channel.init.label.clone(),
                protocol: channel.init.protocol.clone(),
                ordered: channel.init.ordered,
                max_retransmits: channel.init.max_retransmits,
                max_packet_lifetime_ms: channel.init.max_packet_lifetime_ms,
                priority: channel.init.priority,
            });
            channel.outgoing.push_control(open.write(), now);
        }
        let init = channel.init.clone();
        self.streams.insert(stream, key);
        self.active.insert(key);
        self.tell_opened(key, init, false);
    }

    /// The peer opened a channel (RFC 8832 §6).
    pub(crate) fn opened_by_peer(&mut self, stream: u16, open: Open, now: Instant) {
        let is_theirs = (stream % 2 == 1) == self.client;
        if !is_theirs || stream > MAX_STREAM || self.channels.len() >= MAX_CHANNELS {
            tracing::debug!(stream, "the peer may not open this data channel");
            self.reset_stream(stream);
            return;
        }
        self.opened_by_peer += 1;
        let key = ChannelKey::by_peer(self.opened_by_peer);
        let init = ChannelInit {
            key,
            label: open.label,
            protocol: open.protocol,
            ordered: open.ordered,
            max_retransmits: open.max_retransmits,
            max_packet_lifetime_ms: open.max_packet_lifetime_ms,
            negotiated: false,
            id: Some(stream),
            priority: open.priority,
            low_threshold: 0,
        };
        let mut outgoing = Outgoing::new(0);
        outgoing.push_control(Dcep::Ack.write(), now);
        if let Some(association) = &mut self.association {
            association.set_priority(stream, init.priority.max(1));
        }
        let channel = Channel {
            init: init.clone(),
            stage: Stage::Open,
            stream: Some(stream),
            acknowledged: true,
            outgoing,
            error: None,
        };
        self.channels.insert(key, channel);
        self.streams.insert(stream, key);
        self.active.insert(key);
        self.tell_opened(key, init, true);
    }

    /// Nothing more can be sent; the rest is done by [`Channels::pump`].
    pub(crate) fn start_closing(&mut self, key: ChannelKey, resets: Resets) {
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.stage = Stage::Closing(resets);
            self.active.insert(key);
            self.tell(ChannelEvent::Closing { key });
        }
    }

    /// Closes a channel for what the peer did on it.
    pub(crate) fn breach(&mut self, key: ChannelKey, reason: String) {
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        channel
            .error
            .get_or_insert(ChannelError::Protocol { reason });
        self.drop_waiting(key);
        let open = self
            .channels
            .get(&key)
            .is_some_and(|c| c.stage == Stage::Open);
        if open {
            self.start_closing(key, Resets::default());
        }
    }

    /// Drops the messages of a channel that wait.
    pub(crate) fn drop_waiting(&mut self, key: ChannelKey) {
        if let Some(channel) = self.channels.get_mut(&key) {
            let threshold = channel.outgoing.threshold;
            self.cost -= channel.outgoing.cost();
            channel.outgoing = Outgoing::new(threshold);
        }
    }

    /// Forgets a channel and tells that it is closed.
    pub(crate) fn remove(&mut self, key: ChannelKey, error: Option<ChannelError>) {
        self.drop_waiting(key);
        let Some(channel) = self.channels.remove(&key) else {
            return;
        };
        if let Some(stream) = channel.stream {
            self.streams.remove(&stream);
        }
        self.waiting.retain(|other| *other != key);
        self.active.remove(&key);
        self.tell_closed(key, channel.error.or(error));
    }

    /// Drops messages given before the peer's limit was known that exceed it.
    fn drop_larger(&mut self, limit: u64) {
        for key in self.channels.keys().copied().collect::<Vec<_>>() {
            let Some(channel) = self.channels.get_mut(&key) else {
                continue;
            };
            let before = channel.outgoing.cost();
            let sizes = channel.outgoing.take_larger(limit);
            self.cost -= before - channel.outgoing.cost();
            for size in sizes {
                let error = ChannelError::TooLarge { size, limit };
                self.refuse(key, Some(size), error);
            }
        }
    }

    /// The channels with something to do, each once, beginning with another one each time.
    pub(crate) fn take_turns(&mut self) -> Vec<ChannelKey> {
        let after = self.active.range(self.turn..);
        let keys: Vec<_> = after
            .chain(self.active.range(..self.turn))
            .copied()
            .collect();
        if let Some(first) = keys.first() {
            self.turn = ChannelKey(first.0.wrapping_add(1));
        }
        keys
    }

    pub(crate) fn tell(&mut self, event: ChannelEvent) {
        self.events.push_back(Event::Channel(event));
    }

    fn tell_opened(&mut self, key: ChannelKey, init: ChannelInit, by_peer: bool) {
        self.tell(ChannelEvent::Opened { key, init, by_peer });
    }

    fn tell_closed(&mut self, key: ChannelKey, error: Option<ChannelError>) {
        self.tell(ChannelEvent::Closed { key, error });
    }

    fn refuse(&mut self, key: ChannelKey, message: Option<u64>, error: ChannelError) {
        self.tell(ChannelEvent::Refused {
            key,
            message,
            error,
        });
    }
}

impl Channel {
    /// How its messages are delivered now.
    pub(crate) fn delivery(&self) -> Delivery {
        let lifetime = self.init.max_packet_lifetime_ms.map(u64::from);
        Delivery {
            ordered: self.init.ordered || !self.acknowledged,
            max_retransmits: self.init.max_retransmits,
            lifetime: lifetime.map(Duration::from_millis),
        }
    }
}

pub(crate) fn sctp_failed(reason: &str) -> ChannelError {
    ChannelError::Sctp {
        reason: reason.to_owned(),
        cause: None,
    }
}
