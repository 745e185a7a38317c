// SPDX-License-Identifier: MPL-2.0
//! Messages of one data channel on their way into SCTP, and how many bytes wait (DC-06).
//!
//! A message waits here until SCTP has little left of this channel, so that channels take turns and what is
//! too late need not be sent. Its bytes are shared with other sessions and copied into packets alone.
use crate::dcep::ppid;
use crate::sctp::{Association, Delivery};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes of a channel that SCTP is given ahead.
const AHEAD: usize = 64 * 1024;
/// Messages of a channel that SCTP is given ahead.
const MESSAGES_AHEAD: usize = 1024;
/// What a message costs besides its bytes, when memory is counted.
const OVERHEAD: u64 = 128;
/// [`crate::ChannelEvent::Sent`] comes for this many bytes, or when nothing waits any more.
const TOLD_EVERY: u64 = 16 * 1024;

#[derive(Debug)]
struct Queued {
    ppid: u32,
    data: Bytes,
    at: Instant,
}

/// A message SCTP has: its size for SCTP and for the application.
#[derive(Clone, Copy, Debug)]
struct Fed {
    wire: usize,
    size: u64,
}

/// What became of the messages since the last look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Memory that became free, bytes.
    pub(crate) freed: u64,
    /// To be told: bytes sent in all, and bytes that wait.
    pub(crate) told: Option<(u64, u64)>,
    /// What waits fell to the threshold.
    pub(crate) low: bool,
}

#[derive(Debug)]
pub(crate) struct Outgoing {
    queue: VecDeque<Queued>,
    fed: VecDeque<Fed>,
    fed_wire: usize,
    /// Bytes of messages taken from the application, and of those that left.
    accepted: u64,
    sent: u64,
    told: u64,
    /// Memory counted for what waits, bytes.
    cost: u64,
    pub(crate) threshold: u64,
}

impl Outgoing {
    pub(crate) fn new(threshold: u64) -> Self {
        Self {
            queue: VecDeque::new(),
            fed: VecDeque::new(),
            fed_wire: 0,
            accepted: 0,
            sent: 0,
            told: 0,
            cost: 0,
            threshold,
        }
    }

    /// Takes a message of the application; the memory it costs.
    pub(crate) fn push(&mut self, data: Bytes, text: bool, now: Instant) -> u64 {
        let ppid = match (text, data.is_empty()) {
            (true, false) => ppid::STRING,
            (false, false) => ppid::BINARY,
            (true, true) => ppid::EMPTY_STRING,
            (false, true) => ppid::EMPTY_BINARY,
        };
        let cost = data.len() as u64 + OVERHEAD;
        self.accepted += data.len() as u64;
        self.cost += cost;
        self.queue.push_back(Queued {
            ppid,
            data,
            at: now,
        });
        cost
    }

    /// Puts a message of DCEP before those of the application.
    pub(crate) fn push_control(&mut self, message: Vec<u8>, now: Instant) {
        self.queue.push_front(Queued {
            ppid: ppid::DCEP,
            data: message.into(),
            at: now,
        });
    }

    /// Bytes of the application that wait.
    pub(crate) fn buffered(&self) -> u64 {
        self.accepted - self.sent
    }

    /// Memory counted for what waits.
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.fed.is_empty()
    }

    /// Takes out the messages of the application above a size.
    pub(crate) fn take_larger(&mut self, limit: u64) -> Vec<u64> {
        let mut sizes = Vec::new();
        self.queue.retain(|queued| {
            let size = queued.data.len() as u64;
            let larger = queued.ppid != ppid::DCEP && size > limit;
            if larger {
                sizes.push(size);
            }
            !larger
        });
        for size in &sizes {
            self.accepted -= size;
            self.cost -= size + OVERHEAD;
        }
        sizes
    }

    /// Gives SCTP what it has room for.
    pub(crate) fn feed(
        &mut self,
        association: &mut Association,
        stream: u16,
        delivery: Delivery,
        now: Instant,
    ) -> Progress {
        let before = self.buffered();
        let mut progress = Progress::default();
        self.settle(association.buffered(stream), &mut progress);
        while self.fed.len() < MESSAGES_AHEAD && association.buffered(stream) < AHEAD {
            let Some(queued) = self.queue.front() else {
                break;
            };
            let is_control = queued.ppid == ppid::DCEP;
            let waited = now.saturating_duration_since(queued.at);
            let left = delivery.lifetime.map(|all| all.saturating_sub(waited));
            if left == Some(Duration::ZERO) && !is_control {
                self.pass_over(&mut progress);
                continue;
            }
            let delivery = match is_control {
                true => Delivery::RELIABLE,
                false => Delivery {
                    lifetime: left,
                    ..delivery
                },
            };
            // RFC 8831 §6.6: SCTP knows no empty messages; the byte's value does not matter.
            let payload = match queued.data.is_empty() {
                true => Bytes::from_static(&[0]),
                false => queued.data.clone(),
            };
            let wire = payload.len();
            if !association.send(stream, queued.ppid, payload, delivery) {
                break;
            }
            let size = queued.data.len() as u64;
            self.queue.pop_front();
            self.fed.push_back(Fed {
                wire,
                size: if is_control { NOT_COUNTED } else { size },
            });
            self.fed_wire += wire;
            self.settle(association.buffered(stream), &mut progress);
        }
        let after = self.buffered();
        progress.low = before > self.threshold && after <= self.threshold;
        if self.sent != self.told && (self.sent - self.told >= TOLD_EVERY || after == 0) {
            self.told = self.sent;
            progress.told = Some((self.sent, after));
        }
        progress
    }

    /// Finds out which messages left SCTP's queue: they leave in order, and `waiting` bytes are there.
    fn settle(&mut self, waiting: usize, progress: &mut Progress) {
        while let Some(fed) = self.fed.front().copied() {
            if self.fed_wire - fed.wire < waiting {
                return;
            }
            self.fed.pop_front();
            self.fed_wire -= fed.wire;
            if fed.size != NOT_COUNTED {
                self.left(fed.size, progress);
            }
        }
    }

    /// Drops a message whose time is over before SCTP got it.
    fn pass_over(&mut self, progress: &mut Progress) {
        if let Some(queued) = self.queue.pop_front() {
            self.left(queued.data.len() as u64, progress);
        }
    }

    fn left(&mut self, size: u64, progress: &mut Progress) {
        self.sent += size;
        self.cost -= size + OVERHEAD;
        progress.freed += size + OVERHEAD;
    }
}

/// The size of messages the application knows nothing of.
const NOT_COUNTED: u64 = u64::MAX;
