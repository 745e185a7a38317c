// SPDX-License-Identifier: MPL-2.0
//! Gathering: our addresses as STUN servers see them, and those that TURN servers lend.
//!
//! Host candidates are known from the start; what is found here is trickled. Each URI is asked once,
//! what goes wrong with it is told once.
use crate::datagram::Protocol;
use crate::relay::{Access, Relay, RelayOutput};
use crate::server::{IceServer, IceTransportPolicy, Login, MAX_SERVERS, ServerTransport, address};
use crate::source::{KEEP_ALIVE, Phase, Probe, Source};
use crate::stream::{StreamInput, StreamKey, StreamOutput};
use crate::turn::{SENDS, STREAM_WAIT, TurnEvent};
use crate::{CandidateError, Datagram, GatheringState, LoginWanted, Transmit, Transport};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;
use stun_proto::types::attribute::{ErrorCode, XorMappedAddress};
use stun_proto::types::message::{Message, MessageClass};

/// Addresses used of one server's name, a family.
const MAX_ADDRESSES: usize = 2;
/// W3C webrtc-pc §4.8.3: no host candidate could reach the server.
const UNREACHABLE: u16 = 701;

/// What gathering found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A server's name must be resolved.
    Resolve(String),
    /// Our address as a server sees it.
    Reflexive {
        address: SocketAddr,
        base: SocketAddr,
    },
    /// An address a server lends us.
    Relayed(SocketAddr),
    /// It is ours no more.
    Lost(SocketAddr),
    /// A server is of no use.
    Error(CandidateError),
    /// A server wants another login than ours.
    LoginWanted(LoginWanted),
    /// The state changed.
    State(GatheringState),
}

#[derive(Debug)]
pub(crate) struct Gatherer {
    policy: IceTransportPolicy,
    hosts: Vec<SocketAddr>,
    relay_port: u16,
    sources: Vec<Source>,
    state: GatheringState,
    streams: u32,
    out: VecDeque<RelayOutput>,
    found: VecDeque<Found>,
}

impl Gatherer {
    pub(crate) fn new(
        servers: &[IceServer],
        policy: IceTransportPolicy,
        hosts: &[SocketAddr],
        relay_port: u16,
    ) -> Self {
        let mut gatherer = Self {
            policy,
            hosts: hosts.to_vec(),
            relay_port,
            sources: Vec::new(),
            state: GatheringState::New,
            streams: 0,
            out: VecDeque::new(),
            found: VecDeque::new(),
        };
        gatherer.take(servers);
        gatherer
    }

    fn take(&mut self, servers: &[IceServer]) {
        let relay_only = self.policy == IceTransportPolicy::Relay;
        for server in servers.iter().take(MAX_SERVERS) {
            for url in server.urls.iter().filter(|url| url.relays() || !relay_only) {
                if self.sources.len() < MAX_SERVERS {
                    self.sources.push(Source::new(url, server.login.as_ref()));
                }
            }
        }
    }

    /// Asks further servers too, at once if gathering has begun; those that are known are left out.
    pub(crate) fn add(&mut self, servers: &[IceServer], now: Instant) {
        let before = self.sources.len();
        self.take(servers);
        let mut at = before;
        while let Some(source) = self.sources.get(at) {
            let url = source.url.clone();
            match self.sources[..at].iter().any(|known| known.url == url) {
                true => drop(self.sources.remove(at)),
                false => at += 1,
            }
        }
        if self.state != GatheringState::New && self.sources.len() > before {
            self.enter(GatheringState::Gathering);
            (before..self.sources.len()).for_each(|at| self.ask(at, now));
            self.check_complete();
        }
    }

    /// Another login for the servers under a URI: what they lend is kept, what they refused is asked anew.
    pub(crate) fn set_login(&mut self, url: &str, login: &Login, now: Instant) {
        for at in 0..self.sources.len() {
            let source = &mut self.sources[at];
            if source.url.to_string() != url || !source.url.relays() {
                continue;
            }
            source.login = Some(login.clone());
            source.told = false;
            let goes_on = source
                .relay
                .as_mut()
                .is_some_and(|relay| relay.set_login(login, now));
            if !goes_on && self.state != GatheringState::New {
                self.enter(GatheringState::Gathering);
                self.ask(at, now);
            }
        }
        self.collect(now);
    }

    pub(crate) fn state(&self) -> GatheringState {
        self.state
    }

    /// Whether nothing more will be found: a description may say so.
    pub(crate) fn is_done(&self) -> bool {
        self.sources.is_empty() || self.state == GatheringState::Complete
    }

