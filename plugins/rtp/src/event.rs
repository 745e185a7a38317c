// SPDX-License-Identifier: MPL-2.0
//! What the media part of a session tells: frames received, keyframes wanted, rates.
use crate::ReceivedTone;
use bytes::Bytes;
use rtc_payload::{Codec, FrameInfo, Mid, Pt, Rid, Ssrc, TrackId};
use std::time::Instant;

/// A frame received whole and in decoding order.
#[derive(Clone, Debug)]
pub struct ReceivedFrame {
    /// Its m-line.
    pub mid: Mid,
    /// Its simulcast encoding, if any.
    pub rid: Option<Rid>,
    /// The SSRC it came with.
    pub ssrc: Ssrc,
    /// The payload type it came with.
    pub pt: Pt,
    /// Its codec.
    pub codec: Codec,
    /// Its bytes, as [`rtc_payload::EncodedFrame::data`] has them.
    pub data: Bytes,
    /// RTP timestamp, extended over wraps of 32 bits: starts near the first one seen, never falls back.
    pub rtp_time: u64,
    /// What the depacketiser found out.
    pub info: FrameInfo,
    /// When the first packet of the frame arrived.
    pub arrived: Instant,
    /// The sender's wall clock at this RTP time by the newest sender report: NTP seconds in 32.32
    /// fixed point (RFC 3550 §4). `None` before the first report.
    pub ntp: Option<u64>,
    /// Frames were lost between the previous one and this; this one is a keyframe for video.
    pub discontinuity: bool,
    /// Linear audio level from RFC 6464, -dBov 0-127, with the voice flag.
    pub audio_level: Option<(u8, bool)>,
}

/// What happened in the media part of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MediaEvent {
    /// A frame arrived.
    Frame(ReceivedFrame),
    /// The peer wants a keyframe (PLI or FIR), or a new sender starts and needs one.
    KeyframeWanted {
        /// The sender's m-line.
        mid: Mid,
        /// The input that feeds it.
        track: TrackId,
        /// The codec it sends.
        codec: Codec,
        /// The encoding to make it of, where the input has several and one was chosen.
        layer: Option<u8>,
    },
    /// What a stream takes of an input with several encodings, all of them from now on.
    Layer {
        /// The sender's m-line.
        mid: Mid,
        /// The input that feeds it.
        track: TrackId,
        /// The codec it sends.
        codec: Codec,
        /// The encoding sent; `None` before the first frame.
        sent: Option<u8>,
        /// The encoding to be sent from its next keyframe on.
        wanted: u8,
    },
    /// The estimate of what the path to the peer carries, bit/s; emitted on changes above 5 %.
    Estimate {
        /// Total for the session, bit/s.
        bits_per_second: u64,
    },
    /// The peer sent a tone; told once, when it is over.
    Tone(ReceivedTone),
    /// A tone we send begins (W3C tonechange).
    ToneChange {
        /// The sender's m-line.
        mid: Mid,
        /// The input whose audio it is part of.
        track: TrackId,
        /// The tone's character, `,` for a pause; empty when the series is over.
        tone: String,
        /// What waits behind it (W3C toneBuffer).
        buffer: String,
    },
    /// The peer said goodbye for all SSRCs of an m-line (RTCP BYE).
    Ended {
        /// The receiver's m-line.
        mid: Mid,
    },
}
