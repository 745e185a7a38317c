// SPDX-License-Identifier: MPL-2.0
//! Two sides over a link: repair, recovery, reports, hostile packets.
use crate::kit_test::*;
use crate::{MediaEvent, Packetizer, RtpError, SrtpProfile};
use bytes::Bytes;
use rtc_payload::{Codec, EncodedFrame, FrameInfo, Mid, TrackId};
use std::sync::Arc;
use std::time::Duration;

const GCM: SrtpProfile = SrtpProfile::AeadAes128Gcm;

/// Sends `count` frames of about 3 kB at 30 a second from `from` on; keyframes where asked for.
fn stream(pair: &mut Pair, from: u32, count: u32) {
    for i in from..from + count {
        let keyframe = pair.keyframe_wanted();
        pair.send(&vp8(i, keyframe, 2500 + (i as usize * 37) % 1000));
        pair.run(Duration::from_micros(33_333));
    }
}

fn numbers(pair: &Pair) -> Vec<u32> {
    pair.frames.iter().map(|(_, frame)| number(frame)).collect()
}

#[test]
fn every_frame_arrives_whole_under_each_profile() {
    for profile in [
        GCM,
        SrtpProfile::AeadAes256Gcm,
        SrtpProfile::Aes128CmSha1_80,
    ] {
        let mut pair = Pair::new(profile, ms(20), 1, true);
        stream(&mut pair, 0, 60);
        pair.run(ms(500));
        assert_eq!(numbers(&pair), (0..60).collect::<Vec<_>>(), "{profile:?}");
        let (_, frame) = &pair.frames[0];
        assert!(frame.info.keyframe && !frame.discontinuity);
        assert_eq!(frame.data, vp8(0, true, 2500).data);
    }
}

#[test]
fn five_percent_loss_with_reordering_is_repaired_by_rtx() {
    for seed in 1..=5 {
        let mut pair = Pair::new(GCM, ms(30), seed, true);
        stream(&mut pair, 0, 1);
        pair.ab.loss = 0.05;
        pair.ab.jitter = ms(15);
        pair.ba.loss = 0.05;
        // One more than is counted: nothing would tell of the loss of the very last.
        stream(&mut pair, 1, 600);
        pair.run(ms(1500));
        let missing: Vec<u32> = (0..600).filter(|n| !numbers(&pair).contains(n)).collect();
        assert!(
            missing.is_empty(),
            "seed {seed}: {missing:?} {:?} {:?}",
            pair.a.stats(),
            pair.b.stats()
        );
        let stats = pair.b.stats();
        assert!(stats.recv[0].retransmitted_packets > 20, "{stats:?}");
        assert_eq!(stats.recv[0].plis, 0);
        assert!(pair.a.stats().send[0].nacks > 20);
    }
}

#[test]
fn loss_is_repaired_without_rtx_by_packets_equal_to_the_bit() {
    let mut pair = Pair::new(GCM, ms(30), 3, false);
    pair.tape = Some(Vec::new());
    stream(&mut pair, 0, 1);
    pair.ab.loss = 0.05;
    // One more than is counted: nothing would tell of the loss of the very last.
    stream(&mut pair, 1, 300);
    pair.run(ms(1500));
    assert_eq!(numbers(&pair)[..300], (0..300).collect::<Vec<_>>());
    let tape = pair.tape.unwrap();
    let mut by_seq = std::collections::HashMap::new();
    let mut repeats = 0;
    for packet in tape.iter().filter(|packet| packet[1] & 0x7f == 96) {
        let before = by_seq.insert([packet[2], packet[3]], packet);
        if let Some(before) = before {
            assert_eq!(before, packet, "one nonce, two contents");
            repeats += 1;
        }
    }
    assert!(repeats > 10, "{repeats}");
}

