// SPDX-License-Identifier: MPL-2.0
//! The sockets of a driver: one a family for all sessions, and those of sessions with a port of their
//! own.
use crate::socket::{BATCH, Buffers, Socket, SocketCounters, bind};
use crate::{DriverConfig, DriverError, IpFamilies};
use mio::{Registry, Token};
use rtc_session::Transmit;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

/// How many ports are tried from the one asked for.
const ATTEMPTS: u16 = 16;
/// Token of the poller's waker; a socket's token is one more than its index.
pub(crate) const WAKER: Token = Token(0);

/// The sockets of one port, not yet watched.
pub(crate) type Family = Vec<UdpSocket>;

/// The sockets of a driver.
pub(crate) struct Ports {
    sockets: Vec<Option<Port>>,
    /// So many of the first are for all sessions.
    shared: usize,
    /// Index by family (is it IPv4) and port, for the others.
    own: HashMap<(bool, u16), usize>,
    registry: Registry,
    /// Addresses we offer but do not have: the kernel chooses what to send from in their stead.
    foreign: Vec<IpAddr>,
    /// Where the next turn begins to read, so that a busy socket does not keep others waiting.
    next: usize,
    /// What sockets counted that are closed by now.
    past: SocketCounters,
}

struct Port {
    socket: Socket,
    /// There may be something to read.
    readable: bool,
}

