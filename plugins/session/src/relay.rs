// SPDX-License-Identifier: MPL-2.0
//! One allocation of a session: a TURN client and how its server is reached.
use crate::server::{Login, ServerTransport, ServerUrl};
use crate::stream::{StreamInput, StreamKey, StreamOutput};
use crate::turn::{STREAM_WAIT, Turn, TurnEvent};
use crate::{Datagram, Transmit, Transport};
use std::net::SocketAddr;
use std::time::Instant;

/// Other servers we let ourselves be sent to.
const MAX_REDIRECTS: u8 = 3;

/// What a relay puts out.
#[derive(Debug)]
pub(crate) enum RelayOutput {
    Transmit(Transmit),
    Stream(StreamOutput),
}

/// How a server is asked.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) url: ServerUrl,
    pub(crate) login: Login,
    /// Where UDP to the server comes from.
    pub(crate) local: SocketAddr,
    /// Whether an IPv6 address beside an IPv4 one is of use.
    pub(crate) wants_v6: bool,
}

#[derive(Debug)]
pub(crate) struct Relay {
    access: Access,
    server: SocketAddr,
    key: StreamKey,
    /// `None` while the stream connects, and when all is over.
    turn: Option<Turn>,
    wants_stream: bool,
    connecting: Option<Instant>,
    redirects: u8,
    pub(crate) relayed: Vec<SocketAddr>,
}

impl Relay {
    pub(crate) fn new(access: Access, server: SocketAddr, key: StreamKey, now: Instant) -> Self {
        let mut relay = Self {
            server,
            key,
            turn: None,
            wants_stream: false,
            connecting: None,
            redirects: 0,
            relayed: Vec::new(),
            access,
        };
        relay.begin(now);
        relay
    }

    /// Whether a datagram is its server's.
    pub(crate) fn owns(&self, datagram: &Datagram<'_>) -> bool {
        !self.is_stream()
            && datagram.transport == Transport::Udp
            && datagram.source == self.server
            && datagram.destination.port() == self.access.local.port()
    }

    pub(crate) fn key(&self) -> StreamKey {
        self.key
    }

    /// The relayed address of a peer's family.
    pub(crate) fn relayed_for(&self, peer: SocketAddr) -> Option<SocketAddr> {
        let fits = |address: &&SocketAddr| address.is_ipv4() == peer.is_ipv4();
        self.relayed.iter().find(fits).copied()
    }

    /// Takes a datagram of the server; yields a peer's datagram if there is one in it.
    pub(crate) fn handle_datagram<'a>(
        &mut self,
        contents: &'a [u8],
        now: Instant,
    ) -> Option<(SocketAddr, &'a [u8])> {
        self.turn.as_mut()?.handle_datagram(contents, now)
    }

    /// Takes what happened to the stream; yields peers' datagrams.
    pub(crate) fn handle_stream(
        &mut self,
        input: StreamInput<'_>,
        now: Instant,
    ) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut found = Vec::new();
        match input {
            StreamInput::Connected if self.connecting.is_some() => {
                self.connecting = None;
                self.allocate(now);
            }
            StreamInput::Connected => {}
            StreamInput::Data(bytes) => {
                let Some(turn) = self.turn.as_mut() else {
                    return found;
                };
                if !turn.push_stream(bytes) {
                    turn.lost("the server does not speak TURN");
                }
                while let Some(message) = turn.next_message() {
                    if let Some((peer, data)) = turn.handle_datagram(&message, now) {
                        found.push((peer, data.to_vec()));
                    }
                }
            }
            StreamInput::Closed { reason } => self.lost(reason, now),
        }
        found
    }

    pub(crate) fn send(
        &mut self,
        peer: SocketAddr,
        contents: &[u8],
        segment_size: Option<usize>,
        lasting: bool,
        now: Instant,
    ) {
        if let Some(turn) = &mut self.turn {
            turn.send(peer, contents, segment_size, lasting, now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.connecting.is_some_and(|at| at <= now) {
            self.lost("the connection to the server took too long", now);
        }
        if let Some(turn) = &mut self.turn {
            turn.handle_timeout(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let turn = self.turn.as_ref().and_then(Turn::poll_timeout);
        self.connecting.into_iter().chain(turn).min()
    }

    pub(crate) fn poll_output(&mut self) -> Option<RelayOutput> {
        let key = self.key;
        if std::mem::take(&mut self.wants_stream) {
            let tls = self.access.url.transport() == ServerTransport::Tls;
            return Some(RelayOutput::Stream(StreamOutput::Open {
                key,
                server: self.server,
                tls: tls.then(|| self.access.url.host().to_owned()),
            }));
        }
        let (contents, segment_size) = self.turn.as_mut()?.poll_transmit()?;
        Some(match self.is_stream() {
            true => RelayOutput::Stream(StreamOutput::Send { key, contents }),
            false => RelayOutput::Transmit(Transmit {
                transport: Transport::Udp,
                source: self.access.local,
                destination: self.server,
                contents,
                segment_size,
            }),
        })
    }

    /// What became of it; a redirection is followed.
    pub(crate) fn poll_event(&mut self, now: Instant) -> Option<TurnEvent> {
        let event = self.turn.as_mut()?.poll_event()?;
        match event {
            TurnEvent::Allocated(ref relayed) => self.relayed.clone_from(relayed),
            TurnEvent::Redirected(server) if self.redirects < MAX_REDIRECTS => {
                self.redirects += 1;
                self.server = server;
                self.turn = None;
                self.begin(now);
                return None;
            }
            TurnEvent::Redirected(_) => {
                return Some(TurnEvent::Failed {
                    code: 300,
                    text: "the server sends us from one to another".into(),
                    authority: None,
                });
            }
            TurnEvent::Failed { .. } | TurnEvent::LoginRefused { .. } => {}
        }
        Some(event)
    }

    pub(crate) fn is_allocated(&self) -> bool {
        self.turn.as_ref().is_some_and(Turn::is_allocated)
    }

    /// Shows the server another login from now on; false if there is no allocation to go on with.
    pub(crate) fn set_login(&mut self, login: &Login, now: Instant) -> bool {
        self.access.login = login.clone();
        self.turn
            .as_mut()
            .is_some_and(|turn| turn.set_login(login, now))
    }

    /// Gives the allocation back.
    pub(crate) fn release(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.release();
        }
    }

    fn is_stream(&self) -> bool {
        self.access.url.transport() != ServerTransport::Udp
    }

    fn begin(&mut self, now: Instant) {
        match self.is_stream() {
            true => {
                self.wants_stream = true;
                self.connecting = Some(now + STREAM_WAIT);
            }
            false => self.allocate(now),
        }
    }

    fn lost(&mut self, reason: &str, now: Instant) {
        self.connecting = None;
        self.wants_stream = false;
        // A client, if there is none yet, for it to fail by.
        if self.turn.is_none() {
            self.allocate(now);
        }
        if let Some(turn) = &mut self.turn {
            turn.lost(reason);
        }
    }

    fn allocate(&mut self, now: Instant) {
        let v6_only = self.server.is_ipv6();
        let v6 = (self.access.wants_v6, v6_only);
        self.turn = Some(Turn::new(&self.access.login, self.is_stream(), v6, now));
    }
}
