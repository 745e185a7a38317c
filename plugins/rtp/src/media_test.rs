// SPDX-License-Identifier: MPL-2.0
//! What a negotiation, new keys and rarer RTCP do to running streams; and what sending costs.
use crate::kit_test::*;
use crate::{Media, MediaEvent, SrtpProfile};
use rtc_payload::{Codec, Mid};
use rtcp_types::prelude::*;
use rtcp_types::{Compound, Packet};
use std::time::Duration;

const GCM: SrtpProfile = SrtpProfile::AeadAes128Gcm;

fn stream(pair: &mut Pair, from: u32, count: u32) {
    for i in from..from + count {
        let keyframe = pair.keyframe_wanted();
        pair.send(&vp8(i, keyframe, 2500));
        pair.run(Duration::from_micros(33_333));
    }
}

fn numbers(pair: &Pair) -> Vec<u32> {
    pair.frames.iter().map(|(_, frame)| number(frame)).collect()
}

fn vp8_codec() -> crate::CodecParams {
    codec(Codec::Vp8, 96, true)
}

#[test]
fn a_renegotiation_that_changes_nothing_loses_nothing() {
    let mut pair = Pair::new(GCM, ms(10), 1, true);
    stream(&mut pair, 0, 20);
    pair.a
        .configure(vec![sender("0", 1, vp8_codec())], vec![], pair.now);
    pair.b
        .configure(vec![], vec![receiver("0", vp8_codec())], pair.now);
    stream(&mut pair, 20, 20);
    pair.run(ms(100));
    assert_eq!(numbers(&pair), (0..40).collect::<Vec<_>>());
    assert_eq!(pair.a.stats().send[0].keyframes, 1);
}

#[test]
fn a_sender_made_inactive_is_silent_and_starts_again_with_a_keyframe() {
    let mut pair = Pair::new(GCM, ms(10), 2, true);
    stream(&mut pair, 0, 10);
    pair.run(ms(300));
    let mut params = sender("0", 1, vp8_codec());
    params.active = false;
    pair.a.configure(vec![params.clone()], vec![], pair.now);
    stream(&mut pair, 10, 10);
    assert_eq!(numbers(&pair), (0..10).collect::<Vec<_>>());
    params.active = true;
    pair.a.configure(vec![params], vec![], pair.now);
    pair.drain();
    stream(&mut pair, 20, 10);
    pair.run(ms(100));
    assert_eq!(numbers(&pair)[10..], (20..30).collect::<Vec<_>>());
    assert!(pair.frames[10].1.info.keyframe);
}

#[test]
fn another_payload_type_is_followed_from_a_keyframe_on() {
    let mut pair = Pair::new(GCM, ms(10), 3, true);
    let both = |first: u8| {
        let mut line = receiver("0", codec(Codec::Vp8, first, true));
        line.codecs.push(codec(Codec::Vp8, 98, true));
        line
    };
    pair.b.configure(vec![], vec![both(96)], pair.now);
    stream(&mut pair, 0, 10);
    pair.a.configure(
        vec![sender("0", 1, codec(Codec::Vp8, 98, true))],
        vec![],
        pair.now,
    );
    pair.b.request_keyframe(&Mid::from("0"), pair.now);
    pair.drain();
    stream(&mut pair, 10, 40);
    pair.run(ms(100));
    let last = &pair.frames.last().unwrap().1;
    assert_eq!((number(last), last.pt.0), (49, 98));
    let resumed = pair
        .frames
        .iter()
        .position(|(_, frame)| frame.pt.0 == 98)
        .unwrap();
    assert!(pair.frames[resumed].1.info.keyframe && pair.frames[resumed].1.discontinuity);
}

#[test]
fn new_keys_are_taken_in_mid_stream() {
    let mut pair = Pair::new(GCM, ms(10), 4, true);
    stream(&mut pair, 0, 10);
    pair.run(ms(100));
    let material: Vec<u8> = (100..100 + GCM.keying_material_len() as u8).collect();
    pair.a.set_keys(GCM, &material, true).unwrap();
    pair.b.set_keys(GCM, &material, false).unwrap();
    stream(&mut pair, 10, 30);
    pair.run(ms(100));
    let numbers = numbers(&pair);
    assert_eq!(*numbers.last().unwrap(), 39);
    assert!(numbers.len() > 15, "{numbers:?}");
}

#[test]
fn an_ssrc_that_comes_back_never_repeats_an_index() {
    let mut pair = Pair::new(GCM, ms(10), 12, true);
    pair.tape = Some(Vec::new());
    for round in 0..3 {
        pair.a.configure(vec![], vec![], pair.now);
        pair.a
            .configure(vec![sender("0", 1, vp8_codec())], vec![], pair.now);
        pair.drain();
        stream(&mut pair, round * 20, 20);
        pair.run(ms(600));
    }
    let tape = pair.tape.take().unwrap();
    let mut seen = std::collections::HashSet::new();
    for packet in tape
        .iter()
        .filter(|packet| !(192..=223).contains(&packet[1]))
    {
        assert!(seen.insert(([packet[2], packet[3]], packet[8..12].to_vec())));
    }
    assert!(seen.len() > 150 && numbers(&pair).len() > 50);
}

