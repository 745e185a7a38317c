// SPDX-License-Identifier: MPL-2.0
//! What a transceiver is made with.
use crate::Direction;
use rtc_payload::{Codec, MediaKind, TrackId};

/// A codec an input can make or a consumer can take, most wanted first in its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecOffer {
    /// The codec.
    pub codec: Codec,
    /// `a=fmtp` parameters of the real stream (`profile-level-id=42e01f;packetization-mode=1`);
    /// empty for the codec's usual ones.
    pub fmtp: String,
}

/// A transceiver to add (W3C webrtc-pc §5.1 addTransceiver, and addTrack where `track` is given).
#[derive(Clone, Debug)]
pub struct TransceiverInit {
    /// Audio or video.
    pub kind: MediaKind,
    /// The direction to negotiate for.
    pub direction: Direction,
    /// The input that feeds its sender, if it sends.
    pub track: Option<TrackId>,
    /// Codecs the input can make, most wanted first; empty for every codec of the kind.
    pub codecs: Vec<CodecOffer>,
    /// MediaStream id (`a=msid`) that groups tracks; empty for none.
    pub stream: String,
}
