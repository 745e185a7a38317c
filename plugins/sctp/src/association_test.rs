// SPDX-License-Identifier: MPL-2.0
//! Two associations over a path that loses, delays and reorders, in virtual time; one may be dcsctp's.
use super::*;
use dcsctp::api::{
    DcSctpSocket, Message as TheirMessage, Options, PpId, SendOptions as TheirOptions, Socket,
    SocketEvent, SocketState, SocketTime, StreamId,
    ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// What both kinds of side can do.
pub(super) trait Side {
    fn connect(&mut self, now: Instant);
    fn packet(&mut self, packet: &[u8], now: Instant);
    fn timeout(&mut self, now: Instant);
    fn deadline(&self) -> Option<Instant>;
    fn poll(&mut self, now: Instant) -> Option<Vec<u8>>;
    fn event(&mut self) -> Option<Event>;
    fn message(&mut self) -> Option<Message>;
    fn send(
        &mut self,
        stream: u16,
        payload: Vec<u8>,
        unordered: bool,
        repeats: Option<u16>,
    ) -> bool;
    fn reset(&mut self, streams: &[u16]);
}

impl Side for Association {
    fn connect(&mut self, now: Instant) {
        self.connect(now);
    }
    fn packet(&mut self, packet: &[u8], now: Instant) {
        self.handle_packet(packet, now);
    }
    fn timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }
    fn deadline(&self) -> Option<Instant> {
        self.poll_timeout()
    }
    fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.poll_packet(now)
    }
    fn event(&mut self) -> Option<Event> {
        self.poll_event()
    }
    fn message(&mut self) -> Option<Message> {
        self.poll_message()
    }
    fn send(
        &mut self,
        stream: u16,
        payload: Vec<u8>,
        unordered: bool,
        repeats: Option<u16>,
    ) -> bool {
        let options = SendOptions {
            unordered,
            max_retransmits: repeats,
            expires: None,
        };
        self.send(stream, 53, payload.into(), options)
    }
    fn reset(&mut self, streams: &[u16]) {
        assert!(self.reset(streams));
    }
}

/// dcsctp, which nobody here wrote.
struct Theirs {
    socket: Socket,
    epoch: Instant,
    packets: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
}

impl Theirs {
    fn new(local_port: u16, interleaving: bool, zero: bool, epoch: Instant) -> Self {
        let mut options = Options {
            local_port,
            remote_port: 10_001 - local_port,
            mtu: 1160,
            max_message_size: usize::MAX,
            max_retransmissions: None,
            max_init_retransmits: None,
            enable_message_interleaving: interleaving,
            ..Options::default()
        };
        if zero {
            options.zero_checksum_alternate_error_detection_method =
                ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS;
        }
        Self {
            socket: Socket::new("theirs", &options),
            epoch,
            packets: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    fn advance(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.epoch);
        self.socket.advance_time(SocketTime::zero() + since);
    }

    fn collect(&mut self) {
        let ids = |ids: Vec<StreamId>| ids.into_iter().map(|id| id.0).collect();
        while let Some(event) = self.socket.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) => self.packets.push_back(packet),
                SocketEvent::OnConnected() => self.events.push_back(Event::Connected),
                SocketEvent::OnAborted(_, reason) => {
                    self.events.push_back(Event::Ended {
                        reason,
                        cause: None,
                    });
                }
                SocketEvent::OnStreamsResetPerformed(s) => {
                    self.events.push_back(Event::Reset(ids(s)))
                }
                SocketEvent::OnIncomingStreamReset(s) => {
                    self.events.push_back(Event::PeerReset(ids(s)));
                }
                SocketEvent::OnError(kind, text) => panic!("{kind:?} {text}"),
                _ => {}
            }
        }
    }
}