#[test]
fn of_two_streams_with_one_ssrc_only_the_first_sends() {
    let mut pair = Pair::new(GCM, ms(10), 13, true);
    let double = sender("1", 1, vp8_codec());
    pair.a
        .configure(vec![sender("0", 1, vp8_codec()), double], vec![], pair.now);
    stream(&mut pair, 0, 20);
    let stats = pair.a.stats();
    assert!(stats.send[0].packets > 20 && stats.send[1].packets == 0);
}

#[test]
fn a_receiver_s_bound_becomes_the_estimate_where_nothing_else_is_told() {
    let mut pair = Pair::new(GCM, ms(10), 5, true);
    let mut remb = vec![0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0];
    remb.extend_from_slice(b"REMB");
    remb.extend_from_slice(&[1, 3 << 2, 0xc3, 0x50, 0, 0, 3, 0xe9]);
    pair.a.take_rtcp(&remb, pair.now).unwrap();
    pair.drain();
    let told = pair.a_events.iter().find_map(|event| match event {
        MediaEvent::Estimate { bits_per_second } => Some(*bits_per_second),
        _ => None,
    });
    assert_eq!(told, Some(400_000));
}

#[test]
fn a_malformed_part_does_not_keep_the_others_of_a_compound_from_being_read() {
    let mut pair = Pair::new(GCM, ms(10), 6, true);
    stream(&mut pair, 0, 10);
    pair.run(ms(600));
    // A sender report too short for its fields, then the indication.
    let mut data = vec![0x80, 200, 0, 1, 0, 0, 0, 1];
    data.extend(crate::rtcp::pli(1, 1001, "x").unwrap());
    pair.a.take_rtcp(&data, pair.now).unwrap();
    pair.drain();
    assert!(pair.keyframe_wanted());
}

#[test]
fn a_full_intra_request_repeated_counts_once() {
    let mut pair = Pair::new(GCM, ms(10), 7, true);
    stream(&mut pair, 0, 10);
    for number in [1, 1, 1, 2] {
        let data = crate::rtcp::fir(1, 1001, number, "x").unwrap();
        pair.a.take_rtcp(&data, pair.now).unwrap();
    }
    assert_eq!(pair.a.stats().send[0].firs, 2);
}

#[test]
fn where_only_full_intra_requests_were_agreed_they_are_sent() {
    let mut pair = Pair::new(GCM, ms(10), 8, true);
    let mut fir = vp8_codec();
    fir.pli = false;
    pair.b.configure(vec![], vec![receiver("0", fir)], pair.now);
    stream(&mut pair, 0, 10);
    pair.b.request_keyframe(&Mid::from("0"), pair.now);
    pair.drain();
    stream(&mut pair, 10, 3);
    let (a, b) = (pair.a.stats(), pair.b.stats());
    assert_eq!((a.send[0].firs, b.recv[0].firs, b.recv[0].plis), (1, 1, 0));
}

#[test]
fn streams_of_a_peer_are_bounded_and_forgotten_when_they_vanish() {
    let mut pair = Pair::new(GCM, ms(10), 9, true);
    let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0];
    packet.extend_from_slice(&[0x10, 0x11, 0, 0, 0]);
    for ssrc in 0..1000u32 {
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        let _ = pair.b.take_rtp(packet.clone(), 1, pair.now);
    }
    assert_eq!(pair.b.stats().recv.len(), 64);
    pair.run(Duration::from_secs(40));
    assert_eq!(pair.b.stats().recv.len(), 0);
}

#[test]
fn audio_does_not_wait_behind_a_large_frame() {
    let mut pair = Pair::bare(GCM, ms(5), 10);
    let opus = codec(Codec::Opus, 111, false);
    let now = pair.now;
    let send = vec![sender("0", 1, vp8_codec()), sender("1", 2, opus.clone())];
    pair.a.configure(send, vec![], now);
    pair.b.configure(
        vec![],
        vec![receiver("0", vp8_codec()), receiver("1", opus)],
        now,
    );
    pair.drain();
    pair.send(&vp8(0, true, 100_000));
    let frame = rtc_payload::EncodedFrame {
        codec: Codec::Opus,
        data: vec![1; 80].into(),
        rtp_time: 0,
        info: rtc_payload::FrameInfo {
            keyframe: true,
            ..Default::default()
        },
    };
    let mut packetizer = crate::Packetizer::new(rtc_payload::TrackId(2), Codec::Opus, 1200);
    let block = std::sync::Arc::new(packetizer.block(&frame, now).unwrap());
    pair.a.send_block(&block, now);
    pair.drain();
    pair.run(ms(300));
    let codecs: Vec<Codec> = pair.frames.iter().map(|(_, frame)| frame.codec).collect();
    assert_eq!(codecs, [Codec::Opus, Codec::Vp8]);
    assert!(pair.frames[0].1.arrived < now + ms(7));
}