#[test]
fn a_span_lost_whole_ends_in_a_keyframe_with_discontinuity() {
    for rtx in [true, false] {
        let mut pair = Pair::new(GCM, ms(30), 4, rtx);
        stream(&mut pair, 0, 60);
        pair.ab.loss = 1.0;
        stream(&mut pair, 60, 90);
        pair.ab.loss = 0.0;
        stream(&mut pair, 150, 90);
        pair.run(ms(1500));
        let after: Vec<_> = pair
            .frames
            .iter()
            .filter(|(_, frame)| number(frame) >= 60)
            .collect();
        assert!(
            !after.is_empty(),
            "{:?} {:?}",
            pair.a.stats(),
            pair.b.stats()
        );
        let (_, first) = after[0];
        assert!(first.discontinuity && first.info.keyframe, "{first:?}");
        let from = number(first);
        assert!((150..200).contains(&from), "resumed at {from}");
        let rest: Vec<_> = after.iter().map(|(_, frame)| number(frame)).collect();
        assert_eq!(rest, (from..240).collect::<Vec<_>>());
        assert!(after[1..].iter().all(|(_, frame)| !frame.discontinuity));
        assert!(pair.b.stats().recv[0].plis > 0);
    }
}

#[test]
fn a_keyframe_there_whole_ends_the_waiting_for_a_gap() {
    let mut pair = Pair::new(GCM, ms(30), 15, true);
    stream(&mut pair, 0, 60);
    pair.run(ms(100));
    // What asks for repeats is lost, so the gap stays.
    pair.ba.loss = 1.0;
    pair.ab.loss = 1.0;
    pair.send(&vp8(60, false, 2500));
    pair.ab.loss = 0.0;
    pair.send(&vp8(61, false, 2500));
    pair.send(&vp8(62, true, 9000));
    let sent = pair.now;
    pair.run(ms(900));
    let (at, frame) = pair.frames.last().unwrap();
    assert_eq!(number(frame), 62);
    assert!(
        frame.discontinuity && *at - sent < ms(450),
        "{:?}",
        *at - sent
    );
}

#[test]
fn the_wrap_of_sequence_numbers_and_rtp_time_goes_unnoticed() {
    let mut pair = Pair::new(GCM, ms(10), 5, true);
    pair.a.config.congestion_control = false;
    pair.ab.loss = 0.01;
    let from = u32::MAX / 3000 - 100;
    for i in 0..12_000u32 {
        let keyframe = pair.keyframe_wanted();
        pair.send(&vp8(from + i, keyframe, 6500));
        pair.run(ms(5));
    }
    pair.run(ms(1500));
    assert!(
        pair.a.stats().send[0].packets > 70_000,
        "sequence numbers wrapped"
    );
    assert_eq!(numbers(&pair), (from..from + 12_000).collect::<Vec<_>>());
    let times: Vec<u64> = pair
        .frames
        .iter()
        .map(|(_, frame)| frame.rtp_time)
        .collect();
    assert!(times.windows(2).all(|pair| pair[1] == pair[0] + 3000));
}

#[test]
fn a_new_sender_waits_for_a_keyframe_and_asks_at_most_twice_a_second() {
    let mut pair = Pair::new(GCM, ms(10), 6, true);
    let mut asked = 0;
    for i in 0..60 {
        pair.send(&vp8(i, false, 1000));
        pair.run(ms(33));
        asked += u32::from(pair.keyframe_wanted());
    }
    assert!((3..=5).contains(&asked), "{asked} wishes in 2 s");
    assert_eq!(pair.ab.sent, 0);
    pair.send(&vp8(60, true, 1000));
    pair.run(ms(100));
    assert_eq!(numbers(&pair), [60]);
}

#[test]
fn picture_loss_indications_are_merged() {
    let mut pair = Pair::new(GCM, ms(10), 7, true);
    stream(&mut pair, 0, 30);
    let mut wished = 0;
    for i in 30..90 {
        pair.b.request_keyframe(&Mid::from("0"), pair.now);
        pair.drain();
        let keyframe = pair.keyframe_wanted();
        wished += u32::from(keyframe);
        pair.send(&vp8(i, keyframe, 1000));
        pair.run(ms(33));
    }
    assert!((3..=5).contains(&wished), "{wished} in 2 s");
}

