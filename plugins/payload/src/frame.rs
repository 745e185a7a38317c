// SPDX-License-Identifier: MPL-2.0
//! An encoded frame, what is known of it without reading its bytes, and its RTP payloads.
use crate::Codec;
use bytes::Bytes;
use std::ops::Range;

/// What is known of a frame beside its bytes; enough to packetise a frame whose bytes are opaque.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameInfo {
    /// Decodable without any earlier frame. Always true for audio.
    pub keyframe: bool,
    /// No later frame refers to it, so it may be dropped alone.
    pub discardable: bool,
    /// Temporal layer, 0 = base.
    pub temporal: u8,
    /// Spatial layer, 0 = base.
    pub spatial: u8,
    /// Width in pixels where known.
    pub width: Option<u16>,
    /// Height in pixels where known.
    pub height: Option<u16>,
    /// First of a talk spurt (audio, RFC 3551 §4.1: sets the marker).
    pub talk_start: bool,
    /// The bytes were changed after the encoder and must not be parsed.
    pub opaque: bool,
}

/// One access unit between encoder and packetiser, or between depacketiser and decoder.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    /// Its codec.
    pub codec: Codec,
    /// Its bytes: H.264 in Annex B, AV1 as a temporal unit of OBUs with sizes (low-overhead format;
    /// a temporal delimiter in front is dropped by the packetiser and put there by the depacketiser), the
    /// rest as the codec defines a frame.
    pub data: Bytes,
    /// RTP timestamp in units of the codec's clock rate.
    pub rtp_time: u32,
    /// What is known of it.
    pub info: FrameInfo,
}

/// The RTP payloads of one frame, one behind another in one block of memory.
#[derive(Clone, Debug, Default)]
pub struct Payloads {
    data: Vec<u8>,
    ends: Vec<u32>,
}

impl Payloads {
    /// An empty block with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            data: Vec::with_capacity(bytes),
            ends: Vec::new(),
        }
    }

    /// Appends to the payload being written.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    /// Ends the payload being written; an empty one is not kept.
    pub fn finish(&mut self) {
        if self.open_len() > 0 {
            // A frame is far below 4 GiB: GstBuffers above that never reach a packetiser.
            self.ends.push(self.data.len() as u32);
        }
    }

    /// Length of the payload being written, bytes.
    pub fn open_len(&self) -> usize {
        self.data.len() - self.ends.last().map_or(0, |end| *end as usize)
    }

    /// Number of finished payloads.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no finished payload.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of payload `index`, or `None` past the end.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.range(index).map(|range| &self.data[range])
    }

    /// Every payload in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Bytes of all payloads.
    pub fn total_len(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }

    fn range(&self, index: usize) -> Option<Range<usize>> {
        let end = *self.ends.get(index)? as usize;
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1] as usize,
        };
        Some(start..end)
    }
}
