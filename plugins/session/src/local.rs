// SPDX-License-Identifier: MPL-2.0
//! Our own addresses as candidates.
use crate::Transport;
use is::{Candidate, CandidateKind, IceError, Protocol};
use std::net::SocketAddr;
use str0m_proto::TcpType;

/// The port of candidates from which we connect by TCP (RFC 6544 §4.5).
const ACTIVE_PORT: u16 = 9;

/// Our own addresses, of every kind.
#[derive(Debug, Default)]
pub(crate) struct LocalAddresses {
    /// UDP.
    pub(crate) hosts: Vec<SocketAddr>,
    /// Where TCP connections are taken, and to whose IP addresses those we begin are bound.
    pub(crate) tcp: Vec<SocketAddr>,
    /// Found later: by STUN and TURN.
    pub(crate) found: Vec<Candidate>,
}

impl LocalAddresses {
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        let hosts = self
            .hosts
            .iter()
            .map(|host| Candidate::host(*host, Protocol::Udp));
        let active = |at: &SocketAddr| SocketAddr::new(at.ip(), ACTIVE_PORT);
        let tcp = self
            .tcp
            .iter()
            .flat_map(move |at| [tcp(*at, TcpType::Passive), tcp(active(at), TcpType::Active)]);
        let noted = |result: Result<Candidate, IceError>| {
            result
                .inspect_err(|error| tracing::debug!(%error, "no candidate"))
                .ok()
        };
        hosts
            .chain(tcp)
            .filter_map(noted)
            .chain(self.found.iter().cloned())
    }
}

fn tcp(address: SocketAddr, kind: TcpType) -> Result<Candidate, IceError> {
    Candidate::builder()
        .tcp()
        .host(address)
        .tcptype(kind)
        .build()
}

/// Whether the peer is told of a candidate. From where we connect by TCP it sees when we do.
pub(crate) fn is_told(candidate: &Candidate) -> bool {
    candidate.kind() != CandidateKind::PeerReflexive && candidate.tcptype() != Some(TcpType::Active)
}

pub(crate) fn protocol(transport: Transport) -> Protocol {
    match transport {
        Transport::Udp => Protocol::Udp,
        Transport::Tcp => Protocol::Tcp,
    }
}

pub(crate) fn transport(protocol: Protocol) -> Transport {
    match protocol {
        Protocol::Udp => Transport::Udp,
        _ => Transport::Tcp,
    }
}