impl Side for Theirs {
    fn connect(&mut self, now: Instant) {
        self.advance(now);
        self.socket.connect();
    }
    fn packet(&mut self, packet: &[u8], now: Instant) {
        self.advance(now);
        self.socket.handle_input(packet);
    }
    fn timeout(&mut self, now: Instant) {
        self.advance(now);
    }
    fn deadline(&self) -> Option<Instant> {
        let at = self.socket.poll_timeout();
        (at != SocketTime::infinite_future()).then(|| self.epoch + (at - SocketTime::zero()))
    }
    fn poll(&mut self, _: Instant) -> Option<Vec<u8>> {
        self.collect();
        self.packets.pop_front()
    }
    fn event(&mut self) -> Option<Event> {
        self.collect();
        self.events.pop_front()
    }
    fn message(&mut self) -> Option<Message> {
        let message = self.socket.get_next_message()?;
        Some(Message {
            stream: message.stream_id.0,
            ppid: message.ppid.0,
            payload: message.payload,
        })
    }
    fn send(
        &mut self,
        stream: u16,
        payload: Vec<u8>,
        unordered: bool,
        repeats: Option<u16>,
    ) -> bool {
        let options = TheirOptions {
            unordered,
            max_retransmissions: repeats,
            ..TheirOptions::default()
        };
        let message = TheirMessage::new(StreamId(stream), PpId(53), payload);
        let open = self.socket.state() == SocketState::Connected;
        open && self.socket.send(message, &options).is_ok()
    }
    fn reset(&mut self, streams: &[u16]) {
        let ids: Vec<StreamId> = streams.iter().map(|id| StreamId(*id)).collect();
        self.socket.reset_streams(&ids).unwrap();
    }
}

/// Packets under way: when they arrive, in the order they were sent.
pub(super) type Wire = Vec<(Instant, Vec<u8>)>;

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) sides: [Box<dyn Side>; 2],
    /// Towards each side.
    pub(super) wires: [Wire; 2],
    events: [Vec<Event>; 2],
    messages: [Vec<Message>; 2],
    random: SmallRng,
    pub(super) loss: f64,
    delay: Duration,
    jitter: f64,
    holds: bool,
    packets: [u64; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ours,
    Theirs,
    TheirsInterleaved,
    TheirsZero,
}

pub(super) const KINDS: [Kind; 4] = [
    Kind::Ours,
    Kind::Theirs,
    Kind::TheirsInterleaved,
    Kind::TheirsZero,
];

impl World {
    /// Ours, and another.
    fn new(other: Kind, seed: u64) -> Self {
        let now = Instant::now();
        let config = |local, remote| Config {
            send_buffer: 1024 * 1024,
            ..Config::new(local, remote)
        };
        let ours = || Box::new(Association::new(config(5000, 5001)));
        let theirs = |interleaving, zero| Box::new(Theirs::new(5001, interleaving, zero, now));
        let other: Box<dyn Side> = match other {
            Kind::Ours => Box::new(Association::new(config(5001, 5000))),
            Kind::Theirs => theirs(false, false),
            Kind::TheirsInterleaved => theirs(true, true),
            Kind::TheirsZero => theirs(false, true),
        };
        Self {
            now,
            sides: [ours(), other],
            wires: [Vec::new(), Vec::new()],
            events: Default::default(),
            messages: Default::default(),
            random: SmallRng::seed_from_u64(seed),
            loss: 0.0,
            delay: Duration::from_millis(10),
            jitter: 0.0,
            holds: false,
            packets: [0; 2],
        }
    }

    pub(super) fn connected(other: Kind, seed: u64) -> Self {
        let mut world = Self::new(other, seed);
        for side in &mut world.sides {
            side.connect(world.now);
        }
        world.until("a connection", |world| {
            world
                .events
                .iter()
                .all(|events| events.contains(&Event::Connected))
        });
        world
    }

    fn pump(&mut self) {
        for at in 0..2 {
            while let Some(packet) = self.sides[at].poll(self.now) {
                self.packets[at] += 1;
                if self.random.random_bool(self.loss) {
                    continue;
                }
                let late = self
                    .delay
                    .mul_f64(1.0 + self.jitter * self.random.random::<f64>());
                self.wires[1 - at].push((self.now + late, packet));
            }
            while let Some(event) = self.sides[at].event() {
                self.events[at].push(event);
            }
            while !self.holds
                && let Some(message) = self.sides[at].message()
            {
                self.messages[at].push(message);
            }
        }
    }

