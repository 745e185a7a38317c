// SPDX-License-Identifier: MPL-2.0
//! The io thread: one loop that owns the sockets and every session.
//!
//! It reads the clock for each session it sends for, that no session takes the time others took for its
//! path's delay; it never waits but for the poller, and does a bounded amount of each
//! kind of work a turn, the control lane first, so that nothing starves the rest.
use crate::announced::Announced;
use crate::changes::{self, Changes};
use crate::conceal::Concealer;
use crate::counters::count;
use crate::deadline::Deadlines;
use crate::demux::Demux;
use crate::gop::Gops;
use crate::inbox::{Control, Handle, Inbox, JoinGuard, Lanes, Opening};
use crate::interfaces::{host_addresses, wanted};
use crate::names::Names;
use crate::ports::{Ports, WAKER};
use crate::resolve::Resolver;
use crate::slots::{Entry, Slots};
use crate::socket::Buffers;
use crate::streams::Streams;
use crate::tcp::Connections;
use crate::{DriverConfig, DriverError, Outlet};
use bytes::Bytes;
use mio::{Events, Poll, Waker};
use rtc_payload::SessionId;
use rtc_rtp::MediaEvent;
use rtc_session::{ChannelKey, Command, Datagram, Event, Output, Session, SessionError, Transport};
use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

/// Work of one kind in a turn. A batch from a socket may exceed it once.
const DATAGRAMS_A_TURN: usize = 256;
const CONTROLS_A_TURN: usize = 256;
/// Outputs of one session before others get their turn.
const OUTPUTS_A_TURN: usize = 4096;
/// A session that names a deadline that has passed is called again after this, not at once.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
/// Sessions may take this long to say goodbye when the driver ends.
const GOODBYE: Duration = Duration::from_millis(500);

/// Starts io threads.
#[derive(Debug)]
pub struct Driver;

impl Driver {
    /// Opens the sockets and starts the io thread (`rtc-io`), which ends with the guard or the last
    /// handle, whichever goes first.
    pub fn start(
        config: DriverConfig,
        outlet: Box<dyn Outlet>,
    ) -> Result<(Handle, JoinGuard), DriverError> {
        let poll = Poll::new().map_err(DriverError::Thread)?;
        let registry = poll.registry().try_clone().map_err(DriverError::Thread)?;
        let mut config = config;
        let mut ports = Ports::bind(&config, registry)?;
        config.ip_families = ports.families();
        let announced = Announced::new(&config)?;
        let local = host_addresses(&config).map_err(DriverError::Thread)?;
        if local.is_empty() && announced.addresses().is_empty() {
            return Err(DriverError::NoAddress(wanted(&config)));
        }
        ports.set_foreign(announced.addresses(), &local);
        let port = ports.port();
        let connections = match config.ice_tcp {
            true => Connections::listen(config.ip_families, port, ports.registry()),
            false => Connections::default(),
        };
        let tcp = [IpAddr::from([0, 0, 0, 0]), IpAddr::from([0; 16])];
        let tcp = tcp.map(|any| connections.listens(any));
        let waker = Waker::new(poll.registry(), WAKER).map_err(DriverError::Thread)?;
        let (lanes, inbox) = Lanes::new(waker, config.media_lane);
        let resolver = config.resolve_mdns.then(Resolver::default);
        let changes = Changes::new(config.clone(), local, ports.registry());
        let places = (config.clone(), announced.clone());
        let spawn = |inbox, alive| {
            thread::Builder::new().name("rtc-io".into()).spawn(move || {
                let network = (ports, connections, changes, places);
                Io::new(poll, network, inbox, resolver, outlet).run(alive)
            })
        };
        lanes
            .into_thread(inbox, (config, announced), (port, tcp), spawn)
            .map_err(DriverError::Thread)
    }
}

pub(crate) struct Io {
    poll: Poll,
    pub(crate) ports: Ports,
    pub(crate) streams: Streams,
    pub(crate) connections: Connections,
    pub(crate) names: Names,
    pub(crate) changes: Changes,
    pub(crate) concealer: Concealer,
    pub(crate) config: DriverConfig,
    pub(crate) announced: Announced,
    pub(crate) inbox: Inbox,
    outlet: Box<dyn Outlet>,
    resolver: Option<Resolver>,
    pub(crate) slots: Slots,
    pub(crate) gops: Gops,
    pub(crate) demux: Demux,
    deadlines: Deadlines,
    /// Blocks were left in the media lane.
    pub(crate) more_media: bool,
    /// Messages were left in the control lane.
    more_control: bool,
    /// The driver ends: no session is opened any more.
    closing: bool,
    /// Reused from turn to turn.
    pub(crate) due: Vec<usize>,
}

