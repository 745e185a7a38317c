// SPDX-License-Identifier: MPL-2.0
//! What an application asks and waits for, and why it may be refused (W3C webrtc-pc §4.4.2).
use rtc_jsep::{DescriptionKind, JsepError, TransceiverInit};
use rtc_payload::Mid;

/// Names a request; chosen by whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

/// What is asked with [`crate::Command::Request`], answered by [`crate::Event::Reply`], in the order asked
/// (PC-20). They are for sessions that are given neither [`crate::Command::Negotiate`] nor
/// [`crate::Command::RemoteDescription`], by which a session negotiates itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Request {
    /// Makes an offer, which [`Request::SetLocalDescription`] applies.
    CreateOffer {
        /// With new ICE credentials.
        ice_restart: bool,
    },
    /// Makes an answer, which [`Request::SetLocalDescription`] applies.
    CreateAnswer,
    /// Applies the description made last, or takes the offer under way back.
    SetLocalDescription {
        /// `None`: what the signaling state calls for (PC-22).
        kind: Option<DescriptionKind>,
        /// The text made last; empty: whatever was made last, or is made now.
        sdp: String,
    },
    /// Applies the peer's description.
    SetRemoteDescription {
        /// What it is.
        kind: DescriptionKind,
        /// The text.
        sdp: String,
    },
    /// Adds a candidate of the peer (PC-25).
    AddIceCandidate {
        /// `candidate:…`; empty: there are no more.
        candidate: String,
        /// Its m-line's mid, which counts more than the index (PC-26).
        mid: Option<Mid>,
        /// Its m-line's index.
        index: Option<u16>,
        /// The username fragment of the description it belongs to.
        ufrag: Option<String>,
    },
    /// Adds a transceiver.
    AddTransceiver(TransceiverInit),
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// It is done.
    Done,
    /// A description was made.
    Description {
        /// Offer or answer.
        kind: DescriptionKind,
        /// The text.
        sdp: String,
    },
    /// A transceiver was added; [`crate::Event::Transceivers`] told of it before.
    Transceiver(u64),
}

/// W3C's name for why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalKind {
    /// InvalidStateError
    InvalidState,
    /// InvalidAccessError
    InvalidAccess,
    /// InvalidModificationError
    InvalidModification,
    /// OperationError
    Operation,
    /// RTCError with the detail `sdp-syntax-error` and that line, 1-based (0: no single line is at fault).
    SdpSyntax(usize),
    /// TypeError
    Type,
}

/// Why a request was refused; the session is as before (PC-23).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// W3C's name for it.
    pub kind: RefusalKind,
    /// What is wrong, and what is right.
    pub text: String,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { kind, text }
    }
}

impl From<JsepError> for Refusal {
    fn from(error: JsepError) -> Self {
        let kind = match error {
            JsepError::WrongState { .. } | JsepError::Stopped => RefusalKind::InvalidState,
            JsepError::Syntax { line, .. } => RefusalKind::SdpSyntax(line),
            JsepError::Invalid(_) => RefusalKind::InvalidAccess,
            _ => RefusalKind::Operation,
        };
        Self::new(kind, error.to_string())
    }
}
