// SPDX-License-Identifier: MPL-2.0
//! What can go wrong between a frame and its payloads.

/// A frame that can't be packetised, or payloads that make no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The frame has no bytes, or its payloads bear none.
    #[error("empty frame")]
    Empty,
    /// The frame is larger than the payload format or [`MAX_FRAME`](crate::MAX_FRAME) lets it be.
    #[error("frame of {len} bytes, at most {max} are possible")]
    TooLarge {
        /// Its length in bytes.
        len: usize,
        /// The most that would have passed, bytes.
        max: usize,
    },
    /// `max_payload` leaves no room for the payload header and one byte.
    #[error("no room for a payload header in {0} bytes")]
    NoRoom(usize),
    /// A payload ends inside one of its fields.
    #[error("truncated {0}")]
    Truncated(&'static str),
    /// Bytes the payload format forbids.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Allowed by the format's document, but not in the mode that we negotiate.
    #[error("unsupported: {0}")]
    Unsupported(&'static str),
}
