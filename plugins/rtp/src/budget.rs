// SPDX-License-Identifier: MPL-2.0
//! What of the estimate is left for encoders: repeats come first, and what waits must have room to leave.
use crate::media::Media;
use crate::send::SendStream;
use std::time::Instant;

/// Time over which the rate of repeats is averaged, seconds.
const AVERAGE: f64 = 1.0;
/// What waits for the pacer longer than this is to leave within [`CLEARED`], seconds.
const WAITING: f64 = 0.15;
const CLEARED: f64 = 1.0;
/// Encoders get this part of the estimate at least.
const LEAST: f64 = 0.4;

/// Rate of the repeats, an exponential average.
#[derive(Debug, Default)]
pub(crate) struct RepeatRate {
    bits_per_second: f64,
    at: Option<Instant>,
}

impl RepeatRate {
    /// Counts bytes repeated.
    pub(crate) fn add(&mut self, bytes: usize, now: Instant) {
        self.bits_per_second = self.get(now) + bytes as f64 * 8.0 / AVERAGE;
        self.at = Some(now);
    }

    /// Bits per second.
    pub(crate) fn get(&self, now: Instant) -> f64 {
        self.at.map_or(0.0, |at| {
            let since = now.saturating_duration_since(at).as_secs_f64();
            self.bits_per_second * (-since / AVERAGE).exp()
        })
    }
}

impl Media {
    /// What encoders may make, bit/s.
    pub(crate) fn media_rate(&self) -> u64 {
        let estimate = self.estimator.bits_per_second() as f64;
        if !self.config.congestion_control {
            return estimate as u64;
        }
        let queued: usize = self.senders.iter().map(SendStream::queued_bytes).sum();
        let waiting = (queued as f64 * 8.0 - WAITING * estimate).max(0.0);
        let left = estimate - self.repeats.get(self.now) - waiting / CLEARED;
        left.max(LEAST * estimate) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn repeats_are_counted_and_forgotten() {
        let start = Instant::now();
        let mut repeats = RepeatRate::default();
        assert_eq!(repeats.get(start), 0.0);
        for i in 0..500u32 {
            repeats.add(1250, start + Duration::from_millis(10) * i);
        }
        let rate = repeats.get(start + Duration::from_secs(5));
        assert!((0.9e6..1.1e6).contains(&rate), "{rate}");
        assert!(repeats.get(start + Duration::from_secs(9)) < 0.03e6);
    }
}
