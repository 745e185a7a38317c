// SPDX-License-Identifier: MPL-2.0
//! Messages that wait to be sent, and whose turn it is (RFC 8260 §3.6: weighted fair queueing).
use crate::data::Piece;
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

/// How a message is to be delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// It may arrive before those sent earlier on its stream.
    pub unordered: bool,
    /// How often a piece of it is repeated before all of it is given up; `None`: until it arrives.
    pub max_retransmits: Option<u16>,
    /// When it is given up; `None`: never.
    pub expires: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    ppid: u32,
    options: SendOptions,
    payload: Bytes,
    /// Of the payload, bytes.
    sent: usize,
    /// Once its first piece is sent.
    mid: u32,
    fsn: u32,
}

#[derive(Debug)]
struct Stream {
    messages: VecDeque<Waiting>,
    buffered: usize,
    weight: u64,
    /// The virtual time at which its next piece is due.
    time: u64,
    next_mid: [u32; 2],
    /// Nothing is sent while its reset is under way.
    paused: bool,
}

/// A piece to be sent, with what the sender must remember of its message.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) piece: Piece,
    pub(crate) payload: Bytes,
    pub(crate) message: u64,
    pub(crate) options: SendOptions,
}

#[derive(Debug)]
pub(crate) struct Queue {
    interleaved: bool,
    streams: HashMap<u16, Stream>,
    /// Those with something to send, the next one first.
    due: BTreeSet<(u64, u16)>,
    now: u64,
    /// Without interleaving a message that was begun goes on.
    begun: Option<u16>,
    next_message: u64,
    buffered: usize,
}

/// Virtual time a byte takes at weight one.
const SCALE: u64 = 1 << 16;
/// As RFC 8831 §6.4 has them: low.
const LOW_WEIGHT: u64 = 256;

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            interleaved: false,
            streams: HashMap::new(),
            due: BTreeSet::new(),
            now: 0,
            begun: None,
            next_message: 0,
            buffered: 0,
        }
    }

    pub(crate) fn set_interleaved(&mut self, interleaved: bool) {
        self.interleaved = interleaved;
    }

    /// Bytes that were not sent yet, on all streams.
    pub(crate) fn buffered(&self) -> usize {
        self.buffered
    }

    pub(crate) fn buffered_on(&self, stream: u16) -> usize {
        self.streams.get(&stream).map_or(0, |s| s.buffered)
    }

    pub(crate) fn has_next(&self) -> bool {
        !self.due.is_empty()
    }

    pub(crate) fn push(&mut self, stream: u16, ppid: u32, payload: Bytes, options: SendOptions) {
        let number = self.next_message;
        self.next_message += 1;
        let size = payload.len();
        let entry = self.entry(stream);
        entry.messages.push_back(Waiting {
            number,
            ppid,
            options,
            payload,
            sent: 0,
            mid: 0,
            fsn: 0,
        });
        entry.buffered += size;
        self.buffered += size;
        self.enlist(stream);
    }

    pub(crate) fn set_weight(&mut self, stream: u16, weight: u16) {
        self.entry(stream).weight = u64::from(weight.max(1));
    }

    fn entry(&mut self, stream: u16) -> &mut Stream {
        self.streams.entry(stream).or_insert_with(|| Stream {
            messages: VecDeque::new(),
            buffered: 0,
            weight: LOW_WEIGHT,
            time: 0,
            next_mid: [0; 2],
            paused: false,
        })
    }

    fn enlist(&mut self, id: u16) {
        let now = self.now;
        if let Some(stream) = self.streams.get_mut(&id)
            && !stream.paused
            && !stream.messages.is_empty()
            && !self.due.contains(&(stream.time, id))
        {
            // One that was silent has saved up nothing.
            stream.time = stream.time.max(now);
            self.due.insert((stream.time, id));
        }
    }

    fn delist(&mut self, id: u16) {
        if let Some(stream) = self.streams.get(&id) {
            self.due.remove(&(stream.time, id));
        }
    }

    /// Bytes left of the message whose turn it is, after what is too late was dropped.
    pub(crate) fn next_size(&mut self, now: Instant) -> Option<usize> {
        loop {
            let id = match self.begun {
                Some(id) => id,
                None => self.due.first()?.1,
            };
            let Some(message) = self.streams.get(&id).and_then(|s| s.messages.front()) else {
                // Only of a message that was given up after it was begun.
                self.begun = None;
                self.delist(id);
                continue;
            };
            let late = message.options.expires.is_some_and(|at| at <= now);
            if !late || message.sent > 0 {
                return Some(message.payload.len() - message.sent);
            }
            self.drop_first(id);
        }
    }

    /// The next piece, of at most `room` bytes of payload; what is too late is dropped.
    pub(crate) fn next(&mut self, room: usize, now: Instant) -> Option<Next> {
        self.next_size(now)?;
        let id = match self.begun {
            Some(id) => id,
            None => self.due.first()?.1,
        };
        let stream = self.streams.get_mut(&id)?;
        let message = stream.messages.front_mut()?;
        let next = take_piece(message, &mut stream.next_mid, id, room, self.interleaved);
        let size = next.payload.len();
        stream.buffered -= size;
        self.buffered -= size;
        self.begun = (!self.interleaved && !next.piece.end).then_some(id);
        self.advance(id, size, next.piece.end);
        Some(next)
    }

    /// Reckons the turn of a stream that has sent.
    fn advance(&mut self, id: u16, size: usize, message_ends: bool) {
        self.delist(id);
        if let Some(stream) = self.streams.get_mut(&id) {
            self.now = self.now.max(stream.time);
            stream.time = self.now + size as u64 * SCALE / stream.weight;
            if message_ends {
                stream.messages.pop_front();
            }
        }
        self.enlist(id);
    }

    fn drop_first(&mut self, id: u16) {
        if let Some(stream) = self.streams.get_mut(&id)
            && let Some(message) = stream.messages.pop_front()
        {
            let size = message.payload.len() - message.sent;
            stream.buffered -= size;
            self.buffered -= size;
            if stream.messages.is_empty() {
                self.delist(id);
            }
        }
    }

    /// A message of which pieces were sent is given up: the others are not sent.
    pub(crate) fn give_up(&mut self, stream: u16, message: u64) {
        let first = self.streams.get(&stream).and_then(|s| s.messages.front());
        if first.is_some_and(|first| first.number == message) {
            self.drop_first(stream);
            if self.begun == Some(stream) {
                self.begun = None;
            }
        }
    }

    /// Holds back what is given for streams that are being reset.
    pub(crate) fn pause(&mut self, streams: &[u16]) {
        for id in streams {
            self.delist(*id);
            self.entry(*id).paused = true;
        }
    }

    /// Goes on; numbers begin again if the reset was done.
    pub(crate) fn resume(&mut self, streams: &[u16], done: bool) {
        for id in streams {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.paused = false;
                if done {
                    stream.next_mid = [0; 2];
                }
            }
            let idle = self.streams.get(id).is_some_and(|s| s.messages.is_empty());
            match idle && done {
                true => drop(self.streams.remove(id)),
                false => self.enlist(*id),
            }
        }
    }
}

