// SPDX-License-Identifier: MPL-2.0
//! Data channels against a peer that does as it likes: SCTP by hand on the other side.
use crate::channels::Channels;
use crate::dcep::{Dcep, Open, ppid};
use crate::sctp::{Association, Delivery, Incoming, SctpEvent};
use crate::{ChannelError, ChannelEvent, ChannelInit, ChannelKey, Event, SctpState};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rtc_jsep::{MAX_MESSAGE_SIZE, NegotiatedData};
use std::time::{Duration, Instant};

const KEY: ChannelKey = ChannelKey(5);
const STEP: Duration = Duration::from_millis(5);

/// Channels of a DTLS client, and a bare association as their peer.
struct World {
    now: Instant,
    channels: Channels,
    peer: Association,
    events: Vec<ChannelEvent>,
    states: Vec<SctpState>,
    received: Vec<Incoming>,
    resets: Vec<u16>,
    ended: bool,
    /// Packets from the peer, if they are wanted.
    record: Option<Vec<Vec<u8>>>,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let mut channels = Channels::new();
        channels.negotiated(
            NegotiatedData {
                mid: "0".into(),
                index: 0,
                local_port: 5000,
                remote_port: 5001,
                max_message_size: 0,
            },
            true,
            now,
        );
        channels.dtls_ready(now);
        let mut peer = Association::new(5001, 5000, now);
        peer.connect(now);
        let mut world = Self {
            now,
            channels,
            peer,
            events: Vec::new(),
            states: Vec::new(),
            received: Vec::new(),
            resets: Vec::new(),
            ended: false,
            record: None,
        };
        world.run(Duration::from_millis(100));
        assert_eq!(world.states, [SctpState::Connecting, SctpState::Connected]);
        world
    }

    /// Carries packets both ways, each taking a step.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            self.peer.advance(self.now);
            self.channels.handle_timeout(self.now);
            self.carry();
        }
    }

    fn carry(&mut self) {
        while let Some(event) = self.peer.poll_event() {
            match event {
                SctpEvent::Packet(packet) => {
                    self.channels.handle_packet(&packet, self.now);
                    self.pump();
                    if let Some(record) = &mut self.record {
                        record.push(packet);
                    }
                }
                SctpEvent::PeerReset(streams) => self.resets.extend(streams),
                SctpEvent::Ended { .. } => self.ended = true,
                _ => {}
            }
        }
        self.pump();
        while let Some(packet) = self.channels.poll_packet() {
            self.peer.handle_packet(&packet, self.now);
        }
        while let Some(message) = self.peer.poll_message() {
            self.received.push(message);
        }
    }

    fn pump(&mut self) {
        self.channels.pump(self.now);
        while let Some(event) = self.channels.poll_event() {
            match event {
                Event::Channel(event) => self.events.push(event),
                Event::Sctp(state) => self.states.push(state),
                other => panic!("{other:?}"),
            }
        }
    }

    fn say(&mut self, stream: u16, ppid: u32, payload: impl Into<Vec<u8>>) {
        self.peer.advance(self.now);
        assert!(
            self.peer
                .send(stream, ppid, payload.into().into(), Delivery::RELIABLE)
        );
        self.run(Duration::from_millis(200));
    }

    fn peer_opens(&mut self, stream: u16) {
        self.say(stream, ppid::DCEP, open("by peer").write());
    }

    fn closed_error(&self) -> Option<&ChannelError> {
        let events = self.events.iter().rev();
        let mut closed = events.filter_map(|event| match event {
            ChannelEvent::Closed { error, .. } => Some(error.as_ref()),
            _ => None,
        });
        closed.next().flatten()
    }

    fn count(&self, wanted: impl Fn(&ChannelEvent) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }
}

fn open(label: &str) -> Dcep {
    Dcep::Open(Open {
        label: label.into(),
        protocol: String::new(),
        ordered: true,
        max_retransmits: None,
        max_packet_lifetime_ms: None,
        priority: 256,
    })
}

fn is_opened(event: &ChannelEvent) -> bool {
    matches!(event, ChannelEvent::Opened { .. })
}

fn is_message(event: &ChannelEvent) -> bool {
    matches!(event, ChannelEvent::Message { .. })
}

#[test]
fn an_open_is_acknowledged_and_told() {
    let mut world = World::new();
    world.peer_opens(1);
    assert_eq!(world.count(is_opened), 1);
    assert_eq!(world.received.len(), 1);
    assert_eq!(
        (world.received[0].ppid, &world.received[0].payload[..]),
        (ppid::DCEP, &[2][..])
    );
}

#[test]
fn an_open_of_the_wrong_parity_is_ignored_and_its_stream_reset() {
    let mut world = World::new();
    world.peer_opens(2);
    assert_eq!(world.count(is_opened), 0);
    assert_eq!(world.resets, [2]);
    assert!(world.received.is_empty());
}

