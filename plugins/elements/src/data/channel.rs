// SPDX-License-Identifier: MPL-2.0
//! One open data channel of one session: its outbox, and where its messages go.
use super::envelope;
use super::lane::Lane;
use super::object::DataChannel;
use super::outbox::Outbox;
use super::timeline::{Timeline, Timelines};
use bytes::Bytes;
use gst::glib;
use rtc_driver::Handle;
use rtc_payload::SessionId;
use rtc_session::{ChannelInit, Command};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// A message that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) data: Bytes,
    pub(crate) text: bool,
    pub(crate) arrived: Instant,
}

/// Where messages go. Called on the io or the control thread: must not block, must not call application
/// code.
pub(crate) trait MessageSink: Send + Sync {
    fn message(&self, channel: &Arc<Channel>, message: Message);
    /// It takes nothing any more.
    fn is_over(&self) -> bool;
    /// No message will come from it any more.
    fn closed(&self, channel: &Arc<Channel>);
}

/// Makes one session hold its messages back while anybody wants so.
pub(crate) struct Valve {
    session: SessionId,
    handle: Handle,
    holders: Mutex<usize>,
}

/// While it lives, messages are held back.
pub(crate) struct Held(Arc<Valve>);

impl Valve {
    pub(crate) fn new(session: SessionId, handle: Handle) -> Arc<Self> {
        let holders = Mutex::new(0);
        Arc::new(Self {
            session,
            handle,
            holders,
        })
    }

    pub(crate) fn hold(self: &Arc<Self>) -> Held {
        self.change(1);
        Held(Arc::clone(self))
    }

    fn change(&self, by: isize) {
        let mut holders = lock(&self.holders);
        let before = *holders;
        *holders = before.saturating_add_signed(by);
        // Under the lock, so that the session hears in this order.
        if (before == 0) != (*holders == 0) {
            let hold = Command::HoldMessages(before == 0);
            self.handle.command(self.session, hold);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.change(-1);
    }
}

pub(crate) struct Channel {
    pub(crate) session: SessionId,
    /// The session's name in signalling.
    pub(crate) session_name: String,
    pub(crate) init: ChannelInit,
    /// Whether the peer opened it.
    pub(crate) by_peer: bool,
    pub(crate) valve: Arc<Valve>,
    /// The largest message the peer takes, bytes; 0 for any.
    pub(crate) max_message_size: AtomicU64,
    /// We began to close it, so that the application is not told of the closing.
    pub(crate) closed_by_us: AtomicBool,
    pub(crate) object: OnceLock<glib::WeakRef<DataChannel>>,
    pub(crate) opened: Instant,
    /// The videos that the session receives.
    timelines: Arc<Timelines>,
    /// The input it belongs to, which knows it as long as it is open.
    lane: Option<Arc<Lane>>,
    outbox: Mutex<Outbox>,
    inbound: Mutex<Inbound>,
}

struct Inbound {
    sinks: Vec<Arc<dyn MessageSink>>,
    /// Messages that came before the elements had seen the channel; `None` since they have.
    early: Option<VecDeque<Message>>,
    early_bytes: usize,
    /// Bytes on their way to the object's signals.
    signalled: usize,
    held: Option<Held>,
}

impl Channel {
    pub(crate) fn new(
        session_name: String,
        init: ChannelInit,
        by_peer: bool,
        valve: Arc<Valve>,
        lane: Option<Arc<Lane>>,
        timelines: Arc<Timelines>,
    ) -> Self {
        Self {
            session: valve.session,
            session_name,
            by_peer,
            valve,
            max_message_size: AtomicU64::new(0),
            closed_by_us: AtomicBool::new(false),
            object: OnceLock::new(),
            opened: Instant::now(),
            timelines,
            lane,
            outbox: Mutex::new(Outbox::new(init.low_threshold, Instant::now())),
            init,
            inbound: Mutex::new(Inbound {
                sinks: Vec::new(),
                early: Some(VecDeque::new()),
                early_bytes: 0,
                signalled: 0,
                held: None,
            }),
        }
    }

    /// Queues a message; `Err` with the peer's limit if it is too large for the peer, `Ok(false)` if the
    /// channel is closed.
    pub(crate) fn send(&self, data: Bytes, text: bool) -> Result<bool, u64> {
        let limit = self.max_message_size.load(Ordering::Relaxed);
        if limit > 0 && data.len() as u64 > limit {
            return Err(limit);
        }
        let mut outbox = self.outbox();
        if outbox.closed {
            return Ok(false);
        }
        outbox.push(data, text, Instant::now());
        self.pump(&mut outbox);
        Ok(true)
    }

    /// Gives the session what it has room for; under the lock, so that the order stays.
    fn pump(&self, outbox: &mut Outbox) {
        while let Some((data, text)) = outbox.next() {
            let channel = self.init.key;
            let send = Command::SendMessage {
                channel,
                data,
                text,
            };
            self.valve.handle.command(self.session, send);
        }
    }

