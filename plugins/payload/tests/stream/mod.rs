// SPDX-License-Identifier: MPL-2.0
//! Made-up frames that look like each codec's, and numbers from a seed.
#![allow(dead_code, reason = "each test binary uses a part")]
use rtc_payload::{Codec, EncodedFrame, FrameInfo};

/// xorshift64: the same numbers on every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 24) as u8).collect()
    }
}

/// A frame whose header is `codec`'s, with `size` random bytes behind it.
pub(crate) fn frame_of(
    codec: Codec,
    size: usize,
    keyframe: bool,
    random: &mut Random,
) -> EncodedFrame {
    let mut data = random.bytes(size);
    match codec {
        Codec::Vp8 => data[0] = data[0] & !1 | u8::from(!keyframe),
        Codec::H264 => {
            // No start code and no zero at the end among the random bytes.
            data.iter_mut().for_each(|byte| *byte |= 0x10);
            let header = if keyframe { 0x65 } else { 0x41 };
            data.splice(0..0, [0, 0, 0, 1, header]);
        }
        Codec::Av1 => data = temporal_unit(&data, keyframe),
        _ => {}
    }
    EncodedFrame {
        codec,
        data: data.into(),
        rtp_time: random.next() as u32,
        info: FrameInfo {
            keyframe,
            ..FrameInfo::default()
        },
    }
}

/// A delimiter, a sequence header on keyframes, and a frame.
fn temporal_unit(content: &[u8], keyframe: bool) -> Vec<u8> {
    let mut out = vec![0x12, 0];
    if keyframe {
        out.extend([0x0a, 10, 0, 0, 0, 0x42, 0xa7, 0xbf, 0xe4, 0x60, 0x0d, 0]);
    }
    out.push(0x32);
    let mut len = content.len() + 1;
    while len > 0x7f {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.push(if keyframe { 0x10 } else { 0x30 });
    out.extend_from_slice(content);
    out
}