fn take_piece(
    message: &mut Waiting,
    next_mid: &mut [u32; 2],
    stream: u16,
    room: usize,
    interleaved: bool,
) -> Next {
    let unordered = message.options.unordered;
    let begin = message.sent == 0;
    // DATA numbers ordered messages alone.
    if begin && (interleaved || !unordered) {
        let next = &mut next_mid[usize::from(unordered)];
        message.mid = *next;
        *next = next.wrapping_add(1);
    }
    let left = message.payload.len() - message.sent;
    let size = left.min(room.max(1));
    let payload = message.payload.slice(message.sent..message.sent + size);
    message.sent += size;
    let piece = Piece {
        stream,
        unordered,
        begin,
        end: size == left,
        ppid: message.ppid,
        mid: message.mid,
        fsn: message.fsn,
    };
    if interleaved {
        message.fsn = message.fsn.wrapping_add(1);
    }
    Next {
        piece,
        payload,
        message: message.number,
        options: message.options,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(size: usize) -> Bytes {
        vec![1; size].into()
    }

    fn order(queue: &mut Queue, count: usize) -> Vec<u16> {
        let now = Instant::now();
        let next = std::iter::from_fn(|| queue.next(1000, now));
        next.take(count).map(|next| next.piece.stream).collect()
    }

    #[test]
    fn weights_share_what_there_is() {
        let mut queue = Queue::new();
        queue.set_interleaved(true);
        for (stream, weight) in [(1, 128), (2, 512)] {
            queue.set_weight(stream, weight);
            queue.push(stream, 53, message(1_000_000), SendOptions::default());
        }
        let turns = order(&mut queue, 500);
        let low = turns.iter().filter(|stream| **stream == 1).count();
        assert!((95..105).contains(&low), "{low}");
    }

    #[test]
    fn without_interleaving_a_message_goes_on() {
        let mut queue = Queue::new();
        for stream in [1, 2] {
            queue.push(stream, 53, message(3000), SendOptions::default());
            queue.push(stream, 53, message(10), SendOptions::default());
        }
        assert_eq!(order(&mut queue, 9), [1, 1, 1, 2, 2, 2, 1, 2]);
        assert_eq!(queue.buffered(), 0);
    }

    #[test]
    fn a_stream_that_was_silent_has_no_claim_to_the_time_before() {
        let mut queue = Queue::new();
        queue.set_interleaved(true);
        queue.push(1, 53, message(100_000), SendOptions::default());
        order(&mut queue, 50);
        queue.push(2, 53, message(100_000), SendOptions::default());
        let turns = order(&mut queue, 20);
        assert_eq!(turns.iter().filter(|stream| **stream == 2).count(), 10);
    }

    #[test]
    fn what_is_late_or_given_up_is_not_sent() {
        let now = Instant::now();
        let mut queue = Queue::new();
        let late = SendOptions {
            expires: Some(now),
            ..SendOptions::default()
        };
        queue.push(1, 53, message(10), late);
        queue.push(1, 53, message(2500), SendOptions::default());
        queue.push(1, 53, message(20), SendOptions::default());
        let first = queue.next(1000, now).unwrap();
        assert!(first.piece.begin && !first.piece.end && first.piece.mid == 0);
        queue.give_up(1, first.message);
        let next = queue.next(1000, now).unwrap();
        assert_eq!((next.payload.len(), next.piece.mid), (20, 1));
        assert!(queue.next(1000, now).is_none());
        assert_eq!(queue.buffered(), 0);
    }

    #[test]
    fn a_reset_holds_what_comes_and_begins_numbers_again() {
        let now = Instant::now();
        let mut queue = Queue::new();
        queue.push(1, 53, message(10), SendOptions::default());
        queue.next(1000, now).unwrap();
        queue.pause(&[1]);
        queue.push(1, 53, message(10), SendOptions::default());
        assert!(queue.next(1000, now).is_none());
        queue.resume(&[1], true);
        assert_eq!(queue.next(1000, now).unwrap().piece.mid, 0);
    }
}
