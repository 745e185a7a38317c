// SPDX-License-Identifier: MPL-2.0
//! Keyframe requests of many sessions made one, and rarely.
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Merges requests by key: two at once pass, then one every [`INTERVAL`]; what comes between is answered
/// by the next that passes.
#[derive(Debug)]
pub(super) struct Merger<K> {
    streams: HashMap<K, Stream>,
}

#[derive(Debug)]
struct Stream {
    /// The last two requests that passed, the newer one first.
    passed: [Option<Instant>; 2],
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
        let stream = self.streams.entry(key).or_insert(Stream {
            passed: [None, None],
            waiting: false,
        });
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
        self.passed[1].map(|older| older + INTERVAL * 2)
    }

    fn pass(&mut self, now: Instant) {
        self.passed = [Some(now), self.passed[0]];
        self.waiting = false;
    }
}

/// A keyframe is some ten times a delta frame: more than two a second would be all there is.
const INTERVAL: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_two_a_second_pass_and_none_is_lost() {
        let mut merger = Merger::new();
        let start = Instant::now();
        let mut passed = 0;
        for step in 0..100 {
            let now = start + Duration::from_millis(step * 30);
            passed += u32::from(merger.want('a', now));
            while merger.pop_due(now).is_some() {
                passed += 1;
            }
        }
        assert!((6..=8).contains(&passed), "{passed} in 3 s");
        let due = merger.deadline().expect("the last one waits");
        assert_eq!(merger.pop_due(due), Some('a'));
        assert_eq!(merger.deadline(), None);
    }

    #[test]
    fn streams_do_not_wait_for_each_other() {
        let mut merger = Merger::new();
        let now = Instant::now();
        assert!(merger.want('a', now) && merger.want('a', now));
        assert!(!merger.want('a', now));
        assert!(merger.want('b', now));
        merger.forget('a');
        assert!(merger.want('a', now));
    }
}
