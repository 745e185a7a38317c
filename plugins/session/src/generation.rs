// SPDX-License-Identifier: MPL-2.0
//! One agent of ICE with what it lacks: from one pair of credentials to the next.
use crate::Datagram;
use crate::Transport;
use crate::ice::{Path, QUIET};
use crate::local::{LocalAddresses, protocol, transport};
use is::{Candidate, IceAgent, IceAgentEvent, IceCreds};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Without an answer for this long, which on a working path means that one was lost, checks follow
/// each other sooner, lest a lossy path be taken for a dead one.
pub(crate) const HURRY: Duration = Duration::from_millis(3500);
/// Between checks, and how many without an answer until the agent tries another pair: at ease and in
/// a hurry. The latter comes to some 25 s, so that another pair gets its chance before consent ends.
const AT_EASE: (Duration, usize) = (Duration::from_secs(3), 9);
const IN_A_HURRY: (Duration, usize) = (Duration::from_millis(800), 26);
/// Between two checks (RFC 8445 §14.2 permits 5 ms); the agent's own 50 ms add up to long waits on
/// hosts with many addresses.
const PACE: Duration = Duration::from_millis(5);
/// A connection is made by TCP only where UDP has not found a path by then: it costs a descriptor.
const UDP_FIRST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) agent: IceAgent,
    pub(crate) path: Option<Path>,
    /// When the path last answered.
    pub(crate) heard: Instant,
    pub(crate) responses: u64,
    hurries: bool,
    /// When checks could start: both descriptions known.
    pub(crate) since: Option<Instant>,
    pub(crate) remote_candidates: usize,
    /// No further candidate of the peer will come.
    pub(crate) remote_done: bool,
    /// When the peer last proved that it also sends from elsewhere than the path's other end.
    elsewhere: Option<Instant>,
    /// Candidates by TCP that wait for UDP to fail.
    pub(crate) late: Vec<Candidate>,
}

impl Generation {
    pub(crate) fn new(local: &LocalAddresses, now: Instant) -> Self {
        let mut agent = IceAgent::new(IceCreds::new());
        agent.set_timing_advance(PACE);
        for candidate in local.candidates() {
            agent.add_local_candidate(candidate);
        }
        Self {
            agent,
            path: None,
            heard: now,
            responses: 0,
            hurries: false,
            since: None,
            remote_candidates: 0,
            remote_done: false,
            elsewhere: None,
            late: Vec::new(),
        }
    }

    pub(crate) fn add_local(&mut self, candidate: &Candidate) -> Option<Candidate> {
        self.agent.add_local_candidate(candidate.clone()).cloned()
    }

    /// Lets the agent do what is due. Without the peer's credentials it can do nothing.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.since.is_none() {
            return;
        }
        if self.late_from().is_some_and(|from| from <= now) {
            for candidate in self.late.drain(..) {
                self.agent.add_remote_candidate(candidate);
            }
        }
        let hurries = self.path.is_some() && now >= self.heard + HURRY;
        if hurries {
            self.follow();
        }
        if hurries != self.hurries {
            self.hurries = hurries;
            let (rto, retransmits) = if hurries { IN_A_HURRY } else { AT_EASE };
            self.agent.set_max_stun_rto(rto);
            self.agent.set_max_stun_retransmits(retransmits);
        }
        // Until it has worked off requests that came before the peer's credentials, the agent does
        // nothing else and has no deadline; it keeps 100 of them at most.
        for _ in 0..=100 {
            if self.agent.poll_timeout().is_some_and(|at| at > now) {
                break;
            }
            self.agent.handle_timeout(now);
        }
    }

    pub(crate) fn note_source(&mut self, datagram: &Datagram<'_>, now: Instant) {
        let other =
            |path: &Path| path.transport == datagram.transport && path.remote != datagram.source;
        if self.path.as_ref().is_some_and(other) {
            self.elsewhere = Some(now);
        }
    }

    /// Gives up the other end of a path that has gone silent while the peer is heard from elsewhere: its
    /// NAT has moved it. The agent would wait until checks of the old pair have run out, half a minute.
    fn follow(&mut self) {
        let moved = self.elsewhere.is_some_and(|at| at > self.heard);
        let Some(path) = self.path.filter(|_| moved) else {
            return;
        };
        self.elsewhere = None;
        let proto = protocol(path.transport);
        let old =
            |candidate: &Candidate| candidate.addr() == path.remote && candidate.proto() == proto;
        let old = self.agent.remote_candidates().find(old);
        if let Some(old) = old {
            self.agent.invalidate_candidate(&old);
        }
    }

    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        let late = self.late_from();
        let agent = self.since.and_then(|_| self.agent.poll_timeout());
        late.into_iter().chain(agent).min()
    }

    /// From when TCP is tried: while there is no path, or when it has gone silent.
    fn late_from(&self) -> Option<Instant> {
        let since = self.since.filter(|_| !self.late.is_empty())?;
        Some(match self.path {
            None => since + UDP_FIRST,
            Some(_) => self.heard + QUIET,
        })
    }

    pub(crate) fn collect(
        &mut self,
        validated: &mut HashSet<(Transport, SocketAddr)>,
        now: Instant,
    ) {
        while let Some(event) = self.agent.poll_event() {
            match event {
                IceAgentEvent::NominatedSend {
                    proto,
                    source,
                    destination,
                } => {
                    self.path = Some(Path {
                        transport: transport(proto),
                        local: source,
                        remote: destination,
                    });
                    self.heard = now;
                }
                IceAgentEvent::DiscoveredRecv { proto, source } => {
                    validated.insert((transport(proto), source));
                }
                _ => {}
            }
        }
        let responses = self.agent.nominated_pair_responses_received().unwrap_or(0);
        if responses != self.responses {
            // A fall means another pair, which `NominatedSend` has told of.
            if responses > self.responses {
                self.heard = now;
            }
            self.responses = responses;
        }
    }
}
