// SPDX-License-Identifier: MPL-2.0
//! Garbage from strangers and panics of our own: others go on.
use crate::world::World;
use rtc_session::SessionError;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

#[test]
fn garbage_from_strangers_is_ignored_and_counted() {
    let mut world = World::new(2);
    let (_, receiver) = world.connect(0, 1);
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut datagrams = 0;
    for first in 0..=255_u8 {
        for length in [0, 1, 20, 100, 1200] {
            let mut datagram = vec![first; length];
            if length == 100 {
                // With the cookie of STUN it is looked at more closely.
                datagram[4..8].copy_from_slice(&[0x21, 0x12, 0xA4, 0x42]);
            }
            let port = world.handle(1).port();
            stranger
                .send_to(&datagram, (Ipv4Addr::LOCALHOST, port))
                .unwrap();
            datagrams += 1;
        }
    }
    world.until_frames(0, &[receiver]);
    world.until_frames(0, &[receiver]);
    // An empty datagram is none.
    let counted = world.handle(1).counters().datagrams_unrouted;
    assert!(counted > datagrams / 2, "{counted} of {datagrams}");
    assert_eq!(world.seen(receiver).closed, None);
}

#[test]
fn a_session_that_panics_ends_alone() {
    let mut world = World::new(3);
    let (bad, _) = world.connect(0, 1);
    let (_, receiver) = world.connect(0, 2);
    world.handle(0).inject_panic(bad);
    world.until("it is over", |world| world.seen(bad).closed.is_some());
    let error = world.seen(bad).closed.clone().flatten();
    assert!(
        matches!(error, Some(SessionError::Internal { .. })),
        "{error:?}"
    );
    world.until_frames(0, &[receiver]);
    assert_eq!(world.handle(0).counters().panics, 1);
    assert_eq!(world.handle(0).counters().sessions, 1);
}

#[test]
fn a_peer_that_vanishes_is_forgotten_within_a_minute() {
    let mut world = World::new(2);
    let (sender, receiver) = world.connect(0, 1);
    // Its session is gone, and with it all that would say goodbye.
    world.handle(1).inject_panic(receiver);
    let limit = Duration::from_secs(65);
    world.until_within(limit, "it is noticed", |world| {
        world.seen(sender).closed.is_some()
    });
    assert_eq!(
        world.seen(sender).closed,
        Some(Some(SessionError::Vanished))
    );
}
