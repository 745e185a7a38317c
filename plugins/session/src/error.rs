// SPDX-License-Identifier: MPL-2.0
//! What can go wrong in a session, by what a caller can do about it.
use rtc_jsep::DescriptionKind;

/// What went wrong. In [`crate::Event::Refused`] the session lives on; in
/// [`crate::Event::Closed`] it ended by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The peer's description was not applied; the state is as before.
    #[error("the peer's {} was refused: {reason}", kind.as_str())]
    Description {
        /// What it was.
        kind: DescriptionKind,
        /// What is wrong with it.
        reason: String,
    },
    /// The peer's candidate was not used.
    #[error("the peer's candidate was refused: {reason}")]
    Candidate {
        /// What is wrong with it.
        reason: String,
    },
    /// No description could be made from what was asked.
    #[error("no {} could be made: {reason}", kind.as_str())]
    Negotiation {
        /// What was to be made.
        kind: DescriptionKind,
        /// Why not.
        reason: String,
    },
    /// The certificate cannot be used.
    #[error("the certificate cannot be used: {reason}")]
    Certificate {
        /// Why not.
        reason: String,
    },
    /// The peer's certificate is not the one its description announced (RFC 8122 §6.2): somebody
    /// sits in between, or the signalling mixed up two peers.
    #[error("the peer's certificate does not match the fingerprint of its description")]
    Fingerprint,
    /// The DTLS handshake failed.
    #[error("the DTLS handshake failed: {reason}")]
    Dtls {
        /// What the implementation says.
        reason: String,
    },
    /// No path to the peer was found in time.
    #[error("no network path to the peer was found")]
    Unreachable,
    /// The peer stopped answering (RFC 7675: no consent for 30 s).
    #[error("the peer stopped answering")]
    Vanished,
    /// The peer ended the connection by `close_notify`.
    #[error("the peer closed the connection")]
    PeerClosed,
    /// Tones were not sent (W3C insertDTMF).
    #[error("no tones: {0}")]
    Tones(rtc_rtp::ToneError),
    /// A fault of this software (a caught panic); only this session ends by it.
    #[error("internal error: {reason}")]
    Internal {
        /// What the panic said.
        reason: String,
    },
    /// What was asked needs a session that is not closed.
    #[error("the session is closed")]
    Closed,
}
