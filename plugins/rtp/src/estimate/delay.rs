// SPDX-License-Identifier: MPL-2.0
//! Queueing delay: the least one-way delay now above the least one in a long while.
use std::collections::VecDeque;

/// Window of the delay now, microseconds; holds several frames, of which one packet at least did not
/// wait behind its own frame.
const WINDOW: i64 = 150_000;
/// Buckets of a second whose least delay is the path's own: a route change is believed after as many.
const BASE_BUCKETS: usize = 20;
const BUCKET: i64 = 1_000_000;
/// Samples of the window at most.
const MAX_SAMPLES: usize = 4096;

/// One-way delays over two clocks: only differences mean anything.
#[derive(Debug, Default)]
pub(crate) struct QueueDelay {
    /// (arrival, delay), delays rising towards the end: the first one is the least.
    window: VecDeque<(i64, i64)>,
    /// Least delay a bucket, and the arrival the newest bucket began with.
    base: VecDeque<i64>,
    bucket_began: i64,
}

impl QueueDelay {
    /// Takes a packet's arrival on the peer's clock and its delay, both in microseconds.
    pub(crate) fn sample(&mut self, arrival: i64, delay: i64) {
        while self.window.back().is_some_and(|(_, later)| *later >= delay) {
            self.window.pop_back();
        }
        self.window.push_back((arrival, delay));
        while self.window.len() > MAX_SAMPLES
            || self
                .window
                .front()
                .is_some_and(|(at, _)| arrival.saturating_sub(*at) > WINDOW)
        {
            self.window.pop_front();
        }
        if self.base.is_empty() || arrival.saturating_sub(self.bucket_began) >= BUCKET {
            self.bucket_began = arrival;
            self.base.push_back(delay);
            if self.base.len() > BASE_BUCKETS {
                self.base.pop_front();
            }
        } else if let Some(least) = self.base.back_mut() {
            *least = delay.min(*least);
        }
    }

    /// Queueing delay in seconds; 0 before anything is known.
    pub(crate) fn seconds(&self) -> f64 {
        let now = self.window.front().map(|(_, delay)| *delay);
        let base = self.base.iter().min();
        match (now, base) {
            (Some(now), Some(base)) => (now.saturating_sub(*base)) as f64 / 1e6,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_shows_and_goes() {
        let mut delay = QueueDelay::default();
        let mut at = 0;
        let mut feed = |delay: &mut QueueDelay, ms: i64, queue: i64| {
            for _ in 0..ms / 5 {
                at += 5_000;
                delay.sample(at, -70_000_000 + queue);
            }
        };
        feed(&mut delay, 1000, 0);
        assert!(delay.seconds() < 0.001);
        feed(&mut delay, 100, 80_000);
        assert!(
            delay.seconds() < 0.001,
            "one frame's own queue is not the path's"
        );
        feed(&mut delay, 100, 80_000);
        assert!((delay.seconds() - 0.08).abs() < 0.001);
        feed(&mut delay, 5, 3_000);
        assert!((delay.seconds() - 0.003).abs() < 0.001);
        feed(&mut delay, 21_000, 50_000);
        assert!(
            delay.seconds() < 0.001,
            "a longer path is believed after 20 s"
        );
    }
}
