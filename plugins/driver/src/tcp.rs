// SPDX-License-Identifier: MPL-2.0
//! ICE over TCP (RFC 6544) on the port of UDP: connections of peers, and ours to peers; each carries
//! datagrams in frames of RFC 4571, all of one session.
use crate::IpFamilies;
use crate::wire::Wire;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use rtc_session::Transmit;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::{BTreeSet, HashMap};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::time::{Duration, Instant};

/// Tokens from here on are listeners, two at most.
pub(crate) const LISTENER_TOKEN: usize = 1 << 25;
/// Tokens from here on are connections.
pub(crate) const FIRST_TOKEN: usize = LISTENER_TOKEN + 2;
/// The port of candidates from which we connect (RFC 6544 §4.5).
pub(crate) const ACTIVE_PORT: u16 = 9;
/// Connections, and those among them of which nobody knows yet whose they are.
const MAX_CONNECTIONS: usize = 1024;
const MAX_STRANGERS: usize = 64;
/// Connections of one session that we begin, and that its peer does.
const MAX_OF_SESSION: usize = 16;
/// A peer says who it is by its first frame, within this.
const INTRODUCTION: Duration = Duration::from_secs(5);
/// Checks and consent are never this far apart.
const IDLE: Duration = Duration::from_secs(60);
/// A connection that failed is tried again after this.
const RETRY: Duration = Duration::from_secs(5);
const SWEEP: Duration = Duration::from_secs(1);
/// The largest frame taken, bytes: WebRTC's datagrams stay below 1,500.
const MAX_FRAME: usize = 4096;
const CHUNK: usize = 16 * 1024;
const CHUNKS_A_TURN: usize = 16;

/// A frame, with where it came from and to.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) token: usize,
    /// Whose it was when it was read; `None`: a stranger's.
    pub(crate) slot: Option<usize>,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) contents: Vec<u8>,
}

struct Connection {
    /// `None`: it failed, and the entry is there to remember that.
    wire: Option<Wire>,
    slot: Option<usize>,
    remote: SocketAddr,
    local: SocketAddr,
    opened: Instant,
    heard: Instant,
    bytes: Vec<u8>,
}

/// The connections of a driver.
#[derive(Default)]
pub(crate) struct Connections {
    listeners: Vec<TcpListener>,
    connections: HashMap<usize, Connection>,
    /// By session, our port and the peer's address.
    routes: HashMap<(usize, u16, SocketAddr), usize>,
    ready: BTreeSet<usize>,
    accepting: bool,
    next: usize,
    swept: Option<Instant>,
}

impl Connections {
    /// Takes connections on a port, as far as it is free.
    pub(crate) fn listen(families: IpFamilies, port: u16, registry: &Registry) -> Self {
        let mut all = Self::default();
        for (at, v6) in [false, true].into_iter().enumerate() {
            let ip = match v6 {
                true => IpAddr::from(Ipv6Addr::UNSPECIFIED),
                false => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            };
            if !families.contains(ip) {
                continue;
            }
            match listener(SocketAddr::new(ip, port)) {
                Ok(listener) => {
                    let mut listener = TcpListener::from_std(listener);
                    let token = Token(LISTENER_TOKEN + at);
                    match registry.register(&mut listener, token, Interest::READABLE) {
                        Ok(()) => all.listeners.push(listener),
                        Err(error) => tracing::warn!(%error, "cannot watch the TCP port"),
                    }
                }
                Err(error) => tracing::info!(%error, %ip, port, "no ICE-TCP"),
            }
        }
        all
    }

    /// Whether it takes connections of a family.
    pub(crate) fn listens(&self, ip: IpAddr) -> bool {
        let fits = |listener: &TcpListener| {
            listener
                .local_addr()
                .is_ok_and(|at| at.is_ipv4() == ip.is_ipv4())
        };
        self.listeners.iter().any(fits)
    }

    /// The poller told of one of them.
    pub(crate) fn ready(&mut self, token: Token) {
        match token.0 < FIRST_TOKEN {
            true => self.accepting = true,
            false => drop(self.ready.insert(token.0)),
        }
    }

    pub(crate) fn has_work(&self) -> bool {
        self.accepting || !self.ready.is_empty()
    }

