// SPDX-License-Identifier: MPL-2.0
//! Probes of a whole session: what they find, what they cost, and when there are none.
use crate::emulate_test::*;
use crate::kit_test::*;
use crate::{Packetizer, SrtpProfile};
use bytes::Bytes;
use rtc_payload::{Codec, EncodedFrame, FrameInfo, TrackId};
use std::sync::Arc;
use std::time::Duration;

fn quiet(rtx: bool) -> Pair {
    let mut pair = Pair::new(SrtpProfile::AeadAes128Gcm, ms(25), 3, rtx);
    pair.ab.capacity = Some(6e6);
    for i in 0..900u32 {
        let keyframe = pair.keyframe_wanted();
        pair.a_events.clear();
        // Half a megabit a second, though more could be had.
        pair.send(&vp8(i, keyframe, 2_080));
        let next = pair.start + Duration::from_secs_f64(f64::from(i + 1) / 30.0);
        pair.run_until(next);
    }
    pair
}

#[test]
fn what_the_path_carries_is_found_though_little_is_sent() {
    let pair = quiet(true);
    let stats = pair.a.stats();
    let (sent, repeated) = (&stats.send[0], stats.send[0].retransmitted_bytes);
    println!(
        "estimate {}, {repeated} of {} bytes repeated",
        stats.estimate, sent.bytes
    );
    assert!(stats.estimate > 3_500_000, "{}", stats.estimate);
    assert!(repeated > 0 && repeated * 20 < sent.bytes, "{repeated}");
    assert!(pair.frames.len() >= 899);
    assert!(pair.ab.queued.iter().all(|(_, wait)| *wait < 0.05));
}

#[test]
fn without_rtx_nothing_is_repeated_unasked() {
    let pair = quiet(false);
    assert_eq!(pair.a.stats().send[0].retransmitted_packets, 0);
}

/// Opus of 64 kbit/s with room for 100: audio waits for nobody and nothing is probed.
#[test]
fn audio_alone_flows_at_once() {
    let mut pair = Pair::bare(SrtpProfile::AeadAes128Gcm, ms(25), 1);
    let opus = codec(Codec::Opus, 111, false);
    let now = pair.now;
    pair.a
        .configure(vec![sender("0", 1, opus.clone())], vec![], now);
    pair.b.configure(vec![], vec![receiver("0", opus)], now);
    pair.ab.capacity = Some(100e3);
    let mut packetizer = Packetizer::new(TrackId(1), Codec::Opus, 1200);
    for i in 0..1500u32 {
        let frame = EncodedFrame {
            codec: Codec::Opus,
            data: Bytes::from(vec![0x78; 160]),
            rtp_time: i * 960,
            info: FrameInfo::default(),
        };
        let block = packetizer.block(&frame, pair.now).unwrap();
        pair.a.send_block(&Arc::new(block), pair.now);
        pair.drain();
        pair.run(ms(20));
    }
    assert!(pair.frames.len() >= 1498, "{}", pair.frames.len());
    assert_eq!(pair.ab.dropped, 0);
    assert!(pair.ab.queued.iter().all(|(_, wait)| *wait < 0.05));
}

#[test]
fn an_encoder_of_several_megabits_is_at_its_rate_within_two_seconds() {
    let scenario = Scenario {
        name: "3 of 20 Mbit/s",
        capacity: |_| 20e6,
        demand: |_| 3e6,
        seconds: 10,
        ..Scenario::default()
    };
    assert!(run(&scenario, 1).until_80 < 2.0);
}