    /// The session has sent so many bytes in all. Whether what waits fell to the threshold.
    pub(crate) fn sent(&self, sent: u64) -> bool {
        let low = {
            let mut outbox = self.outbox();
            let low = outbox.sent(sent, Instant::now());
            self.pump(&mut outbox);
            low
        };
        self.ring();
        low
    }

    pub(crate) fn refused(&self, size: u64) {
        self.outbox().refused(size);
        self.ring();
    }

    /// Nothing more can be sent.
    pub(crate) fn stop_sending(&self) {
        self.outbox().close();
        self.ring();
    }

    /// Closes it once what was given is sent.
    pub(crate) fn close(&self) {
        self.closed_by_us.store(true, Ordering::Relaxed);
        let close = Command::CloseChannel(self.init.key);
        self.valve.handle.command(self.session, close);
    }

    pub(crate) fn command(&self, command: Command) {
        self.valve.handle.command(self.session, command);
    }

    fn ring(&self) {
        if let Some(lane) = &self.lane {
            lane.bell.ring();
        }
    }

    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        lock(&self.outbox)
    }

    /// Whether its messages come in envelopes.
    pub(crate) fn is_synced(&self) -> bool {
        envelope::video_of(&self.init.protocol).is_some()
    }

    /// The times of the video that its messages belong to, if that is received here.
    pub(crate) fn timeline(&self) -> Option<Arc<Timeline>> {
        self.timelines.at(envelope::video_of(&self.init.protocol)?)
    }

    /// Adds a reader.
    pub(crate) fn add_sink(&self, sink: Arc<dyn MessageSink>) {
        let sinks = &mut lock(&self.inbound).sinks;
        sinks.retain(|sink| !sink.is_over());
        sinks.push(sink);
    }

    /// A message arrived. Whether the object's signals want it, from the control thread.
    pub(crate) fn receive(self: &Arc<Self>, message: Message) -> bool {
        let mut inbound = lock(&self.inbound);
        if let Some(early) = &mut inbound.early {
            let size = message.data.len() + OVERHEAD;
            early.push_back(message);
            inbound.early_bytes += size;
            self.hold_if(&mut inbound);
            return false;
        }
        let wanted = self.object_listens();
        if wanted {
            inbound.signalled += message.data.len() + OVERHEAD;
            self.hold_if(&mut inbound);
        }
        self.pass_on(&inbound, &message);
        wanted
    }

    fn pass_on(self: &Arc<Self>, inbound: &Inbound, message: &Message) {
        for sink in &inbound.sinks {
            sink.message(self, message.clone());
        }
    }

    fn hold_if(&self, inbound: &mut Inbound) {
        if inbound.held.is_none() && inbound.early_bytes + inbound.signalled > MAX_UNSEEN {
            inbound.held = Some(self.valve.hold());
        }
    }

    /// The signals of a message that [`Self::receive`] wanted them for are done.
    pub(crate) fn signalled(&self, bytes: usize) {
        let released = {
            let mut inbound = lock(&self.inbound);
            inbound.signalled = inbound.signalled.saturating_sub(bytes + OVERHEAD);
            match inbound.signalled + inbound.early_bytes {
                0 => inbound.held.take(),
                _ => None,
            }
        };
        drop(released);
    }

    /// The elements know the channel: passes on what came before, `signal` included.
    pub(crate) fn settle(self: &Arc<Self>, signal: impl Fn(&Message)) {
        loop {
            let batch = {
                let mut inbound = lock(&self.inbound);
                inbound.early_bytes = 0;
                match &mut inbound.early {
                    Some(early) if !early.is_empty() => std::mem::take(early),
                    _ => {
                        inbound.early = None;
                        let held = inbound.held.take();
                        drop(inbound);
                        return drop(held);
                    }
                }
            };
            let sinks = lock(&self.inbound).sinks.clone();
            for message in batch {
                for sink in &sinks {
                    sink.message(self, message.clone());
                }
                signal(&message);
            }
        }
    }

    /// No message comes any more.
    pub(crate) fn end(self: &Arc<Self>) {
        self.stop_sending();
        if let Some(lane) = &self.lane {
            lane.remove(self.session);
        }
        let sinks = lock(&self.inbound).sinks.clone();
        for sink in sinks {
            sink.closed(self);
        }
    }

    fn object_listens(&self) -> bool {
        // The control thread's own reference outlives every message, so this one is never the last.
        let object = self.object.get().and_then(glib::WeakRef::upgrade);
        object.is_some_and(|object| object.has_listeners())
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("session", &self.session_name)
            .field("label", &self.init.label)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a message costs besides its bytes, so that empty ones are bounded too.
pub(crate) const OVERHEAD: usize = 128;

/// Bytes that may wait for the control thread before the session holds its messages back.
const MAX_UNSEEN: usize = 1024 * 1024;
