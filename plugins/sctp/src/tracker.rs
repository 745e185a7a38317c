// SPDX-License-Identifier: MPL-2.0
//! Which TSNs arrived, and when to acknowledge them (RFC 9260 §6.2).
use crate::wire::{Packet, kind, near32};
use std::time::{Duration, Instant};

/// How long an acknowledgement is kept for a second packet or for data of our own.
const DELAY: Duration = Duration::from_millis(20);
/// RFC 9260 §6.2: packets acknowledged by one acknowledgement, where many come at once.
const PACKETS: u32 = 2;
/// The same for our own kind, whose window grows by bytes.
const PACKETS_BY_OURS: u32 = 16;
/// Runs of TSNs kept beyond a gap.
const MAX_RUNS: usize = 512;
/// Runs told in one acknowledgement: all that fit into the packet beside its header.
const MAX_TOLD: usize = 256;
const MAX_DUPLICATES: usize = 16;
/// What an acknowledgement can tell in 16 bits.
const MAX_AHEAD: u64 = 65_535;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    None,
    At(Instant),
    Now,
}

/// TSNs as numbers that do not wrap.
#[derive(Debug)]
pub(crate) struct Tracker {
    /// Everything up to here arrived or was given up.
    cumulative: u64,
    /// First and last of each run beyond it, in order, with gaps between them.
    runs: Vec<(u64, u64)>,
    duplicates: Vec<u32>,
    urgency: Urgency,
    /// Packets with data that have not been acknowledged.
    unacknowledged: u32,
}

/// What a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    New,
    Duplicate,
    /// Too far ahead, or one gap too many.
    Refused,
}

impl Tracker {
    /// `initial` is the first TSN the peer will send.
    pub(crate) fn new(initial: u64) -> Self {
        Self {
            cumulative: initial - 1,
            runs: Vec::new(),
            duplicates: Vec::new(),
            urgency: Urgency::None,
            unacknowledged: 0,
        }
    }

    pub(crate) fn cumulative(&self) -> u64 {
        self.cumulative
    }

    pub(crate) fn unwrap(&self, tsn: u32) -> u64 {
        near32(self.cumulative, tsn)
    }

    /// Whether a chunk is new; nothing is noted.
    pub(crate) fn look(&self, tsn: u64) -> Arrival {
        let after = self.runs.partition_point(|run| run.1 < tsn);
        let run = self.runs.get(after);
        if tsn <= self.cumulative || run.is_some_and(|run| run.0 <= tsn) {
            return Arrival::Duplicate;
        }
        let begins = run.is_none_or(|run| run.0 != tsn + 1)
            && tsn != self.cumulative + 1
            && after
                .checked_sub(1)
                .is_none_or(|at| self.runs[at].1 + 1 != tsn);
        let far = tsn - self.cumulative > MAX_AHEAD;
        match far || (begins && self.runs.len() >= MAX_RUNS) {
            true => Arrival::Refused,
            false => Arrival::New,
        }
    }

    /// Notes one that [`Self::look`] found to be new.
    pub(crate) fn note(&mut self, tsn: u64) {
        if tsn == self.cumulative + 1 && self.runs.is_empty() {
            self.cumulative = tsn;
            return;
        }
        let after = self.runs.partition_point(|run| run.1 < tsn);
        let joins_next = self.runs.get(after).is_some_and(|run| run.0 == tsn + 1);
        let joins_last = after > 0 && self.runs[after - 1].1 + 1 == tsn;
        match (joins_last, joins_next) {
            (true, true) => {
                self.runs[after - 1].1 = self.runs[after].1;
                self.runs.remove(after);
            }
            (true, false) => self.runs[after - 1].1 = tsn,
            (false, true) => self.runs[after].0 = tsn,
            (false, false) => self.runs.insert(after, (tsn, tsn)),
        }
        self.settle();
        // A gap appeared or was filled.
        self.urgency = Urgency::Now;
    }

    pub(crate) fn note_duplicate(&mut self, tsn: u32) {
        if self.duplicates.len() < MAX_DUPLICATES {
            self.duplicates.push(tsn);
        }
        self.urgency = Urgency::Now;
    }

    /// The peer gives up everything up to a TSN (RFC 3758 §3.6).
    pub(crate) fn forward(&mut self, cumulative: u64) {
        self.cumulative = self.cumulative.max(cumulative);
        self.runs.retain(|run| run.1 > cumulative);
        if let Some(first) = self.runs.first_mut() {
            first.0 = first.0.max(cumulative + 1);
        }
        self.settle();
        self.urgency = Urgency::Now;
    }

    fn settle(&mut self) {
        let joined = self
            .runs
            .first()
            .is_some_and(|run| run.0 == self.cumulative + 1);
        if joined {
            self.cumulative = self.runs.remove(0).1;
        }
    }

    /// A packet with data was taken.
    pub(crate) fn packet(&mut self, immediate: bool, now: Instant) {
        if immediate || self.unacknowledged > 0 || !self.runs.is_empty() {
            self.urgency = Urgency::Now;
        }
        if self.urgency == Urgency::None {
            self.urgency = Urgency::At(now + DELAY);
        }
        self.unacknowledged = self.unacknowledged.saturating_add(1);
    }

