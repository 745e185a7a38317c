// SPDX-License-Identifier: MPL-2.0
//! What an endpoint tells the elements attached to it.
use rtc_payload::{Codec, MediaKind, Mid, SessionId, TrackId};
use rtc_rtp::{CodecParams, ReceivedFrame};
use std::sync::Arc;

/// One m-line of one session on which the peer sends.
#[derive(Clone, Debug)]
pub struct IncomingMedia {
    /// The session.
    pub session: SessionId,
    /// The session's name in signalling.
    pub peer: String,
    /// The m-line.
    pub mid: Mid,
    /// Audio or video.
    pub kind: MediaKind,
    /// Codecs the peer may send, first the one it prefers.
    pub codecs: Vec<CodecParams>,
    /// The peer's MediaStream ids.
    pub streams: Vec<String>,
}

/// Where the frames of one incoming m-line go.
pub trait FrameSink: Send + Sync {
    /// A frame arrived. Called on the io thread: must not block, must not call application code.
    fn frame(&self, frame: ReceivedFrame);
    /// No frame will come any more. Same rules.
    fn ended(&self);
}

/// An element as its endpoint sees it. Every call comes from the endpoint's control thread, so it may
/// block on GStreamer state changes; none is made while a lock of the endpoint is held.
pub trait Attachment: Send + Sync {
    /// The first session negotiated `codec` for `track`: make such frames from now on.
    fn codec_wanted(&self, _track: TrackId, _codec: &CodecParams) {}
    /// The last session that took `codec` of `track` is gone.
    fn codec_released(&self, _track: TrackId, _codec: Codec) {}
    /// A session can't go on without a keyframe; already merged over sessions and rate-limited.
    fn keyframe_wanted(&self, _track: TrackId, _codec: Codec) {}
    /// What the sessions that take `codec` of `track` can carry of it, bit/s.
    fn target_changed(&self, _track: TrackId, _codec: Codec, _bits_per_second: u64) {}
    /// A peer sends on an m-line that no element has taken yet; return where its frames go to take it.
    fn media_added(&self, _media: &IncomingMedia) -> Option<Arc<dyn FrameSink>> {
        None
    }
    /// The m-line is gone or its direction no longer lets the peer send.
    fn media_removed(&self, _session: SessionId, _mid: &Mid) {}
    /// A session is over.
    fn session_ended(&self, _session: SessionId) {}
}
