// SPDX-License-Identifier: MPL-2.0
//! From an encoded frame to the block of payloads that all viewers share.
use crate::extension::MAX_EXTENSIONS;
use crate::header::FIXED;
use crate::{Ladder, PacketBlock};
use rtc_payload::{Codec, EncodedFrame, Packetize, PayloadError, Payloads, TrackId, packetizer};
use std::sync::Arc;
use std::time::Instant;

/// What stands round a payload on the wire: header, extensions, RTX's original sequence number, tag.
const OVERHEAD: usize = FIXED + MAX_EXTENSIONS + 2 + 16;
/// A payload is never cut below this, whatever packet size is asked for, bytes.
const MIN_PAYLOAD: usize = 64;

/// Makes blocks of the frames of one input and codec.
pub struct Packetizer {
    track: TrackId,
    codec: Codec,
    layer: u8,
    ladder: Option<Arc<Ladder>>,
    max_payload: usize,
    inner: Box<dyn Packetize>,
}

impl std::fmt::Debug for Packetizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packetizer")
            .field("track", &self.track)
            .field("codec", &self.codec)
            .finish_non_exhaustive()
    }
}

impl Packetizer {
    /// `max_packet` is the largest RTP packet in bytes with SRTP tag, without UDP and IP headers.
    pub fn new(track: TrackId, codec: Codec, max_packet: usize) -> Self {
        Self {
            track,
            codec,
            layer: 0,
            ladder: None,
            max_payload: max_packet.saturating_sub(OVERHEAD).max(MIN_PAYLOAD),
            inner: packetizer(codec),
        }
    }

    /// Makes blocks of one encoding out of several, whose costs stand in `ladder`.
    #[must_use]
    pub fn with_layer(mut self, layer: u8, ladder: Arc<Ladder>) -> Self {
        self.layer = layer;
        self.ladder = Some(ladder);
        self
    }

    /// Packetises one frame; `captured` is when it was captured on the monotonic clock.
    pub fn block(
        &mut self,
        frame: &EncodedFrame,
        captured: Instant,
    ) -> Result<PacketBlock, PayloadError> {
        let mut payloads = Payloads::with_capacity(frame.data.len() + 64);
        self.inner
            .packetize(frame, self.max_payload, &mut payloads)?;
        Ok(PacketBlock {
            track: self.track,
            codec: self.codec,
            layer: self.layer,
            ladder: self.ladder.clone(),
            rtp_time: frame.rtp_time,
            captured,
            info: frame.info.clone(),
            payloads,
        })
    }
}
