// SPDX-License-Identifier: MPL-2.0
//! What negotiation decides for one m-line: the seam between descriptions and packets.
use crate::ToneFormat;
use rtc_payload::{Codec, MediaKind, Mid, Pt, Rid, Ssrc, TrackId};

/// One negotiated codec of an m-line with its payload types and feedback (RFC 4585 §4.2, RFC 4588).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecParams {
    /// The codec.
    pub codec: Codec,
    /// Its payload type on the wire.
    pub pt: Pt,
    /// The payload type of its retransmissions (RFC 4588), if negotiated.
    pub rtx_pt: Option<Pt>,
    /// The `a=fmtp` parameters as text, `key=value` joined by `;`; may be empty.
    pub fmtp: String,
    /// Generic NACK was negotiated.
    pub nack: bool,
    /// Picture loss indication was negotiated.
    pub pli: bool,
    /// Full intra request was negotiated (RFC 5104).
    pub fir: bool,
    /// Transport-wide feedback was negotiated.
    pub transport_cc: bool,
    /// Receiver estimated maximum bitrate was negotiated.
    pub remb: bool,
}

/// Identifiers of the negotiated header extensions (RFC 8285), 1-14 (one byte) or up to 255.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`
    pub rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`
    pub repaired_rid: Option<u8>,
    /// transport-wide sequence numbers (draft-holmer-rmcat-transport-wide-cc-extensions-01)
    pub transport_cc: Option<u8>,
    /// abs-send-time
    pub abs_send_time: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464)
    pub audio_level: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`
    pub playout_delay: Option<u8>,
}

/// How far behind live a receiver is asked to play video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayoutDelay {
    /// At the least, in steps of 10 ms, 0-4095.
    pub min: u16,
    /// At the most, likewise.
    pub max: u16,
}

impl PlayoutDelay {
    /// The very same at the least and at the most; times beyond 40.95 s become that.
    pub fn exactly(delay: std::time::Duration) -> Self {
        let steps = u16::try_from(delay.as_millis() / 10).unwrap_or(u16::MAX);
        let steps = steps.min(0xfff);
        Self {
            min: steps,
            max: steps,
        }
    }

    /// As the extension carries it: 12 bits each.
    pub(crate) fn bytes(self) -> [u8; 3] {
        let both = u32::from(self.min & 0xfff) << 12 | u32::from(self.max & 0xfff);
        let [_, bytes @ ..] = both.to_be_bytes();
        bytes
    }
}

/// The sending half of a transceiver.
#[derive(Clone, Debug)]
pub struct SendParams {
    /// Its m-line.
    pub mid: Mid,
    /// Audio or video.
    pub kind: MediaKind,
    /// The input that feeds it.
    pub track: TrackId,
    /// Its SSRC, chosen by us.
    pub ssrc: Ssrc,
    /// The SSRC of its retransmissions, chosen by us; used if the codec has `rtx_pt`.
    pub rtx_ssrc: Ssrc,
    /// The codec to send: the first of the negotiated ones that the input can make.
    pub codec: CodecParams,
    /// How tones are sent on it: of audio, where the peer takes them.
    pub tone: Option<ToneFormat>,
    /// Negotiated header extensions.
    pub extensions: ExtensionIds,
    /// What the receiver is asked to hold back, where it takes that extension: of video alone.
    pub playout_delay: Option<PlayoutDelay>,
    /// Whether media may be sent now (direction allows it).
    pub active: bool,
}

/// The receiving half of a transceiver.
#[derive(Clone, Debug)]
pub struct RecvParams {
    /// Its m-line.
    pub mid: Mid,
    /// Audio or video.
    pub kind: MediaKind,
    /// Codecs the peer may send, in the answer's order.
    pub codecs: Vec<CodecParams>,
    /// The formats in which the peer may send tones.
    pub tones: Vec<ToneFormat>,
    /// SSRCs announced by `a=ssrc`, with the SSRC of their retransmissions from `a=ssrc-group:FID`.
    pub ssrcs: Vec<(Ssrc, Option<Ssrc>)>,
    /// Simulcast encodings the peer may send; empty without simulcast.
    pub rids: Vec<Rid>,
    /// Negotiated header extensions.
    pub extensions: ExtensionIds,
    /// The SSRC we put in our own RTCP as sender of feedback.
    pub feedback_ssrc: Ssrc,
    /// Whether media may arrive now (direction allows it).
    pub active: bool,
}
