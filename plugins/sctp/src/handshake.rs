// SPDX-License-Identifier: MPL-2.0
//! Setting up (RFC 9260 §5), and chunks that carry no messages.
use crate::Event;
use crate::association::{Association, cause_of};
use crate::init::{Abilities, Cookie, Init, cookie_of};
use crate::link::Link;
use crate::wire::{Chunk, Packet, kind};
use std::time::{Duration, Instant};

const FIRST_REPEAT: Duration = Duration::from_millis(500);
/// How long the peer may be silent is for ICE to say: it is asked for ever.
const SLOWEST_REPEAT: Duration = Duration::from_secs(3);
/// Streams we send and take: as many as there are (RFC 8831 §6.2).
const STREAMS: u16 = 65_535;
const UNRECOGNIZED_CHUNK: u16 = 6;
/// The peer's tag is in the header, for it does not know ours.
const TAG_REFLECTED: u8 = 1;

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Idle,
    /// INIT was sent.
    Init,
    /// COOKIE ECHO was sent.
    Echo(Vec<u8>),
    Done,
}

#[derive(Debug)]
pub(crate) struct Handshake {
    step: Step,
    tag: u32,
    tsn: u32,
    due: Option<Instant>,
    wait: Duration,
}

impl Handshake {
    pub(crate) fn new() -> Self {
        Self {
            step: Step::Idle,
            tag: rand::random::<u32>().max(1),
            tsn: rand::random(),
            due: None,
            wait: FIRST_REPEAT,
        }
    }

    /// Our verification tag.
    pub(crate) fn tag(&self) -> u32 {
        self.tag
    }

    pub(crate) fn begin(&mut self, now: Instant) {
        if self.step == Step::Idle {
            self.go_on(Step::Init, now);
        }
    }

    fn go_on(&mut self, step: Step, now: Instant) {
        self.step = step;
        self.due = Some(now);
        self.wait = FIRST_REPEAT;
    }

    fn done(&mut self) {
        self.step = Step::Done;
        self.due = None;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Whether something is to be sent now.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            self.due = Some(now + self.wait);
            self.wait = (self.wait * 2).min(SLOWEST_REPEAT);
        }
        due
    }
}

impl Association {
    /// INIT or COOKIE ECHO, for the first time or again.
    pub(crate) fn handshake_packet(&mut self, now: Instant) -> Option<Vec<u8>> {
        if !self.handshake.is_due(now) {
            return None;
        }
        let (local, remote) = (self.config.local_port, self.config.remote_port);
        match &self.handshake.step {
            Step::Init => {
                let init = self.init(self.handshake.tag, self.handshake.tsn);
                let mut packet = Packet::new(local, remote, 0, 128);
                packet.chunk(kind::INIT, 0, |body| init.put(body));
                Some(packet.finish(true))
            }
            Step::Echo(cookie) => {
                let tag = self.link.as_ref()?.tag;
                let mut packet = Packet::new(local, remote, tag, 256);
                packet.chunk(kind::COOKIE_ECHO, 0, |body| body.extend_from_slice(cookie));
                // RFC 9653 §5.2: with a checksum, always.
                Some(packet.finish(true))
            }
            Step::Idle | Step::Done => None,
        }
    }

    fn init(&self, tag: u32, tsn: u32) -> Init {
        Init {
            tag,
            window: u32::try_from(self.config.receive_buffer).unwrap_or(u32::MAX),
            streams_out: STREAMS,
            streams_in: STREAMS,
            tsn,
            abilities: Abilities::OURS,
        }
    }

    /// Whether a chunk's packet has the tag that it must have (RFC 9260 §8.5).
    pub(crate) fn admits(&self, tag: u32, chunk: &Chunk<'_>) -> bool {
        let reflected = chunk.flags & TAG_REFLECTED != 0;
        match chunk.kind {
            kind::INIT => tag == 0,
            kind::ABORT | kind::SHUTDOWN_COMPLETE if reflected => {
                self.link.as_ref().is_some_and(|link| link.tag == tag)
            }
            // The cookie tells which tag is right.
            kind::COOKIE_ECHO => cookie_tag(chunk) == Some(tag),
            _ => tag == self.handshake.tag(),
        }
    }

