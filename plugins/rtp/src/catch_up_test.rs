// SPDX-License-Identifier: MPL-2.0
//! Viewers that join in the middle of a group of pictures.
use crate::kit_test::*;
use crate::{MAX_CAUGHT_UP, PacketBlock, SrtpProfile};
use std::sync::Arc;
use std::time::Duration;

const GCM: SrtpProfile = SrtpProfile::AeadAes128Gcm;

/// A keyframe of 40 kB and frames of 4 kB: 960 kbit/s.
fn group(pair: &mut Pair, frames: u32) -> Vec<Arc<PacketBlock>> {
    (0..frames)
        .map(|number| {
            let len = if number == 0 { 40_000 } else { 4_000 };
            pair.block(&vp8(number, number == 0, len))
        })
        .collect()
}

#[test]
fn a_viewer_gets_the_past_at_once_and_stands_at_the_present() {
    let mut pair = Pair::new(GCM, Duration::from_millis(10), 1, true);
    let blocks = group(&mut pair, 150);
    assert!(pair.a.catch_up(&blocks, pair.now));
    pair.drain();
    pair.run(Duration::from_millis(100));
    let first = pair.frames.first().expect("the keyframe").0;
    assert!(first - pair.start < Duration::from_millis(60));
    pair.run(Duration::from_millis(900));
    pair.send(&vp8(150, false, 4_000));
    pair.run(Duration::from_millis(100));
    let numbers: Vec<_> = pair.frames.iter().map(|(_, frame)| number(frame)).collect();
    assert_eq!(numbers, (0..=150).collect::<Vec<_>>());
    let times = pair.frames.iter().map(|(_, frame)| frame.rtp_time as u32);
    let times: Vec<_> = times.collect();
    let steps: Vec<_> = times
        .windows(2)
        .map(|two| two[1].wrapping_sub(two[0]))
        .collect();
    assert!(steps[..149].iter().all(|step| *step == 90), "{steps:?}");
    assert_eq!(
        times[149..],
        [blocks[149].rtp_time, blocks[149].rtp_time + 3_000]
    );
}

#[test]
fn the_past_does_not_burst_the_path() {
    // 25 Mbit/s and 50 ms of buffer: what would come at once does not fit.
    let mut pair = Pair::new(GCM, Duration::from_millis(10), 1, true);
    pair.ab.capacity = Some(25e6);
    pair.ab.queue = Duration::from_millis(50);
    let blocks = group(&mut pair, 300);
    assert!(pair.a.catch_up(&blocks, pair.now));
    pair.drain();
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.ab.dropped, 0);
    assert_eq!(pair.frames.len(), 300);
}

#[test]
fn who_has_a_picture_gets_nothing_of_the_past() {
    let mut pair = Pair::new(GCM, Duration::from_millis(10), 1, true);
    let blocks = group(&mut pair, 10);
    pair.a.send_block(&blocks[0], pair.now);
    assert!(!pair.a.catch_up(&blocks, pair.now));
    assert!(!pair.a.catch_up(&blocks[1..], pair.now));
}

#[test]
fn more_than_can_be_held_is_not_begun() {
    let mut pair = Pair::new(GCM, Duration::from_millis(10), 1, true);
    let blocks = group(&mut pair, MAX_CAUGHT_UP as u32 + 1);
    assert!(!pair.a.catch_up(&blocks, pair.now));
    assert!(pair.a.catch_up(&blocks[..MAX_CAUGHT_UP], pair.now));
}