#[test]
fn an_open_of_a_stream_in_use_closes_its_channel() {
    let mut world = World::new();
    world.peer_opens(1);
    world.peer_opens(1);
    assert_eq!(world.count(is_opened), 1);
    assert_eq!(world.resets, [1]);
    assert!(world.peer.reset(&[1]));
    world.run(Duration::from_secs(1));
    assert!(matches!(
        world.closed_error(),
        Some(ChannelError::Protocol { .. })
    ));
}

#[test]
fn an_unknown_ppid_closes_its_channel_alone() {
    let mut world = World::new();
    world.peer_opens(1);
    world.peer_opens(3);
    world.say(1, 99, "x");
    world.say(3, ppid::STRING, "fine");
    assert_eq!(world.resets, [1]);
    assert_eq!(world.count(is_message), 1);
    world.say(1, ppid::STRING, "too late");
    assert_eq!(world.count(is_message), 1);
    assert!(world.peer.reset(&[1]));
    world.run(Duration::from_secs(1));
    let Some(ChannelError::Protocol { reason }) = world.closed_error() else {
        panic!("{:?}", world.events);
    };
    assert!(reason.contains("99"));
}

#[test]
fn malformed_dcep_closes_its_channel_and_no_other() {
    for message in [
        &[3, 9][..],
        &[0],
        &[7, 7, 7],
        &[3, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0],
    ] {
        let mut world = World::new();
        world.say(5, ppid::DCEP, message);
        assert!(world.events.is_empty() && world.resets.is_empty());
        world.peer_opens(1);
        world.say(1, ppid::DCEP, message);
        assert_eq!(world.resets, [1]);
    }
}

#[test]
fn acks_and_messages_on_no_channel_do_nothing() {
    let mut world = World::new();
    world.say(0, ppid::DCEP, Dcep::Ack.write());
    world.say(1, ppid::DCEP, Dcep::Ack.write());
    world.say(7, ppid::STRING, "hello?");
    world.say(65535, ppid::DCEP, open("x").write());
    assert!(world.events.is_empty(), "{:?}", world.events);
}

#[test]
fn text_that_is_not_utf8_is_told_as_binary_and_empty_messages_are_empty() {
    let mut world = World::new();
    world.peer_opens(1);
    for (ppid, payload) in [
        (ppid::STRING, vec![0xff]),
        (ppid::EMPTY_STRING, vec![0]),
        (ppid::EMPTY_BINARY, vec![7; 9]),
    ] {
        world.say(1, ppid, payload);
    }
    let told: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            ChannelEvent::Message { data, text, .. } => Some((data.len(), *text)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(1, false), (0, true), (0, false)]);
}

#[test]
fn a_message_above_what_we_announced_closes_its_channel() {
    let mut world = World::new();
    world.peer_opens(1);
    world.say(1, ppid::BINARY, vec![0; MAX_MESSAGE_SIZE as usize + 1]);
    world.run(Duration::from_secs(30));
    assert_eq!(world.count(is_message), 0);
    assert_eq!(world.resets, [1]);
}

#[test]
fn the_peer_opens_no_more_than_1024_channels() {
    let mut world = World::new();
    for stream in 0..1100 {
        let message = open(&stream.to_string()).write();
        assert!(world.peer.send(
            stream * 2 + 1,
            ppid::DCEP,
            message.into(),
            Delivery::RELIABLE
        ));
    }
    world.run(Duration::from_secs(20));
    assert_eq!(world.count(is_opened), 1024);
    assert_eq!(world.resets.len(), 76);
    assert!(
        !world
            .channels
            .open(ChannelInit::new(KEY, "one more"), world.now)
    );
    world.run(STEP);
    assert!(matches!(
        world.closed_error(),
        Some(ChannelError::NoStream { .. })
    ));
}

#[test]
fn messages_are_ordered_until_the_peer_knows_the_channel() {
    let mut world = World::new();
    let init = ChannelInit {
        ordered: false,
        ..ChannelInit::new(KEY, "u")
    };
    assert!(world.channels.open(init, world.now));
    let ordered = |world: &World| world.channels.channels[&KEY].delivery().ordered;
    assert!(ordered(&world));
    world.run(Duration::from_millis(50));
    assert!(ordered(&world));
    world.say(0, ppid::DCEP, Dcep::Ack.write());
    assert!(!ordered(&world));
}

#[test]
fn a_reset_of_all_streams_closes_all_channels() {
    let mut world = World::new();
    for stream in [1, 3, 5] {
        world.peer_opens(stream);
    }
    assert!(world.peer.reset(&[1, 3, 5]));
    world.run(Duration::from_secs(1));
    assert_eq!(
        world.count(|e| matches!(e, ChannelEvent::Closing { .. })),
        3
    );
    assert_eq!(
        world.count(|e| matches!(e, ChannelEvent::Closed { error: None, .. })),
        3
    );
    assert!(world.channels.streams.is_empty() && world.channels.active.is_empty());
}

