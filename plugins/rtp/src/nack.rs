// SPDX-License-Identifier: MPL-2.0
//! Which packets are missing, and when to ask for them (RFC 4585 §6.2.1).
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Packets asked for at a time at most; with more missing a keyframe is the better repair.
const MAX_MISSING: usize = 512;
/// A packet is asked for so often at most.
const MAX_TRIES: u8 = 10;
/// Reordering within this time is not taken for loss.
const GRACE: Duration = Duration::from_millis(8);
/// Least time between two requests for a packet.
const MIN_GAP: Duration = Duration::from_millis(20);
/// Round-trip time taken while none was measured.
pub(crate) const DEFAULT_RTT: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Missing {
    due: Instant,
    asked: Option<Instant>,
    tries: u8,
}

/// The missing packets of one stream.
#[derive(Debug, Default)]
pub(crate) struct NackList {
    missing: BTreeMap<u64, Missing>,
    overflowed: bool,
}

impl NackList {
    /// Notes that `range` was passed over.
    pub(crate) fn skipped(&mut self, range: std::ops::Range<u64>, now: Instant) {
        if range.end - range.start > MAX_MISSING as u64 {
            self.overflowed = true;
            return;
        }
        for index in range {
            if self.missing.len() >= MAX_MISSING {
                self.overflowed = true;
                return;
            }
            self.missing.insert(
                index,
                Missing {
                    due: now + GRACE,
                    asked: None,
                    tries: 0,
                },
            );
        }
    }

    /// A packet came after all. Gives how long after a single request for it, a measure of the RTT.
    pub(crate) fn arrived(&mut self, index: u64, now: Instant) -> Option<Duration> {
        let missing = self.missing.remove(&index)?;
        let asked = missing.asked.filter(|_| missing.tries == 1)?;
        Some(now.saturating_duration_since(asked))
    }

    /// Forgets everything below `index`.
    pub(crate) fn forget_below(&mut self, index: u64) {
        self.overflowed = false;
        self.missing = self.missing.split_off(&index);
    }

    /// Whether asking for `index` again is of no use.
    pub(crate) fn hopeless(&self, index: u64, now: Instant) -> bool {
        match self.missing.get(&index) {
            Some(missing) => missing.tries >= MAX_TRIES && missing.due <= now,
            None => true,
        }
    }

    /// Whether more is missing than may be asked for.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// When the next request is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.missing
            .values()
            .filter(|missing| missing.tries < MAX_TRIES)
            .map(|missing| missing.due)
            .min()
    }

    /// Appends the sequence numbers to ask for now.
    pub(crate) fn take_due(&mut self, now: Instant, rtt: Option<Duration>, out: &mut Vec<u16>) {
        // A repeat can't be here before one round trip and the peer's pacing.
        let rtt = rtt.unwrap_or(DEFAULT_RTT);
        let gap = (rtt + rtt / 4 + Duration::from_millis(5)).max(MIN_GAP);
        for (index, missing) in &mut self.missing {
            if missing.tries < MAX_TRIES && missing.due <= now {
                missing.tries += 1;
                missing.asked = Some(now);
                // A little longer each time, should the path have become slower than was measured.
                missing.due = now + gap * (1 + u32::from(missing.tries)) / 2;
                out.push(*index as u16);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_asked_for_after_the_grace_and_again_after_a_round_trip() {
        let now = Instant::now();
        let rtt = Some(Duration::from_millis(100));
        let mut list = NackList::default();
        list.skipped(65_535..65_537, now);
        let mut out = Vec::new();
        list.take_due(now, rtt, &mut out);
        assert!(out.is_empty());
        let due = list.deadline().unwrap();
        list.take_due(due, rtt, &mut out);
        assert_eq!(out, [65_535, 0]);
        list.take_due(due + Duration::from_millis(100), rtt, &mut out);
        assert_eq!(out.len(), 2);
        assert_eq!(
            list.arrived(65_536, due + Duration::from_millis(101)),
            Some(Duration::from_millis(101))
        );
        list.take_due(due + Duration::from_millis(130), rtt, &mut out);
        assert_eq!(out, [65_535, 0, 65_535]);
    }

    #[test]
    fn asking_ends_after_ten_tries_or_too_much_loss() {
        let now = Instant::now();
        let mut list = NackList::default();
        list.skipped(10..11, now);
        let mut out = Vec::new();
        while let Some(due) = list.deadline() {
            list.take_due(due, None, &mut out);
        }
        assert!(
            out.len() == usize::from(MAX_TRIES) && list.hopeless(10, now + Duration::from_secs(9))
        );
        list.skipped(20..2000, now);
        assert!(list.overflowed());
        list.forget_below(2000);
        assert!(!list.overflowed() && list.deadline().is_none());
    }
}
