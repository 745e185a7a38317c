// SPDX-License-Identifier: MPL-2.0
//! What an endpoint tells the elements attached to it.
use super::Encoding;
use super::told;
use crate::connect::ask_for_login;
use crate::data::{Channel, ChannelFault, DataChannel};
use crate::object::Session;
use crate::report;
use gst::prelude::*;
use rtc_payload::{MediaKind, Mid, SessionId, TrackId};
use rtc_rtp::{CodecParams, ReceivedFrame, ReceivedTone};
use rtc_session::{CandidateError, Login, LoginWanted};
use std::sync::Arc;

/// One m-line of one session on which the peer sends.
#[derive(Clone, Debug)]
pub(crate) struct IncomingMedia {
    /// The session.
    pub(crate) session: SessionId,
    /// The session's name in signalling.
    pub(crate) peer: String,
    /// The m-line.
    pub(crate) mid: Mid,
    /// Audio or video.
    pub(crate) kind: MediaKind,
    /// Codecs the peer may send, first the one it prefers.
    pub(crate) codecs: Vec<CodecParams>,
    /// The peer's MediaStream ids.
    pub(crate) streams: Vec<String>,
}

/// Where the frames of one incoming m-line go.
pub(crate) trait FrameSink: Send + Sync {
    /// A frame arrived. Called on the io thread: must not block, must not call application code.
    fn frame(&self, frame: ReceivedFrame);
    /// No frame will come any more. Same rules.
    fn ended(&self);
}

/// Where the endpoint can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listening {
    /// Base address of the pages and of WHIP and WHEP; empty where signalling has none.
    pub(crate) web_uri: String,
    /// More for the user's eye, from the signaller; may be empty.
    pub(crate) text: String,
    /// The UDP port of all sessions.
    pub(crate) udp_port: u16,
}

/// A session that ended by a fault of its peer or of the path to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionFault {
    /// The session's name in signalling.
    pub(crate) session: String,
    /// The peer's name in signalling.
    pub(crate) peer: String,
    /// One of the signaller interface's codes (`bad-request`, `not-acceptable`, …).
    pub(crate) code: &'static str,
    /// What happened, and what to do where something can be done.
    pub(crate) text: String,
}

/// An element as its endpoint sees it. Every call comes from the endpoint's control thread, so it may
/// block on GStreamer state changes; none is made while a lock of the endpoint is held.
pub(crate) trait Attachment: Send + Sync {
    /// The element, while it lives; it has a property `quiet`.
    fn element(&self) -> Option<gst::Element>;
    /// What is to be found at the base address of the pages, as the line at start says it, up to the
    /// closing bracket: `watch at BASE/  (WHEP BASE/whep`.
    fn place(&self, base: &str) -> String;
    /// The first session takes this encoding: make such frames from now on, video at so many bit/s.
    fn encoding_wanted(&self, _encoding: Encoding, _bits_per_second: Option<u64>) {}
    /// No session takes this encoding any more.
    fn encoding_released(&self, _encoding: Encoding) {}
    /// A session can't go on without a keyframe; already merged over sessions and rate-limited.
    fn keyframe_wanted(&self, _encoding: Encoding) {}
    /// What the sessions that take this encoding can carry of it, bit/s.
    fn target_changed(&self, _encoding: Encoding, _bits_per_second: u64) {}
    /// Whether tones can be sent now on the audio of `track`.
    fn tones_possible(&self, _track: TrackId, _possible: bool) {}
    /// A tone begins to sound on `track`, and what waits behind it; an empty one: the series is over.
    fn tone_changed(&self, _track: TrackId, _tone: &str, _buffer: &str) {}
    /// The peer of an m-line taken by `media_added` sent a tone; `name` is the session's in signalling.
    fn tone_received(&self, _session: SessionId, _name: &str, _tone: &ReceivedTone) {}
    /// A peer sends on an m-line that no element has taken yet; return where its frames go to take it.
    fn media_added(&self, _media: &IncomingMedia) -> Option<Arc<dyn FrameSink>> {
        None
    }
    /// Every new m-line of a negotiation of this session was told by `media_added`.
    fn media_settled(&self, _session: SessionId) {}
    /// The m-line is gone or its direction no longer lets the peer send.
    fn media_removed(&self, _session: SessionId, _mid: &Mid) {}
    /// Whether data channels are wanted whoever opens them, so that sessions offer them.
    fn wants_data(&self) -> bool {
        false
    }
    /// A data channel is open; its messages come to what is now added to it.
    fn channel_opened(&self, _channel: &Arc<Channel>, _object: &DataChannel) {}
    /// A message or a channel was refused, or a channel failed.
    fn channel_failed(&self, fault: &ChannelFault) {
        if let Some(element) = self.element() {
            told::post(&element, fault.structure());
        }
    }
    /// The sink pad that feeds a track of this element.
    fn track_pad(&self, _track: TrackId) -> Option<gst::Pad> {
        None
    }
    /// The source pad that the media of an m-line taken by `media_added` come out of.
    fn line_pad(&self, _session: SessionId, _mid: &Mid) -> Option<gst::Pad> {
        None
    }
    /// A session begins, nothing was asked of it yet; or it ran when this element came.
    fn session_added(&self, session: &Session) {
        if let Some(element) = self.element() {
            element.emit_by_name::<()>("session-added", &[session]);
        }
    }
    /// A session is over, after `session_ended`.
    fn session_removed(&self, session: &Session) {
        if let Some(element) = self.element() {
            element.emit_by_name::<()>("session-removed", &[session]);
        }
    }
    /// A session is over.
    fn session_ended(&self, _session: SessionId) {}
    /// A session ended by a fault; told to every element of the endpoint before `session_ended`.
    fn session_failed(&self, fault: &SessionFault) {
        if let Some(element) = self.element() {
            told::session_failed(&element, fault);
        }
    }
    /// A peer is not who it says it is, which nobody demands.
    fn identity_refused(&self, fault: &SessionFault) {
        if let Some(element) = self.element() {
            told::identity_refused(&element, fault);
        }
    }
    /// A STUN or TURN server was of no use to a session, which lives on.
    fn server_failed(&self, session: &str, error: &CandidateError) {
        if let Some(element) = self.element() {
            told::post(&element, report::server_error(session, error));
        }
    }
    /// A TURN server takes a session's login not, or no more: another one. Errors are for the user.
    fn ice_login(&self, session: &str, wanted: &LoginWanted) -> Result<Option<Login>, String> {
        match self.element() {
            Some(element) => ask_for_login(&element, session, wanted),
            None => Ok(None),
        }
    }
    /// The signaller says where the endpoint is reached; told again to an element that comes later.
    fn listening(&self, listening: &Listening) {
        if let Some(element) = self.element() {
            told::listening(&element, listening, &|base| self.place(base));
        }
    }
    /// The signaller failed; running sessions live on.
    fn signaller_failed(&self, text: &str) {
        if let Some(element) = self.element() {
            told::signaller_failed(&element, text);
        }
    }
    /// The signaller gave up: no session runs and none will come.
    fn signaller_closed(&self, text: &str) {
        if let Some(element) = self.element() {
            told::signaller_closed(&element, text);
        }
    }
}
