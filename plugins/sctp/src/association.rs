// SPDX-License-Identifier: MPL-2.0
//! The association as its user sees it.
use crate::handshake::Handshake;
use crate::link::Link;
use crate::wire::{Header, Packet, chunks, kind, parameters, u16_at};
use crate::{Message, SendOptions};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that answer a peer and wait to be sent; more are not answered.
const MAX_ANSWERS: usize = 32;
/// RFC 9260 §3.3.10.12.
const USER_ABORT: u16 = 12;
const PROTOCOL_VIOLATION: u16 = 13;

/// What an association is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our port.
    pub local_port: u16,
    /// The peer's.
    pub remote_port: u16,
    /// The largest packet sent, bytes.
    pub mtu: usize,
    /// Bytes of whole messages that wait to be taken before the peer has to stop, each counted with 128
    /// bytes more.
    pub receive_buffer: usize,
    /// Bytes of messages in pieces and of messages that wait, beyond which nothing is taken. Has to hold the
    /// largest message on as many streams as the peer may interleave.
    pub receive_limit: usize,
    /// Bytes of messages that may wait to be sent.
    pub send_buffer: usize,
}

impl Config {
    /// With packets for a path of 1200 bytes and buffers of some megabytes.
    pub fn new(local_port: u16, remote_port: u16) -> Self {
        Self {
            local_port,
            remote_port,
            mtu: 1160,
            receive_buffer: 5 * 1024 * 1024,
            receive_limit: 24 * 1024 * 1024,
            send_buffer: 1024 * 1024,
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Messages can be sent.
    Connected,
    /// It is over; nothing comes after this.
    Ended {
        /// Why, for people.
        reason: String,
        /// The cause of the peer's ABORT (RFC 9260 §3.3.10), if it told one.
        cause: Option<u16>,
    },
    /// These outgoing streams were reset.
    Reset(Vec<u16>),
    /// The peer refused to reset them.
    ResetFailed(Vec<u16>),
    /// The peer reset these of its outgoing streams; an empty list: all of them.
    PeerReset(Vec<u16>),
}

/// Counters of an association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Smoothed round trip time.
    pub rtt: Option<Duration>,
    /// The congestion window, bytes.
    pub window: u64,
    /// The window the peer granted last, bytes.
    pub peer_window: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Packets sent that repeated something.
    pub packets_repeated: u64,
    /// Whether messages of several streams are interleaved.
    pub interleaving: bool,
    /// Whether checksums are left to DTLS.
    pub zero_checksum: bool,
}

/// See the crate.
#[derive(Debug)]
pub struct Association {
    pub(crate) config: Config,
    pub(crate) handshake: Handshake,
    /// What there is once the peer is known.
    pub(crate) link: Option<Link>,
    pub(crate) connected: bool,
    pub(crate) over: bool,
    pub(crate) answers: VecDeque<Vec<u8>>,
    pub(crate) events: VecDeque<Event>,
    received: u64,
    sent: u64,
}

impl Association {
    /// Nothing is sent before [`Self::connect`].
    pub fn new(config: Config) -> Self {
        Self {
            handshake: Handshake::new(),
            config,
            link: None,
            connected: false,
            over: false,
            answers: VecDeque::new(),
            events: VecDeque::new(),
            received: 0,
            sent: 0,
        }
    }

    /// Sends INIT. Both sides may: a collision is resolved (RFC 9260 §5.2).
    pub fn connect(&mut self, now: Instant) {
        self.handshake.begin(now);
    }

    /// Whether messages can be sent.
    pub fn is_connected(&self) -> bool {
        self.connected && !self.over
    }

    /// Takes a packet of the peer; what is malformed or not of this association is dropped.
    pub fn handle_packet(&mut self, packet: &[u8], now: Instant) {
        let Some(header) = Header::parse(packet).filter(|_| !self.over) else {
            return;
        };
        let ports = (self.config.local_port, self.config.remote_port);
        if (header.destination, header.source) != ports || !header.fits(packet, true) {
            return;
        }
        self.received += 1;
        let mut has_data = false;
        let mut immediate = false;
        for chunk in chunks(packet) {
            if !self.admits(header.tag, &chunk) || self.over {
                break;
            }
            let Some(link) = self.link.as_mut() else {
                self.handle_control(&chunk, now);
                continue;
            };
            let result = match chunk.kind {
                kind::DATA | kind::I_DATA => link.handle_data(&chunk).map(|(data, at_once)| {
                    has_data |= data;
                    immediate |= at_once;
                }),
                kind::SACK => {
                    link.handle_sack(chunk.body, now);
                    Ok(())
                }
                kind::FORWARD_TSN | kind::I_FORWARD_TSN => link.handle_forward(&chunk),
                kind::RE_CONFIG => {
                    let events = link.handle_reconfig(chunk.body, now);
                    self.events.extend(events);
                    Ok(())
                }
                _ => {
                    self.handle_control(&chunk, now);
                    Ok(())
                }
            };
            if let Err(reason) = result {
                return self.breach(reason);
            }
        }
        if let Some(link) = self.link.as_mut().filter(|_| has_data) {
            link.tracker.packet(immediate, now);
            if link.tracker.is_full(link.of_ours) && self.answers.len() < MAX_ANSWERS {
                self.answers.push_back(link.acknowledgement());
            }
        }
    }

