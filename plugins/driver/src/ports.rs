// SPDX-License-Identifier: MPL-2.0
//! The sockets of a driver: one a family, the same port on both.
use crate::socket::{Buffers, Socket, SocketCounters};
use crate::{DriverConfig, DriverError, IpFamilies};
use mio::{Registry, Token};
use rtc_session::Transmit;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// How many ports are tried from the one asked for.
const ATTEMPTS: u16 = 16;
/// Tokens of the poller: the sockets have the next ones.
pub(crate) const WAKER: Token = Token(0);
const FIRST_SOCKET: usize = 1;

/// The sockets of a driver.
pub(crate) struct Ports {
    sockets: Vec<Port>,
    registry: Registry,
    /// Addresses we offer but do not have: the kernel chooses what to send from in their stead.
    foreign: Vec<IpAddr>,
}

struct Port {
    socket: Socket,
    /// There may be something to read.
    readable: bool,
}

impl Ports {
    pub(crate) fn bind(config: &DriverConfig, registry: Registry) -> Result<Self, DriverError> {
        let first = config.udp_port;
        let last = first.saturating_add(ATTEMPTS - 1);
        let mut port = first;
        loop {
            match bind_families(config.ip_families, port, &registry) {
                Ok(sockets) => {
                    return Ok(Self {
                        sockets,
                        registry,
                        foreign: Vec::new(),
                    });
                }
                Err(source) if source.kind() != ErrorKind::AddrInUse || first == 0 => {
                    return Err(DriverError::Socket { port, source });
                }
                Err(source) if port == last => {
                    return Err(DriverError::PortsTaken {
                        first,
                        last,
                        source,
                    });
                }
                Err(_) => port += 1,
            }
        }
    }

    pub(crate) fn set_foreign(&mut self, foreign: Vec<IpAddr>) {
        self.foreign = foreign;
    }

    /// The port, the same on all sockets.
    pub(crate) fn port(&self) -> u16 {
        self.sockets
            .first()
            .map_or(0, |port| port.socket.local().port())
    }

    /// The families there is a socket for.
    pub(crate) fn families(&self) -> IpFamilies {
        let has = |v4| {
            self.sockets
                .iter()
                .any(|port| port.socket.local().is_ipv4() == v4)
        };
        match (has(true), has(false)) {
            (true, false) => IpFamilies::V4,
            (false, true) => IpFamilies::V6,
            _ => IpFamilies::Both,
        }
    }

    /// Takes note of an event of the poller.
    pub(crate) fn ready(&mut self, token: Token, readable: bool, writable: bool, now: Instant) {
        let Some(port) = token
            .0
            .checked_sub(FIRST_SOCKET)
            .and_then(|n| self.sockets.get_mut(n))
        else {
            return;
        };
        port.readable |= readable;
        if writable && port.socket.is_waiting() {
            port.socket.flush(now, &self.registry);
        }
    }

    /// Whether there may be something to read.
    pub(crate) fn is_readable(&self) -> bool {
        self.sockets.iter().any(|port| port.readable)
    }

    /// Whether something waits to be sent.
    pub(crate) fn is_waiting(&self) -> bool {
        self.sockets.iter().any(|port| port.socket.is_waiting())
    }

    /// Number of sockets.
    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Reads a batch from socket `index`: the number of trains, and the address they came to.
    pub(crate) fn receive(
        &mut self,
        index: usize,
        buffers: &mut Buffers,
    ) -> Option<(usize, SocketAddr)> {
        let port = self.sockets.get_mut(index).filter(|port| port.readable)?;
        let trains = port.socket.receive(buffers);
        port.readable = trains > 0;
        port.readable.then(|| (trains, port.socket.local()))
    }

    /// Sends from the socket of the destination's family. Gives the buffer back unless it waits.
    pub(crate) fn send(&mut self, transmit: Transmit, now: Instant) -> Option<Vec<u8>> {
        let v4 = transmit.destination.is_ipv4();
        let ip = transmit.source.ip();
        let Some(port) = self
            .sockets
            .iter_mut()
            .find(|port| port.socket.local().is_ipv4() == v4)
        else {
            return Some(transmit.contents);
        };
        let own = ip.is_ipv4() == v4 && !ip.is_unspecified() && !self.foreign.contains(&ip);
        port.socket
            .send(transmit, own.then_some(ip), now, &self.registry)
    }

    /// Counters of all sockets.
    pub(crate) fn counters(&self) -> SocketCounters {
        self.sockets.iter().map(|port| port.socket.counters()).fold(
            SocketCounters::default(),
            |sum, one| SocketCounters {
                overflowed: sum.overflowed + one.overflowed,
                failed: sum.failed + one.failed,
            },
        )
    }
}

/// One socket a family. A machine without one of the two families makes do with the other.
fn bind_families(families: IpFamilies, port: u16, registry: &Registry) -> io::Result<Vec<Port>> {
    // With any port wanted, the second family needs the very one the first was given; should that be
    // taken there, another try gives another.
    for _ in 0..ATTEMPTS {
        match bind_once(families, port, registry) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && port == 0 => {}
            result => return result,
        }
    }
    Err(ErrorKind::AddrInUse.into())
}

fn bind_once(families: IpFamilies, port: u16, registry: &Registry) -> io::Result<Vec<Port>> {
    let mut sockets: Vec<Port> = Vec::new();
    let mut failure = None;
    for v6 in [false, true] {
        if (v6 && families == IpFamilies::V4) || (!v6 && families == IpFamilies::V6) {
            continue;
        }
        let port = sockets
            .first()
            .map_or(port, |port| port.socket.local().port());
        let token = Token(FIRST_SOCKET + sockets.len());
        match Socket::bind(v6, port, registry, token) {
            Ok(socket) => sockets.push(Port {
                socket,
                readable: true,
            }),
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(error),
            Err(error) => {
                tracing::debug!(%error, v6, "no socket of this family");
                failure = Some(error);
            }
        }
    }
    match (sockets.is_empty(), failure) {
        (true, Some(error)) => Err(error),
        _ => Ok(sockets),
    }
}
