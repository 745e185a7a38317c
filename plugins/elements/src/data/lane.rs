// SPDX-License-Identifier: MPL-2.0
//! The channels of one input, one in each session, and when there is room for the next message.
//!
//! Nothing is dropped unless `leaky` says so: a message waits until the slowest session has room. But a
//! peer that takes nothing for five seconds while others do would stop them all, so its channel is closed:
//! it has every message up to some point, and is told that there will be no more.
use super::channel::Channel;
use super::{ChannelFault, Leaky};
use bytes::Bytes;
use rtc_payload::SessionId;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wakes the streaming thread of an input.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<Rings>,
    condvar: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rings {
    /// Something changed.
    changes: u64,
    /// The element was told to let go.
    pub(crate) unlocks: u64,
    pub(crate) unlocked: bool,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.state().changes += 1;
        self.condvar.notify_all();
    }

    pub(crate) fn unlock(&self) {
        let mut state = self.state();
        state.unlocks += 1;
        state.unlocked = true;
        drop(state);
        self.condvar.notify_all();
    }

    pub(crate) fn unlock_stop(&self) {
        self.state().unlocked = false;
    }

    pub(crate) fn now(&self) -> Rings {
        *self.state()
    }

    /// Waits until it rings beyond `seen`, or `longest`.
    pub(crate) fn wait(&self, seen: Rings, longest: Duration) -> Rings {
        let guard = self.state();
        let (guard, _) = self
            .condvar
            .wait_timeout_while(guard, longest, |state| *state == seen)
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }

    fn state(&self) -> MutexGuard<'_, Rings> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a message can go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Ready,
    /// No session has the channel.
    Nobody,
    Full,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    channels: Mutex<Vec<Arc<Channel>>>,
    pub(crate) bell: Arc<Bell>,
    /// Messages dropped for one session or all.
    pub(crate) dropped: AtomicU64,
}

impl Lane {
    pub(crate) fn add(&self, channel: Arc<Channel>) {
        self.channels().push(channel);
        self.bell.ring();
    }

    pub(crate) fn remove(&self, session: SessionId) {
        self.channels().retain(|channel| channel.session != session);
        self.bell.ring();
    }

    /// Whether there is room. A channel that stalls while others go on is closed, and returned.
    pub(crate) fn room(&self, now: Instant) -> (Room, Vec<ChannelFault>) {
        let mut channels = self.channels();
        channels.retain(|channel| !channel.outbox().closed);
        let (mut full, mut stalled) = (0, Vec::new());
        for channel in channels.iter() {
            let outbox = channel.outbox();
            if outbox.buffered() > BOUND {
                full += 1;
                if now.saturating_duration_since(outbox.progress) > STALL {
                    stalled.push(Arc::clone(channel));
                }
            }
        }
        if channels.is_empty() {
            return (Room::Nobody, Vec::new());
        }
        if full == 0 {
            return (Room::Ready, Vec::new());
        }
        if full > stalled.len() || stalled.len() == channels.len() {
            return (Room::Full, Vec::new());
        }
        channels.retain(|channel| !stalled.iter().any(|other| Arc::ptr_eq(channel, other)));
        drop(channels);
        (Room::Ready, stalled.iter().map(give_up).collect())
    }

    /// Sends a message to all; those who can't take one of its size are returned.
    pub(crate) fn send(&self, data: &Bytes, text: bool, leaky: Leaky) -> Vec<ChannelFault> {
        let mut faults = Vec::new();
        for channel in self.channels().iter() {
            match channel.send(data.clone(), text) {
                Ok(_) => {}
                Err(limit) => {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                    faults.push(too_large(channel, data.len() as u64, limit));
                }
            }
            if leaky == Leaky::Downstream {
                let dropped = channel.outbox().drop_oldest(BOUND);
                self.dropped.fetch_add(dropped, Ordering::Relaxed);
            }
        }
        faults
    }

    /// Whether everything was sent, and long enough ago.
    pub(crate) fn is_drained(&self) -> bool {
        let is_done = |channel: &Arc<Channel>| {
            channel.outbox().buffered() == 0 && channel.opened.elapsed() > SHORTEST_LIFE
        };
        self.channels().iter().all(is_done)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.channels().is_empty()
    }

    fn channels(&self) -> MutexGuard<'_, Vec<Arc<Channel>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn give_up(channel: &Arc<Channel>) -> ChannelFault {
    let buffered = channel.outbox().buffered();
    channel.stop_sending();
    channel.close();
    ChannelFault {
        session: channel.session_name.clone(),
        label: channel.init.label.clone(),
        code: "too-slow",
        text: format!(
            "the peer took none of the {buffered} bytes that wait for {} s while others did, so its \
             channel is closed; set leaky=downstream on the pad to drop messages instead",
            STALL.as_secs()
        ),
    }
}

/// A message that one peer can't take.
pub(crate) fn too_large(channel: &Channel, size: u64, limit: u64) -> ChannelFault {
    ChannelFault {
        session: channel.session_name.clone(),
        label: channel.init.label.clone(),
        code: "too-large",
        text: format!(
            "a message of {size} bytes was refused: the peer takes at most {limit} bytes; split it"
        ),
    }
}

/// Bytes that may wait in a session before the input waits.
const BOUND: u64 = 2 * 1024 * 1024;

/// A peer that takes nothing for so long is stalled.
const STALL: Duration = Duration::from_secs(5);

/// Younger channels are not closed: Chromium forgets messages of a channel that is closed before the page
/// has heard that it is open.
const SHORTEST_LIFE: Duration = Duration::from_millis(300);