    /// Whether so many packets came that an acknowledgement must not wait for others that came with them;
    /// `patient`: the peer does not count acknowledgements.
    pub(crate) fn is_full(&self, patient: bool) -> bool {
        let most = match (patient, self.runs.is_empty()) {
            (true, _) => PACKETS_BY_OURS,
            (false, true) => PACKETS,
            (false, false) => 1,
        };
        self.unacknowledged >= most
    }

    /// Acknowledges at the next occasion: the window changed, or something could not be taken.
    pub(crate) fn hurry(&mut self) {
        self.urgency = Urgency::Now;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.urgency {
            Urgency::At(at) => Some(at),
            Urgency::None | Urgency::Now => None,
        }
    }

    /// Whether an acknowledgement must go out now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        match self.urgency {
            Urgency::None => false,
            Urgency::At(at) => at <= now,
            Urgency::Now => true,
        }
    }

    /// Whether something is to be acknowledged, if there is a packet for it.
    pub(crate) fn is_pending(&self) -> bool {
        self.urgency != Urgency::None
    }

    /// Writes the acknowledgement.
    pub(crate) fn put(&mut self, packet: &mut Packet, window: u32) {
        let runs: Vec<[u16; 2]> = self
            .runs
            .iter()
            .take(MAX_TOLD)
            .filter_map(|(first, last)| {
                let offset = |tsn: u64| u16::try_from(tsn - self.cumulative).ok();
                Some([offset(*first)?, offset(*last)?])
            })
            .collect();
        let duplicates = std::mem::take(&mut self.duplicates);
        packet.chunk(kind::SACK, 0, |body| {
            body.extend_from_slice(&(self.cumulative as u32).to_be_bytes());
            body.extend_from_slice(&window.to_be_bytes());
            // Both are bounded far below 65536.
            body.extend_from_slice(&(runs.len() as u16).to_be_bytes());
            body.extend_from_slice(&(duplicates.len() as u16).to_be_bytes());
            for offset in runs.iter().flatten() {
                body.extend_from_slice(&offset.to_be_bytes());
            }
            for tsn in &duplicates {
                body.extend_from_slice(&tsn.to_be_bytes());
            }
        });
        self.urgency = Urgency::None;
        self.unacknowledged = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ORIGIN, chunks};

    fn arrive(tracker: &mut Tracker, offsets: &[u64]) {
        for offset in offsets {
            assert_eq!(tracker.look(ORIGIN + offset), Arrival::New, "{offset}");
            tracker.note(ORIGIN + offset);
        }
    }

    #[test]
    fn gaps_appear_grow_and_are_filled() {
        let mut tracker = Tracker::new(ORIGIN);
        arrive(&mut tracker, &[0, 1, 4, 3, 7, 9]);
        assert_eq!(tracker.cumulative(), ORIGIN + 1);
        let run = |a, b| (ORIGIN + a, ORIGIN + b);
        assert_eq!(tracker.runs, [run(3, 4), run(7, 7), run(9, 9)]);
        for offset in [0, 1, 3, 4, 7] {
            assert_eq!(tracker.look(ORIGIN + offset), Arrival::Duplicate);
        }
        arrive(&mut tracker, &[8, 2]);
        assert_eq!(tracker.cumulative(), ORIGIN + 4);
        assert_eq!(tracker.runs, [run(7, 9)]);
        tracker.forward(ORIGIN + 5);
        assert_eq!(tracker.cumulative(), ORIGIN + 5);
        tracker.forward(ORIGIN + 7);
        assert_eq!(tracker.cumulative(), ORIGIN + 9);
        assert!(tracker.runs.is_empty());
    }

    #[test]
    fn the_number_of_gaps_is_bounded_and_so_is_the_distance() {
        let mut tracker = Tracker::new(ORIGIN);
        for gap in 1..=MAX_RUNS as u64 {
            arrive(&mut tracker, &[gap * 2]);
        }
        assert_eq!(tracker.look(ORIGIN + 5000), Arrival::Refused);
        // What fills a gap or makes a run longer is taken.
        arrive(&mut tracker, &[3, MAX_RUNS as u64 * 2 + 1, 0]);
        assert_eq!(tracker.look(ORIGIN + 70_000), Arrival::Refused);
    }

    #[test]
    fn every_second_packet_is_acknowledged_at_once() {
        let now = Instant::now();
        let mut tracker = Tracker::new(ORIGIN);
        arrive(&mut tracker, &[0]);
        tracker.packet(false, now);
        assert!(!tracker.is_due(now));
        assert!(tracker.is_due(now + DELAY));
        arrive(&mut tracker, &[1]);
        tracker.packet(false, now);
        assert!(tracker.is_due(now));
        let mut packet = Packet::new(1, 2, 3, 100);
        tracker.put(&mut packet, 1000);
        assert!(!tracker.is_pending());
        let bytes = packet.finish(false);
        assert_eq!(
            chunks(&bytes).next().unwrap().body[..8],
            [0, 0, 0, 1, 0, 0, 3, 232]
        );
        arrive(&mut tracker, &[2]);
        tracker.packet(true, now);
        assert!(tracker.is_due(now));
    }
}
