// SPDX-License-Identifier: MPL-2.0
//! One TCP connection, with TLS or without: what is to be sent waits here, bounded; what came is read
//! in pieces.
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream as StdStream};
use std::sync::Arc;

/// Bytes that may wait, beyond which datagrams are dropped as a full link drops them.
const MAX_QUEUED: usize = 1 << 20;

pub(crate) struct Wire {
    io: TcpStream,
    tls: Option<Box<ClientConnection>>,
    connected: bool,
    out: Vec<u8>,
    written: usize,
    closing: bool,
}

impl Wire {
    /// Begins to connect, from a local address if one is given; with TLS to a server of that name.
    pub(crate) fn connect(
        server: SocketAddr,
        from: Option<IpAddr>,
        tls: Option<(Arc<ClientConfig>, &str)>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let tls = match tls {
            Some((config, name)) => {
                let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
                let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
                Some(Box::new(connection))
            }
            None => None,
        };
        let raw = Socket::new(
            Domain::for_address(server),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        raw.set_nonblocking(true)?;
        if let Some(from) = from {
            raw.bind(&SockAddr::from(SocketAddr::new(from, 0)))?;
        }
        match raw.connect(&SockAddr::from(server)) {
            Err(error) if !in_progress(&error) => return Err(error),
            _ => {}
        }
        Self::new(StdStream::from(raw), tls, false, registry, token)
    }

    /// Takes a connection that somebody made to us.
    pub(crate) fn accepted(io: TcpStream, registry: &Registry, token: Token) -> io::Result<Self> {
        Self::watch(io, None, true, registry, token)
    }

    fn new(
        io: StdStream,
        tls: Option<Box<ClientConnection>>,
        connected: bool,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        Self::watch(TcpStream::from_std(io), tls, connected, registry, token)
    }

    fn watch(
        mut io: TcpStream,
        tls: Option<Box<ClientConnection>>,
        connected: bool,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        // Datagrams are not to wait for each other.
        let _ = io.set_nodelay(true);
        registry.register(&mut io, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            io,
            tls,
            connected,
            out: Vec::new(),
            written: 0,
            closing: false,
        })
    }

    /// Whether data can flow: connected, and the TLS handshake done.
    pub(crate) fn is_open(&self) -> bool {
        self.connected && self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// Whether all was sent of a connection that is to be closed.
    pub(crate) fn is_finished(&self) -> bool {
        self.closing && self.waiting() == 0
    }

    /// Goes on with what is under way, whatever the poller said.
    pub(crate) fn progress(&mut self) -> io::Result<()> {
        if !self.connected {
            if let Some(error) = self.io.take_error()? {
                return Err(error);
            }
            match self.io.peer_addr() {
                Ok(_) => self.connected = true,
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.flush()
    }

    /// Queues bytes and sends what can be sent. False: too much waits, they were dropped.
    pub(crate) fn send(&mut self, parts: &[&[u8]]) -> bool {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.waiting() + length > MAX_QUEUED {
            return false;
        }
        for part in parts {
            match &mut self.tls {
                // Its own buffer is unbounded by the connection's choice; ours bounds it above.
                Some(tls) => drop(tls.writer().write_all(part)),
                None => self.out.extend_from_slice(part),
            }
        }
        // An error shows again when the poller tells of the connection.
        let _ = self.flush();
        true
    }

    /// Sends what waits, then it may go.
    pub(crate) fn finish(&mut self) {
        self.closing = true;
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.flush();
    }

    /// Reads; 0 is the end, `WouldBlock` that there is nothing more for now.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(tls) = &mut self.tls else {
                return self.io.read(buffer);
            };
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            if tls.read_tls(&mut self.io)? == 0 {
                return Ok(0);
            }
            let result = tls.process_new_packets().map_err(io::Error::other);
            // An alert, or the next flight of the handshake.
            self.flush()?;
            result?;
        }
    }

    pub(crate) fn unwatch(&mut self, registry: &Registry) {
        if let Err(error) = registry.deregister(&mut self.io) {
            tracing::debug!(%error, "deregister");
        }
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.connected {
            return Ok(());
        }
        loop {
            if let Some(tls) = &mut self.tls {
                while tls.wants_write() && self.out.len() - self.written < MAX_QUEUED {
                    tls.write_tls(&mut self.out)?;
                }
            }
            if self.waiting() == 0 {
                self.out.clear();
                self.written = 0;
                return Ok(());
            }
            match self.io.write(&self.out[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => self.written += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.written > MAX_QUEUED / 2 {
                self.out.drain(..self.written);
                self.written = 0;
            }
        }
    }
}

fn in_progress(error: &io::Error) -> bool {
    // EINPROGRESS has no kind of its own.
    error.kind() == ErrorKind::WouldBlock || error.raw_os_error() == Some(115)
}
