// SPDX-License-Identifier: MPL-2.0
//! What a session is made with.
use crate::{Certificate, IceServer, IceTransportPolicy};
use rtc_payload::{Codec, SessionId};
use rtc_rtp::WallClock;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Which DTLS versions to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtlsVersion {
    /// What the peer offers: 1.3 first, but 1.2 to a peer whose hello would end in SRTP with HMAC-SHA1
    /// in 1.3 and in AES-GCM in 1.2 (Chromium), for the first costs 3.8 times as much a packet.
    #[default]
    Auto,
    /// 1.2 alone.
    V12,
}

/// Where a session is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostAddresses {
    /// Local addresses to offer as host candidates.
    pub udp: Vec<SocketAddr>,
    /// Local addresses at which ICE-TCP connections are taken (RFC 6544); none: no ICE-TCP at all.
    pub tcp: Vec<SocketAddr>,
    /// Which of them peers are not told: they get the name in its place, or nothing (RFC 8828 §5.2,
    /// draft-ietf-mmusic-mdns-ice-candidates).
    pub hidden: Vec<(IpAddr, Option<String>)>,
}

/// What a session is made with; shared by the sessions of an endpoint where it can be.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Its identifier, for logs and events.
    pub id: SessionId,
    /// The certificate for DTLS.
    pub certificate: Arc<Certificate>,
    /// Where it is reached; changed by [`crate::Session::handle_addresses`].
    pub hosts: HostAddresses,
    /// STUN and TURN servers; none are asked unless they stand here.
    pub ice_servers: Vec<IceServer>,
    /// Which candidates may be used.
    pub ice_transport_policy: IceTransportPolicy,
    /// The UDP port, the session's own, from which TURN servers are asked: an allocation belongs to
    /// one pair of addresses.
    pub relay_port: u16,
    /// Codecs that may be received, most wanted first; empty: m-lines that would only be received on
    /// are refused.
    pub receive_codecs: Vec<Codec>,
    /// DTLS versions.
    pub dtls_version: DtlsVersion,
    /// The polite side of perfect negotiation (W3C webrtc-pc §10.7): gives way on glare.
    pub polite: bool,
    /// Whether RTX is offered.
    pub retransmission: bool,
    /// Bit/s to start with.
    pub start_bitrate: u64,
    /// Never estimate below, bit/s.
    pub min_bitrate: u64,
    /// Never estimate above, bit/s.
    pub max_bitrate: u64,
    /// Whether the estimator and pacer are on.
    pub congestion_control: bool,
    /// The longest a receiver waits for a missing packet, milliseconds.
    pub max_latency_ms: u32,
    /// How far behind live the peer is asked to play our video, milliseconds up to 40,950; 0: it is not asked.
    pub playout_delay_ms: u32,
    /// Whether signalling reaches the peer at any time, so that a session whose path failed may wait half
    /// a minute for a restart of ICE, and tries one by itself; else it ends 3 s after the failure.
    pub restarts: bool,
    /// The wall clock at a point of the monotonic one, for sender reports.
    pub wall: WallClock,
    /// Canonical name of the endpoint in RTCP (RFC 7022): the same for all streams of a session,
    /// different for each session unless they shall be linkable.
    pub cname: String,
}