    /// When to look for idle ones.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let swept = self.swept?;
        (!self.connections.is_empty()).then_some(swept + SWEEP)
    }

    /// Puts datagrams on the connection between their addresses; opens it where we are to.
    pub(crate) fn send(
        &mut self,
        slot: usize,
        transmit: &Transmit,
        registry: &Registry,
        now: Instant,
    ) {
        let key = (slot, transmit.source.port(), transmit.destination);
        let token = match self.routes.get(&key) {
            Some(token) => *token,
            None if transmit.source.port() == ACTIVE_PORT => {
                let Some(token) = self.connect(slot, transmit, registry, now) else {
                    return;
                };
                token
            }
            None => return,
        };
        let Some(wire) = self
            .connections
            .get_mut(&token)
            .and_then(|connection| connection.wire.as_mut())
        else {
            return;
        };
        let size = transmit.segment_size.unwrap_or(transmit.contents.len());
        for part in transmit.contents.chunks(size.max(1)) {
            // A datagram is shorter than 64 KiB.
            let length = (part.len() as u16).to_be_bytes();
            if !wire.send(&[&length, part]) {
                return;
            }
        }
    }

    /// Whose a connection is, `None` while it is a stranger's.
    pub(crate) fn owner(&self, token: usize) -> Option<usize> {
        self.connections.get(&token)?.slot
    }

    /// The session of a stranger is known: the first frame named it. False if it has enough.
    pub(crate) fn introduce(&mut self, token: usize, slot: usize) -> bool {
        let theirs = |one: &&Connection| one.slot == Some(slot) && one.local.port() != ACTIVE_PORT;
        if self.connections.values().filter(theirs).count() >= MAX_OF_SESSION {
            return false;
        }
        if let Some(connection) = self.connections.get_mut(&token) {
            connection.slot = Some(slot);
            let key = (slot, connection.local.port(), connection.remote);
            self.routes.insert(key, token);
        }
        true
    }

    /// Ends a connection.
    pub(crate) fn close(&mut self, token: usize, registry: &Registry) {
        if let Some(mut connection) = self.connections.remove(&token) {
            self.routes.retain(|_, other| *other != token);
            if let Some(wire) = &mut connection.wire {
                wire.unwatch(registry);
            }
        }
    }

    /// A session is over.
    pub(crate) fn end(&mut self, slot: usize, registry: &Registry) {
        let of_slot = |(token, connection): (&usize, &Connection)| {
            (connection.slot == Some(slot)).then_some(*token)
        };
        let gone: Vec<usize> = self.connections.iter().filter_map(of_slot).collect();
        for token in gone {
            // Its goodbye is in the kernel already, unless the peer takes nothing.
            self.close(token, registry);
        }
    }

    /// Takes new connections and reads a bounded amount.
    pub(crate) fn work(&mut self, registry: &Registry, now: Instant) -> Vec<Frame> {
        if std::mem::take(&mut self.accepting) {
            self.accept(registry, now);
        }
        let mut frames = Vec::new();
        for token in std::mem::take(&mut self.ready) {
            let Some(connection) = self.connections.get_mut(&token) else {
                continue;
            };
            match connection.read(token, &mut frames, now) {
                Ok(true) => drop(self.ready.insert(token)),
                Ok(false) => {}
                Err(reason) => {
                    tracing::debug!(reason, remote = %connection.remote, "ICE-TCP");
                    self.fail(token, registry, now);
                }
            }
        }
        self.sweep(registry, now);
        frames
    }

    /// One we began is remembered for a while, lest each check begin another.
    fn fail(&mut self, token: usize, registry: &Registry, now: Instant) {
        match self.connections.get_mut(&token) {
            Some(connection) if connection.local.port() == ACTIVE_PORT => {
                if let Some(mut wire) = connection.wire.take() {
                    wire.unwatch(registry);
                }
                connection.opened = now;
            }
            _ => self.close(token, registry),
        }
    }

    fn accept(&mut self, registry: &Registry, now: Instant) {
        for at in 0..self.listeners.len() {
            loop {
                let (stream, remote) = match self.listeners[at].accept() {
                    Ok(accepted) => accepted,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                    Err(error) => {
                        tracing::debug!(%error, "accept");
                        break;
                    }
                };
                let strangers = self.connections.values().filter(|one| one.slot.is_none());
                if self.connections.len() >= MAX_CONNECTIONS || strangers.count() >= MAX_STRANGERS {
                    continue;
                }
                let token = self.token();
                if let Ok(wire) = Wire::accepted(stream, registry, Token(token))
                    && let Ok(local) = wire.local()
                {
                    self.insert(token, Connection::new(Some(wire), None, remote, local, now));
                }
            }
        }
    }

    fn connect(
        &mut self,
        slot: usize,
        transmit: &Transmit,
        registry: &Registry,
        now: Instant,
    ) -> Option<usize> {
        let ours = |one: &&Connection| one.slot == Some(slot) && one.local.port() == ACTIVE_PORT;
        if self.connections.len() >= MAX_CONNECTIONS
            || self.connections.values().filter(ours).count() >= MAX_OF_SESSION
        {
            return None;
        }
        let token = self.token();
        let from = Some(transmit.source.ip());
        let wire = Wire::connect(transmit.destination, from, None, registry, Token(token))
            .inspect_err(|error| tracing::debug!(%error, to = %transmit.destination, "ICE-TCP"))
            .ok();
        let (remote, local) = (transmit.destination, transmit.source);
        self.insert(token, Connection::new(wire, Some(slot), remote, local, now));
        self.routes.insert((slot, local.port(), remote), token);
        Some(token)
    }

    fn insert(&mut self, token: usize, connection: Connection) {
        self.swept.get_or_insert(connection.opened);
        self.connections.insert(token, connection);
        // Something may have come before it was watched.
        self.ready.insert(token);
    }

    fn sweep(&mut self, registry: &Registry, now: Instant) {
        if self.swept.is_none_or(|swept| now < swept + SWEEP) {
            return;
        }
        self.swept = Some(now);
        let over = |connection: &Connection| match (&connection.wire, connection.slot) {
            (None, _) => now >= connection.opened + RETRY,
            (_, None) => now >= connection.opened + INTRODUCTION,
            (Some(_), Some(_)) => now >= connection.heard + IDLE,
        };
        let gone = self.connections.iter().filter(|(_, one)| over(one));
        let gone: Vec<usize> = gone.map(|(token, _)| *token).collect();
        for token in gone {
            self.close(token, registry);
        }
        if self.connections.is_empty() {
            self.swept = None;
        }
    }

    fn token(&mut self) -> usize {
        self.next = (self.next + 1) % (1 << 24);
        FIRST_TOKEN + self.next
    }
}

