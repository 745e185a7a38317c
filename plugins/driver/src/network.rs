// SPDX-License-Identifier: MPL-2.0
//! What the io thread does beside UDP: streams to TURN servers, ICE-TCP, names of servers.
use crate::driver::Io;
use crate::inbox::{Control, reached_at};
use crate::streams::{self, News};
use crate::tcp;
use mio::Token;
use rtc_payload::SessionId;
use rtc_session::{Datagram, StreamInput, StreamOutput, Transmit, Transport};
use std::net::IpAddr;
use std::time::{Duration, Instant};

impl Io {
    /// The poller told of something that is no UDP socket; false if it is one.
    pub(crate) fn note_ready(&mut self, token: Token) -> bool {
        match token.0 {
            tcp::LISTENER_TOKEN.. => self.connections.ready(token),
            streams::FIRST_TOKEN..=streams::LAST_TOKEN => self.streams.ready(token),
            _ => return false,
        }
        true
    }

    /// Carries what came by streams and connections to the sessions.
    pub(crate) fn take_streams(&mut self, now: Instant) {
        for ((slot, key), news) in self.streams.work(self.ports.registry()) {
            self.call(slot, now, |session| {
                let input = match &news {
                    News::Connected => StreamInput::Connected,
                    News::Data(bytes) => StreamInput::Data(bytes),
                    News::Closed(reason) => StreamInput::Closed { reason },
                };
                session.handle_stream(key, input, now);
            });
        }
        for frame in self.connections.work(self.ports.registry(), now) {
            // Its last words count when the peer has closed it since.
            let known = frame.slot.or_else(|| self.connections.owner(frame.token));
            let Some(slot) = known.or_else(|| self.demux.named(&frame.contents)) else {
                // A stranger that does not say whom it wants.
                self.connections.close(frame.token, self.ports.registry());
                continue;
            };
            if known.is_none() && !self.connections.introduce(frame.token, slot) {
                self.connections.close(frame.token, self.ports.registry());
                continue;
            }
            let datagram = Datagram {
                transport: Transport::Tcp,
                source: frame.source,
                destination: frame.destination,
                contents: &frame.contents,
            };
            if self.input(slot, datagram, Duration::ZERO, now) {
                self.drain(slot, now);
            }
        }
    }

    pub(crate) fn handle_stream_output(&mut self, slot: usize, output: StreamOutput) {
        let tls = self.slots.get(slot).and_then(|entry| entry.tls.clone());
        let registry = self.ports.registry();
        self.streams.handle(slot, output, tls.as_ref(), registry);
    }

    /// Sends what goes by ICE-TCP; gives the buffer back.
    pub(crate) fn send_framed(&mut self, slot: usize, transmit: Transmit, now: Instant) -> Vec<u8> {
        let registry = self.ports.registry();
        self.connections.send(slot, &transmit, registry, now);
        transmit.contents
    }

    /// Looks at the machine's addresses when they may have changed.
    pub(crate) fn take_changes(&mut self, now: Instant) {
        if self.changes.poll(now).is_none() {
            return;
        }
        // Another network may have another NAT.
        for name in self.announced.names() {
            let (alarm, lane) = (self.inbox.alarm.clone(), self.inbox.answers.clone());
            let asked = name.clone();
            self.names.ask(&asked, move |addresses| {
                if lane.send(Control::Announced(name, addresses)).is_ok() {
                    alarm.ring();
                }
            });
        }
        self.tell_addresses(now);
    }

    /// Tells every session where it is reached.
    pub(crate) fn tell_addresses(&mut self, now: Instant) {
        let (own, announced) = (self.changes.known(), self.announced.addresses());
        let tcp = [IpAddr::from([0, 0, 0, 0]), IpAddr::from([0; 16])];
        let tcp = tcp.map(|any| self.connections.listens(any));
        self.ports.set_foreign(announced.clone(), own);
        let own = own.to_vec();
        for slot in self.slots.all() {
            let Some(entry) = self.slots.get(slot) else {
                continue;
            };
            let ports = (entry.port, self.ports.port());
            let known = &entry.hidden;
            let hosts = reached_at(&self.config, &own, &announced, ports, tcp, known);
            let new = hosts.hidden.iter().filter(|hidden| !known.contains(hidden));
            let new: Vec<_> = new.cloned().collect();
            entry.hidden.extend_from_slice(&new);
            let id = entry.id;
            self.concealer.add(id, &new, ports.0);
            self.call(slot, now, |session| session.handle_addresses(hosts, now));
        }
    }

    pub(crate) fn resolve_server(&self, id: SessionId, name: String) {
        let (alarm, lane) = (self.inbox.alarm.clone(), self.inbox.answers.clone());
        let asked = name.clone();
        self.names.ask(&asked, move |addresses| {
            if lane.send(Control::Addresses(id, name, addresses)).is_ok() {
                alarm.ring();
            }
        });
    }

    pub(crate) fn server_resolved(
        &mut self,
        id: SessionId,
        name: &str,
        addresses: &[IpAddr],
        now: Instant,
    ) {
        self.with(id, now, |session| {
            session.handle_server_resolved(name, addresses, now);
        });
    }

    /// A session is over: its streams and connections go.
    pub(crate) fn end_streams(&mut self, slot: usize) {
        self.streams.end(slot);
        self.connections.end(slot, self.ports.registry());
    }

    /// The ports a session had for itself.
    pub(crate) fn close_ports(&mut self, own_ports: Vec<u16>) {
        for port in own_ports {
            self.demux.disown(port);
            self.ports.close(port);
        }
    }
}
