// SPDX-License-Identifier: MPL-2.0
//! A snapshot of what a session negotiated and counted.
use crate::state::DtlsState;
use crate::{ConnectionState, IceConnectionState, SctpState};
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

/// What SCTP counted (W3C webrtc-stats RTCSctpTransportStats); zeros while it is not connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SctpCounters {
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// The congestion window, bytes.
    pub window: u64,
    /// The window the peer granted last, bytes.
    pub peer_window: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Packets sent that repeated something.
    pub packets_repeated: u64,
    /// Whether messages of several channels are interleaved (RFC 8260).
    pub interleaving: bool,
    /// Whether checksums are left to DTLS (RFC 9653).
    pub zero_checksum: bool,
}

/// A snapshot of the data channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SctpStats {
    /// State of the association.
    pub state: SctpState,
    /// Data channels that are not closed.
    pub channels: usize,
    /// Bytes of messages that wait, on all of them.
    pub buffered: u64,
    /// Messages taken from the application.
    pub messages_sent: u64,
    /// Messages given to the application.
    pub messages_received: u64,
    /// The association.
    pub transport: SctpCounters,
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
    /// Data channels; `None` if there never were any.
    pub sctp: Option<SctpStats>,
    /// Streams, in both directions.
    pub media: MediaStats,
    /// Datagrams that arrived and were of no use: malformed, unauthenticated, too early.
    pub dropped_datagrams: u64,
}
