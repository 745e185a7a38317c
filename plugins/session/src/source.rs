// SPDX-License-Identifier: MPL-2.0
//! A server under one URI while it is asked: Binding requests, an allocation.
use crate::relay::{Relay, RelayOutput};
use crate::server::{Login, ServerUrl};
use crate::turn::{SENDS, wait};
use crate::{Transmit, Transport};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use stun_proto::types::message::{
    BINDING, Message, MessageWrite, MessageWriteExt, MessageWriteVec, TransactionId,
};

/// Until there is a path a NAT's mapping is kept alive (RFC 8445 §11).
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A Binding request from one of our addresses to a server.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) host: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) id: TransactionId,
    pub(crate) message: Vec<u8>,
    pub(crate) sends: u32,
    pub(crate) next: Option<Instant>,
    pub(crate) mapped: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Resolving,
    Running,
    Done,
}

/// A server under one URI.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) url: ServerUrl,
    pub(crate) login: Option<Login>,
    pub(crate) phase: Phase,
    pub(crate) probes: Vec<Probe>,
    pub(crate) relay: Option<Relay>,
    /// Addresses of a TURN server not yet tried.
    pub(crate) spare: Vec<SocketAddr>,
    /// Its name must be known by then.
    pub(crate) resolve_by: Option<Instant>,
    /// The error to tell of a STUN server, if nothing comes of it.
    pub(crate) error: Option<(u16, String)>,
    pub(crate) told: bool,
}

impl Source {
    pub(crate) fn new(url: &ServerUrl, login: Option<&Login>) -> Self {
        Self {
            url: url.clone(),
            login: login.cloned(),
            phase: Phase::Idle,
            probes: Vec::new(),
            relay: None,
            spare: Vec::new(),
            resolve_by: None,
            error: None,
            told: false,
        }
    }

    /// Whether nothing is waited for.
    pub(crate) fn is_settled(&self) -> bool {
        let probes = self.probes.iter();
        let waits = |probe: &Probe| probe.mapped.is_none() && probe.next.is_some();
        let relay = self.relay.as_ref().is_none_or(Relay::is_allocated);
        relay && !probes.into_iter().any(waits)
    }
}

impl Probe {
    pub(crate) fn new(
        host: SocketAddr,
        server: SocketAddr,
        now: Instant,
        out: &mut VecDeque<RelayOutput>,
    ) -> Self {
        let message = Message::builder_request(BINDING, MessageWriteVec::new());
        let id = message.transaction_id();
        let mut probe = Self {
            host,
            server,
            id,
            message: message.finish(),
            sends: 0,
            next: None,
            mapped: None,
        };
        probe.send(now, out);
        probe
    }

    pub(crate) fn send(&mut self, now: Instant, out: &mut VecDeque<RelayOutput>) {
        self.sends += 1;
        self.next = Some(now + wait(self.sends));
        out.push_back(RelayOutput::Transmit(Transmit {
            transport: Transport::Udp,
            source: self.host,
            destination: self.server,
            contents: self.message.clone(),
            segment_size: None,
        }));
    }

    pub(crate) fn handle_timeout(
        &mut self,
        connected: bool,
        now: Instant,
        out: &mut VecDeque<RelayOutput>,
    ) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        match self.mapped {
            Some(_) if connected => self.next = None,
            Some(_) => {
                self.send(now, out);
                self.next = Some(now + KEEP_ALIVE);
            }
            None if self.sends >= SENDS => self.next = None,
            None => self.send(now, out),
        }
    }
}
