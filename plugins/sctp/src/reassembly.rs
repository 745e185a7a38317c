// SPDX-License-Identifier: MPL-2.0
//! Pieces become messages again, and ordered messages come in order (RFC 9260 §6.6, RFC 8260 §2).
//!
//! Neighbouring pieces are kept as one run of bytes, so a message that comes in order is copied once. Every
//! run and message costs some memory besides its bytes; both together make up what the peer's window is
//! reckoned from, so many small pieces cannot take more memory than few large ones.
use crate::data::Piece;
use crate::wire::{ORIGIN, near16, near32};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What a run or a message costs besides its bytes.
const OVERHEAD: usize = 128;
/// Streams of which a state differs from the beginning's.
const STREAM_COST: usize = 32;

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The stream it came on.
    pub stream: u16,
    /// Its payload protocol identifier.
    pub ppid: u32,
    /// Its bytes, one at least.
    pub payload: Vec<u8>,
}

/// What a piece is sorted by: with I-DATA its message and its number in it, with DATA the TSN alone, for
/// the pieces of a message follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    stream: u16,
    unordered: bool,
    mid: u64,
    number: u64,
}

#[derive(Debug)]
struct Run {
    stream: u16,
    unordered: bool,
    mid: u64,
    ppid: u32,
    begins: bool,
    ends: bool,
    /// The number of the piece that continues it.
    next: u64,
    bytes: Vec<u8>,
}

