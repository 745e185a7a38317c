// SPDX-License-Identifier: MPL-2.0
//! One packetised frame, shared by all viewers: sent from, and retransmitted from.
use crate::Ladder;
use rtc_payload::{Codec, FrameInfo, Payloads, TrackId};
use std::sync::Arc;
use std::time::Instant;

/// A frame after packetisation. Made once an input and codec, held by `Arc` in every viewer's history.
#[derive(Debug)]
pub struct PacketBlock {
    /// The input it came from.
    pub track: TrackId,
    /// Its codec.
    pub codec: Codec,
    /// Which encoding of the input: 0 the full size, each further one of half the size.
    pub layer: u8,
    /// What the encodings cost; `None` where the input has but one.
    pub ladder: Option<Arc<Ladder>>,
    /// RTP timestamp in the codec's clock rate; the same for all viewers.
    pub rtp_time: u32,
    /// When the frame was captured, on the monotonic clock (for sender reports).
    pub captured: Instant,
    /// What is known of the frame.
    pub info: FrameInfo,
    /// The payloads in order of sending; the last one bears the marker for video.
    pub payloads: Payloads,
}