    /// Takes a chunk that carries no messages.
    pub(crate) fn handle_control(&mut self, chunk: &Chunk<'_>, now: Instant) {
        match chunk.kind {
            kind::INIT => self.handle_init(chunk),
            kind::INIT_ACK => self.handle_init_ack(chunk, now),
            kind::COOKIE_ECHO => self.handle_cookie(chunk),
            kind::COOKIE_ACK => {
                if matches!(self.handshake.step, Step::Echo(_)) {
                    self.connected();
                }
            }
            kind::HEARTBEAT => self.reply(kind::HEARTBEAT_ACK, chunk.body),
            kind::ABORT => self.handle_abort(chunk.body),
            kind::SHUTDOWN => {
                self.reply(kind::SHUTDOWN_ACK, &[]);
                self.end("the peer shut the association down", None);
            }
            kind::ERROR => tracing::debug!(cause = cause_of(chunk.body), "the peer tells an error"),
            kind::DATA
            | kind::I_DATA
            | kind::SACK
            | kind::HEARTBEAT_ACK
            | kind::SHUTDOWN_ACK
            | kind::SHUTDOWN_COMPLETE
            | kind::RE_CONFIG
            | kind::FORWARD_TSN
            | kind::I_FORWARD_TSN => {}
            // RFC 9260 §3.2: the second bit asks for a report.
            other if other & 0x40 != 0 => self.report(chunk),
            _ => {}
        }
    }

    fn handle_init(&mut self, chunk: &Chunk<'_>) {
        let Some(peer) = Init::parse(chunk.body) else {
            return;
        };
        // RFC 9260 §5.2.2: an association that exists gets another tag, so that a restart is known by it.
        let (tag, tsn) = match self.connected {
            true => (rand::random::<u32>().max(1), rand::random()),
            false => (self.handshake.tag, self.handshake.tsn),
        };
        let init = self.init(tag, tsn);
        let cookie = Cookie {
            our_tag: tag,
            our_tsn: tsn,
            peer,
        };
        self.answer(peer.tag, true, |packet| {
            packet.chunk(kind::INIT_ACK, 0, |body| {
                init.put(body);
                cookie.put(body);
            });
        });
    }

    fn handle_init_ack(&mut self, chunk: &Chunk<'_>, now: Instant) {
        if self.handshake.step != Step::Init {
            return;
        }
        let (Some(peer), Some(cookie)) = (Init::parse(chunk.body), cookie_of(chunk.body)) else {
            return;
        };
        // Longer ones do not fit into a packet.
        if cookie.len() > self.config.mtu - 16 {
            return;
        }
        let mut link = Link::new(&self.config, self.handshake.tsn, &peer);
        link.of_ours = Cookie::parse(cookie).is_some();
        self.link = Some(link);
        let cookie = cookie.to_vec();
        self.handshake.go_on(Step::Echo(cookie), now);
    }

    /// RFC 9260 §5.2.4.
    fn handle_cookie(&mut self, chunk: &Chunk<'_>) {
        let Some(cookie) = Cookie::parse(chunk.body) else {
            return;
        };
        let ours = cookie.our_tag == self.handshake.tag;
        let theirs = self.link.as_ref().map(|link| link.tag) == Some(cookie.peer.tag);
        match (ours, theirs, self.connected) {
            (true, true, _) => {}
            // Nothing was sent yet on what we knew of the peer.
            (true, false, false) => {
                self.link = Some(Link::new(&self.config, self.handshake.tsn, &cookie.peer));
            }
            // A cookie of ours with another tag: the peer begins anew, and its channels with it.
            (false, _, true) => return self.end("the peer began the association anew", None),
            _ => return,
        }
        let checksum = !cookie.peer.abilities.zero_checksum;
        self.answer(cookie.peer.tag, checksum, |packet| {
            packet.chunk(kind::COOKIE_ACK, 0, |_| ());
        });
        self.connected();
    }

    fn connected(&mut self) {
        self.handshake.done();
        if !self.connected {
            self.connected = true;
            self.events.push_back(Event::Connected);
        }
    }

    fn reply(&mut self, kind: u8, body: &[u8]) {
        let Some(link) = &self.link else { return };
        let (tag, checksum) = (link.tag, !link.abilities.zero_checksum);
        self.answer(tag, checksum, |packet| {
            packet.chunk(kind, 0, |out| out.extend_from_slice(body));
        });
    }

    fn report(&mut self, chunk: &Chunk<'_>) {
        let cause = UNRECOGNIZED_CHUNK;
        let Ok(length) = u16::try_from(chunk.whole.len() + 4) else {
            return;
        };
        let mut body = [cause.to_be_bytes(), length.to_be_bytes()].concat();
        body.extend_from_slice(chunk.whole);
        if body.len() + 16 <= self.config.mtu {
            self.reply(kind::ERROR, &body);
        }
    }
}

fn cookie_tag(chunk: &Chunk<'_>) -> Option<u32> {
    Some(Cookie::parse(chunk.body)?.our_tag)
}
