// SPDX-License-Identifier: MPL-2.0
//! Resetting streams, so that their numbers begin again (RFC 6525): how data channels are closed.
use crate::wire::{Packet, kind, parameters, put_parameter, u16_at, u32_at};
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

const OUTGOING_RESET: u16 = 13;
const RESPONSE: u16 = 16;
/// Requests we know of and do not grant: incoming reset, TSN reset, adding streams.
const OTHERS: [u16; 4] = [14, 15, 17, 18];
const NOTHING_TO_DO: u32 = 0;
const PERFORMED: u32 = 1;
const DENIED: u32 = 2;
const BAD_SEQUENCE: u32 = 5;
const IN_PROGRESS: u32 = 6;
/// Requests are repeated no rarer than this.
const SLOWEST: Duration = Duration::from_secs(3);
/// Streams named in one request, so that it fits into a packet.
const MAX_STREAMS: usize = 500;
/// Answers that wait to be sent.
const MAX_ANSWERS: usize = 8;

#[derive(Debug)]
struct Request {
    number: u32,
    last_tsn: u32,
    streams: Vec<u16>,
    due: Instant,
    tries: u32,
}

/// What came of a RE-CONFIG chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Ours was done, or refused.
    Done(Vec<u16>),
    Refused(Vec<u16>),
    /// The peer's was done; an empty list means all of them.
    ByPeer(Vec<u16>),
}

#[derive(Debug)]
pub(crate) struct Resets {
    wanted: BTreeSet<u16>,
    request: Option<Request>,
    next_number: u32,
    peers_number: u32,
    peers_result: u32,
    answers: VecDeque<(u32, u32)>,
}

impl Resets {
    /// With the first TSN of either side, from which requests are numbered.
    pub(crate) fn new(ours: u32, peers: u32) -> Self {
        Self {
            wanted: BTreeSet::new(),
            request: None,
            next_number: ours,
            peers_number: peers.wrapping_sub(1),
            peers_result: NOTHING_TO_DO,
            answers: VecDeque::new(),
        }
    }

    pub(crate) fn want(&mut self, streams: &[u16]) {
        self.wanted.extend(streams);
    }

    /// Begins a request for those wanted that are `silent`; they are returned.
    pub(crate) fn begin(
        &mut self,
        silent: impl Fn(u16) -> bool,
        last_tsn: u32,
        now: Instant,
    ) -> Vec<u16> {
        if self.request.is_some() || self.wanted.is_empty() {
            return Vec::new();
        }
        let mut streams: Vec<u16> = self.wanted.iter().copied().filter(|s| silent(*s)).collect();
        streams.truncate(MAX_STREAMS);
        if streams.is_empty() {
            return streams;
        }
        self.wanted.retain(|stream| !streams.contains(stream));
        self.request = Some(Request {
            number: self.next_number,
            last_tsn,
            streams: streams.clone(),
            due: now,
            tries: 0,
        });
        self.next_number = self.next_number.wrapping_add(1);
        streams
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.request.as_ref().map(|request| request.due)
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        !self.answers.is_empty() || self.deadline().is_some_and(|due| due <= now)
    }

    /// Writes what is due.
    pub(crate) fn put(&mut self, packet: &mut Packet, patience: Duration, now: Instant) {
        while let Some((number, result)) = self.answers.pop_front() {
            packet.chunk(kind::RE_CONFIG, 0, |body| {
                let value = [number.to_be_bytes(), result.to_be_bytes()].concat();
                put_parameter(body, RESPONSE, &value);
            });
        }
        let peers = self.peers_number;
        let Some(request) = self.request.as_mut().filter(|r| r.due <= now) else {
            return;
        };
        packet.chunk(kind::RE_CONFIG, 0, |body| {
            let mut value = Vec::with_capacity(12 + request.streams.len() * 2);
            for number in [request.number, peers, request.last_tsn] {
                value.extend_from_slice(&number.to_be_bytes());
            }
            for stream in &request.streams {
                value.extend_from_slice(&stream.to_be_bytes());
            }
            let length = value.len();
            put_parameter(body, OUTGOING_RESET, &value);
            // The padding of the last parameter is the chunk's (RFC 9260 §3.2).
            body.truncate(body.len() - (length.next_multiple_of(4) - length));
        });
        let wait = (patience * (1 << request.tries.min(5))).min(SLOWEST);
        request.tries += 1;
        request.due = now + wait;
    }

