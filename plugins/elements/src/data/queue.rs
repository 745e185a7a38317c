// SPDX-License-Identifier: MPL-2.0
//! Received messages on their way to a streaming thread; bounded by holding sessions back, or by dropping.
use super::channel::{Channel, Held, Message, MessageSink, OVERHEAD};
use rtc_payload::SessionId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A message, and where it came from.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) channel: Arc<Channel>,
    pub(crate) message: Message,
}

/// What comes out.
#[derive(Debug)]
pub(crate) enum Next {
    Message(Item),
    Flushing,
    Ended,
    /// Nothing came in time.
    Idle,
}

/// See the module.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    items: VecDeque<Item>,
    cost: u64,
    bound: u64,
    leaky: bool,
    /// Whether it ends with the last channel.
    ends: bool,
    channels: usize,
    flushing: bool,
    ended: bool,
    held: HashMap<SessionId, Held>,
    dropped: u64,
}

impl Queue {
    /// `bound`: bytes that may wait, a message's own overhead included.
    pub(crate) fn new(bound: u64, leaky: bool, ends: bool) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                cost: 0,
                bound,
                leaky,
                ends,
                channels: 0,
                flushing: false,
                ended: false,
                held: HashMap::new(),
                dropped: 0,
            }),
            wake: Condvar::new(),
        }
    }

    /// One more channel feeds it.
    pub(crate) fn opened(&self) {
        self.state().channels += 1;
    }

    pub(crate) fn next(&self, patience: Duration) -> Next {
        let state = self.state();
        let waits = |s: &mut State| !s.flushing && !s.ended && s.items.is_empty();
        let (mut state, _) = self
            .wake
            .wait_timeout_while(state, patience, waits)
            .unwrap_or_else(PoisonError::into_inner);
        if state.flushing {
            return Next::Flushing;
        }
        let Some(item) = state.items.pop_front() else {
            return if state.ended { Next::Ended } else { Next::Idle };
        };
        state.cost -= cost(&item.message);
        let released = match state.cost <= state.bound / 2 {
            true => std::mem::take(&mut state.held),
            false => HashMap::new(),
        };
        drop(state);
        drop(released);
        Next::Message(item)
    }

    pub(crate) fn set_flushing(&self, flushing: bool) {
        self.state().flushing = flushing;
        self.wake.notify_all();
    }

    /// Nothing more will come.
    pub(crate) fn end(&self) {
        let held = {
            let mut state = self.state();
            state.ended = true;
            std::mem::take(&mut state.held)
        };
        drop(held);
        self.wake.notify_all();
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Bytes that wait, with overhead.
    pub(crate) fn level(&self) -> u64 {
        self.state().cost
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MessageSink for Queue {
    fn message(&self, channel: &Arc<Channel>, message: Message) {
        let mut state = self.state();
        if state.ended {
            return;
        }
        state.cost += cost(&message);
        state.items.push_back(Item {
            channel: Arc::clone(channel),
            message,
        });
        if state.cost > state.bound {
            if state.leaky {
                // The newest stays, however large it is.
                while state.cost > state.bound && state.items.len() > 1 {
                    if let Some(item) = state.items.pop_front() {
                        state.cost -= cost(&item.message);
                        state.dropped += 1;
                    }
                }
            } else {
                let held = state.held.entry(channel.session);
                held.or_insert_with(|| channel.valve.hold());
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    fn is_over(&self) -> bool {
        self.state().ended
    }

    fn closed(&self, _channel: &Arc<Channel>) {
        let mut state = self.state();
        state.channels = state.channels.saturating_sub(1);
        if state.ends && state.channels == 0 {
            state.ended = true;
            drop(state);
            self.wake.notify_all();
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

fn cost(message: &Message) -> u64 {
    (message.data.len() + OVERHEAD) as u64
}
