// SPDX-License-Identifier: MPL-2.0
//! Encoded frames to RTP payloads and back: the codec table, and one file a payload format.
//!
//! Everything here is a pure function of its arguments and of a small per-stream state: no clock, no
//! socket, no GStreamer. Packetisers are *metadata-driven*: what a payload descriptor needs comes from
//! [`EncodedFrame`]'s fields wherever the format permits, so a frame whose bytes were transformed
//! (encrypted) after the encoder is still packetised.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod audio;
mod av1;
mod bits;
mod codec;
mod error;
mod format;
mod frame;
mod h264;
mod id;
mod renumber;
mod split;
mod vp8;
mod vp9;

pub use codec::{Codec, MediaKind};
pub use error::PayloadError;
pub use format::{Depacketize, Depacketized, MAX_FRAME, Packetize, depacketizer, packetizer};
pub use frame::{EncodedFrame, FrameInfo, Payloads};
pub use id::{Mid, Pt, Rid, SessionId, Ssrc, TrackId};
pub use renumber::{PictureNumbers, PictureShift, picture_numbers};