#[test]
fn reports_give_round_trip_time_and_the_sender_s_clock() {
    let mut pair = Pair::new(GCM, ms(40), 8, true);
    stream(&mut pair, 0, 100);
    let rtt = pair.a.stats().rtt.unwrap();
    assert!((78..84).contains(&rtt.as_millis()), "{rtt:?}");
    let (_, frame) = &pair.frames[5];
    assert!(
        frame.ntp.is_some(),
        "the first report follows the first frame"
    );
    let (arrived, frame) = &pair.frames[90];
    let ntp = frame.ntp.unwrap();
    let sent = (ntp - START_NTP) as f64 / (1u64 << 32) as f64;
    let delay = (*arrived - pair.start).as_secs_f64() - sent;
    assert!((0.039..0.060).contains(&delay), "{delay}");
    let stats = pair.b.stats();
    assert_eq!((stats.recv[0].lost, stats.recv[0].frames), (0, 99));
}

#[test]
fn goodbye_ends_the_line() {
    let mut pair = Pair::new(GCM, ms(10), 9, true);
    stream(&mut pair, 0, 10);
    pair.a.close(pair.now);
    pair.drain();
    pair.run(ms(100));
    let ended =
        |event: &MediaEvent| matches!(event, MediaEvent::Ended { mid } if mid.as_str() == "0");
    assert_eq!(pair.b_events.iter().filter(|event| ended(event)).count(), 1);
    assert!(pair.b.stats().recv.is_empty());
}

#[test]
fn replayed_packets_are_refused() {
    let mut pair = Pair::new(GCM, ms(10), 10, true);
    pair.tape = Some(Vec::new());
    stream(&mut pair, 0, 60);
    let frames = pair.frames.len();
    let tape = pair.tape.take().unwrap();
    assert!(tape.len() > 100);
    for packet in &tape {
        let error = pair.b.handle_packet(packet, pair.now).unwrap_err();
        assert!(matches!(error, RtpError::Replayed), "{error}");
    }
    pair.drain();
    assert_eq!(pair.frames.len(), frames);
    assert_eq!(pair.b.stats().refused, tape.len() as u64);
}

#[test]
fn an_audio_gap_is_passed_over_soon() {
    let mut pair = Pair::bare(GCM, ms(20), 11);
    let mut opus = codec(Codec::Opus, 111, false);
    opus.nack = false;
    let now = pair.now;
    pair.a
        .configure(vec![sender("a", 1, opus.clone())], vec![], now);
    pair.b.configure(vec![], vec![receiver("a", opus)], now);
    let mut packetizer = Packetizer::new(TrackId(1), Codec::Opus, 1200);
    for i in 0..100u32 {
        let frame = EncodedFrame {
            codec: Codec::Opus,
            data: Bytes::from(vec![i as u8; 80]),
            rtp_time: i * 960,
            info: FrameInfo {
                keyframe: true,
                ..FrameInfo::default()
            },
        };
        let block = Arc::new(packetizer.block(&frame, pair.now).unwrap());
        pair.ab.loss = if (40..60).contains(&i) { 1.0 } else { 0.0 };
        pair.a.send_block(&block, pair.now);
        pair.drain();
        pair.run(ms(20));
    }
    pair.run(ms(300));
    let got: Vec<u8> = pair.frames.iter().map(|(_, frame)| frame.data[0]).collect();
    assert_eq!(got.iter().filter(|n| **n >= 60).count(), 40);
    assert!(got.windows(2).all(|pair| pair[0] < pair[1]));
    for (at, frame) in &pair.frames {
        let n = u32::from(frame.data[0]);
        let late = *at - (pair.start + ms(20) * (n + 1));
        assert!(late < ms(45), "{n} came {late:?} late");
    }
    let jumps = pair.frames.windows(2).filter(|w| {
        let gap = w[1].1.data[0] > w[0].1.data[0] + 1;
        assert_eq!(gap, w[1].1.discontinuity);
        gap
    });
    assert_eq!(jumps.count(), 1);
}

#[test]
fn a_frame_of_equal_payloads_is_one_train() {
    let mut pair = Pair::new(GCM, ms(10), 12, true);
    pair.a.config.congestion_control = false;
    pair.keyframe_wanted();
    let block = pair.block(&vp8(0, true, 11_400));
    let count = block.payloads.len();
    pair.a.send_block(&block, pair.now);
    let train = pair.a.poll_transmit(pair.now).unwrap();
    let size = train.segment_size.unwrap();
    assert_eq!(train.contents.chunks(size).count(), count);
    assert!(size <= 1200);
    assert!(
        train
            .contents
            .chunks(size)
            .rev()
            .skip(1)
            .all(|packet| packet.len() == size)
    );
    assert!(pair.a.poll_transmit(pair.now).is_none());
    for packet in train.contents.chunks(size) {
        pair.b.handle_packet(packet, pair.now).unwrap();
    }
    pair.drain();
    assert_eq!(numbers(&pair), [0]);
}

