// SPDX-License-Identifier: MPL-2.0
//! Our own addresses as candidates.
use crate::candidates::with_address;
use crate::{HostAddresses, Transport};
use is::{Candidate, CandidateKind, IceError, Protocol};
use std::net::SocketAddr;
use str0m_proto::TcpType;

/// The port of candidates from which we connect by TCP (RFC 6544 §4.5).
const ACTIVE_PORT: u16 = 9;

/// Our own addresses, of every kind.
#[derive(Debug, Default)]
pub(crate) struct LocalAddresses {
    /// The machine's; TCP connections we begin are bound to the IP addresses at which we take them.
    pub(crate) hosts: HostAddresses,
    /// Found later, by STUN and TURN, with the address each is sent from.
    pub(crate) found: Vec<(Candidate, SocketAddr)>,
}

impl LocalAddresses {
    pub(crate) fn new(hosts: HostAddresses) -> Self {
        let found = Vec::new();
        Self { hosts, found }
    }

    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        let found = self.found.iter().map(|(found, _)| found.clone());
        of_hosts(&self.hosts).chain(found)
    }

    /// What the peer is told of a candidate; `None`: nothing. From where we connect by TCP it sees when
    /// we do.
    pub(crate) fn told(&self, candidate: &Candidate) -> Option<String> {
        let kind = candidate.kind();
        if kind == CandidateKind::PeerReflexive || candidate.tcptype() == Some(TcpType::Active) {
            return None;
        }
        let text = candidate.to_sdp_string();
        let ip = candidate.addr().ip();
        let hidden = self.hosts.hidden.iter().find(|(hidden, _)| *hidden == ip);
        match hidden.filter(|_| kind == CandidateKind::Host) {
            None => Some(text),
            Some((_, name)) => name.as_ref().map(|name| with_address(&text, name)),
        }
    }
}

pub(crate) fn of_hosts(hosts: &HostAddresses) -> impl Iterator<Item = Candidate> + '_ {
    let udp = hosts.udp.iter();
    let udp = udp.map(|host| Candidate::host(*host, Protocol::Udp));
    let active = |at: &SocketAddr| SocketAddr::new(at.ip(), ACTIVE_PORT);
    let tcp = hosts
        .tcp
        .iter()
        .flat_map(move |at| [tcp(*at, TcpType::Passive), tcp(active(at), TcpType::Active)]);
    let noted = |result: Result<Candidate, IceError>| {
        result
            .inspect_err(|error| tracing::debug!(%error, "no candidate"))
            .ok()
    };
    udp.chain(tcp).filter_map(noted)
}

fn tcp(address: SocketAddr, kind: TcpType) -> Result<Candidate, IceError> {
    Candidate::builder()
        .tcp()
        .host(address)
        .tcptype(kind)
        .build()
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
