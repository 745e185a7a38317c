// SPDX-License-Identifier: MPL-2.0
//! What channels of one session, and the media beside them, do to each other.
use crate::data::{KEY, SECOND, lossy, opened, pattern, send};
use rtc_payload::MediaKind;
use rtc_session::{ChannelEvent, ChannelInit, ChannelKey, Command};
use rtc_tests::pair::{Pair, PairConfig, frame};
use std::time::{Duration, Instant};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Opens channels from the first side; what the second calls them.
fn open_all(pair: &mut Pair, inits: &[ChannelInit]) -> Vec<ChannelKey> {
    for init in inits {
        pair.command(0, Command::OpenChannel(init.clone()));
    }
    let count = inits.len();
    pair.run_until(20 * SECOND, |pair| opened(&pair.peers[1]).len() == count);
    let there = opened(&pair.peers[1]);
    let key = |init: &ChannelInit| there.iter().find(|t| t.label == init.label).map(|t| t.key);
    inits
        .iter()
        .map(|init| key(init).expect("it was opened"))
        .collect()
}

/// When messages of a channel arrived, with their bytes.
fn arrivals(pair: &Pair, wanted: ChannelKey) -> Vec<(Instant, Vec<u8>)> {
    let mine = pair.peers[1]
        .channels
        .iter()
        .filter_map(|(at, event)| match event {
            ChannelEvent::Message { key, data, .. } if *key == wanted => Some((*at, data.to_vec())),
            _ => None,
        });
    mine.collect()
}

fn percentile(mut ages: Vec<Duration>, percent: usize) -> Duration {
    ages.sort();
    ages[(ages.len() * percent / 100).min(ages.len() - 1)]
}

/// Ages of numbered messages, by when each was sent.
fn ages(pair: &Pair, wanted: ChannelKey, sent: &[Instant]) -> Vec<Duration> {
    let number = |data: &[u8]| u32::from_be_bytes(*data.first_chunk().expect("numbered")) as usize;
    let all = arrivals(pair, wanted);
    all.iter()
        .map(|(at, data)| *at - sent[number(data)])
        .collect()
}

#[test]
fn a_small_channel_is_quick_beside_eight_that_carry_megabytes() {
    let mut pair = Pair::connected(PairConfig::default());
    let init = |number: u64| ChannelInit::new(ChannelKey(number), format!("c{number}"));
    let inits: Vec<ChannelInit> = (1..=9).map(init).collect();
    let there = open_all(&mut pair, &inits);
    let transport = pair.peers[0].session.stats().sctp.unwrap().transport;
    assert!(transport.interleaving);
    let mut sent = Vec::new();
    for round in 0..100_u32 {
        for bulk in 1..=8 {
            if pair.peers[0].session.stats().sctp.unwrap().buffered < 8 << 20 {
                send(&mut pair, 0, ChannelKey(bulk), pattern(1 << 20, 3), false);
            }
        }
        let mut small = vec![7; 50];
        small[..4].copy_from_slice(&round.to_be_bytes());
        sent.push(pair.now);
        send(&mut pair, 0, ChannelKey(9), small, false);
        pair.run(20 * MILLISECOND);
    }
    let bulk = arrivals(&pair, there[0]).len();
    assert!(bulk > 3, "{bulk} megabytes of the first");
    let ages = ages(&pair, there[8], &sent);
    assert!(ages.len() > 95, "{}", ages.len());
    let p95 = percentile(ages, 95);
    assert!(p95 < 100 * MILLISECOND, "{p95:?}");
}

#[test]
fn a_channel_of_high_priority_gets_several_times_what_a_very_low_one_gets() {
    let mut pair = Pair::connected(lossy(0.02, 4));
    let init = |number: u64, priority: u16| ChannelInit {
        priority,
        ..ChannelInit::new(ChannelKey(number), format!("c{number}"))
    };
    let there = open_all(&mut pair, &[init(1, 1024), init(2, 128)]);
    let told = |label: &str| {
        let all = opened(&pair.peers[1]);
        all.iter()
            .find(|init| init.label == label)
            .map(|init| init.priority)
    };
    assert_eq!((told("c1"), told("c2")), (Some(1024), Some(128)));
    for _ in 0..500 {
        for number in [2, 1] {
            send(&mut pair, 0, ChannelKey(number), pattern(10_000, 1), false);
        }
    }
    pair.run_until(20 * SECOND, |pair| arrivals(pair, there[0]).len() >= 400);
    // Eight times by the scheduler; less where the window takes more than SCTP has of the first.
    let low = arrivals(&pair, there[1]).len();
    assert!(
        (35..100).contains(&low),
        "{low} of the low one, 400 of the high"
    );
}

/// A second of video at 30 frames a second, with or without telemetry at 1 kHz beside it; frames that
/// arrived, and ages of the messages.
fn call(telemetry: bool, seed: u64) -> (usize, Vec<Duration>) {
    let mut pair = Pair::connected(lossy(0.05, seed));
    let init = ChannelInit {
        ordered: false,
        max_retransmits: Some(0),
        ..ChannelInit::new(KEY, "telemetry")
    };
    let there = open_all(&mut pair, &[init])[0];
    pair.stream(0, 1, MediaKind::Video, 0, 30);
    let before = pair.peers[1].numbers().len();
    let mut sent = Vec::new();
    for at in 0..10_000_u32 {
        if telemetry {
            let mut data = vec![1; 100];
            data[..4].copy_from_slice(&at.to_be_bytes());
            sent.push(pair.now);
            send(&mut pair, 0, KEY, data, false);
        }
        if at.is_multiple_of(33) {
            let wanted = pair.peers[0].keyframes_wanted.drain().count() > 0;
            let frame = frame(MediaKind::Video, 30 + at / 33, wanted);
            pair.send_frame(0, 1, &frame);
        }
        pair.run(MILLISECOND);
    }
    pair.run(SECOND);
    let frames = pair.peers[1].numbers().len() - before;
    (frames, ages(&pair, there, &sent))
}

#[test]
fn telemetry_at_a_kilohertz_stays_young_under_loss_and_the_video_does_not_notice() {
    let (mut alone, mut beside) = (0, 0);
    for seed in 1..=3 {
        alone += call(false, seed).0;
        let (frames, ages) = call(true, seed);
        beside += frames;
        assert!(ages.len() > 9200, "{} of 10000", ages.len());
        // A round trip takes 20 ms here.
        let p99 = percentile(ages, 99);
        assert!(p99 < 40 * MILLISECOND, "{p99:?}");
    }
    println!("frames of 909: {alone} alone, {beside} beside telemetry");
    assert!(beside + 9 >= alone, "{beside} frames, {alone} without");
}
