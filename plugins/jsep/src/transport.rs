// SPDX-License-Identifier: MPL-2.0
//! The transport attributes of a description: what ICE and DTLS need of each side.
use rtc_payload::Mid;

/// Who starts the DTLS handshake (`a=setup`, RFC 8842).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// `actpass`: either, in offers only.
    ActPass,
    /// `active`: the DTLS client.
    Active,
    /// `passive`: the DTLS server.
    Passive,
}

impl Setup {
    /// The attribute's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActPass => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }

    /// From the attribute's value.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::ActPass, Self::Active, Self::Passive]
            .into_iter()
            .find(|setup| setup.as_str() == text)
    }

    /// The other side's role; `ActPass` stays.
    pub fn opposite(self) -> Self {
        match self {
            Self::ActPass => Self::ActPass,
            Self::Active => Self::Passive,
            Self::Passive => Self::Active,
        }
    }
}

/// Our side's transport, to be written into descriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTransport {
    /// ICE user name fragment, 4-256 ice-chars (RFC 8839 §5.4).
    pub ufrag: String,
    /// ICE password, 22-256 ice-chars.
    pub pwd: String,
    /// `sha-256 AA:BB:…` (RFC 8122).
    pub fingerprint: String,
    /// Candidates known so far, as `candidate:…` without `a=`.
    pub candidates: Vec<String>,
    /// No further candidate will come: writes `a=end-of-candidates`.
    pub gathering_done: bool,
}

/// A candidate that stood in the peer's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCandidate {
    /// `candidate:…` without `a=`, checked by [`crate::check_candidate`].
    pub candidate: String,
    /// The mid of its m-line.
    pub mid: Mid,
    /// The index of its m-line.
    pub index: u16,
}

/// The peer's transport, from the m-line that carries the BUNDLE group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTransport {
    /// ICE user name fragment.
    pub ufrag: String,
    /// ICE password.
    pub pwd: String,
    /// Hash function in lower case and digest in upper-case hexadecimal with colons, at least one;
    /// the peer's certificate must match one of them (RFC 8122 §5).
    pub fingerprints: Vec<(String, String)>,
    /// The peer's DTLS role as it wrote it.
    pub setup: Setup,
    /// Its usable candidates, at most 100.
    pub candidates: Vec<RemoteCandidate>,
    /// No further candidate will come (`a=end-of-candidates`).
    pub end_of_candidates: bool,
    /// The peer is ICE-lite (`a=ice-lite`).
    pub ice_lite: bool,
    /// Whether it said that it takes candidates later (`a=ice-options:trickle`); `None` where it gave
    /// no ice-options at all.
    pub trickle: Option<bool>,
}
