// SPDX-License-Identifier: MPL-2.0
//! The media lane when the io thread does not keep up.
use crate::world::{DEADLINE, World, loopback};
use rtc_driver::DriverConfig;
use rtc_session::{Command, Event};
use std::sync::mpsc::channel;

#[test]
fn a_full_lane_drops_counts_and_asks_for_a_keyframe() {
    let mut world = World::new(1);
    let tell = world.tell();
    let (stuck, is_stuck) = channel();
    let (release, released) = channel::<()>();
    let config = DriverConfig {
        media_lane: 10,
        ..loopback()
    };
    // The io thread is held up by an outlet that, against the rules, blocks on a marked event.
    let machine = world.start_with(config, move |session, event| {
        if matches!(event, Event::Refused(_)) {
            stuck.send(()).unwrap();
            released.recv_timeout(DEADLINE).unwrap();
        }
        let _ = tell.send((session, event));
    });
    let (sender, receiver) = world.connect(machine, 0);
    world.until_frames(machine, &[receiver]);
    let wanted = world.seen(sender).keyframes_wanted;
    let handle = world.handle(machine).clone();
    let nonsense = Command::RemoteCandidate {
        candidate: "candidate:nonsense".into(),
        mid: None,
        index: Some(0),
    };
    handle.command(sender, nonsense);
    is_stuck.recv_timeout(DEADLINE).unwrap();

    let taken = (0..15)
        .filter(|_| handle.media(world.block(false, 500)))
        .count();
    assert_eq!(taken, 10);
    assert_eq!(handle.counters().blocks_dropped, 5);
    release.send(()).unwrap();
    world.until("a keyframe is asked for", |world| {
        world.seen(sender).keyframes_wanted > wanted
    });
    assert!(
        !handle.media(world.block(false, 500)),
        "of no use before a keyframe"
    );
    assert_eq!(handle.counters().blocks_dropped, 6);
    assert!(handle.media(world.block(true, 500)));
    assert!(handle.media(world.block(false, 500)));
    assert_eq!(handle.counters().blocks_dropped, 6);
    let before = world.seen(receiver).frames.len();
    world.until("frames come again", |world| {
        world.seen(receiver).frames.len() >= before + 2
    });
}
