// SPDX-License-Identifier: MPL-2.0
//! ICE of a session: up to three generations of an agent, so that a restart loses nothing, and the
//! consent timer.
//!
//! A restart makes a *next* agent with new credentials beside the current one; when the answer is
//! applied it becomes current, and the old one goes on as *previous*, answering and checking the old
//! path, until the new one has a path (RFC 8445 §9, RFC 7675 §5.1). A restart whose offer is rolled
//! back is forgotten without a trace.
use crate::candidates::is_scoped;
use crate::generation::{Generation, HURRY};
use crate::local::{LocalAddresses, of_hosts, protocol, transport};
use crate::mapped::with_mapped_address;
use crate::{
    Datagram, HostAddresses, IceConnectionState, IceParameters, PairStats, SelectedPair,
    SessionError, Transport,
};
use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceCreds};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Without an answer for this long a path is no longer trusted, but still used. The agent checks a
/// working path every 3 s and repeats a check without answer sooner.
pub(crate) const QUIET: Duration = Duration::from_secs(7);
/// Without an answer for this long nothing may be sent any more (RFC 7675 §5.1).
const CONSENT: Duration = Duration::from_secs(30);
/// How long to look for a path at the least (RFC 8863 §4).
const PATIENCE: Duration = Duration::from_millis(39_500);
const MAX_REMOTE_CANDIDATES: usize = 100;
/// Addresses a peer may send from. An authenticated peer could name any number, and the agent keeps
/// a candidate for each.
const MAX_SOURCES: usize = 64;

/// Where datagrams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// Our half of ICE, for a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalIce {
    pub(crate) ufrag: String,
    pub(crate) pwd: String,
    pub(crate) candidates: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Ice {
    local: LocalAddresses,
    current: Generation,
    next: Option<Generation>,
    previous: Option<Generation>,
    controlling: Option<bool>,
    validated: HashSet<(Transport, SocketAddr)>,
}

impl Ice {
    pub(crate) fn new(local: LocalAddresses, now: Instant) -> Self {
        Self {
            current: Generation::new(&local, now),
            local,
            next: None,
            previous: None,
            controlling: None,
            validated: HashSet::new(),
        }
    }

    /// What our next description says.
    pub(crate) fn local(&self) -> LocalIce {
        let agent = &self.newest().agent;
        let credentials = agent.local_credentials();
        let candidates = agent.local_candidates();
        LocalIce {
            ufrag: credentials.ufrag.clone(),
            pwd: credentials.pass.clone(),
            candidates: candidates.filter_map(|c| self.local.told(&c)).collect(),
        }
    }

    pub(crate) fn local_ufrag(&self) -> &str {
        &self.newest().agent.local_credentials().ufrag
    }

    /// Whether the peer's description is known.
    pub(crate) fn has_peer(&self) -> bool {
        self.current.agent.remote_credentials().is_some()
    }

    /// The peer's username fragment in use.
    pub(crate) fn remote_ufrag(&self) -> Option<&str> {
        let credentials = self.current.agent.remote_credentials()?;
        Some(&credentials.ufrag)
    }

    /// New credentials for our next description.
    pub(crate) fn prepare_restart(&mut self, now: Instant) {
        if self.has_peer() && self.next.is_none() {
            self.next = Some(Generation::new(&self.local, now));
        }
    }

    /// Whether new credentials wait for the peer's.
    pub(crate) fn restarts(&self) -> bool {
        self.next.is_some()
    }

    /// Forgets a restart that came to nothing.
    pub(crate) fn abandon_restart(&mut self) {
        self.next = None;
    }