    pub(crate) fn has_servers(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Begins, once; `again` asks the STUN servers anew, for another network may be there by now.
    pub(crate) fn start(&mut self, again: bool, now: Instant) {
        if self.state != GatheringState::New && !again {
            return;
        }
        self.enter(GatheringState::Gathering);
        for at in 0..self.sources.len() {
            let source = &self.sources[at];
            let relays = source.relay.as_ref().is_some_and(Relay::is_allocated);
            if source.phase == Phase::Resolving || relays {
                continue;
            }
            self.ask(at, now);
        }
        self.check_complete();
    }

    /// Asks one server from the start.
    fn ask(&mut self, at: usize, now: Instant) {
        let source = &mut self.sources[at];
        source.told = false;
        source.error = None;
        source.relay = None;
        source.probes.clear();
        match address(source.url.host()) {
            Some(ip) => self.run(at, &[ip], now),
            None => {
                source.phase = Phase::Resolving;
                source.resolve_by = Some(now + STREAM_WAIT);
                let name = source.url.host().to_owned();
                self.found.push_back(Found::Resolve(name));
            }
        }
    }

    /// The answer to [`Found::Resolve`].
    pub(crate) fn resolved(&mut self, name: &str, addresses: &[IpAddr], now: Instant) {
        for at in 0..self.sources.len() {
            let source = &mut self.sources[at];
            if source.phase != Phase::Resolving || source.url.host() != name {
                continue;
            }
            self.run(at, addresses, now);
        }
        self.check_complete();
    }

    /// Takes a datagram of a server, of STUN or, through it, of a peer. `Err`: it is neither.
    pub(crate) fn handle_datagram<'a>(
        &mut self,
        datagram: &Datagram<'a>,
        now: Instant,
    ) -> Result<Option<Datagram<'a>>, ()> {
        if self.sources.is_empty() {
            return Err(());
        }
        let relay = self
            .sources
            .iter_mut()
            .filter_map(|source| source.relay.as_mut())
            .find(|relay| relay.owns(datagram));
        if let Some(relay) = relay {
            let inner = relay.handle_datagram(datagram.contents, now);
            let inner = inner.and_then(|(source, contents)| {
                Some(Datagram {
                    transport: Transport::Udp,
                    source,
                    destination: relay.relayed_for(source)?,
                    contents,
                })
            });
            self.collect(now);
            return Ok(inner);
        }
        match self.handle_answer(datagram, now) {
            true => Ok(None),
            false => Err(()),
        }
    }

    /// Takes what happened to a stream; yields peers' datagrams with the relayed address they came to.
    pub(crate) fn handle_stream(
        &mut self,
        key: StreamKey,
        input: StreamInput<'_>,
        now: Instant,
    ) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let relay = self
            .sources
            .iter_mut()
            .filter_map(|source| source.relay.as_mut())
            .find(|relay| relay.key() == key);
        let Some(relay) = relay else {
            return Vec::new();
        };
        let found = relay.handle_stream(input, now);
        let found = found
            .into_iter()
            .filter_map(|(peer, contents)| Some((peer, relay.relayed_for(peer)?, contents)))
            .collect();
        self.collect(now);
        found
    }

    /// Whether an address is one of those that servers lend us.
    pub(crate) fn relays(&self, local: SocketAddr) -> bool {
        self.sources
            .iter()
            .filter_map(|source| source.relay.as_ref())
            .any(|relay| relay.relayed.contains(&local))
    }

    /// The same by IP address alone.
    pub(crate) fn relays_ip(&self, ip: IpAddr) -> bool {
        let relays = self
            .sources
            .iter()
            .filter_map(|source| source.relay.as_ref());
        let mut relayed = relays.flat_map(|relay| &relay.relayed);
        relayed.any(|relayed| relayed.ip() == ip)
    }

    /// Our own addresses from now on. `anew`: what servers lent us went to an address that may be gone,
    /// so it is asked for again when gathering starts.
    pub(crate) fn set_hosts(&mut self, hosts: &[SocketAddr], anew: bool) {
        self.hosts = hosts.to_vec();
        let relays = self.sources.iter_mut().filter(|_| anew);
        for (source, relay) in relays.filter_map(|source| Some((&source.url, source.relay.take()?)))
        {
            if source.transport() != ServerTransport::Udp {
                let close = StreamOutput::Close(relay.key());
                self.out.push_back(RelayOutput::Stream(close));
            }
            self.found
                .extend(relay.relayed.into_iter().map(Found::Lost));
        }
    }

    /// Sends from a relayed address.
    pub(crate) fn send(&mut self, transmit: &Transmit, lasting: bool, now: Instant) {
        let relay = self
            .sources
            .iter_mut()
            .filter_map(|source| source.relay.as_mut())
            .find(|relay| relay.relayed.contains(&transmit.source));
        if let Some(relay) = relay {
            relay.send(
                transmit.destination,
                &transmit.contents,
                transmit.segment_size,
                lasting,
                now,
            );
        }
    }

    pub(crate) fn handle_timeout(&mut self, connected: bool, now: Instant) {
        for at in 0..self.sources.len() {
            if self.sources[at].resolve_by.is_some_and(|by| by <= now) {
                self.run(at, &[], now);
            }
        }
        for source in &mut self.sources {
            if let Some(relay) = &mut source.relay {
                relay.handle_timeout(now);
            }
            for probe in &mut source.probes {
                probe.handle_timeout(connected, now, &mut self.out);
            }
        }
        self.collect(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let of_source = |source: &Source| {
            let probes = source.probes.iter().filter_map(|probe| probe.next);
            let relay = source.relay.as_ref().and_then(Relay::poll_timeout);
            probes.chain(relay).chain(source.resolve_by).min()
        };
        self.sources.iter().filter_map(of_source).min()
    }

    pub(crate) fn poll_output(&mut self) -> Option<RelayOutput> {
        let relays = self
            .sources
            .iter_mut()
            .filter_map(|source| source.relay.as_mut());
        let of_relays = || relays.into_iter().find_map(Relay::poll_output);
        self.out.pop_front().or_else(of_relays)
    }

    pub(crate) fn poll_found(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    /// Gives all allocations back; false if that was done before.
    pub(crate) fn release(&mut self) -> bool {
        let mut any = false;
        for source in &mut self.sources {
            let Some(mut relay) = source.relay.take() else {
                continue;
            };
            any = true;
            relay.release();
            self.out.extend(std::iter::from_fn(|| relay.poll_output()));
            if source.url.transport() != ServerTransport::Udp {
                let close = StreamOutput::Close(relay.key());
                self.out.push_back(RelayOutput::Stream(close));
            }
        }
        any
    }

    /// Asks a server whose addresses are known.
    fn run(&mut self, at: usize, addresses: &[IpAddr], now: Instant) {
        let source = &mut self.sources[at];
        source.phase = Phase::Running;
        source.resolve_by = None;
        let mut servers = Vec::new();
        for v4 in [true, false] {
            let of_family = addresses.iter().filter(|ip| ip.is_ipv4() == v4);
            let usable = self.hosts.iter().any(|host| host.is_ipv4() == v4);
            let usable = of_family.filter(|_| usable).take(MAX_ADDRESSES);
            servers.extend(usable.map(|ip| SocketAddr::new(*ip, source.url.port())));
        }
        if servers.is_empty() {
            let text = match addresses.is_empty() {
                true => "the server's name is unknown",
                false => "the server has no address of a family that we have",
            };
            source.error = Some((UNREACHABLE, text.into()));
        }
        if self.policy == IceTransportPolicy::All && source.url.transport() == ServerTransport::Udp
        {
            for server in &servers {
                let fits = |host: &&SocketAddr| host.is_ipv4() == server.is_ipv4();
                for host in self.hosts.iter().filter(fits) {
                    source
                        .probes
                        .push(Probe::new(*host, *server, now, &mut self.out));
                }
            }
        }
        if source.url.relays() {
            servers.reverse();
            // IPv4 first: what is popped.
            source.spare = servers;
            self.try_next(at, now);
        }
    }

    /// Asks the next address of a TURN server for an allocation.
    fn try_next(&mut self, at: usize, now: Instant) {
        let source = &mut self.sources[at];
        let (Some(server), Some(login)) = (source.spare.pop(), source.login.clone()) else {
            return;
        };
        let any = match server.is_ipv4() {
            true => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            false => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let access = Access {
            url: source.url.clone(),
            login,
            local: SocketAddr::new(any, self.relay_port),
            wants_v6: self.hosts.iter().any(SocketAddr::is_ipv6),
        };
        self.streams += 1;
        source.relay = Some(Relay::new(access, server, StreamKey(self.streams), now));
    }

    fn handle_answer(&mut self, datagram: &Datagram<'_>, now: Instant) -> bool {
        // Media is not taken apart for this.
        if Protocol::of(datagram.contents) != Protocol::Stun {
            return false;
        }
        let message = match Message::from_bytes(datagram.contents) {
            Ok(message) if message.is_response() => message,
            _ => return false,
        };
        let id = message.transaction_id();
        let Some((source, probe)) = self.sources.iter_mut().find_map(|source| {
            let fits = |probe: &&mut Probe| probe.id == id && probe.server == datagram.source;
            let probe = source.probes.iter_mut().find(fits)?;
            Some((&mut source.error, probe))
        }) else {
            return false;
        };
        if message.has_class(MessageClass::Error) {
            probe.next = None;
            if let Ok(error) = message.attribute::<ErrorCode>() {
                source.get_or_insert((error.code(), error.reason().to_owned()));
            }
        } else if let Ok(mapped) = message.attribute::<XorMappedAddress>() {
            let address = mapped.addr(id);
            probe.next = Some(now + KEEP_ALIVE);
            probe.sends = SENDS;
            if probe.mapped.replace(address) != Some(address) {
                let base = probe.host;
                self.found.push_back(Found::Reflexive { address, base });
            }
        }
        self.collect(now);
        true
    }

    /// Carries what became of allocations to the outside, and errors.
    fn collect(&mut self, now: Instant) {
        for at in 0..self.sources.len() {
            while let Some(event) = self.sources[at]
                .relay
                .as_mut()
                .and_then(|relay| relay.poll_event(now))
            {
                match event {
                    TurnEvent::Allocated(relayed) => {
                        self.found.extend(relayed.into_iter().map(Found::Relayed));
                    }
                    TurnEvent::Failed {
                        code,
                        text,
                        authority,
                    } => {
                        if is_of_login(code) {
                            self.want_login(at, code, authority);
                        }
                        self.lose(at, code, text, now);
                    }
                    TurnEvent::LoginRefused {
                        code,
                        text,
                        authority,
                    } => {
                        self.sources[at].told = false;
                        self.report(at, code, text);
                        self.want_login(at, code, authority);
                    }
                    // Followed where it was seen.
                    TurnEvent::Redirected(_) => {}
                }
            }
        }
        self.check_complete();
    }

    fn lose(&mut self, at: usize, code: u16, text: String, now: Instant) {
        let source = &mut self.sources[at];
        let Some(relay) = source.relay.take() else {
            return;
        };
        if source.url.transport() != ServerTransport::Udp {
            let close = StreamOutput::Close(relay.key());
            self.out.push_back(RelayOutput::Stream(close));
        }
        if relay.relayed.is_empty() && code == UNREACHABLE && !source.spare.is_empty() {
            return self.try_next(at, now);
        }
        self.found
            .extend(relay.relayed.into_iter().map(Found::Lost));
        self.report(at, code, text);
    }

    fn want_login(&mut self, at: usize, code: u16, authority: Option<String>) {
        self.found.push_back(Found::LoginWanted(LoginWanted {
            url: self.sources[at].url.to_string(),
            code,
            authority,
        }));
    }

    /// Tells an error, once a URI.
    fn report(&mut self, at: usize, code: u16, text: String) {
        let source = &mut self.sources[at];
        if std::mem::replace(&mut source.told, true) {
            return;
        }
        // The base is told only where it is exposed anyhow (PC-56), and where there is but one.
        let base = match (self.policy, self.hosts.as_slice()) {
            (IceTransportPolicy::All, [host]) => Some(*host),
            _ => None,
        };
        self.found.push_back(Found::Error(CandidateError {
            address: base.map(|base| base.ip()),
            port: base.map(|base| base.port()),
            url: source.url.to_string(),
            code,
            text,
        }));
    }

    fn check_complete(&mut self) {
        if self.state != GatheringState::Gathering {
            return;
        }
        for at in 0..self.sources.len() {
            let source = &self.sources[at];
            if source.phase != Phase::Running || !source.is_settled() {
                continue;
            }
            let useful = source.relay.is_some() || source.probes.iter().any(|p| p.mapped.is_some());
            let error = match (&source.error, source.url.relays()) {
                (Some(error), _) => Some(error.clone()),
                (None, false) => Some((UNREACHABLE, "the server did not answer".into())),
                (None, true) => None,
            };
            self.sources[at].phase = Phase::Done;
            if let Some((code, text)) = error.filter(|_| !useful) {
                self.report(at, code, text);
            }
        }
        if self
            .sources
            .iter()
            .all(|source| source.phase == Phase::Done)
        {
            self.enter(GatheringState::Complete);
        }
    }

    fn enter(&mut self, state: GatheringState) {
        if self.state != state {
            self.state = state;
            self.found.push_back(Found::State(state));
        }
    }
}

/// Whether a server's refusal is of who we say we are (RFC 8489 §14.8, RFC 8656 §18).
fn is_of_login(code: u16) -> bool {
    matches!(code, 401 | 403 | 441)
}
