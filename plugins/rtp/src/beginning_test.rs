// SPDX-License-Identifier: MPL-2.0
//! Streams whose first packets come out of order, or not at all.
use crate::kit_test::*;
use crate::{Packetizer, SrtpProfile};
use bytes::Bytes;
use rtc_payload::{Codec, EncodedFrame, FrameInfo, TrackId};
use std::sync::Arc;
use std::time::Duration;

const GCM: SrtpProfile = SrtpProfile::AeadAes128Gcm;

/// The packets of frames `0..count`, as `a` sends them.
fn packets(pair: &mut Pair, count: u32) -> Vec<Vec<u8>> {
    pair.tape = Some(Vec::new());
    pair.ab.loss = 1.0;
    for i in 0..count {
        pair.send(&vp8(i, i == 0, 3000));
        pair.run(ms(40));
    }
    pair.ab.loss = 0.0;
    let tape = pair.tape.take().unwrap_or_default();
    tape.into_iter()
        .filter(|packet| packet[1] & 0x7f == 96)
        .collect()
}

fn numbers(pair: &Pair) -> Vec<u32> {
    pair.frames.iter().map(|(_, frame)| number(frame)).collect()
}

#[test]
fn a_first_packet_behind_its_whole_frame_loses_nothing() {
    for delayed in 1..6 {
        let mut pair = Pair::new(GCM, ms(10), 1, true);
        let mut packets = packets(&mut pair, 3);
        let first = packets.remove(0);
        packets.insert(delayed, first);
        for packet in &packets {
            let _ = pair.b.handle_packet(packet, pair.now);
            pair.now += ms(2);
            pair.drain();
        }
        pair.run(ms(300));
        assert_eq!(numbers(&pair), [0, 1, 2], "{delayed}");
        assert_eq!(pair.b.stats().recv[0].plis, 0, "{delayed}");
        assert!(pair.frames.iter().all(|(_, frame)| !frame.discontinuity));
    }
}

#[test]
fn first_packets_that_are_lost_are_asked_for() {
    for (lost, rtx) in [(1, true), (2, true), (1, false), (2, false)] {
        let mut pair = Pair::new(GCM, ms(20), 1, rtx);
        let packets = packets(&mut pair, 3);
        for packet in &packets[lost..] {
            let _ = pair.b.handle_packet(packet, pair.now);
            pair.drain();
        }
        pair.run(ms(300));
        assert_eq!(numbers(&pair), [0, 1, 2], "{lost} {rtx}");
        assert!(pair.frames.iter().all(|(_, frame)| !frame.discontinuity));
    }
}

#[test]
fn a_stream_joined_in_its_middle_asks_for_a_keyframe_soon() {
    let mut pair = Pair::new(GCM, ms(20), 1, true);
    let packets = packets(&mut pair, 30);
    pair.ba.loss = 1.0;
    for packet in &packets[40..] {
        let _ = pair.b.handle_packet(packet, pair.now);
        pair.drain();
    }
    pair.run(ms(250));
    assert!(pair.frames.is_empty());
    assert_eq!(pair.b.stats().recv[0].plis, 1);
    assert!(pair.b.stats().recv[0].nacks <= 32 * 10);
}

#[test]
fn an_audio_stream_whose_first_packets_are_swapped_is_whole() {
    let mut pair = Pair::bare(GCM, ms(10), 1);
    let mut opus = codec(Codec::Opus, 111, false);
    opus.nack = false;
    let now = pair.now;
    pair.a
        .configure(vec![sender("0", 1, opus.clone())], vec![], now);
    pair.b.configure(vec![], vec![receiver("0", opus)], now);
    let mut packetizer = Packetizer::new(TrackId(1), Codec::Opus, 1200);
    pair.tape = Some(Vec::new());
    pair.ab.loss = 1.0;
    for i in 0..3 {
        let frame = EncodedFrame {
            codec: Codec::Opus,
            data: Bytes::from(vec![i as u8; 60]),
            rtp_time: i * 960,
            info: FrameInfo::default(),
        };
        let block = Arc::new(packetizer.block(&frame, pair.now).unwrap());
        pair.a.send_block(&block, pair.now);
        pair.drain();
    }
    let mut packets = pair.tape.take().unwrap();
    packets.retain(|packet| packet[1] & 0x7f == 111);
    packets.swap(0, 1);
    for packet in &packets {
        let _ = pair.b.handle_packet(packet, pair.now);
        pair.run(Duration::from_millis(5));
    }
    pair.run(ms(30));
    let first: Vec<u8> = pair.frames.iter().map(|(_, frame)| frame.data[0]).collect();
    assert_eq!(first, [0, 1, 2]);
}
