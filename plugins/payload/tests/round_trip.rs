// SPDX-License-Identifier: MPL-2.0
//! Frames of every size and codec come out as they went in, in payloads of one size.
#![allow(clippy::unwrap_used, reason = "a test")]
mod stream;

use rtc_payload::{Codec, EncodedFrame, FrameInfo, Payloads, depacketizer, packetizer};
use stream::{Random, frame_of};

const VIDEO: [Codec; 4] = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1];

/// Sizes from a byte to 200 kB: all small ones, then ever wider steps.
fn sizes() -> impl Iterator<Item = usize> {
    let steps = (0..).scan(300usize, |size, _| {
        *size += *size / 17;
        Some(*size)
    });
    (1..300).chain(steps.take_while(|size| *size <= 200_000))
}

fn packetize(frame: &EncodedFrame, max_payload: usize) -> Payloads {
    let mut out = Payloads::default();
    packetizer(frame.codec)
        .packetize(frame, max_payload, &mut out)
        .unwrap();
    assert!(out.iter().all(|payload| payload.len() <= max_payload));
    out
}

fn join(codec: Codec, payloads: &Payloads) -> rtc_payload::Depacketized {
    let parts: Vec<&[u8]> = payloads.iter().collect();
    let depacketizer_ = &mut depacketizer(codec);
    assert!(depacketizer_.starts_frame(parts[0]));
    depacketizer_.depacketize(&parts).unwrap()
}

/// All of one size but the last, which is no larger.
fn assert_even(payloads: &Payloads, what: &str) {
    let size = payloads.get(0).unwrap().len();
    for (index, payload) in payloads.iter().enumerate() {
        match index + 1 == payloads.len() {
            true => assert!(payload.len() <= size, "{what}"),
            false => assert_eq!(payload.len(), size, "{what}"),
        }
    }
}

#[test]
fn video_frames_of_every_size_come_back_in_equal_payloads() {
    let mut random = Random::new(7);
    for codec in VIDEO {
        for (index, size) in sizes().enumerate() {
            for max_payload in [100, 333, 1000, 1187, 1200] {
                let keyframe = index % 3 == 0;
                let frame = frame_of(codec, size, keyframe, &mut random);
                let payloads = packetize(&frame, max_payload);
                let what = format!("{codec:?} {size} {max_payload}");
                assert_even(&payloads, &what);
                let joined = join(codec, &payloads);
                assert_eq!(joined.data, frame.data, "{what}");
                assert_eq!(joined.info.keyframe, keyframe, "{what}");
            }
        }
    }
}

#[test]
fn no_more_payloads_are_made_than_needed() {
    let mut random = Random::new(8);
    for codec in VIDEO {
        for size in sizes() {
            let frame = frame_of(codec, size, false, &mut random);
            let len = frame.data.len();
            let least = len.saturating_sub(6).div_ceil(1200 - 1);
            let most = len.div_ceil(1200 - 12);
            let count = packetize(&frame, 1200).len();
            assert!((least..=most).contains(&count), "{codec:?} {size}: {count}");
        }
    }
}

#[test]
fn opaque_frames_come_back_whatever_their_bytes() {
    let mut random = Random::new(9);
    for codec in VIDEO {
        for size in sizes().step_by(3) {
            let mut data = random.bytes(size);
            if codec == Codec::H264 {
                // Start codes are how opaque H.264 is parted; without them it is one unit.
                data.iter_mut().for_each(|byte| *byte |= 0x10);
            }
            let frame = EncodedFrame {
                codec,
                data: data.clone().into(),
                rtp_time: 1,
                info: FrameInfo {
                    keyframe: true,
                    opaque: true,
                    ..FrameInfo::default()
                },
            };
            let payloads = packetize(&frame, 1000);
            assert_even(&payloads, &format!("{codec:?} {size}"));
            let joined = join(codec, &payloads).data;
            match codec {
                Codec::H264 => assert_eq!(joined, [&[0, 0, 0, 1][..], &data].concat()),
                _ => assert_eq!(joined, data, "{codec:?} {size}"),
            }
        }
    }
}

#[test]
fn audio_frames_come_back_in_one_payload() {
    let mut random = Random::new(10);
    for codec in [Codec::Opus, Codec::Pcmu, Codec::Pcma] {
        for size in [1, 3, 80, 160, 480, 1200] {
            let frame = frame_of(codec, size, true, &mut random);
            let payloads = packetize(&frame, 1200);
            assert_eq!(payloads.len(), 1);
            assert_eq!(join(codec, &payloads).data, frame.data);
        }
    }
}

#[test]
fn frames_without_bytes_and_payloads_without_room_are_errors() {
    for codec in Codec::all() {
        let mut frame = frame_of(codec, 500, true, &mut Random::new(1));
        let mut out = Payloads::default();
        for max_payload in 0..4 {
            let result = packetizer(codec).packetize(&frame, max_payload, &mut out);
            // Two bytes of FU-A and one of the unit are all that H.264 needs.
            let enough = codec == Codec::H264 && max_payload == 3;
            assert_eq!(result.is_ok(), enough, "{codec:?} {max_payload}");
        }
        for opaque in [false, true] {
            frame.data = bytes::Bytes::new();
            frame.info.opaque = opaque;
            let result = packetizer(codec).packetize(&frame, 1200, &mut out);
            assert!(result.is_err(), "{codec:?}");
        }
    }
}