/// Numbers of messages of one stream in one kind of order.
#[derive(Debug)]
struct Order {
    next: u64,
    /// Whole messages that came before their turn.
    early: BTreeMap<u64, Message>,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            next: ORIGIN,
            early: BTreeMap::new(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Reassembly {
    interleaved: bool,
    runs: BTreeMap<Key, Run>,
    ordered: HashMap<u16, Order>,
    /// With I-DATA: the newest number of an unordered message, to unwrap those that come.
    unordered: HashMap<u16, u64>,
    ready: VecDeque<Message>,
    cost: usize,
    /// Of it, that of messages nobody has taken.
    waiting: usize,
}

impl Reassembly {
    pub(crate) fn new(interleaved: bool) -> Self {
        Self {
            interleaved,
            runs: BTreeMap::new(),
            ordered: HashMap::new(),
            unordered: HashMap::new(),
            ready: VecDeque::new(),
            cost: 0,
            waiting: 0,
        }
    }

    /// Memory held, bytes.
    pub(crate) fn cost(&self) -> usize {
        let streams = self.ordered.len() + self.unordered.len();
        self.cost + streams * STREAM_COST
    }

    /// Of it, that of whole messages.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) fn poll(&mut self) -> Option<Message> {
        let message = self.ready.pop_front()?;
        let cost = message.payload.len() + OVERHEAD;
        self.cost -= cost;
        self.waiting -= cost;
        Some(message)
    }

    /// Takes a piece that has not come before.
    pub(crate) fn add(&mut self, tsn: u64, piece: &Piece, payload: &[u8]) {
        let mid = self.unwrap(piece.stream, piece.unordered, piece.mid);
        let key = match self.interleaved {
            true => Key {
                stream: piece.stream,
                unordered: piece.unordered,
                mid,
                number: piece.fsn.into(),
            },
            false => Key {
                stream: 0,
                unordered: false,
                mid: 0,
                number: tsn,
            },
        };
        self.cost += payload.len();
        let start = self.append_or_begin(key, mid, piece, payload);
        let start = self.join_next(start);
        let whole = self
            .runs
            .get(&start)
            .is_some_and(|run| run.begins && run.ends);
        if whole && let Some(run) = self.runs.remove(&start) {
            self.complete(run);
        }
    }

    /// Where the run with the piece begins.
    fn append_or_begin(&mut self, key: Key, mid: u64, piece: &Piece, payload: &[u8]) -> Key {
        let before = self.runs.range_mut(..key).next_back();
        if let Some((start, run)) = before
            && (start.stream, start.unordered, start.mid) == (key.stream, key.unordered, key.mid)
            && run.next == key.number
            && !run.ends
            && !piece.begin
        {
            run.bytes.extend_from_slice(payload);
            run.next += 1;
            run.ends = piece.end;
            return *start;
        }
        self.cost += OVERHEAD;
        let run = Run {
            stream: piece.stream,
            unordered: piece.unordered,
            mid,
            ppid: piece.ppid,
            begins: piece.begin,
            ends: piece.end,
            next: key.number + 1,
            bytes: payload.to_vec(),
        };
        if let Some(other) = self.runs.insert(key, run) {
            self.cost -= run_cost(&other);
        }
        key
    }

    /// Appends the run behind, if it continues this one.
    fn join_next(&mut self, start: Key) -> Key {
        let Some(run) = self.runs.get(&start) else {
            return start;
        };
        let behind = Key {
            number: run.next,
            ..start
        };
        let continues = !run.ends && self.runs.get(&behind).is_some_and(|run| !run.begins);
        if continues
            && let Some(tail) = self.runs.remove(&behind)
            && let Some(run) = self.runs.get_mut(&start)
        {
            run.bytes.extend_from_slice(&tail.bytes);
            run.next = tail.next;
            run.ends = tail.ends;
            self.cost -= OVERHEAD;
        }
        start
    }

    fn unwrap(&mut self, stream: u16, unordered: bool, mid: u32) -> u64 {
        if unordered {
            if !self.interleaved {
                return ORIGIN;
            }
            let newest = self.unordered.entry(stream).or_insert(ORIGIN);
            let mid = near32(*newest, mid);
            *newest = mid.max(*newest);
            return mid;
        }
        let next = self.ordered.get(&stream).map_or(ORIGIN, |order| order.next);
        match self.interleaved {
            true => near32(next, mid),
            false => near16(next, mid as u16),
        }
    }

    fn complete(&mut self, run: Run) {
        let message = Message {
            stream: run.stream,
            ppid: run.ppid,
            payload: run.bytes,
        };
        if run.unordered {
            return self.deliver(message);
        }
        let order = self.ordered.entry(run.stream).or_default();
        if run.mid == order.next {
            order.next += 1;
            self.deliver(message);
            self.deliver_early(run.stream);
        } else if run.mid > order.next && run.mid - order.next < HALF {
            if let Some(other) = order.early.insert(run.mid, message) {
                self.cost -= other.payload.len() + OVERHEAD;
            }
        } else {
            // A number that was passed over or used before: nobody waits for it.
            self.cost -= message.payload.len() + OVERHEAD;
        }
    }

    fn deliver(&mut self, message: Message) {
        self.waiting += message.payload.len() + OVERHEAD;
        self.ready.push_back(message);
    }

    fn deliver_early(&mut self, stream: u16) {
        while let Some(order) = self.ordered.get_mut(&stream) {
            let Some(message) = order.early.remove(&order.next) else {
                return;
            };
            order.next += 1;
            self.deliver(message);
        }
    }

    /// The peer gave up everything up to a TSN (RFC 3758 §3.6): with DATA, what is not complete there.
    pub(crate) fn forward(&mut self, cumulative: u64) {
        if self.interleaved {
            return;
        }
        let after = Key {
            stream: 0,
            unordered: false,
            mid: 0,
            number: cumulative + 1,
        };
        let kept = self.runs.split_off(&after);
        let dropped = std::mem::replace(&mut self.runs, kept);
        self.cost -= dropped
            .into_values()
            .map(|run| run_cost(&run))
            .sum::<usize>();
    }

    /// Messages of a stream up to this number will not come, unless they came already.
    pub(crate) fn skip(&mut self, stream: u16, unordered: bool, mid: u32) {
        let last = self.unwrap(stream, unordered, mid);
        if self.interleaved {
            let key = |mid| Key {
                stream,
                unordered,
                mid,
                number: 0,
            };
            let dropped: Vec<Key> = self
                .runs
                .range(key(0)..key(last + 1))
                .map(|(key, _)| *key)
                .collect();
            for key in dropped {
                if let Some(run) = self.runs.remove(&key) {
                    self.cost -= run_cost(&run);
                }
            }
        }
        if unordered {
            return;
        }
        let order = self.ordered.entry(stream).or_default();
        if last < order.next || last - order.next >= HALF {
            return;
        }
        let later = order.early.split_off(&(last + 1));
        let passed = std::mem::replace(&mut order.early, later);
        order.next = last + 1;
        for message in passed.into_values() {
            self.deliver(message);
        }
        self.deliver_early(stream);
    }

    /// The peer reset streams, or all of them: their numbers begin again.
    pub(crate) fn reset(&mut self, streams: &[u16]) {
        let is_reset = |stream: &u16| streams.is_empty() || streams.contains(stream);
        let mut freed = 0;
        self.ordered.retain(|stream, order| {
            let reset = is_reset(stream);
            if reset {
                let early = order.early.values();
                freed += early.map(|m| m.payload.len() + OVERHEAD).sum::<usize>();
            }
            !reset
        });
        self.unordered.retain(|stream, _| !is_reset(stream));
        self.runs.retain(|_, run| {
            let reset = is_reset(&run.stream);
            freed += if reset { run_cost(run) } else { 0 };
            !reset
        });
        self.cost -= freed;
    }
}

fn run_cost(run: &Run) -> usize {
    run.bytes.len() + OVERHEAD
}

/// Numbers further ahead are behind.
const HALF: u64 = 1 << 31;

#[cfg(test)]
#[path = "reassembly_test.rs"]
mod reassembly_test;