    pub(super) fn step(&mut self) {
        self.pump();
        let arrivals = self.wires.iter().flatten().map(|(at, _)| *at);
        let timers = self.sides.iter().filter_map(|side| side.deadline());
        let next = arrivals.chain(timers).min().expect("something goes on");
        self.now = next.max(self.now + Duration::from_micros(1));
        for at in 0..2 {
            self.wires[at].sort_by_key(|(at, _)| *at);
            let due = self.wires[at].partition_point(|(at, _)| *at <= self.now);
            let arrived: Vec<_> = self.wires[at].drain(..due).collect();
            for (_, packet) in arrived {
                self.sides[at].packet(&packet, self.now);
                self.pump();
            }
            self.sides[at].timeout(self.now);
        }
        self.pump();
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(600);
        while !done(self) {
            assert!(self.now < end, "no {what}");
            self.step();
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.pump();
            let idle = self.wires.iter().all(Vec::is_empty)
                && self.sides.iter().all(|side| side.deadline().is_none());
            if idle {
                return;
            }
            self.step();
        }
    }

    /// Sends as there is room until all are sent, then waits until the other side has `count`.
    fn transfer(&mut self, from: usize, messages: &[(u16, Vec<u8>, bool)]) -> Duration {
        let begun = self.now;
        let have = self.messages[1 - from].len();
        let mut left = messages.iter();
        let mut next = left.next();
        while let Some((stream, payload, unordered)) = next {
            if self.sides[from].send(*stream, payload.clone(), *unordered, None) {
                next = left.next();
            } else {
                self.step();
            }
        }
        let count = have + messages.len();
        self.until("messages", |world| world.messages[1 - from].len() >= count);
        self.now - begun
    }
}

pub(super) fn numbered(count: usize, size: usize, unordered: bool) -> Vec<(u16, Vec<u8>, bool)> {
    let message = |number: usize| {
        let mut bytes = vec![number as u8; size.max(4)];
        bytes[..4].copy_from_slice(&(number as u32).to_be_bytes());
        ((number % 3) as u16, bytes, unordered)
    };
    (0..count).map(message).collect()
}