impl Io {
    fn new(
        poll: Poll,
        (ports, connections, changes, (config, announced)): (
            Ports,
            Connections,
            Changes,
            (DriverConfig, Announced),
        ),
        inbox: Inbox,
        resolver: Option<Resolver>,
        outlet: Box<dyn Outlet>,
    ) -> Self {
        Self {
            poll,
            ports,
            streams: Streams::default(),
            connections,
            names: Names::default(),
            changes,
            concealer: Concealer::default(),
            config,
            announced,
            inbox,
            outlet,
            resolver,
            slots: Slots::default(),
            gops: Gops::default(),
            demux: Demux::default(),
            deadlines: Deadlines::default(),
            more_media: false,
            more_control: false,
            closing: false,
            due: Vec::new(),
        }
    }

    /// Runs until the last handle is gone. `alive` is dropped with the thread's last act.
    fn run(mut self, alive: SyncSender<()>) {
        let mut events = Events::with_capacity(16);
        let mut buffers = Buffers::new();
        let mut now = Instant::now();
        while !self.inbox.alarm.is_closed() {
            now = self.turn(&mut events, &mut buffers, None);
        }
        self.take_control(now);
        self.close_all(now);
        let deadline = now + GOODBYE;
        while now < deadline && (self.slots.len() > 0 || self.ports.is_waiting()) {
            now = self.turn(&mut events, &mut buffers, Some(deadline));
        }
        for slot in self.slots.all() {
            self.end(slot, None);
        }
        drop(self);
        drop(alive);
    }