    /// Applies the peer's credentials and starts checking. `controlling` counts the first time only,
    /// for roles stay over restarts.
    pub(crate) fn start(&mut self, ufrag: &str, pwd: &str, controlling: bool, now: Instant) {
        let controlling = *self.controlling.get_or_insert(controlling);
        if self.remote_ufrag() == Some(ufrag) {
            return;
        }
        if let Some(next) = self.next.take() {
            // The role may have changed by a conflict since.
            let controlling = self.current.agent.controlling();
            let old = std::mem::replace(&mut self.current, next);
            self.current.agent.set_controlling(controlling);
            if old.path.is_some() {
                self.previous = Some(old);
            }
        } else {
            self.current.agent.set_controlling(controlling);
        }
        let (ufrag, pass) = (ufrag.to_owned(), pwd.to_owned());
        let credentials = IceCreds { ufrag, pass };
        self.current.agent.set_remote_credentials(credentials);
        self.current.since = Some(now);
        self.current.tick(now);
        self.collect(now);
    }

    /// Adds a candidate of the peer (`candidate:…`) to the current generation.
    pub(crate) fn add_remote(&mut self, candidate: &str, now: Instant) -> Result<(), SessionError> {
        let candidate =
            Candidate::from_sdp_string(candidate).map_err(|error| SessionError::Candidate {
                reason: error.to_string(),
            })?;
        let usable = match candidate.proto() {
            is::Protocol::Udp => true,
            // From where it connects to us shows when it does.
            is::Protocol::Tcp => candidate.tcptype() == Some(str0m_proto::TcpType::Passive),
            _ => false,
        };
        if !usable || is_scoped(candidate.addr().ip()) {
            return Ok(());
        }
        if self.current.remote_candidates >= MAX_REMOTE_CANDIDATES {
            return Err(SessionError::Candidate {
                reason: format!("it has named more than {MAX_REMOTE_CANDIDATES}"),
            });
        }
        self.current.remote_candidates += 1;
        match candidate.proto() {
            is::Protocol::Udp => self.current.agent.add_remote_candidate(candidate),
            _ => self.current.late.push(candidate),
        }
        self.current.tick(now);
        self.collect(now);
        Ok(())
    }

    /// The peer has told all its candidates.
    pub(crate) fn end_remote(&mut self) {
        self.current.remote_done = true;
    }

    /// Takes a STUN datagram; false if it is not an authentic one of this session.
    pub(crate) fn handle_datagram(&mut self, datagram: &Datagram<'_>, now: Instant) -> bool {
        let mended = self.mended(datagram);
        let contents = mended.as_deref().unwrap_or(datagram.contents);
        let Ok(message) = StunMessage::parse(contents) else {
            return false;
        };
        let known = self.is_validated(datagram);
        if !known && self.validated.len() >= MAX_SOURCES {
            return false;
        }
        let generations = [
            Some(&mut self.current),
            self.next.as_mut(),
            self.previous.as_mut(),
        ];
        let taken = generations.into_iter().flatten().any(|generation| {
            let packet = StunPacket {
                proto: protocol(datagram.transport),
                source: datagram.source,
                destination: datagram.destination,
                message,
            };
            let taken = generation.agent.handle_packet(now, packet);
            if taken {
                generation.note_source(datagram, now);
                generation.tick(now);
            }
            taken
        });
        if taken {
            self.collect(now);
        }
        taken
    }

    /// The datagram with what the agent misses in it, if it is a response that lacks our address.
    fn mended(&self, datagram: &Datagram<'_>) -> Option<Vec<u8>> {
        self.generations().find_map(|generation| {
            let credentials = generation.agent.remote_credentials()?;
            with_mapped_address(datagram.contents, datagram.destination, &credentials.pass)
        })
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.current.tick(now);
        if let Some(previous) = &mut self.previous {
            previous.tick(now);
        }
        self.collect(now);
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<(Path, Vec<u8>)> {
        let generations = [Some(&mut self.current), self.previous.as_mut()];
        let mut generations = generations.into_iter().flatten();
        let transmit = generations.find_map(|generation| generation.agent.poll_transmit())?;
        let path = Path {
            transport: transport(transmit.proto),
            local: transmit.source,
            remote: transmit.destination,
        };
        Some((path, transmit.contents.into()))
    }

    pub(crate) fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        let own = match self.active() {
            Some(generation) if now < generation.heard + HURRY => Some(generation.heard + HURRY),
            Some(generation) if now < generation.heard + QUIET => Some(generation.heard + QUIET),
            Some(generation) if now < generation.heard + CONSENT => {
                Some(generation.heard + CONSENT)
            }
            Some(_) => None,
            None => self.current.since.map(|since| since + PATIENCE),
        };
        let generations = [Some(&mut self.current), self.previous.as_mut()];
        let agents = generations
            .into_iter()
            .flatten()
            .filter_map(Generation::deadline);
        agents.chain(own.filter(|at| *at > now)).min()
    }