#[test]
fn what_leaves_as_rtcp_is_compound_with_a_report_and_a_name_first() {
    for packet in [
        crate::rtcp::pli(1, 2, "name").unwrap(),
        crate::rtcp::nack(1, 2, &[5], "name").remove(0),
        crate::rtcp::bye(&[1, 2], "name").unwrap(),
    ] {
        let parts: Vec<Packet<'_>> = Compound::parse(&packet)
            .unwrap()
            .map(|p| p.unwrap())
            .collect();
        assert!(matches!(parts[0], Packet::Rr(_)) && matches!(parts[1], Packet::Sdes(_)));
        assert_eq!(parts[2].version(), 2);
    }
}

#[test]
fn calls_in_any_order_never_panic_nor_ask_for_the_past() {
    let mut frames = 0;
    for seed in 1..=20 {
        let mut rng = Rng(seed);
        let mut pair = Pair::new(GCM, ms(10), seed, rng.below(2) == 0);
        pair.ab.loss = 0.1;
        for i in 0..300 {
            let now = pair.now;
            match rng.below(9) {
                0 => {
                    let count = rng.below(3) as u32;
                    let lines = (0..count).map(|n| sender(&n.to_string(), n + 1, vp8_codec()));
                    let lines = lines.map(|mut line| {
                        line.active = rng.below(3) > 0;
                        line
                    });
                    pair.a.configure(lines.collect(), vec![], now);
                }
                1 => {
                    let count = rng.below(3) as u32;
                    let lines = (0..count).map(|n| receiver(&n.to_string(), vp8_codec()));
                    pair.b.configure(vec![], lines.collect(), now);
                }
                2 => pair.b.request_keyframe(&Mid::from("0"), now),
                3 if rng.below(20) == 0 => pair.a.close(now),
                _ => {
                    let keyframe = rng.below(5) == 0;
                    let len = 20 + rng.below(20_000);
                    pair.send(&vp8(i, keyframe, len));
                }
            }
            pair.drain();
            let wait = rng.below(60) as u64;
            pair.run(ms(wait));
        }
        let times = pair.frames.windows(2).all(|w| w[0].0 <= w[1].0);
        assert!(times);
        frames += pair.frames.len();
    }
    assert!(frames > 200, "{frames}");
}

/// The cost of a packet and viewer without the socket; `cargo test --release -p rtc-rtp -- --ignored
/// --nocapture cost` shows it.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_packet_and_viewer() {
    let mut pair = Pair::new(GCM, ms(10), 11, true);
    let material: Vec<u8> = (0..GCM.keying_material_len() as u8).collect();
    let now = pair.now;
    let mut viewers: Vec<Media> = (0..100)
        .map(|_| {
            let mut config = config(now);
            config.congestion_control = false;
            let mut media = Media::new(config, now);
            media.set_keys(GCM, &material, true).unwrap();
            media.configure(vec![sender("0", 1, vp8_codec())], vec![], now);
            media
        })
        .collect();
    let blocks: Vec<_> = (0..300)
        .map(|i| pair.block(&vp8(i, i == 0, 8_900)))
        .collect();
    let began = std::time::Instant::now();
    let mut packets = 0;
    for (i, block) in blocks.iter().enumerate() {
        let now = now + ms(33) * i as u32;
        for viewer in &mut viewers {
            viewer.send_block(block, now);
            while let Some(train) = viewer.poll_transmit(now) {
                packets += train.contents.len()
                    / train
                        .segment_size
                        .unwrap_or(usize::MAX)
                        .min(train.contents.len());
                viewer.recycle(train.contents);
            }
            std::hint::black_box(viewer.poll_timeout());
        }
    }
    let each = began.elapsed().as_nanos() / packets as u128;
    println!("{each} ns a packet and viewer, {packets} packets");
}

/// As above, of the receiving side.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_packet_received() {
    let mut pair = Pair::new(GCM, ms(10), 14, true);
    pair.a.config.congestion_control = false;
    let mut packets = Vec::new();
    for i in 0..3000 {
        let block = pair.block(&vp8(i, i == 0, 8_900));
        pair.a.send_block(&block, pair.now + ms(33) * i);
        while let Some(train) = pair.a.poll_transmit(pair.now + ms(33) * i) {
            let size = train.segment_size.unwrap_or(train.contents.len());
            packets.extend(train.contents.chunks(size).map(|p| (i, p.to_vec())));
        }
    }
    let began = std::time::Instant::now();
    for (i, packet) in &packets {
        let now = pair.now + ms(33) * *i;
        pair.b.handle_packet(packet, now).unwrap();
        std::hint::black_box(pair.b.poll_timeout());
        while pair.b.poll_event().is_some() {}
    }
    let each = began.elapsed().as_nanos() / packets.len() as u128;
    println!("{each} ns a packet received, {} packets", packets.len());
}
