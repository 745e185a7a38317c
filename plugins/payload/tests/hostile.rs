// SPDX-License-Identifier: MPL-2.0
//! Bytes from a hostile peer: whatever they are, depacketisers answer with a frame or an error.
mod stream;

use rtc_payload::{Codec, EncodedFrame, MAX_FRAME, Payloads, depacketizer, packetizer};
use stream::{Random, frame_of};

const ROUNDS: usize = 20_000;

/// Asks everything a depacketiser answers; returns the frame's length.
fn feed(codec: Codec, payloads: &[Vec<u8>]) -> Option<usize> {
    let mut depacketizer = depacketizer(codec);
    let parts: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    for part in &parts {
        let starts = depacketizer.starts_frame(part);
        assert!(
            starts || !depacketizer.is_keyframe_start(part),
            "{codec:?} {part:x?}"
        );
    }
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let joined = depacketizer.depacketize(&parts).ok()?;
    assert!(!joined.data.is_empty());
    // Start codes, sizes and delimiters at most multiply by five.
    assert!(joined.data.len() <= 2 + 5 * total, "{codec:?} {parts:x?}");
    Some(joined.data.len())
}

#[test]
fn random_payloads_never_panic() {
    let mut random = Random::new(1);
    for codec in Codec::all() {
        for _ in 0..ROUNDS {
            let payloads: Vec<Vec<u8>> = (0..random.below(4))
                .map(|_| {
                    let len = random.below(40);
                    random.bytes(len)
                })
                .collect();
            feed(codec, &payloads);
        }
    }
}

#[test]
fn every_first_two_bytes_never_panic() {
    for codec in Codec::all() {
        for head in 0..=u16::MAX {
            let mut payload = head.to_be_bytes().to_vec();
            feed(codec, &[payload.clone()]);
            payload.extend([0xff; 6]);
            feed(codec, &[payload.clone()]);
            payload.extend([0; 20]);
            feed(codec, &[payload]);
        }
    }
}

#[test]
fn mutated_frames_never_panic_and_some_still_pass() {
    let mut random = Random::new(2);
    for codec in Codec::all() {
        let mut passed = 0;
        for round in 0..ROUNDS / 4 {
            let size = 1 + random.below(300);
            let frame = frame_of(codec, size, round % 2 == 0, &mut random);
            let mut payloads = split(&frame, 80 + random.below(300));
            for _ in 0..1 + random.below(4) {
                mutate(&mut payloads, &mut random);
            }
            passed += usize::from(feed(codec, &payloads).is_some());
        }
        assert!(passed > 0 && passed < ROUNDS / 4, "{codec:?}: {passed}");
    }
}

fn split(frame: &EncodedFrame, max_payload: usize) -> Vec<Vec<u8>> {
    let mut out = Payloads::default();
    match packetizer(frame.codec).packetize(frame, max_payload, &mut out) {
        Ok(()) => out.iter().map(<[u8]>::to_vec).collect(),
        Err(_) => vec![frame.data.to_vec()],
    }
}

/// Changes, cuts, doubles, drops or swaps.
fn mutate(payloads: &mut Vec<Vec<u8>>, random: &mut Random) {
    if payloads.is_empty() {
        return;
    }
    let index = random.below(payloads.len());
    let other = random.below(payloads.len());
    // Most of what can go wrong lies in the first bytes.
    let reach = if random.below(2) == 0 { 8 } else { 4096 };
    match random.below(6) {
        0 => {
            let len = random.below(payloads[index].len() + 1);
            payloads[index].truncate(len);
        }
        1 => payloads.push(payloads[index].clone()),
        2 => {
            payloads.remove(index);
        }
        3 => payloads.swap(index, other),
        _ if payloads[index].is_empty() => {}
        _ => {
            let at = random.below(payloads[index].len().min(reach));
            payloads[index][at] ^= 1 << random.below(8);
        }
    }
}

#[test]
fn a_frame_without_end_is_cut_off() {
    let part = vec![0x01; 60_000];
    let heads: [(Codec, &[u8], &[u8]); 4] = [
        (Codec::Vp8, &[0x10], &[0x00]),
        (Codec::Vp9, &[0x08], &[0x00]),
        (Codec::H264, &[0x7c, 0x85], &[0x7c, 0x05]),
        (Codec::Av1, &[0x50, 0x30], &[0xd0]),
    ];
    for (codec, first, rest) in heads {
        let mut payloads = vec![[first, &part].concat()];
        let rest = [rest, &part].concat();
        payloads.resize(MAX_FRAME / part.len() + 2, rest);
        assert_eq!(feed(codec, &payloads), None, "{codec:?}");
    }
}
