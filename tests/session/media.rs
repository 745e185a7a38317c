// SPDX-License-Identifier: MPL-2.0
//! Frames over good and bad paths.
use rtc_payload::MediaKind;
use rtc_session::Direction;
use rtc_tests::link::LinkConfig;
use rtc_tests::pair::{Pair, PairConfig, frame, sending};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn two_way(config: PairConfig) -> Pair {
    let mut pair = Pair::new(config);
    for (track, kind) in [(1, MediaKind::Video), (2, MediaKind::Audio)] {
        pair.command(1, sending(track, kind, Direction::SendRecv));
    }
    pair.run_until_connected(10 * SECOND);
    for (track, kind) in [(1, MediaKind::Video), (2, MediaKind::Audio)] {
        pair.command(0, sending(track, kind, Direction::SendRecv));
    }
    pair.run(SECOND);
    pair
}

#[test]
fn frames_arrive_whole_and_in_order_both_ways() {
    let mut pair = two_way(PairConfig::default());
    for side in 0..2 {
        let base = 1000 * side as u32;
        pair.stream(side, 1, MediaKind::Video, base, 30);
        pair.stream(side, 2, MediaKind::Audio, base + 500, 30);
        let expected: Vec<u32> = (base..base + 30).chain(base + 500..base + 530).collect();
        assert_eq!(pair.peers[1 - side].numbers(), expected);
        for received in &pair.peers[1 - side].frames {
            let kind = received.codec.kind();
            let number = rtc_tests::pair::number(received);
            let sent = frame(kind, number, received.info.keyframe);
            assert_eq!(received.data, sent.data);
        }
    }
}

#[test]
fn five_in_a_hundred_lost_are_repaired() {
    for seed in 0..5 {
        let link = LinkConfig {
            loss: 0.05,
            delay: Duration::from_millis(20),
            ..LinkConfig::default()
        };
        let mut pair = Pair::connected(PairConfig {
            link,
            seed,
            ..PairConfig::default()
        });
        let next = pair.stream(0, 1, MediaKind::Video, 0, 30 * 20);
        pair.run(SECOND);
        let numbers = pair.peers[1].numbers();
        assert!(numbers.is_sorted_by(|a, b| a < b));
        let part = numbers.len() as f64 / f64::from(next);
        assert!(part > 0.98, "{seed}: {part}");
    }
}

#[test]
fn a_path_that_reorders_reorders_no_frame() {
    let link = LinkConfig {
        jitter: Duration::from_millis(40),
        ..LinkConfig::default()
    };
    let mut pair = Pair::connected(PairConfig {
        link,
        ..PairConfig::default()
    });
    let next = pair.stream(0, 1, MediaKind::Video, 0, 300);
    pair.run(SECOND);
    let numbers = pair.peers[1].numbers();
    assert_eq!(numbers, (0..next).collect::<Vec<_>>());
}

#[test]
fn nothing_is_sent_before_the_session_is_connected() {
    let mut pair = Pair::new(PairConfig::default());
    pair.links[1].up = false;
    pair.command(0, sending(1, MediaKind::Video, Direction::SendOnly));
    for number in 0..30 {
        pair.send_frame(0, 1, &frame(MediaKind::Video, number, number == 0));
        pair.run(Duration::from_millis(10));
    }
    assert!(pair.peers[0].keyframes_wanted.is_empty());
    pair.links[1].up = true;
    pair.run_until_connected(10 * SECOND);
    pair.run(SECOND);
    assert!(pair.peers[1].frames.is_empty());
    pair.stream(0, 1, MediaKind::Video, 100, 5);
    assert_eq!(pair.peers[1].numbers(), [100, 101, 102, 103, 104]);
    assert!(pair.peers[1].frames[0].info.keyframe);
}

#[test]
fn a_keyframe_asked_for_is_wanted_at_the_sender() {
    let mut pair = Pair::connected(PairConfig::default());
    pair.stream(0, 1, MediaKind::Video, 0, 30);
    assert!(pair.peers[0].keyframes_wanted.is_empty());
    let mid = pair.peers[1].frames[0].mid.clone();
    pair.command(1, rtc_session::Command::RequestKeyframe(mid));
    pair.run(Duration::from_millis(600));
    assert_eq!(pair.peers[0].keyframes_wanted.len(), 1);
}
