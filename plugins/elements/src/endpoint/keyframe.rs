// SPDX-License-Identifier: MPL-2.0
//! Keyframe requests of many sessions made one, and rarely.
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Merges requests by key. What comes within [`GAP`] of one that passed waits for the end of it, so that
/// the many requests of one moment make one keyframe and one more; and no more than two a second pass
/// for long, [`BURST`] at once.
#[derive(Debug)]
pub(super) struct Merger<K> {
    streams: HashMap<K, Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    /// When the newest request passed.
    passed: Option<Instant>,
    /// When all of [`BURST`] may pass again.
    full: Option<Instant>,
    waiting: bool,
}

impl<K: Copy + Eq + Hash> Merger<K> {
    pub(super) fn new() -> Self {
        Self {
            streams: HashMap::new(),
        }
    }

    /// A request; true if it shall pass now.
    pub(super) fn want(&mut self, key: K, now: Instant) -> bool {
        let stream = self.streams.entry(key).or_default();
        if stream.due().is_none_or(|due| due <= now) {
            stream.pass(now);
            return true;
        }
        stream.waiting = true;
        false
    }

    /// Forgets a stream.
    pub(super) fn forget(&mut self, key: K) {
        self.streams.remove(&key);
    }

    /// A request that was held back and may pass now.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (key, stream) = self
            .streams
            .iter_mut()
            .find(|(_, stream)| stream.waiting && stream.due().is_none_or(|due| due <= now))?;
        stream.pass(now);
        Some(*key)
    }

    /// When [`Self::pop_due`] has something next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.streams
            .values()
            .filter(|stream| stream.waiting)
            .filter_map(Stream::due)
            .min()
    }
}

impl Stream {
    fn due(&self) -> Option<Instant> {
        let spaced = self.passed? + GAP;
        // Each that passed took an interval; all but one of the burst may be taken in advance.
        let rated = self.full?.checked_sub(INTERVAL * (BURST - 1));
        Some(rated.map_or(spaced, |rated| rated.max(spaced)))
    }

    fn pass(&mut self, now: Instant) {
        self.passed = Some(now);
        self.full = Some(self.full.map_or(now, |full| full.max(now)) + INTERVAL);
        self.waiting = false;
    }
}

/// A keyframe is some ten times a delta frame: more than two a second would be all there is.
const INTERVAL: Duration = Duration::from_millis(500);
/// Three viewers that come one after another need not wait.
const BURST: u32 = 3;
/// An encoder answers within a frame or two, so that a request so soon after another is most likely the
/// same; but its keyframe may also have been lost.
const GAP: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_a_second_pass_for_long_and_none_is_lost() {
        let mut merger = Merger::new();
        let start = Instant::now();
        let mut passed = 0;
        for step in 0..1_000 {
            let now = start + Duration::from_millis(step * 30);
            passed += u32::from(merger.want('a', now));
            while merger.pop_due(now).is_some() {
                passed += 1;
            }
        }
        assert!((60..=63).contains(&passed), "{passed} in 30 s");
        let due = merger.deadline().expect("the last one waits");
        assert_eq!(merger.pop_due(due), Some('a'));
        assert_eq!(merger.deadline(), None);
    }

    #[test]
    fn one_that_comes_right_behind_another_waits_a_moment_only() {
        let mut merger = Merger::new();
        let now = Instant::now();
        assert!(merger.want('a', now));
        assert!(!merger.want('a', now + GAP / 2) && !merger.want('a', now + GAP / 2));
        assert_eq!(merger.deadline(), Some(now + GAP));
        assert_eq!(merger.pop_due(now + GAP), Some('a'));
        assert_eq!(merger.deadline(), None);
        assert!(merger.want('a', now + GAP * 2));
    }

    #[test]
    fn streams_do_not_wait_for_each_other() {
        let mut merger = Merger::new();
        let now = Instant::now();
        assert!(merger.want('a', now) && !merger.want('a', now));
        assert!(merger.want('b', now));
        merger.forget('a');
        assert!(merger.want('a', now));
    }
}