impl Connection {
    fn new(
        wire: Option<Wire>,
        slot: Option<usize>,
        remote: SocketAddr,
        local: SocketAddr,
        now: Instant,
    ) -> Self {
        Self {
            wire,
            slot,
            remote,
            local,
            opened: now,
            heard: now,
            bytes: Vec::new(),
        }
    }

    /// Whether there may be more; an error is its end.
    fn read(
        &mut self,
        token: usize,
        frames: &mut Vec<Frame>,
        now: Instant,
    ) -> Result<bool, String> {
        let Some(wire) = &mut self.wire else {
            return Ok(false);
        };
        wire.progress().map_err(|error| error.to_string())?;
        let mut buffer = [0; CHUNK];
        for _ in 0..CHUNKS_A_TURN {
            match wire.read(&mut buffer) {
                Ok(0) => return Err("closed by the peer".into()),
                Ok(length) => {
                    self.heard = now;
                    self.bytes.extend_from_slice(&buffer[..length]);
                    let mut taken = 0;
                    while let Some(contents) = next_frame(&self.bytes[taken..])? {
                        taken += 2 + contents.len();
                        frames.push(Frame {
                            token,
                            slot: self.slot,
                            source: self.remote,
                            destination: self.local,
                            contents: contents.to_vec(),
                        });
                    }
                    self.bytes.drain(..taken);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(true)
    }
}

/// The frame at the front, once it is whole (RFC 4571 §2).
fn next_frame(bytes: &[u8]) -> Result<Option<&[u8]>, String> {
    let Some(head) = bytes.get(..2) else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([head[0], head[1]]));
    if length > MAX_FRAME {
        return Err(format!("a frame of {length} bytes"));
    }
    Ok(bytes.get(2..2 + length))
}

fn listener(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier run may linger in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(64)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_and_not_too_large() {
        assert_eq!(next_frame(&[0]), Ok(None));
        assert_eq!(next_frame(&[0, 2, 7]), Ok(None));
        assert_eq!(next_frame(&[0, 2, 7, 8, 9]), Ok(Some(&[7, 8][..])));
        assert_eq!(next_frame(&[0, 0, 1]), Ok(Some(&[][..])));
        assert!(next_frame(&[0x10, 1]).is_err());
        // What a web client would send first.
        assert!(next_frame(b"GET / HTTP/1.1").is_err());
    }
}
