// SPDX-License-Identifier: MPL-2.0
//! What a finished negotiation decided, m-line by m-line.
use rtc_payload::{Codec, MediaKind, Mid, Pt, Rid, Ssrc, TrackId};

/// One negotiated codec with its payload types and feedback (RFC 4585 §4.2, RFC 4588).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedCodec {
    /// The codec.
    pub codec: Codec,
    /// Its payload type on the wire in this direction.
    pub pt: Pt,
    /// The payload type of its retransmissions (RFC 4588), if negotiated.
    pub rtx_pt: Option<Pt>,
    /// The peer's `a=fmtp` parameters, `key=value` joined by `;`; may be empty.
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

/// One negotiated `telephone-event` format (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedTones {
    /// Its payload type on the wire in this direction.
    pub pt: Pt,
    /// Its clock rate, Hz.
    pub clock_rate: u32,
    /// The events the receiver takes: bit n is event n, 0-15.
    pub events: u16,
}

/// Identifiers of the negotiated header extensions (RFC 8285), 1-14.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NegotiatedExtensions {
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

/// The sending half of a transceiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedSend {
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
    pub codec: NegotiatedCodec,
    /// How tones are sent: in the format of the codec's clock rate, else in that of 8000 Hz.
    pub tones: Option<NegotiatedTones>,
    /// Negotiated header extensions.
    pub extensions: NegotiatedExtensions,
    /// Whether media may be sent now (direction allows it).
    pub active: bool,
}

/// The receiving half of a transceiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedRecv {
    /// Its m-line.
    pub mid: Mid,
    /// Audio or video.
    pub kind: MediaKind,
    /// Codecs the peer may send, in the answer's order.
    pub codecs: Vec<NegotiatedCodec>,
    /// The formats in which the peer may send tones.
    pub tones: Vec<NegotiatedTones>,
    /// SSRCs announced by `a=ssrc`, with the SSRC of their retransmissions from `a=ssrc-group:FID`.
    pub ssrcs: Vec<(Ssrc, Option<Ssrc>)>,
    /// Simulcast encodings the peer may send; empty without simulcast.
    pub rids: Vec<Rid>,
    /// Negotiated header extensions.
    pub extensions: NegotiatedExtensions,
    /// The SSRC we put in our own RTCP as sender of feedback.
    pub feedback_ssrc: Ssrc,
    /// Whether media may arrive now (direction allows it).
    pub active: bool,
}

/// An m-line of audio or video in use, in either direction or inactive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedLine {
    /// Its mid.
    pub mid: Mid,
    /// Its index in the descriptions.
    pub index: u16,
    /// Audio or video.
    pub kind: MediaKind,
    /// The peer's MediaStream ids (`a=msid`); empty if it sends none.
    pub streams: Vec<String>,
}

/// The m-line of data channels in use (RFC 8841).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedData {
    /// Its mid.
    pub mid: Mid,
    /// Its index in the descriptions.
    pub index: u16,
    /// Our SCTP port (`a=sctp-port`).
    pub local_port: u16,
    /// The peer's SCTP port; 5000 where it named none.
    pub remote_port: u16,
    /// The largest message the peer takes, bytes; 0: any. 65536 where it named none (RFC 8841 §6.1).
    pub max_message_size: u64,
}

/// Everything decided by the last answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NegotiatedMedia {
    /// M-lines of audio and video in use, in the order of the descriptions; rejected ones are left out.
    pub lines: Vec<NegotiatedLine>,
    /// Senders that have an input and a codec for it, in the same order.
    pub send: Vec<NegotiatedSend>,
    /// Receivers, in the same order.
    pub recv: Vec<NegotiatedRecv>,
    /// Data channels, if an m-line for them is in use.
    pub data: Option<NegotiatedData>,
}
