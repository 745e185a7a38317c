// SPDX-License-Identifier: MPL-2.0
//! The session's ways to the network beside its own sockets: gathering, relayed datagrams, streams.
use crate::gather::Found;
use crate::local::protocol;
use crate::relay::RelayOutput;
use crate::session::Session;
use crate::{
    Datagram, Event, GatheringState, HostAddresses, IceTransportPolicy, Output, StreamInput,
    StreamKey, Transmit, Transport,
};
use is::Candidate;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

impl Session {
    /// Takes what happened to a stream that [`Output::Stream`] asked for.
    pub fn handle_stream(&mut self, key: StreamKey, input: StreamInput<'_>, now: Instant) {
        if self.is_closing() {
            return;
        }
        for (source, destination, contents) in self.gatherer.handle_stream(key, input, now) {
            let datagram = Datagram {
                transport: Transport::Udp,
                source,
                destination,
                contents: &contents,
            };
            self.take_datagram(&datagram, now);
        }
        self.update(now);
    }

    /// The answer to [`Event::ResolveServer`]; no addresses if the name is unknown.
    pub fn handle_server_resolved(&mut self, name: &str, addresses: &[IpAddr], now: Instant) {
        if self.is_closing() {
            return;
        }
        self.gatherer.resolved(name, addresses, now);
        self.update(now);
    }

    /// The machine's addresses changed. What is new is told to the peer; if the path in use began at an
    /// address that is gone, ICE restarts by the next negotiation.
    pub fn handle_addresses(&mut self, hosts: HostAddresses, now: Instant) {
        if self.is_closing() || hosts == self.config.hosts {
            return;
        }
        let gone = |before: &SocketAddr| !hosts.udp.contains(before);
        let any_gone = self.config.hosts.udp.iter().any(gone);
        let path = self.ice.addresses().map(|(local, _)| local.ip());
        // Which of our addresses a relay is reached from is the kernel's choice.
        let path_gone = path.is_some_and(|path| match self.gatherer.relays_ip(path) {
            true => any_gone,
            false => !hosts.udp.iter().any(|host| host.ip() == path),
        });
        let own = own_addresses(self.config.ice_transport_policy, &hosts);
        self.gatherer.set_hosts(&hosts.udp, path_gone);
        self.config.hosts = hosts;
        for text in self.ice.set_hosts(own, now) {
            self.tell_candidate(Some(text));
        }
        if path_gone {
            self.restart_wanted |= self.has_told_credentials();
            self.needs_checking = true;
        } else if self.gatherer.state() != GatheringState::New && self.gatherer.has_servers() {
            self.gatherer.start(true, now);
        }
        self.update(now);
    }

    /// State of gathering.
    pub fn gathering_state(&self) -> GatheringState {
        self.gatherer.state()
    }

    /// A datagram of a server, or of a peer through one, or of a peer itself: whether it was of use.
    pub(crate) fn take_from_network(&mut self, datagram: &Datagram<'_>, now: Instant) -> bool {
        match self.gatherer.handle_datagram(datagram, now) {
            Ok(None) => {
                self.update(now);
                true
            }
            Ok(Some(inner)) => self.take_datagram(&inner, now),
            // Nobody but servers may know where we are.
            Err(()) if self.config.ice_transport_policy == IceTransportPolicy::Relay => false,
            Err(()) => self.take_datagram(datagram, now),
        }
    }

    /// Carries what gathering found to ICE and to the peer.
    pub(crate) fn carry_found(&mut self, now: Instant) {
        while let Some(found) = self.gatherer.poll_found() {
            match found {
                Found::Resolve(name) => self.events.push_back(Event::ResolveServer { name }),
                Found::Reflexive { address, base } => {
                    let udp = protocol(Transport::Udp);
                    self.found(Candidate::server_reflexive(address, base, udp), base, now);
                }
                Found::Relayed(address) => {
                    let udp = protocol(Transport::Udp);
                    self.found(Candidate::relayed(address, address, udp), address, now);
                }
                Found::Lost(address) => self.ice.remove_local(address, now),
                Found::Error(error) => self.events.push_back(Event::CandidateError(error)),
                Found::LoginWanted(wanted) => self.events.push_back(Event::LoginWanted(wanted)),
                Found::State(state) => {
                    // The description said so already where nothing had to be asked.
                    if state == GatheringState::Complete && self.gatherer.has_servers() {
                        self.tell_candidate(None);
                    }
                    self.events.push_back(Event::Gathering(state));
                }
            }
        }
    }

    fn found(
        &mut self,
        candidate: Result<Candidate, is::IceError>,
        base: SocketAddr,
        now: Instant,
    ) {
        if let Some(text) = self.ice.add_local(candidate, base, now) {
            self.tell_candidate(Some(text));
        }
    }

    fn tell_candidate(&mut self, candidate: Option<String>) {
        if let Some((mid, index)) = self.jsep.transport_line() {
            self.events.push_back(Event::LocalCandidate {
                candidate,
                mid,
                index,
            });
        }
    }

    /// The next thing to be sent; what leaves a relayed address goes by its server.
    pub(crate) fn poll_network(&mut self, now: Instant) -> Option<Output> {
        loop {
            match self.gatherer.poll_output() {
                Some(RelayOutput::Transmit(transmit)) => return Some(Output::Transmit(transmit)),
                Some(RelayOutput::Stream(stream)) => return Some(Output::Stream(stream)),
                None => {}
            }
            let Some((transmit, lasting)) = self.poll_transmit(now) else {
                if self.is_closing() && self.gatherer.release() {
                    continue;
                }
                return None;
            };
            if !self.gatherer.relays(transmit.source) {
                return Some(Output::Transmit(transmit));
            }
            self.gatherer.send(&transmit, lasting, now);
            self.media.recycle(transmit.contents);
        }
    }
}

/// The addresses ICE may use by itself.
pub(crate) fn own_addresses(policy: IceTransportPolicy, hosts: &HostAddresses) -> HostAddresses {
    match policy {
        IceTransportPolicy::All => hosts.clone(),
        IceTransportPolicy::Relay => HostAddresses::default(),
    }
}

/// A datagram of the session's own, and whether more will follow to the same address.
pub(crate) type Outgoing = (Transmit, bool);