    fn turn(
        &mut self,
        events: &mut Events,
        buffers: &mut Buffers,
        limit: Option<Instant>,
    ) -> Instant {
        let wait = self.wait(limit);
        if let Err(error) = self.poll.poll(events, wait)
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            tracing::error!(%error, "poll");
        }
        let now = Instant::now();
        for event in events.iter().filter(|event| event.token() != WAKER) {
            let token = event.token();
            if token == changes::TOKEN {
                self.changes.ready(now);
            } else if !self.note_ready(token) {
                self.ports
                    .ready(token, event.is_readable(), event.is_writable(), now);
            }
        }
        self.inbox.alarm.reset();
        self.take_control(now);
        self.take_answers(now);
        self.take_changes(now);
        let now = self.take_timeouts(now);
        let now = self.take_datagrams(buffers, now);
        self.take_streams(now);
        let now = self.take_media(now);
        self.catch_up(now);
        self.count();
        now
    }

    /// How long the poller may sleep.
    fn wait(&self, limit: Option<Instant>) -> Option<Duration> {
        let streams = self.streams.has_work() || self.connections.has_work();
        if self.more_control || self.more_media || self.ports.is_readable() || streams {
            return Some(Duration::ZERO);
        }
        let resolver = self.resolver.as_ref();
        let earliest = [
            self.deadlines.earliest(),
            resolver.and_then(Resolver::wake_at),
            self.connections.wake_at(),
            self.changes.wake_at(),
            limit,
        ];
        let earliest = earliest.into_iter().flatten().min()?;
        Some(earliest.saturating_duration_since(Instant::now()))
    }

    fn take_control(&mut self, now: Instant) {
        self.more_control = true;
        // Messages given together leave together, in as few packets as they need.
        let mut filled = Vec::new();
        for _ in 0..CONTROLS_A_TURN {
            let Ok(control) = self.inbox.control.try_recv() else {
                self.more_control = false;
                break;
            };
            match control {
                Control::Command(id, command @ Command::SendMessage { .. }) => {
                    self.fill(id, command, &mut filled, now);
                }
                Control::Open(opening) => self.open(*opening, now),
                Control::Addresses(id, name, addresses) => {
                    self.server_resolved(id, &name, &addresses, now);
                }
                Control::Announced(name, addresses) => {
                    self.announced.note(&name, addresses);
                    self.tell_addresses(now);
                }
                Control::Command(id, command) => {
                    self.with(id, now, |session| session.handle_command(command, now));
                }
                Control::Message(channel, data, text) => self.message(channel, &data, text, now),
                Control::Keep(feed, keep) => self.gops.keep(feed, keep),
                Control::Stats(id, reply) => self.with(id, now, |session| reply(session.stats())),
                Control::Panic(id) => self.with(id, now, |_| panic!("asked for by a test")),
            }
        }
        for slot in filled {
            self.drain(slot, now);
        }
    }

    /// Gives a session a message that leaves when the slots in `filled` are drained.
    fn fill(&mut self, id: SessionId, command: Command, filled: &mut Vec<usize>, now: Instant) {
        let Some(slot) = self.slots.find(id) else {
            return;
        };
        let Some(entry) = self.slots.get(slot) else {
            return;
        };
        match guard(|| entry.session.handle_command(command, now)) {
            Ok(()) if filled.contains(&slot) => {}
            Ok(()) => filled.push(slot),
            Err(reason) => self.fail(slot, reason),
        }
    }

    /// Gives a message to every session that has the channel.
    fn message(&mut self, channel: ChannelKey, data: &Bytes, text: bool, now: Instant) {
        for slot in self.slots.all() {
            let has = |entry: &mut Entry| entry.session.has_channel(channel);
            if self.slots.get(slot).is_some_and(has) {
                let data = data.clone();
                self.call(slot, now, |session| {
                    let command = Command::SendMessage {
                        channel,
                        data,
                        text,
                    };
                    session.handle_command(command, now);
                });
            }
        }
    }

    fn take_answers(&mut self, now: Instant) {
        let Some(resolver) = &mut self.resolver else {
            return;
        };
        for answer in resolver.poll(now) {
            tracing::debug!(name = answer.name, addresses = ?answer.addresses, "mDNS");
            self.with(answer.session, now, |session| {
                session.handle_resolved(&answer.name, &answer.addresses, now);
            });
        }
    }

    fn take_timeouts(&mut self, now: Instant) -> Instant {
        let mut now = now;
        let mut due = std::mem::take(&mut self.due);
        due.extend(std::iter::from_fn(|| self.deadlines.pop_due(now)));
        for slot in due.drain(..) {
            now = Instant::now();
            self.call(slot, now, |session| session.handle_timeout(now));
        }
        self.due = due;
        now
    }

    fn take_datagrams(&mut self, buffers: &mut Buffers, now: Instant) -> Instant {
        let (mut taken, mut now) = (0, now);
        while taken < DATAGRAMS_A_TURN {
            let Some((trains, local)) = self.ports.receive(buffers) else {
                return now;
            };
            now = Instant::now();
            taken += self.dispatch(buffers, trains, local, now);
        }
        now
    }

    /// Gives each datagram to its session, and drains a session when the next one is another's.
    fn dispatch(
        &mut self,
        buffers: &Buffers,
        trains: usize,
        local: SocketAddr,
        now: Instant,
    ) -> usize {
        let mut taken = 0;
        let mut last: Option<usize> = None;
        for (datagram, late) in buffers.datagrams(trains, local) {
            taken += 1;
            let Some(slot) = self.demux.route(&datagram) else {
                count(&self.inbox.counters.datagrams_unrouted);
                continue;
            };
            if let Some(other) = last.filter(|other| *other != slot) {
                self.drain(other, now);
            }
            last = self.input(slot, datagram, late, now).then_some(slot);
        }
        if let Some(slot) = last {
            self.drain(slot, now);
        }
        taken
    }

    /// Takes what the system received `late` ago. Whether the session is still there and has to be drained.
    pub(crate) fn input(
        &mut self,
        slot: usize,
        datagram: Datagram<'_>,
        late: Duration,
        now: Instant,
    ) -> bool {
        let Some(entry) = self.slots.get(slot) else {
            return false;
        };
        match guard(|| entry.session.handle_late_datagram(datagram, late, now)) {
            // What answers a check opens the address, and the next datagram may come from there.
            Ok(()) if crate::stun::is_stun(datagram.contents) => {
                self.drain(slot, now);
                false
            }
            Ok(()) => true,
            Err(reason) => {
                self.fail(slot, reason);
                false
            }
        }
    }

    fn open(&mut self, opening: Opening, now: Instant) {
        let Opening {
            config,
            own_ports,
            relay_port,
            sockets,
            port,
            tls,
        } = opening;
        let id = config.id;
        if self.closing {
            self.tell(id, Event::Closed(None));
            return;
        }
        let hidden = config.hosts.hidden.clone();
        self.concealer.add(id, &hidden, port);
        match guard(|| Session::new(config, now)) {
            Ok(session) => {
                let slot = self
                    .slots
                    .insert(id, session, (port, own_ports), hidden, tls);
                self.ports.add(sockets);
                self.demux.add(slot, id);
                if let Some(port) = relay_port {
                    self.demux.own(slot, port);
                }
                self.note_ufrag(slot);
                self.drain(slot, now);
            }
            Err(reason) => {
                count(&self.inbox.counters.panics);
                self.tell(id, Event::Closed(Some(SessionError::Internal { reason })));
            }
        }
    }

    fn close_all(&mut self, now: Instant) {
        self.closing = true;
        for slot in self.slots.all() {
            self.call(slot, now, |session| {
                session.handle_command(Command::Close, now)
            });
        }
    }

    pub(crate) fn with(&mut self, id: SessionId, now: Instant, input: impl FnOnce(&mut Session)) {
        if let Some(slot) = self.slots.find(id) {
            self.call(slot, now, input);
        }
    }

    /// One input into a session, and all outputs that follow from it.
    pub(crate) fn call(&mut self, slot: usize, now: Instant, input: impl FnOnce(&mut Session)) {
        let Some(entry) = self.slots.get(slot) else {
            return;
        };
        match guard(|| input(&mut entry.session)) {
            Ok(()) => self.drain(slot, now),
            Err(reason) => self.fail(slot, reason),
        }
    }

    pub(crate) fn drain(&mut self, slot: usize, now: Instant) {
        for _ in 0..OUTPUTS_A_TURN {
            let Some(entry) = self.slots.get(slot) else {
                return;
            };
            match guard(|| entry.session.poll_output(now)) {
                Ok(Output::Transmit(transmit)) => {
                    let buffer = match transmit.transport {
                        Transport::Udp => {
                            self.demux.sent(slot, &transmit);
                            self.ports.send(transmit, now)
                        }
                        Transport::Tcp => Some(self.send_framed(slot, transmit, now)),
                    };
                    if let (Some(buffer), Some(entry)) = (buffer, self.slots.get(slot)) {
                        entry.session.recycle(buffer);
                    }
                }
                Ok(Output::Stream(stream)) => self.handle_stream_output(slot, stream),
                Ok(Output::Event(event)) => self.take_event(slot, event, now),
                Ok(Output::Timeout(at)) => {
                    self.deadlines.set(slot, at.max(now + SHORTEST_WAIT));
                    return;
                }
                Err(reason) => return self.fail(slot, reason),
            }
        }
        self.deadlines.set(slot, now + SHORTEST_WAIT);
    }

    fn take_event(&mut self, slot: usize, event: Event, now: Instant) {
        let Some(entry) = self.slots.get(slot) else {
            return;
        };
        let id = entry.id;
        match event {
            Event::ResolveServer { name } => return self.resolve_server(id, name),
            Event::Resolve { name } => return self.resolve(slot, id, &name, now),
            Event::Closed(error) => return self.end(slot, error),
            Event::Media(ref media) => self.slots.set_media(slot, media),
            Event::Rtp(MediaEvent::KeyframeWanted { track, codec, .. }) => {
                self.gops.want(slot, (track, codec));
            }
            Event::LocalDescription { .. } => self.note_ufrag(slot),
            _ => {}
        }
        if !self.tell(id, event) {
            self.fail(slot, "the outlet panicked".into());
        }
    }

    fn resolve(&mut self, slot: usize, id: SessionId, name: &str, now: Instant) {
        let asked = self
            .resolver
            .as_mut()
            .is_some_and(|resolver| resolver.ask(id, name, now));
        if asked {
            return;
        }
        tracing::debug!(name, "not looked up");
        // Not by `call`: the one who called is draining this session.
        if let Some(entry) = self.slots.get(slot)
            && let Err(reason) = guard(|| entry.session.handle_resolved(name, &[], now))
        {
            self.fail(slot, reason);
        }
    }

    fn note_ufrag(&mut self, slot: usize) {
        if let Some(entry) = self.slots.get(slot) {
            self.demux.set_ufrag(slot, entry.session.local_ufrag());
        }
    }

    fn fail(&mut self, slot: usize, reason: String) {
        count(&self.inbox.counters.panics);
        tracing::error!(reason, "a session panicked");
        self.end(slot, Some(SessionError::Internal { reason }));
    }

    /// Forgets a session, and tells that it is over.
    fn end(&mut self, slot: usize, error: Option<SessionError>) {
        let Some(entry) = self.slots.remove(slot) else {
            return;
        };
        self.demux.remove(slot);
        self.deadlines.clear(slot);
        if let Some(resolver) = &mut self.resolver {
            resolver.forget(entry.id);
        }
        self.concealer.forget(entry.id);
        self.end_streams(slot);
        let mut entry = entry;
        self.close_ports(std::mem::take(&mut entry.own_ports));
        let id = entry.id;
        let _ = guard(|| drop(entry));
        self.tell(id, Event::Closed(error));
    }

    pub(crate) fn tell(&mut self, session: SessionId, event: Event) -> bool {
        guard(|| self.outlet.event(session, event)).is_ok()
    }

    fn count(&self) {
        let counters = &self.inbox.counters;
        let sockets = self.ports.counters();
        counters.sessions.store(self.slots.len() as u64, Relaxed);
        counters.trains_dropped.store(sockets.overflowed, Relaxed);
        counters.sends_failed.store(sockets.failed, Relaxed);
    }
}

/// Runs what may panic. The session it panicked in is never used again, so nothing half-changed is
/// ever seen: that makes the assertion true.
fn guard<R>(action: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(action)).map_err(|payload| text(&*payload))
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a text".into())
}
