// SPDX-License-Identifier: MPL-2.0
//! What a driver and its sessions are made with.
use rtc_payload::{Codec, SessionId};
use rtc_rtp::WallClock;
use rtc_session::{
    Certificate, DtlsVersion, HostAddresses, IceServer, IceTransportPolicy, ServerUrl,
    SessionConfig,
};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Which IP versions to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpFamilies {
    /// IPv4 and IPv6, whichever the machine has.
    #[default]
    Both,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

impl IpFamilies {
    /// Whether an address is of a family to use.
    pub fn contains(self, ip: IpAddr) -> bool {
        match self {
            Self::Both => true,
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
        }
    }
}

/// Which of the machine's addresses peers may see (RFC 8828 §5.2; its mode 4 would need a proxy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpHandling {
    /// Mode 1: those of all interfaces.
    #[default]
    AllInterfaces,
    /// Mode 2: of each family the one that the default route starts from.
    DefaultRouteWithLocal,
    /// Mode 3: that route, but its local address is told to nobody: what peers see is what STUN and
    /// TURN servers found, or announced addresses.
    DefaultRoute,
}

/// What a driver is made with.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// The UDP port of all sessions; 0 for any free one. If it is taken, the next 15 are tried.
    pub udp_port: u16,
    /// First and last of the ports to choose from in place of `udp_port`; sessions' own ports are
    /// taken from it too while it lasts.
    pub port_range: Option<(u16, u16)>,
    /// IP versions to use.
    pub ip_families: IpFamilies,
    /// Which addresses peers may see.
    pub ip_handling: IpHandling,
    /// Names of the network interfaces whose addresses are offered; empty for all.
    pub interfaces: Vec<String>,
    /// Further addresses to offer: those of a NAT that forwards the port to this machine.
    pub announced: Vec<IpAddr>,
    /// Names of such addresses: looked up at the start and when the network changes.
    pub announced_names: Vec<String>,
    /// Whether `.local` names of peers are looked up by multicast DNS (RFC 6762). If not, their
    /// candidates are not used.
    pub resolve_mdns: bool,
    /// Whether peers are told `.local` names in place of the machine's own addresses, one for each, new
    /// for each session (draft-ietf-mmusic-mdns-ice-candidates).
    pub conceal: bool,
    /// Whether connections are taken by TCP on the UDP port's number, and made to peers that take them
    /// (RFC 6544). Of use where UDP is blocked.
    pub ice_tcp: bool,
    /// A PEM file of the certificate authorities that TURN servers over TLS are verified with; `None`
    /// for those of the system.
    pub tls_ca: Option<PathBuf>,
    /// Blocks that may wait for the io thread, at least 1; 256 are more than a second of any stream.
    pub media_lane: usize,
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self {
            udp_port: 0,
            port_range: None,
            ip_families: IpFamilies::Both,
            ip_handling: IpHandling::AllInterfaces,
            interfaces: Vec::new(),
            announced: Vec::new(),
            announced_names: Vec::new(),
            resolve_mdns: true,
            conceal: false,
            ice_tcp: true,
            tls_ca: None,
            media_lane: 256,
        }
    }
}

/// What a session is made with, beside what its driver knows (identifier, addresses, clock).
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// The certificate for DTLS, shared by the sessions of an endpoint.
    pub certificate: Arc<Certificate>,
    /// Codecs that may be received, most wanted first.
    pub receive_codecs: Vec<Codec>,
    /// STUN and TURN servers; without any nothing leaves for a third party.
    pub ice_servers: Vec<IceServer>,
    /// Which candidates may be used.
    pub ice_transport_policy: IceTransportPolicy,
    /// DTLS versions.
    pub dtls_version: DtlsVersion,
    /// The polite side of perfect negotiation (W3C webrtc-pc §10.7).
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
    /// Gives the session a UDP port of its own, closed with it. Wanted where one driver has several
    /// sessions with one remote address (a client with many sessions at one server), for nothing
    /// else tells their datagrams apart.
    pub own_port: bool,
}

impl SessionOptions {
    /// The usual ones: every codec, RTX, an estimator from 2 Mbit/s between 100 kbit/s and 20 Mbit/s.
    pub fn new(certificate: Arc<Certificate>) -> Self {
        Self {
            certificate,
            receive_codecs: Codec::all().collect(),
            ice_servers: Vec::new(),
            ice_transport_policy: IceTransportPolicy::default(),
            dtls_version: DtlsVersion::default(),
            polite: true,
            retransmission: true,
            start_bitrate: 2_000_000,
            min_bitrate: 100_000,
            max_bitrate: 20_000_000,
            congestion_control: true,
            max_latency_ms: 500,
            playout_delay_ms: 0,
            restarts: true,
            own_port: false,
        }
    }

    /// Whether one of the servers' URIs is such.
    pub(crate) fn uses(&self, such: impl Fn(&ServerUrl) -> bool) -> bool {
        self.ice_servers.iter().flat_map(IceServer::urls).any(such)
    }

    pub(crate) fn into_config(
        self,
        id: SessionId,
        places: Places,
        cname: String,
        wall: WallClock,
    ) -> SessionConfig {
        SessionConfig {
            id,
            certificate: self.certificate,
            hosts: places.hosts,
            relay_port: places.relay_port,
            ice_servers: self.ice_servers,
            ice_transport_policy: self.ice_transport_policy,
            receive_codecs: self.receive_codecs,
            dtls_version: self.dtls_version,
            polite: self.polite,
            retransmission: self.retransmission,
            start_bitrate: self.start_bitrate,
            min_bitrate: self.min_bitrate,
            max_bitrate: self.max_bitrate,
            congestion_control: self.congestion_control,
            max_latency_ms: self.max_latency_ms,
            playout_delay_ms: self.playout_delay_ms,
            restarts: self.restarts,
            cname,
            wall,
        }
    }
}

/// Where a session is reached.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) hosts: HostAddresses,
    /// The port TURN servers are asked from by UDP.
    pub(crate) relay_port: u16,
}
