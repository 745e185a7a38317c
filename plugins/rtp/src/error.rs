// SPDX-License-Identifier: MPL-2.0
//! What can be wrong with a packet or a key.

/// Why a packet or a key was refused. None of these ends a session: packets are dropped and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// The keying material has another length than the profile wants.
    #[error("keying material of {actual} bytes where the SRTP profile takes {expected}")]
    KeyLength {
        /// What RFC 5764 §4.2 asks for.
        expected: usize,
        /// What was given.
        actual: usize,
    },
    /// The crypto library refused a key.
    #[error("the key was refused")]
    Key,
    /// A packet came or was to be sent before [`crate::Media::set_keys`].
    #[error("no SRTP keys yet")]
    NoKeys,
    /// Not RTP or RTCP, or cut short.
    #[error("malformed packet: {0}")]
    Malformed(&'static str),
    /// The authentication tag does not fit (RFC 3711 §3.3 step 5).
    #[error("authentication failed")]
    NotAuthentic,
    /// Seen before, or older than the replay window (RFC 3711 §3.3.2).
    #[error("replayed or too old")]
    Replayed,
    /// The session already holds as many streams as it may.
    #[error("too many streams")]
    TooManyStreams,
    /// Neither MID, RID, SSRC nor payload type belong to an m-line.
    #[error("no m-line takes this stream")]
    Unroutable,
}