#[test]
fn messages_cross_in_both_directions_whatever_the_path_does() {
    for (seed, other) in KINDS.into_iter().enumerate() {
        for (loss, jitter) in [(0.0, 0.0), (0.1, 0.0), (0.05, 1.5)] {
            let mut world = World::connected(other, seed as u64);
            (world.loss, world.jitter) = (loss, jitter);
            for from in [0, 1] {
                for unordered in [false, true] {
                    let sent = numbered(40, 9000, unordered);
                    world.transfer(from, &sent);
                    let mut got = std::mem::take(&mut world.messages[1 - from]);
                    assert_eq!(got.len(), sent.len(), "{other:?} {loss} {jitter}");
                    let number = |bytes: &[u8]| bytes[..4].to_vec();
                    if unordered {
                        got.sort_by_key(|message| number(&message.payload));
                    }
                    for stream in 0..3 {
                        let mine = got.iter().filter(|m| m.stream == stream);
                        let wanted = sent.iter().filter(|(s, ..)| *s == stream);
                        assert!(
                            mine.map(|m| &m.payload).eq(wanted.map(|(_, p, _)| p)),
                            "{other:?} {loss} {jitter} from {from}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn either_side_may_begin_and_packets_of_the_beginning_may_be_lost() {
    for (seed, other) in KINDS.into_iter().enumerate() {
        for begins in [vec![0], vec![1], vec![0, 1]] {
            for loss in [0.0, 0.3] {
                let mut world = World::new(other, seed as u64 + 7);
                world.loss = loss;
                for side in begins.clone() {
                    world.sides[side].connect(world.now);
                }
                world.until("a connection", |world| {
                    world.events.iter().all(|e| e.contains(&Event::Connected))
                });
                world.transfer(1, &numbered(3, 10, false));
                world.transfer(0, &numbered(3, 10, false));
            }
        }
    }
}

#[test]
fn what_is_sent_once_is_lost_in_part_and_nothing_waits_for_it() {
    for other in KINDS {
        for from in [0, 1] {
            for unordered in [false, true] {
                let mut world = World::connected(other, 3);
                world.loss = 0.1;
                for (stream, payload, _) in numbered(400, 3000, false) {
                    while !world.sides[from].send(stream, payload.clone(), unordered, Some(0)) {
                        world.step();
                    }
                    world.run(Duration::from_millis(5));
                }
                world.loss = 0.0;
                world.run(Duration::from_secs(10));
                let got = world.messages[1 - from].len();
                assert!((150..390).contains(&got), "{other:?} {from}: {got}");
                // Reliable ones still come.
                world.transfer(from, &numbered(5, 5000, false));
            }
        }
    }
}

#[test]
fn streams_are_reset_by_either_side_and_used_again() {
    for other in KINDS {
        for from in [0, 1] {
            let mut world = World::connected(other, 5);
            world.loss = 0.05;
            for round in 1..=5 {
                world.transfer(from, &numbered(6, 2000, false));
                world.sides[from].reset(&[0, 1, 2]);
                world.until("a reset", |world| {
                    let done = |event: &&Event| matches!(event, Event::Reset(_));
                    let seen = |event: &&Event| matches!(event, Event::PeerReset(_));
                    world.events[from].iter().filter(done).count() == round
                        && world.events[1 - from].iter().filter(seen).count() == round
                });
            }
        }
    }
}

#[test]
fn a_reader_that_stops_stops_the_sender_and_nothing_is_lost() {
    for other in KINDS {
        let mut world = World::connected(other, 6);
        world.holds = true;
        let sent = numbered(200, 60_000, false);
        let mut left = sent.iter();
        let mut next = left.next();
        let end = world.now + Duration::from_secs(20);
        while world.now < end
            && let Some((stream, payload, _)) = next
        {
            match world.sides[0].send(*stream, payload.clone(), false, None) {
                true => next = left.next(),
                false => world.step(),
            }
        }
        let taken = sent.len() - left.len();
        assert!(taken < 150, "{other:?}: {taken}");
        world.holds = false;
        while let Some((stream, payload, _)) = next {
            match world.sides[0].send(*stream, payload.clone(), false, None) {
                true => next = left.next(),
                false => world.step(),
            }
        }
        let begun = world.now;
        world.until("all", |world| world.messages[1].len() == sent.len());
        assert!(world.now - begun < Duration::from_secs(10), "{other:?}");
    }
}

#[test]
fn loss_by_chance_leaves_most_of_the_path() {
    // 16 MB over 20 ms of round trip: a window of 1.2 MB at the end.
    let time = |loss: f64, other: Kind| {
        let mut world = World::connected(other, 9);
        world.loss = loss;
        let time = world.transfer(0, &numbered(250, 64 * 1024, false));
        time.as_secs_f64()
    };
    let (clean, lossy) = (time(0.0, Kind::Ours), time(0.05, Kind::Ours));
    assert!(clean < 1.0, "{clean} s");
    assert!(lossy < 2.0, "{lossy} s");
}

#[test]
fn small_messages_pass_large_ones_where_both_sides_interleave() {
    let mut world = World::connected(Kind::Ours, 11);
    for stream in 10..18 {
        assert!(world.sides[0].send(stream, vec![1; 100_000], false, None));
    }
    assert!(world.sides[0].send(1, vec![2; 50], false, None));
    world.until("the small one", |world| {
        world.messages[1].iter().any(|m| m.stream == 1)
    });
    assert_eq!(world.messages[1].len(), 1);
    world.until("all", |world| world.messages[1].len() == 9);
}