    /// Takes a RE-CONFIG chunk; `cumulative` is the last TSN up to which everything came.
    pub(crate) fn handle(
        &mut self,
        body: &[u8],
        reaches: impl Fn(u32) -> bool,
        patience: Duration,
        now: Instant,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        // RFC 6525 §3.1: two at the most.
        for (parameter, value) in parameters(body).take(2) {
            let Some(number) = u32_at(value, 0) else {
                continue;
            };
            match parameter {
                RESPONSE => outcomes.extend(self.answered(number, value, patience, now)),
                OUTGOING_RESET => {
                    outcomes.extend(self.asked(number, value, &reaches));
                }
                other if OTHERS.contains(&other) => {
                    if number == self.peers_number.wrapping_add(1) {
                        self.peers_number = number;
                        self.peers_result = DENIED;
                    }
                    self.answer(number, DENIED);
                }
                _ => {}
            }
        }
        outcomes
    }

    fn answered(
        &mut self,
        number: u32,
        value: &[u8],
        patience: Duration,
        now: Instant,
    ) -> Option<Outcome> {
        let result = u32_at(value, 4)?;
        let request = self.request.as_mut().filter(|r| r.number == number)?;
        match result {
            IN_PROGRESS => {
                request.due = now + patience;
                None
            }
            NOTHING_TO_DO | PERFORMED => {
                let streams = std::mem::take(&mut request.streams);
                self.request = None;
                Some(Outcome::Done(streams))
            }
            _ => {
                let streams = std::mem::take(&mut request.streams);
                self.request = None;
                Some(Outcome::Refused(streams))
            }
        }
    }

    fn asked(
        &mut self,
        number: u32,
        value: &[u8],
        reaches: &impl Fn(u32) -> bool,
    ) -> Option<Outcome> {
        let last_tsn = u32_at(value, 8)?;
        let again = number == self.peers_number;
        if again && self.peers_result != IN_PROGRESS {
            self.answer(number, self.peers_result);
            return None;
        }
        if !again && number != self.peers_number.wrapping_add(1) {
            self.answer(number, BAD_SEQUENCE);
            return None;
        }
        self.peers_number = number;
        let complete = reaches(last_tsn);
        self.peers_result = if complete { PERFORMED } else { IN_PROGRESS };
        self.answer(number, self.peers_result);
        let streams = value.get(12..).unwrap_or_default().chunks_exact(2);
        let streams = streams.filter_map(|bytes| u16_at(bytes, 0)).collect();
        complete.then_some(Outcome::ByPeer(streams))
    }

    fn answer(&mut self, number: u32, result: u32) {
        if self.answers.len() < MAX_ANSWERS {
            self.answers.push_back((number, result));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::chunks;

    const PATIENCE: Duration = Duration::from_millis(100);

    fn carry(from: &mut Resets, to: &mut Resets, cumulative: u32, now: Instant) -> Vec<Outcome> {
        let mut packet = Packet::new(1, 2, 3, 1000);
        from.put(&mut packet, PATIENCE, now);
        let bytes = packet.finish(false);
        let all = chunks(&bytes);
        all.flat_map(|chunk| to.handle(chunk.body, |tsn| tsn <= cumulative, PATIENCE, now))
            .collect()
    }

    #[test]
    fn a_reset_waits_for_what_was_sent_before_and_is_done_once() {
        let mut now = Instant::now();
        let (mut a, mut b) = (Resets::new(100, 200), Resets::new(200, 100));
        a.want(&[3, 4, 5]);
        assert_eq!(a.begin(|stream| stream != 4, 50, now), [3, 5]);
        assert_eq!(carry(&mut a, &mut b, 49, now), []);
        assert_eq!(carry(&mut b, &mut a, 0, now), []);
        assert!(!a.is_due(now));
        now += PATIENCE;
        assert!(a.is_due(now));
        assert_eq!(
            carry(&mut a, &mut b, 50, now),
            [Outcome::ByPeer(vec![3, 5])]
        );
        // The answer is lost.
        b.answers.clear();
        now += PATIENCE * 2;
        assert_eq!(carry(&mut a, &mut b, 50, now), []);
        assert_eq!(carry(&mut b, &mut a, 0, now), [Outcome::Done(vec![3, 5])]);
        assert_eq!(a.begin(|_| true, 60, now), [4]);
        assert_eq!(carry(&mut a, &mut b, 60, now), [Outcome::ByPeer(vec![4])]);
    }

    #[test]
    fn numbers_out_of_order_are_refused() {
        let now = Instant::now();
        let (mut a, mut b) = (Resets::new(100, 200), Resets::new(200, 90));
        a.want(&[1]);
        a.begin(|_| true, 50, now);
        assert_eq!(carry(&mut a, &mut b, 50, now), []);
        assert_eq!(carry(&mut b, &mut a, 0, now), [Outcome::Refused(vec![1])]);
    }
}
