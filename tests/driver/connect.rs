// SPDX-License-Identifier: MPL-2.0
//! Two drivers: descriptions, frames, goodbyes.
use crate::world::{DEADLINE, TRACK, World, loopback};
use rtc_driver::{Driver, DriverConfig, DriverError, IpFamilies};
use rtc_payload::Codec;
use rtc_session::{Command, ConnectionState, SessionError};
use std::net::UdpSocket;
use std::sync::mpsc::channel;

#[test]
fn descriptions_and_frames_pass_between_two_drivers() {
    let mut world = World::new(2);
    let (sender, receiver) = world.connect(0, 1);
    let sending = world.seen(sender).media[0].sending.clone().unwrap();
    assert_eq!((sending.0, sending.1.codec), (TRACK, Codec::Vp8));
    assert_eq!(world.seen(receiver).media[0].receiving[0].codec, Codec::Vp8);
    world.until_frames(0, &[receiver]);
    // Nine packets, so a train, and no keyframe, so it must come after the one before.
    let before = world.seen(receiver).frames.len();
    let block = world.block(false, 10_000);
    assert!(world.handle(0).media(block));
    world.until("the big frame", |world| {
        world.seen(receiver).frames.len() > before
    });
    let frame = world.seen(receiver).frames.last().unwrap();
    assert_eq!(frame.data.len(), 10_000);
    assert!(!frame.info.keyframe);
    assert_eq!(world.handle(0).counters().blocks_dropped, 0);
}

#[test]
fn a_snapshot_of_a_session_comes_by_the_reply() {
    let mut world = World::new(2);
    let (sender, _) = world.connect(0, 1);
    let (tell, told) = channel();
    world
        .handle(0)
        .stats(sender, move |stats| tell.send(stats).unwrap());
    let stats = told.recv_timeout(DEADLINE).unwrap();
    assert_eq!(stats.connection, ConnectionState::Connected);
    assert_eq!(stats.pair.unwrap().local.port(), world.handle(0).port());
}

#[test]
fn closing_a_session_ends_it_at_both_ends_and_leaves_nothing() {
    let mut world = World::new(2);
    let (sender, receiver) = world.connect(0, 1);
    world.handle(0).command(sender, Command::Close);
    world.until("both are closed", |world| {
        world.seen(sender).closed.is_some() && world.seen(receiver).closed.is_some()
    });
    assert_eq!(world.seen(sender).closed, Some(None));
    assert_eq!(
        world.seen(receiver).closed,
        Some(Some(SessionError::PeerClosed))
    );
    // A reply comes after the turn that counted; that of a session that is gone never comes.
    for machine in 0..2 {
        let (tell, told) = channel();
        world
            .handle(machine)
            .stats(sender, move |_| tell.send(()).unwrap());
        assert!(told.recv_timeout(DEADLINE).is_err());
    }
}

#[test]
fn a_driver_that_ends_says_goodbye_for_its_sessions() {
    let mut world = World::new(2);
    let (sender, receiver) = world.connect(0, 1);
    world.machines[0].stop();
    world.until("the other end heard it", |world| {
        world.seen(receiver).closed.is_some()
    });
    assert_eq!(
        world.seen(receiver).closed,
        Some(Some(SessionError::PeerClosed))
    );
    world.until("our own end", |world| world.seen(sender).closed.is_some());
}

#[test]
fn dropping_the_last_handle_ends_the_driver() {
    let (tell, told) = channel::<()>();
    let outlet = move |_, _| tell.send(()).unwrap_or_default();
    let (handle, guard) = Driver::start(loopback(), Box::new(outlet)).unwrap();
    let clone = handle.clone();
    drop(handle);
    assert_ne!(clone.port(), 0);
    drop(clone);
    // The outlet, and with it the sender, goes with the thread.
    assert!(
        told.recv_timeout(DEADLINE)
            .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Disconnected)
    );
    drop(guard);
}

#[test]
fn a_port_in_use_gives_way_to_the_next_free_one() {
    let mut world = World::new(1);
    let first = world.handle(0).port();
    let second = world.start(DriverConfig {
        udp_port: first,
        ..loopback()
    });
    let port = world.handle(second).port();
    assert!(port > first && port <= first + 15, "{port} after {first}");
}

#[test]
fn an_interface_that_is_not_there_is_named_in_the_error() {
    let config = DriverConfig {
        interfaces: vec!["nosuch0".into()],
        ..DriverConfig::default()
    };
    let error = Driver::start(config, Box::new(|_, _| {})).unwrap_err();
    assert!(matches!(error, DriverError::NoAddress(_)));
    assert!(error.to_string().contains("nosuch0"), "{error}");
}

#[test]
fn one_ip_family_alone_does() {
    for ip_families in [IpFamilies::V4, IpFamilies::V6] {
        if ip_families == IpFamilies::V6 && UdpSocket::bind("[::1]:0").is_err() {
            println!("skipped: this machine has no IPv6");
            continue;
        }
        let mut world = World::new(0);
        for _ in 0..2 {
            world.start(DriverConfig {
                ip_families,
                ..loopback()
            });
        }
        let (_, receiver) = world.connect(0, 1);
        world.until_frames(0, &[receiver]);
    }
}

#[test]
fn what_was_asked_just_before_the_end_is_still_done() {
    let mut world = World::new(2);
    let (sender, receiver) = world.pair(0, 1);
    world.machines[0].stop();
    world.until("it is over", |world| world.seen(sender).closed.is_some());
    assert_eq!(world.seen(sender).closed, Some(None));
    assert_eq!(world.seen(receiver).closed, None);
    assert_eq!(world.seen(receiver).refused, []);
}

#[test]
fn an_announced_address_is_offered_and_does_no_harm_where_it_leads_nowhere() {
    let mut world = World::new(1);
    let machine = world.start(DriverConfig {
        announced: vec!["203.0.113.5".parse().unwrap()],
        ..loopback()
    });
    let (sender, receiver) = world.connect(machine, 0);
    let offered = format!("203.0.113.5 {}", world.handle(machine).port());
    assert!(world.seen(sender).descriptions[0].contains(&offered));
    world.until_frames(machine, &[receiver]);
}