#[test]
fn an_abort_ends_all_channels_and_later_ones_are_refused() {
    let mut world = World::new();
    world.peer_opens(1);
    world.peer.abort(world.now);
    world.run(Duration::from_millis(100));
    let Some(ChannelError::Sctp { cause, .. }) = world.closed_error() else {
        panic!("{:?}", world.events);
    };
    assert_eq!(*cause, Some(12));
    assert_eq!(world.states.last(), Some(&SctpState::Closed));
    assert!(
        !world
            .channels
            .open(ChannelInit::new(KEY, "late"), world.now)
    );
    world.run(STEP);
    assert!(matches!(
        world.closed_error(),
        Some(ChannelError::Sctp { .. })
    ));
}

#[test]
fn what_waits_is_counted_to_the_last_byte() {
    let mut world = World::new();
    for round in 0..20_u64 {
        let key = ChannelKey(round);
        let init = ChannelInit {
            max_packet_lifetime_ms: (round % 3 == 0).then_some(1),
            ..ChannelInit::new(key, "x")
        };
        assert!(world.channels.open(init, world.now));
        for size in [0, 1, 100_000, 5] {
            world
                .channels
                .send(key, vec![1; size].into(), round % 2 == 0, world.now);
        }
        if round % 4 == 1 {
            world.channels.close_channel(key);
        }
    }
    assert!(world.channels.cost > 2_000_000);
    world.run(Duration::from_secs(30));
    assert_eq!(world.channels.cost, 0);
    for channel in world.channels.channels.values() {
        assert_eq!(
            (channel.outgoing.buffered(), channel.outgoing.cost()),
            (0, 0)
        );
    }
}

#[test]
fn small_messages_are_never_too_many() {
    let mut world = World::new();
    world.peer_opens(1);
    let mut count = 0;
    for _ in 0..2000 {
        for _ in 0..50 {
            count += usize::from(world.peer.send(
                1,
                ppid::STRING,
                vec![b'x'].into(),
                Delivery::RELIABLE,
            ));
        }
        world.run(STEP);
    }
    world.run(Duration::from_secs(5));
    assert!(count > 40_000, "{count}");
    assert_eq!(world.count(is_message), count);
}

/// Packets with a checksum of 0 are taken as they are (RFC 9653), so a changed one gets far.
#[test]
fn changed_packets_never_panic_nor_stall() {
    let mut random = SmallRng::seed_from_u64(11);
    for _ in 0..60 {
        let mut world = World::new();
        world.record = Some(Vec::new());
        assert!(world.channels.open(ChannelInit::new(KEY, "x"), world.now));
        for stream in [1, 3, 5] {
            world.peer_opens(stream);
            world.say(stream, ppid::BINARY, vec![3; 3000]);
        }
        assert!(world.peer.reset(&[3]));
        world.run(Duration::from_millis(300));
        let packets = world.record.take().unwrap();
        for _ in 0..300 {
            let mut packet = packets[random.random_range(0..packets.len())].clone();
            for _ in 0..random.random_range(1..4) {
                // Not the ports, the tag and the checksum, which would be checked first.
                let at = random.random_range(12..packet.len());
                match random.random_range(0..4) {
                    0 => packet[at] = random.random(),
                    1 => packet[at] ^= 1 << random.random_range(0..8),
                    2 => packet[at] = [0, 255][random.random_range(0..2)],
                    _ => packet.truncate(at.max(16)),
                }
                if packet.len() <= 16 {
                    break;
                }
            }
            world.channels.handle_packet(&packet, world.now);
            world.pump();
            while world.channels.poll_packet().is_some() {}
            world.now += STEP;
        }
        assert!(world.channels.channels.len() <= 1024);
    }
}

#[test]
fn changed_dcep_never_panics() {
    let mut random = SmallRng::seed_from_u64(12);
    let mut world = World::new();
    let whole = open("a label ☕").write();
    for round in 0..2000_u16 {
        let mut message = whole.clone();
        let at = random.random_range(0..message.len());
        match random.random_range(0..3) {
            0 => message[at] = random.random(),
            1 => message.truncate(at.max(1)),
            _ => message.extend_from_slice(&whole),
        }
        world.peer.advance(world.now);
        world.peer.send(
            random.random_range(0..50),
            ppid::DCEP,
            message.into(),
            Delivery::RELIABLE,
        );
        if round % 50 == 0 {
            world.run(Duration::from_millis(50));
        }
    }
    world.run(Duration::from_secs(5));
    assert!(!world.ended);
}
