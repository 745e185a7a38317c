// SPDX-License-Identifier: MPL-2.0
//! What can go wrong in a negotiation, named for what the caller can do about it.
use crate::SignalingState;

/// Why a description or a candidate was not taken; negotiation stands as before the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsepError {
    /// Wait for another signaling state (W3C InvalidStateError).
    #[error("{what} is not possible in signaling state {}", state.as_str())]
    WrongState {
        /// What was asked.
        what: &'static str,
        /// The state it was asked in.
        state: SignalingState,
    },
    /// The text breaks the grammar of SDP (W3C RTCError `sdp-syntax-error`); the peer must mend it.
    #[error("SDP syntax error in line {line}: {reason}")]
    Syntax {
        /// 1-based line number (W3C sdpLineNumber); 0 if no single line is at fault.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The text is larger than anything sane (HTTP 413).
    #[error("{what} exceed the limit of {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The most allowed.
        limit: usize,
    },
    /// Well-formed, but not a description we may follow (W3C InvalidAccessError): no rtcp-mux, no
    /// fingerprint, m-lines in another order; the peer must offer otherwise.
    #[error("{0}")]
    Invalid(String),
    /// Nothing in the offer can be used, such as no common codec (HTTP 406); says why for each m-line.
    #[error("no m-line can be accepted: {0}")]
    NotAcceptable(String),
    /// There is no transceiver and no data channel to make an offer for: add one first.
    #[error("nothing to offer: no transceiver and no data channel was added")]
    NothingToOffer,
    /// The transceiver is stopped (W3C InvalidStateError).
    #[error("the transceiver is stopped")]
    Stopped,
}

impl JsepError {
    pub(crate) fn syntax(line: usize, reason: impl Into<String>) -> Self {
        Self::Syntax {
            line,
            reason: reason.into(),
        }
    }
}