    /// To be called when the time of [`Self::poll_timeout`] has come; earlier does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.over {
            return;
        }
        if let Some(link) = self.link.as_mut().filter(|_| self.connected) {
            link.handle_timeout(now);
        }
    }

    /// When [`Self::handle_timeout`] must be called, as of the last packet polled.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        let link = self.link.as_ref().filter(|_| self.connected);
        [self.handshake.deadline(), link.and_then(Link::deadline)]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next packet to send.
    pub fn poll_packet(&mut self, now: Instant) -> Option<Vec<u8>> {
        let packet = self.answers.pop_front().or_else(|| self.next_packet(now));
        self.sent += u64::from(packet.is_some());
        packet
    }

    fn next_packet(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.over {
            return None;
        }
        if let Some(packet) = self.handshake_packet(now) {
            return Some(packet);
        }
        let connected = self.connected;
        let link = self.link.as_mut().filter(|_| connected)?;
        link.poll(now)
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next whole message. What is not taken closes the window the peer may send into.
    pub fn poll_message(&mut self) -> Option<Message> {
        self.link.as_mut()?.poll_message()
    }

    /// Queues a message; `false` if it is empty, there is no room, or not connected.
    pub fn send(&mut self, stream: u16, ppid: u32, payload: Bytes, options: SendOptions) -> bool {
        let room = self.config.send_buffer;
        let connected = self.is_connected();
        let Some(link) = self.link.as_mut().filter(|_| connected) else {
            return false;
        };
        let fits = !payload.is_empty() && link.queue.buffered() < room;
        if fits {
            link.queue.push(stream, ppid, payload, options);
        }
        fits
    }

    /// Bytes that wait to be sent for the first time on a stream.
    pub fn buffered(&self, stream: u16) -> usize {
        let link = self.link.as_ref();
        link.map_or(0, |link| link.queue.buffered_on(stream))
    }

    /// A stream's share against others; 256 unless told.
    pub fn set_weight(&mut self, stream: u16, weight: u16) {
        if let Some(link) = &mut self.link {
            link.queue.set_weight(stream, weight);
        }
    }

    /// Asks for a reset of outgoing streams once what waits on them is sent; messages given later wait for
    /// it. `false`: the peer knows no resets.
    pub fn reset(&mut self, streams: &[u16]) -> bool {
        let Some(link) = self.link.as_mut() else {
            return false;
        };
        if link.abilities.resets {
            link.resets.want(streams);
        }
        link.abilities.resets
    }

    /// Packets take another way from now on (RFC 8831 §5): what was learnt of the old one is forgotten.
    pub fn path_changed(&mut self) {
        if let Some(link) = &mut self.link {
            link.path_changed();
        }
    }

    /// Sends ABORT; packets are to be polled for the last time.
    pub fn abort(&mut self) {
        self.put_abort(USER_ABORT);
        self.over = true;
    }

    /// The number of streams we may send on.
    pub fn max_streams(&self) -> u16 {
        self.link.as_ref().map_or(0, |link| link.streams_out)
    }

    /// Counters.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters {
            packets_sent: self.sent,
            packets_received: self.received,
            ..Counters::default()
        };
        if let Some(link) = &self.link {
            counters.rtt = link.rtt.smoothed();
            counters.window = link.congestion.window() as u64;
            counters.peer_window = link.peer_window as u64;
            counters.packets_repeated = link.repeated;
            counters.interleaving = link.abilities.interleaving;
            counters.zero_checksum = link.abilities.zero_checksum;
        }
        counters
    }

    pub(crate) fn answer(&mut self, tag: u32, checksum: bool, write: impl FnOnce(&mut Packet)) {
        if self.answers.len() < MAX_ANSWERS {
            let (local, remote) = (self.config.local_port, self.config.remote_port);
            let mut packet = Packet::new(local, remote, tag, 128);
            write(&mut packet);
            self.answers.push_back(packet.finish(checksum));
        }
    }

    pub(crate) fn end(&mut self, reason: &str, cause: Option<u16>) {
        self.over = true;
        let reason = reason.to_owned();
        self.events.push_back(Event::Ended { reason, cause });
    }

    /// Ends for what the peer did.
    fn breach(&mut self, reason: &str) {
        self.put_abort(PROTOCOL_VIOLATION);
        self.end(reason, None);
    }

    fn put_abort(&mut self, cause: u16) {
        let Some(link) = self.link.as_ref().filter(|_| !self.over) else {
            return;
        };
        let (tag, checksum) = (link.tag, !link.abilities.zero_checksum);
        self.answer(tag, checksum, |packet| {
            packet.chunk(kind::ABORT, 0, |body| {
                body.extend_from_slice(&cause.to_be_bytes());
                body.extend_from_slice(&4u16.to_be_bytes());
            });
        });
    }

    pub(crate) fn handle_abort(&mut self, body: &[u8]) {
        let (cause, text) = match parameters(body).next() {
            Some((cause, text)) => (Some(cause), String::from_utf8_lossy(text)),
            None => (None, "".into()),
        };
        let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
        let reason = match (cause, text.is_empty()) {
            (None, _) => "the peer aborted the association".to_owned(),
            (Some(cause), true) => format!("the peer aborted the association, cause {cause}"),
            (Some(cause), false) => {
                format!("the peer aborted the association, cause {cause}: {text}")
            }
        };
        self.end(&reason, cause);
    }
}

/// The first cause of an ERROR chunk.
pub(crate) fn cause_of(body: &[u8]) -> Option<u16> {
    u16_at(body, 0)
}

#[cfg(test)]
#[path = "association_test.rs"]
mod association_test;

#[cfg(test)]
#[path = "hostile_test.rs"]
mod hostile_test;
