// SPDX-License-Identifier: MPL-2.0
//! A snapshot of what a session negotiated and counted.
use crate::state::DtlsState;
use crate::{ConnectionState, IceConnectionState};
use rtc_rtp::MediaStats;
use std::net::SocketAddr;
use std::time::Duration;

/// The candidate pair in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairStats {
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// Round-trip time of the newest STUN check.
    pub rtt: Option<Duration>,
    /// STUN responses received on it.
    pub responses: u64,
}

/// What DTLS negotiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DtlsStats {
    /// Its state.
    pub state: DtlsState,
    /// `1.2` or `1.3`, once known.
    pub version: Option<&'static str>,
    /// The SRTP protection profile by its name of RFC 5764 or RFC 7714, once known.
    pub srtp_profile: Option<&'static str>,
    /// Whether we were the client, once known.
    pub client: Option<bool>,
}

/// A snapshot of a session.
#[derive(Clone, Debug)]
pub struct SessionStats {
    /// State of the whole.
    pub connection: ConnectionState,
    /// State of ICE.
    pub ice: IceConnectionState,
    /// The pair in use.
    pub pair: Option<PairStats>,
    /// DTLS.
    pub dtls: DtlsStats,
    /// Streams, in both directions.
    pub media: MediaStats,
    /// Datagrams that arrived and were of no use: malformed, unauthenticated, too early.
    pub dropped_datagrams: u64,
}