    /// The state as of now.
    pub(crate) fn state(&self, now: Instant) -> IceConnectionState {
        let Some(generation) = self.active() else {
            return match self.current.since {
                None => IceConnectionState::New,
                Some(since) if now >= since + PATIENCE => IceConnectionState::Failed,
                Some(_) => IceConnectionState::Checking,
            };
        };
        let silent = now.saturating_duration_since(generation.heard);
        let restarting = self.current.path.is_none();
        if restarting && silent >= QUIET {
            // The old path died, which may be why the restart was asked for.
            let since = self.current.since.unwrap_or(now);
            return match now >= since + PATIENCE {
                true => IceConnectionState::Failed,
                false => IceConnectionState::Checking,
            };
        }
        match silent {
            silent if silent >= CONSENT => IceConnectionState::Failed,
            silent if silent >= QUIET => IceConnectionState::Disconnected,
            _ if restarting => IceConnectionState::Connected,
            _ if generation.remote_done
                && generation.agent.state() == is::IceConnectionState::Completed =>
            {
                IceConnectionState::Completed
            }
            _ => IceConnectionState::Connected,
        }
    }

    /// Where media goes, while there is consent.
    pub(crate) fn path(&self, now: Instant) -> Option<Path> {
        let generation = self.active()?;
        (now < generation.heard + CONSENT).then_some(generation.path)?
    }

    /// Whether the peer has proven that it receives at the address this came from.
    pub(crate) fn is_validated(&self, datagram: &Datagram<'_>) -> bool {
        self.validated
            .contains(&(datagram.transport, datagram.source))
    }

    /// Adds an address of ours that was found late; its text for the peer, unless it tells nothing new.
    pub(crate) fn add_local(
        &mut self,
        candidate: Result<Candidate, is::IceError>,
        base: SocketAddr,
        now: Instant,
    ) -> Option<String> {
        let candidate = candidate
            .inspect_err(|error| tracing::debug!(%error, "no candidate"))
            .ok()?;
        self.local.found.push((candidate.clone(), base));
        let told = self.add_to_agents(&candidate);
        self.current.tick(now);
        self.collect(now);
        told
    }

    /// The machine's addresses from now on; what the peer is to be told of those that are new.
    pub(crate) fn set_hosts(&mut self, hosts: HostAddresses, now: Instant) -> Vec<String> {
        let before = std::mem::replace(&mut self.local.hosts, hosts);
        let after = of_hosts(&self.local.hosts).collect::<Vec<_>>();
        let before = of_hosts(&before).collect::<Vec<_>>();
        let missing = |candidate: &&Candidate, among: &[Candidate]| {
            let same = |other: &Candidate| {
                other.addr() == candidate.addr() && other.proto() == candidate.proto()
            };
            !among.iter().any(same)
        };
        for gone in before.iter().filter(|candidate| missing(candidate, &after)) {
            let of_it = |(_, base): &mut (Candidate, SocketAddr)| *base == gone.addr();
            let found = self.local.found.extract_if(.., of_it);
            let found = found.map(|(found, _)| found).collect::<Vec<_>>();
            for candidate in found.iter().chain([gone]) {
                self.remove_from_agents(candidate);
            }
        }
        let new = after.iter().filter(|candidate| missing(candidate, &before));
        let told = new.filter_map(|new| self.add_to_agents(new)).collect();
        self.current.tick(now);
        self.collect(now);
        told
    }