impl Ports {
    pub(crate) fn bind(config: &DriverConfig, registry: Registry) -> Result<Self, DriverError> {
        let port = config.udp_port;
        let sockets = match config.port_range {
            Some((first, last)) => bind_between(config.ip_families, first, last)?,
            None => bind_near(config.ip_families, port)?,
        };
        let mut ports = Self {
            sockets: Vec::new(),
            shared: 0,
            own: HashMap::new(),
            registry,
            foreign: Vec::new(),
            next: 0,
            past: SocketCounters::default(),
        };
        for socket in sockets {
            ports
                .watch(socket)
                .map_err(|source| DriverError::Socket { port, source })?;
        }
        ports.own.clear();
        ports.shared = ports.sockets.len();
        Ok(ports)
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Notes which of the addresses announced are not among our own.
    pub(crate) fn set_foreign(&mut self, announced: Vec<IpAddr>, own: &[IpAddr]) {
        self.foreign = announced;
        self.foreign.retain(|ip| !own.contains(ip));
    }

    /// The port of all sessions.
    pub(crate) fn port(&self) -> u16 {
        self.open()
            .next()
            .map_or(0, |port| port.socket.local().port())
    }

    /// The families there is a socket for.
    pub(crate) fn families(&self) -> IpFamilies {
        let has = |v4| self.open().any(|port| port.socket.local().is_ipv4() == v4);
        match (has(true), has(false)) {
            (true, false) => IpFamilies::V4,
            (false, true) => IpFamilies::V6,
            _ => IpFamilies::Both,
        }
    }

    /// Watches the sockets of a session's own port.
    pub(crate) fn add(&mut self, family: Family) {
        for socket in family {
            if let Err(error) = self.watch(socket) {
                tracing::warn!(%error, "a socket of a session's own");
            }
        }
    }

    /// Closes a session's own port.
    pub(crate) fn close(&mut self, port: u16) {
        for v4 in [true, false] {
            let Some(index) = self.own.remove(&(v4, port)) else {
                continue;
            };
            if let Some(mut port) = self.sockets.get_mut(index).and_then(Option::take) {
                self.past = sum(self.past, port.socket.counters());
                port.socket.unwatch(&self.registry);
            }
        }
    }

    /// Takes note of an event of the poller.
    pub(crate) fn ready(&mut self, token: Token, readable: bool, writable: bool, now: Instant) {
        let index = token.0.wrapping_sub(1);
        let Some(port) = self.sockets.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        port.readable |= readable;
        if writable && port.socket.is_waiting() {
            port.socket.flush(now, &self.registry);
        }
    }

    /// Whether there may be something to read.
    pub(crate) fn is_readable(&self) -> bool {
        self.open().any(|port| port.readable)
    }

    /// Whether something waits to be sent.
    pub(crate) fn is_waiting(&self) -> bool {
        self.open().any(|port| port.socket.is_waiting())
    }

    /// Reads a batch from a socket that has one: the number of trains, and the address they came to.
    /// Every call begins with the next socket.
    pub(crate) fn receive(&mut self, buffers: &mut Buffers) -> Option<(usize, SocketAddr)> {
        for _ in 0..self.sockets.len() {
            self.next = (self.next + 1) % self.sockets.len();
            let Some(port) = self.sockets[self.next]
                .as_mut()
                .filter(|port| port.readable)
            else {
                continue;
            };
            let trains = port.socket.receive(buffers);
            // Fewer than there was room for: the kernel had no more, and what comes now is an event.
            port.readable = trains == BATCH;
            if trains > 0 {
                return Some((trains, port.socket.local()));
            }
        }
        None
    }

    /// Sends from the socket of the source's port and the destination's family. Gives the buffer back
    /// unless it waits.
    pub(crate) fn send(&mut self, transmit: Transmit, now: Instant) -> Option<Vec<u8>> {
        let v4 = transmit.destination.is_ipv4();
        let ip = transmit.source.ip();
        let index = self.find(v4, transmit.source.port());
        let Some(port) = index.and_then(|index| self.sockets[index].as_mut()) else {
            return Some(transmit.contents);
        };
        let has = ip.is_ipv4() == v4 && !ip.is_unspecified() && !self.foreign.contains(&ip);
        port.socket
            .send(transmit, has.then_some(ip), now, &self.registry)
    }

    /// Counters of all sockets there ever were.
    pub(crate) fn counters(&self) -> SocketCounters {
        self.open()
            .map(|port| port.socket.counters())
            .fold(self.past, sum)
    }

    fn find(&self, v4: bool, port: u16) -> Option<usize> {
        let fits = |index: &usize| {
            self.sockets[*index].as_ref().is_some_and(|known| {
                let local = known.socket.local();
                local.is_ipv4() == v4 && local.port() == port
            })
        };
        (0..self.shared)
            .find(fits)
            .or_else(|| self.own.get(&(v4, port)).copied())
    }

    fn open(&self) -> impl Iterator<Item = &Port> {
        self.sockets.iter().flatten()
    }

    fn watch(&mut self, socket: UdpSocket) -> io::Result<()> {
        let free = self.sockets.iter().position(Option::is_none);
        let index = free.unwrap_or(self.sockets.len());
        let socket = Socket::new(socket, &self.registry, Token(index + 1))?;
        let local = socket.local();
        let port = Port {
            socket,
            readable: true,
        };
        match free {
            Some(index) => self.sockets[index] = Some(port),
            None => self.sockets.push(Some(port)),
        }
        self.own.insert((local.is_ipv4(), local.port()), index);
        Ok(())
    }
}

/// The sockets of any free port.
fn bind_any(families: IpFamilies) -> io::Result<Family> {
    // The second family needs the very port the first was given; should that be taken there, another
    // try gives another.
    for _ in 1..ATTEMPTS {
        match bind_once(families, 0) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
    bind_once(families, 0)
}

/// The sockets for a session of its own: of the range while it lasts.
pub(crate) fn bind_own(config: &DriverConfig) -> io::Result<Family> {
    let within = |(first, last)| bind_between(config.ip_families, first, last).ok();
    match config.port_range.and_then(within) {
        Some(sockets) => Ok(sockets),
        None => bind_any(config.ip_families),
    }
}

/// The sockets of a port, or of one of the next if it is taken.
fn bind_near(families: IpFamilies, first: u16) -> Result<Family, DriverError> {
    if first == 0 {
        return bind_any(families).map_err(|source| DriverError::Socket { port: 0, source });
    }
    bind_between(families, first, first.saturating_add(ATTEMPTS - 1))
}

/// The sockets of the first port of a range that is free.
fn bind_between(families: IpFamilies, first: u16, last: u16) -> Result<Family, DriverError> {
    let mut taken = None;
    for port in first..=last {
        match bind_once(families, port) {
            Ok(sockets) => return Ok(sockets),
            Err(error) if error.kind() == ErrorKind::AddrInUse => taken = Some(error),
            Err(source) => return Err(DriverError::Socket { port, source }),
        }
    }
    Err(DriverError::PortsTaken {
        first,
        last,
        source: taken.unwrap_or_else(|| ErrorKind::AddrInUse.into()),
    })
}

/// One socket a family. A machine without one of the two families makes do with the other.
fn bind_once(families: IpFamilies, port: u16) -> io::Result<Family> {
    let mut sockets = Family::new();
    let mut failure = None;
    let mut port = port;
    for v6 in [false, true] {
        if (v6 && families == IpFamilies::V4) || (!v6 && families == IpFamilies::V6) {
            continue;
        }
        match bind(v6, port) {
            Ok(socket) => {
                port = socket.local_addr()?.port();
                sockets.push(socket);
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(error),
            Err(error) => {
                tracing::debug!(%error, v6, "no socket of this family");
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(error) if sockets.is_empty() => Err(error),
        _ => Ok(sockets),
    }
}

fn sum(one: SocketCounters, other: SocketCounters) -> SocketCounters {
    SocketCounters {
        overflowed: one.overflowed + other.overflowed,
        failed: one.failed + other.failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_gives_way_to_the_next() {
        let held = bind_any(IpFamilies::V4).unwrap();
        let first = held[0].local_addr().unwrap().port();
        let next = bind_near(IpFamilies::Both, first).unwrap();
        let port = next[0].local_addr().unwrap().port();
        assert!(port > first && port < first + ATTEMPTS);
        assert!(
            next.iter()
                .all(|socket| socket.local_addr().unwrap().port() == port)
        );
    }

    #[test]
    fn of_a_range_the_first_free_port_is_taken() {
        let held = bind_any(IpFamilies::V4).unwrap();
        let first = held[0].local_addr().unwrap().port();
        let last = first.saturating_add(8);
        let config = DriverConfig {
            ip_families: IpFamilies::V4,
            port_range: Some((first, last)),
            ..DriverConfig::default()
        };
        let own = bind_own(&config).unwrap();
        let port = own[0].local_addr().unwrap().port();
        assert!(port > first && port <= last, "{port}");
        let error = bind_between(IpFamilies::V4, first, first).err().unwrap();
        assert!(error.to_string().contains(&first.to_string()), "{error}");
        // A session finds a port all the same.
        let full = DriverConfig {
            port_range: Some((first, first)),
            ..config
        };
        assert!(bind_own(&full).is_ok());
    }

    #[test]
    fn when_all_are_taken_the_error_says_what_was_tried() {
        // Few ports are left of the highest: the range ends there.
        let held: Vec<_> = (65_534..=65_535).map(|port| bind(false, port)).collect();
        let error = bind_near(IpFamilies::V4, 65_534).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("65534") && text.contains("65535"), "{text}");
        drop(held);
    }
}
