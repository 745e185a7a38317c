// SPDX-License-Identifier: MPL-2.0
//! VP8: RFC 7741.
//!
//! The payload descriptor always carries a 15-bit picture id. Temporal layer fields join it at the first
//! keyframe after a frame of an upper layer was seen: a receiver that sees them appear inside a group
//! of pictures would wait for a base layer frame that it never got.
use crate::split::{Joiner, even_size};
use crate::{
    Depacketize, Depacketized, EncodedFrame, FrameInfo, Packetize, PayloadError, Payloads,
};

// RFC 7741 §4.2, first byte: |X|R|N|S|R| PID |.
const X: u8 = 0x80;
const N: u8 = 0x20;
const S: u8 = 0x10;
const PID: u8 = 0x07;
// Extension byte: |I|L|T|K| RSV |.
const I: u8 = 0x80;
const L: u8 = 0x40;
const T: u8 = 0x20;
const K: u8 = 0x10;

/// Start code of a key frame header (RFC 6386 §9.1).
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// Numbers pictures of one stream.
#[derive(Debug, Default)]
pub(crate) struct Packetizer {
    /// Of the next frame; `None` before the first.
    picture_id: Option<u16>,
    tl0_pic_idx: u8,
    saw_layers: bool,
    layered: bool,
}

impl Packetizer {
    /// The descriptor of the frame's first payload; the others differ in the S bit alone.
    fn descriptor(&mut self, frame: &EncodedFrame) -> ([u8; 6], usize) {
        // The id SHOULD start at a random number; RTP timestamps do, and so need no second die.
        let id = self
            .picture_id
            .unwrap_or((frame.rtp_time >> 8) as u16 & 0x7fff);
        self.picture_id = Some((id + 1) & 0x7fff);
        self.saw_layers |= frame.info.temporal > 0;
        if frame.info.keyframe {
            self.layered = self.saw_layers;
        }
        if frame.info.temporal == 0 {
            self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
        }
        let first = X | S | if frame.info.discardable { N } else { 0 };
        let [high, low] = (id | 0x8000).to_be_bytes();
        match self.layered {
            false => ([first, I, high, low, 0, 0], 4),
            true => {
                let layer = frame.info.temporal.min(3) << 6;
                ([first, I | L | T, high, low, self.tl0_pic_idx, layer], 6)
            }
        }
    }
}

impl Packetize for Packetizer {
    fn packetize(
        &mut self,
        frame: &EncodedFrame,
        max_payload: usize,
        out: &mut Payloads,
    ) -> Result<(), PayloadError> {
        let (mut descriptor, len) = self.descriptor(frame);
        let size = even_size(frame.data.len(), len, len, max_payload)?;
        for chunk in frame.data.chunks(size - len) {
            out.extend(&descriptor[..len]);
            out.extend(chunk);
            out.finish();
            descriptor[0] &= !S;
        }
        Ok(())
    }
}

/// What a payload descriptor says.
#[derive(Debug, PartialEq, Eq)]
struct Descriptor {
    start: bool,
    discardable: bool,
    temporal: u8,
}

/// Reads a descriptor; returns it and the bytes behind it.
fn parse(payload: &[u8]) -> Result<(Descriptor, &[u8]), PayloadError> {
    const SHORT: PayloadError = PayloadError::Truncated("VP8 payload descriptor");
    let (&first, mut rest) = payload.split_first().ok_or(SHORT)?;
    let mut next = || {
        let (&byte, tail) = rest.split_first().ok_or(SHORT)?;
        rest = tail;
        Ok(byte)
    };
    let mut temporal = 0;
    if first & X != 0 {
        let extension = next()?;
        if extension & I != 0 && next()? & 0x80 != 0 {
            next()?;
        }
        if extension & L != 0 {
            next()?;
        }
        if extension & (T | K) != 0 {
            let byte = next()?;
            if extension & T != 0 {
                temporal = byte >> 6;
            }
        }
    }
    let descriptor = Descriptor {
        start: first & S != 0 && first & PID == 0,
        discardable: first & N != 0,
        temporal,
    };
    match rest.is_empty() {
        true => Err(PayloadError::Truncated("VP8 payload")),
        false => Ok((descriptor, rest)),
    }
}

/// Whether the frame tag says key frame (RFC 6386 §9.1: inverse of bit 0).
fn is_keyframe(frame: &[u8]) -> bool {
    frame.first().is_some_and(|byte| byte & 1 == 0)
}

/// Width and height of a key frame, without the scaling bits; `None` if this is no key frame header.
fn dimensions(frame: &[u8]) -> Option<(u16, u16)> {
    let header = frame.get(..10)?;
    if !is_keyframe(frame) || header[3..6] != START_CODE {
        return None;
    }
    let width = u16::from_le_bytes([header[6], header[7]]) & 0x3fff;
    let height = u16::from_le_bytes([header[8], header[9]]) & 0x3fff;
    Some((width, height))
}

/// Joins partitions; keeps nothing from one frame to the next.
#[derive(Debug)]
pub(crate) struct Depacketizer;

impl Depacketize for Depacketizer {
    fn starts_frame(&self, payload: &[u8]) -> bool {
        parse(payload).is_ok_and(|(descriptor, _)| descriptor.start)
    }

    fn is_keyframe_start(&self, payload: &[u8]) -> bool {
        parse(payload).is_ok_and(|(descriptor, rest)| descriptor.start && is_keyframe(rest))
    }

    fn depacketize(&mut self, payloads: &[&[u8]]) -> Result<Depacketized, PayloadError> {
        let mut frame = Joiner::for_payloads(payloads);
        let mut info = FrameInfo::default();
        for (index, payload) in payloads.iter().enumerate() {
            let (descriptor, rest) = parse(payload)?;
            if descriptor.start != (index == 0) {
                return Err(PayloadError::Malformed("VP8 frame start misplaced"));
            }
            if index == 0 {
                info.discardable = descriptor.discardable;
                info.temporal = descriptor.temporal;
            }
            frame.push(rest)?;
        }
        info.keyframe = is_keyframe(frame.bytes());
        if let Some((width, height)) = dimensions(frame.bytes()) {
            info.width = Some(width);
            info.height = Some(height);
        }
        Ok(Depacketized {
            data: frame.finish()?,
            info,
        })
    }
}

#[cfg(test)]
#[path = "vp8_test.rs"]
mod vp8_test;