    fn add_to_agents(&mut self, candidate: &Candidate) -> Option<String> {
        let next = self.next.as_mut().map(|next| next.add_local(candidate));
        let current = self.current.add_local(candidate);
        let added = next.unwrap_or(current)?;
        self.local.told(&added)
    }

    fn remove_from_agents(&mut self, candidate: &Candidate) {
        let generations = [
            Some(&mut self.current),
            self.next.as_mut(),
            self.previous.as_mut(),
        ];
        for generation in generations.into_iter().flatten() {
            generation.agent.invalidate_candidate(candidate);
        }
    }

    /// A relayed address is ours no more.
    pub(crate) fn remove_local(&mut self, address: SocketAddr, now: Instant) {
        let gone = |(candidate, _): &mut (Candidate, SocketAddr)| candidate.addr() == address;
        let gone = self.local.found.extract_if(.., gone).collect::<Vec<_>>();
        for (candidate, _) in &gone {
            self.remove_from_agents(candidate);
        }
        self.current.tick(now);
        self.collect(now);
    }

    /// Whether a STUN binding request names one of our username fragments (RFC 8445 §7.2.2).
    pub(crate) fn accepts(&self, contents: &[u8]) -> bool {
        let Ok(message) = StunMessage::parse(contents) else {
            return false;
        };
        let Some((local, _)) = message.split_username() else {
            return false;
        };
        self.generations()
            .any(|generation| generation.agent.local_credentials().ufrag == local)
    }

    /// Credentials and role in use, our newest and the peer's; `None` if they are those `told`.
    pub(crate) fn parameters(&self, told: &IceParameters) -> Option<IceParameters> {
        let controlling = self.controlling.map(|_| self.current.agent.controlling());
        let local = self.newest().agent.local_credentials();
        let remote = self.current.agent.remote_credentials();
        let same = controlling == told.controlling
            && local.ufrag == told.local.0
            && remote.map(|creds| &creds.ufrag) == told.remote.as_ref().map(|remote| &remote.0);
        let credentials = |creds: &IceCreds| (creds.ufrag.clone(), creds.pass.clone());
        (!same && controlling.is_some()).then(|| IceParameters {
            controlling,
            local: credentials(local),
            remote: remote.map(credentials),
        })
    }

    /// The candidates of the path in use.
    pub(crate) fn selected_pair(&self) -> Option<SelectedPair> {
        let generation = self.active()?;
        let path = generation.path?;
        let proto = protocol(path.transport);
        let at = |address: SocketAddr| {
            move |candidate: &Candidate| candidate.addr() == address && candidate.proto() == proto
        };
        let local = generation.agent.local_candidates().find(at(path.local))?;
        let remote = generation.agent.remote_candidates().find(at(path.remote))?;
        Some(SelectedPair {
            local: local.to_sdp_string(),
            remote: remote.to_sdp_string(),
        })
    }

    /// The addresses of the path in use.
    pub(crate) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let path = self.active()?.path?;
        Some((path.local, path.remote))
    }

    pub(crate) fn stats(&self) -> Option<PairStats> {
        let generation = self.active()?;
        let path = generation.path?;
        Some(PairStats {
            local: path.local,
            remote: path.remote,
            rtt: generation.agent.nominated_pair_rtt(),
            responses: generation.responses,
        })
    }

    fn collect(&mut self, now: Instant) {
        let generations = [
            Some(&mut self.current),
            self.next.as_mut(),
            self.previous.as_mut(),
        ];
        for generation in generations.into_iter().flatten() {
            generation.collect(&mut self.validated, now);
        }
        if self.current.path.is_some() {
            self.previous = None;
        }
    }

    /// The newest generation that has a path.
    fn active(&self) -> Option<&Generation> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|generation| generation.path.is_some())
    }

    fn newest(&self) -> &Generation {
        self.next.as_ref().unwrap_or(&self.current)
    }

    fn generations(&self) -> impl Iterator<Item = &Generation> {
        [
            Some(&self.current),
            self.next.as_ref(),
            self.previous.as_ref(),
        ]
        .into_iter()
        .flatten()
    }
}
