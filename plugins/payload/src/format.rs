// SPDX-License-Identifier: MPL-2.0
//! The two traits of a payload format, and the table from codec to implementation.
use crate::{Codec, EncodedFrame, FrameInfo, PayloadError, Payloads};
use crate::{audio, av1, h264, vp8, vp9};
use bytes::Bytes;

/// The largest frame that is packetised or put together, bytes. A 4K intra frame at 100 Mbit/s stays
/// below a tenth of it; above it, a peer is trying to fill our memory.
pub const MAX_FRAME: usize = 16 << 20;

/// Splits frames into RTP payloads. One per stream: it numbers pictures and remembers parameter sets.
pub trait Packetize: Send {
    /// Appends the payloads of `frame` to `out`, each of at most `max_payload` bytes.
    ///
    /// Payloads are as equal in size as the format lets them be: where it can fragment freely, all but
    /// the last have exactly the same size, so that they leave in one segmented send (UDP GSO).
    ///
    /// # Errors
    /// The frame can't be packetised; `out` may then hold some of its payloads and is to be discarded.
    fn packetize(
        &mut self,
        frame: &EncodedFrame,
        max_payload: usize,
        out: &mut Payloads,
    ) -> Result<(), PayloadError>;
}

/// A frame put together from its payloads.
#[derive(Clone, Debug)]
pub struct Depacketized {
    /// The frame's bytes, as [`EncodedFrame::data`] has them.
    pub data: Bytes,
    /// What payload headers, and stream headers in the clear, told of it. All of it is the peer's word.
    pub info: FrameInfo,
}

/// Puts frames together from RTP payloads. One per stream.
pub trait Depacketize: Send {
    /// Whether `payload` may be the first of a frame. False is certain, true may be wrong where the
    /// format has no such bit (H.264, AV1).
    fn starts_frame(&self, payload: &[u8]) -> bool;

    /// Whether `payload` is the first of a keyframe, as far as a single payload tells.
    fn is_keyframe_start(&self, payload: &[u8]) -> bool;

    /// Joins all payloads of one RTP timestamp, in order and none missing.
    ///
    /// # Errors
    /// The payloads break the format, or the frame would be larger than [`MAX_FRAME`]. Later frames
    /// are not affected.
    fn depacketize(&mut self, payloads: &[&[u8]]) -> Result<Depacketized, PayloadError>;
}

/// A new packetiser for `codec`.
pub fn packetizer(codec: Codec) -> Box<dyn Packetize> {
    match codec {
        Codec::Vp8 => Box::new(vp8::Packetizer::default()),
        Codec::Vp9 => Box::new(vp9::Packetizer::default()),
        Codec::H264 => Box::new(h264::Packetizer::default()),
        Codec::Opus | Codec::Pcmu | Codec::Pcma => Box::new(audio::Packetizer),
        Codec::Av1 => Box::new(av1::Packetizer),
    }
}

/// A new depacketiser for `codec`.
pub fn depacketizer(codec: Codec) -> Box<dyn Depacketize> {
    match codec {
        Codec::Vp8 => Box::new(vp8::Depacketizer),
        Codec::Vp9 => Box::new(vp9::Depacketizer),
        Codec::H264 => Box::new(h264::Depacketizer),
        Codec::Opus | Codec::Pcmu | Codec::Pcma => Box::new(audio::Depacketizer),
        Codec::Av1 => Box::new(av1::Depacketizer),
    }
}