#[test]
fn packets_changed_in_flight_never_panic() {
    let mut pair = Pair::new(GCM, ms(10), 13, true);
    pair.tape = Some(Vec::new());
    stream(&mut pair, 0, 60);
    let tape = pair.tape.take().unwrap();
    let mut rng = Rng(77);
    for _ in 0..5000 {
        let mut packet = tape[rng.below(tape.len())].clone();
        mutate(&mut packet, &mut rng);
        let _ = pair.b.handle_packet(&packet, pair.now);
        let _ = pair.a.handle_packet(&packet, pair.now);
    }
    pair.drain();
    stream(&mut pair, 60, 30);
    pair.run(ms(100));
    assert_eq!(pair.frames.len(), 90, "goes on as if nothing had been");
}

fn mutate(packet: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        let at = rng.below(packet.len());
        match rng.below(4) {
            0 => packet.truncate(at),
            1 => packet.insert(at, rng.next() as u8),
            2 if at < packet.len() => packet[at] = rng.next() as u8,
            _ if at < packet.len() => packet[at] ^= 1 << rng.below(8),
            _ => {}
        }
        if packet.is_empty() {
            return;
        }
    }
}

/// What an authentic peer may send: RTP and RTCP in the clear, mutated, then sealed.
#[test]
fn hostile_packets_of_the_peer_itself_never_panic_or_pile_up() {
    let mut pair = Pair::new(GCM, ms(10), 14, true);
    stream(&mut pair, 0, 30);
    let ext = [0x90, 96, 0, 9, 0, 0, 0, 1, 0, 0, 3, 0xe9];
    let mut rtp = ext.to_vec();
    rtp.extend_from_slice(&[0xbe, 0xde, 0, 2, 0x31, 1, 2, 0x40, b'0', 0, 0, 0]);
    rtp.extend_from_slice(&[
        0x90, 0x80, 0x80, 1, 0x10, 0, 0, 0x9d, 1, 0x2a, 1, 0, 1, 0, 5,
    ]);
    let cname = "x";
    let mut seeds = vec![rtp];
    seeds.extend(crate::rtcp::nack(1, 1001, &[1, 5, 900, 65_535], cname));
    seeds.extend(crate::rtcp::pli(1, 1001, cname));
    seeds.extend(crate::rtcp::fir(1, 1001, 3, cname));
    seeds.extend(crate::rtcp::bye(&[1001], cname));
    pair.b.feedback.arrived(5, 1, pair.now);
    pair.b.feedback.arrived(900, 1, pair.now);
    for feedback in pair.b.feedback.take() {
        seeds.extend(crate::rtcp::transport_wide(1, 1001, feedback, cname));
    }
    let mut rng = Rng(99);
    for i in 0..20_000u64 {
        let mut packet = seeds[rng.below(seeds.len())].clone();
        mutate(&mut packet, &mut rng);
        let now = pair.now + Duration::from_micros(i * 50);
        for side in [&mut pair.a, &mut pair.b] {
            let _ = side.take_rtcp(&packet, now);
            if crate::header::header_len(&packet).is_ok() {
                let index = (rng.next() & 0xffff_ffff_0000)
                    | u64::from(u16::from_be_bytes([packet[2], packet[3]]));
                let _ = side.take_rtp(packet.clone(), index, now);
            }
        }
        while pair.a.poll_transmit(now).is_some() {}
        while pair.b.poll_transmit(now).is_some() {}
        pair.a.handle_timeout(now);
        pair.b.handle_timeout(now);
        while pair.a.poll_event().is_some() {}
        while pair.b.poll_event().is_some() {}
        assert!(pair.a.receivers.len() <= 64 && pair.b.receivers.len() <= 64);
    }
}
