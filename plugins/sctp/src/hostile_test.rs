// SPDX-License-Identifier: MPL-2.0
//! Peers that end, lie or send nonsense.
use super::association_test::{KINDS, World, numbered};
use super::*;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

#[test]
fn an_abort_is_told_with_its_cause() {
    let now = Instant::now();
    let mut sides = [5000, 5001].map(|port| Association::new(Config::new(port, 10_001 - port)));
    sides[0].connect(now);
    for turn in 0..6 {
        let (from, to) = (turn % 2, 1 - turn % 2);
        while let Some(packet) = sides[from].poll_packet(now) {
            sides[to].handle_packet(&packet, now);
        }
    }
    sides[0].abort();
    let packet = sides[0].poll_packet(now).unwrap();
    sides[1].handle_packet(&packet, now);
    let events: Vec<Event> = std::iter::from_fn(|| sides[1].poll_event()).collect();
    assert!(
        matches!(
            &events[..],
            [
                Event::Connected,
                Event::Ended {
                    cause: Some(12),
                    ..
                }
            ]
        ),
        "{events:?}"
    );
    assert!(sides[0].poll_packet(now).is_none() && sides[1].poll_packet(now).is_none());
}

#[test]
fn nothing_that_arrives_panics() {
    let mut random = SmallRng::seed_from_u64(2);
    for round in 0..60 {
        let mut world = World::connected(KINDS[round % 2 * 2], round as u64);
        world.loss = 0.1;
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for (stream, payload, unordered) in numbered(30, 3000, round % 3 == 0) {
            world.sides[0].send(stream, payload.clone(), unordered, Some(1));
            world.sides[1].send(stream, payload, !unordered, None);
            world.step();
            seen.extend(world.wires[0].iter().map(|(_, packet)| packet.clone()));
        }
        for _ in 0..400 {
            let mut packet = seen[random.random_range(0..seen.len())].clone();
            // The checksum is left to DTLS, the tag stays.
            packet[8..12].fill(0);
            for _ in 0..random.random_range(1..6) {
                let at = random.random_range(12..packet.len());
                packet[at] = match random.random_range(0..3) {
                    0 => 0,
                    1 => 0xff,
                    _ => random.random(),
                };
            }
            if random.random_bool(0.2) {
                packet.truncate(random.random_range(12..=packet.len()));
            }
            let now = world.now;
            world.sides[0].packet(&packet, now);
            while world.sides[0].poll(now).is_some() {}
            world.sides[0].timeout(now + Duration::from_millis(5));
            while world.sides[0].message().is_some() {}
        }
    }
}

#[test]
fn pieces_that_never_become_messages_take_bounded_memory() {
    let now = Instant::now();
    let mut sides = [5000, 5001].map(|port| Association::new(Config::new(port, 10_001 - port)));
    sides[0].connect(now);
    for turn in 0..6 {
        let (from, to) = (turn % 2, 1 - turn % 2);
        while let Some(packet) = sides[from].poll_packet(now) {
            sides[to].handle_packet(&packet, now);
        }
    }
    let victim = &mut sides[0];
    let link = victim.link.as_ref().unwrap();
    let (tag, limit) = (victim.handshake.tag(), link.receive_limit);
    let first = link.tracker.cumulative() as u32 + 1;
    for number in 0..400_000u32 {
        let piece = crate::data::Piece {
            stream: 1,
            unordered: false,
            begin: false,
            end: false,
            ppid: 0,
            mid: 0,
            fsn: 1 + number * 2,
        };
        let mut packet = Packet::new(5001, 5000, tag, 100);
        crate::data::put(&mut packet, true, first.wrapping_add(number), &piece, b"x");
        victim.handle_packet(&packet.finish(true), now);
        while victim.poll_packet(now).is_some() {}
    }
    let link = victim.link.as_ref().unwrap();
    let cost = link.reassembly.cost();
    assert!((limit..limit + 1000).contains(&cost), "{cost}");
    assert_eq!(link.window(), 0);
}
