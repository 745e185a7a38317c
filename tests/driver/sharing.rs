// SPDX-License-Identifier: MPL-2.0
//! Many sessions on one port.
use crate::world::World;
use rtc_session::ConnectionState;

#[test]
fn fifty_sessions_share_a_port_and_cost_no_thread_and_no_descriptor() {
    let mut world = World::new(51);
    let (first, one) = world.connect(0, 1);
    let before = usage();
    let mut senders = vec![first];
    let mut receivers = vec![one];
    for other in 2..51 {
        let (sender, receiver) = world.pair(0, other);
        senders.push(sender);
        receivers.push(receiver);
    }
    world.until_connected(&senders);
    world.until_connected(&receivers);
    world.until_frames(0, &receivers);
    assert_eq!(usage(), before);
    assert_eq!(world.handle(0).counters().sessions, 50);
}

#[test]
fn sessions_with_ports_of_their_own_may_go_to_one_address() {
    let mut world = World::new(2);
    let before = usage();
    let mut sessions = Vec::new();
    for _ in 0..5 {
        let mut theirs = world.options();
        theirs.own_port = true;
        sessions.push(world.pair_with(0, 1, world.options(), theirs));
    }
    let receivers: Vec<_> = sessions.iter().map(|(_, receiver)| *receiver).collect();
    world.until_connected(&receivers);
    world.until_frames(0, &receivers);
    for (sender, _) in &sessions {
        world
            .handle(0)
            .command(*sender, rtc_session::Command::Close);
    }
    world.until("all are closed", |world| {
        receivers
            .iter()
            .all(|receiver| world.seen(*receiver).closed.is_some())
    });
    assert_eq!(usage(), before);
}

#[test]
fn a_peer_that_was_restarted_on_its_port_connects_at_once() {
    let mut world = World::new(2);
    let (old, lost) = world.connect(0, 1);
    // Gone without goodbye, its address still in use by a session that has not noticed.
    world.handle(1).inject_panic(lost);
    let (new, receiver) = world.connect(0, 1);
    world.until_frames(0, &[receiver]);
    assert_eq!(world.seen(old).closed, None);
    assert_eq!(world.seen(new).connection, ConnectionState::Connected);
}

/// Threads and descriptors of this process.
fn usage() -> (usize, usize) {
    let count = |path| std::fs::read_dir(path).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}
