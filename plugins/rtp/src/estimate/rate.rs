// SPDX-License-Identifier: MPL-2.0
//! What arrives at the peer: bits per second over a sliding window.
use std::collections::VecDeque;

/// Window of the rate, microseconds.
const WINDOW: i64 = 500_000;
/// A shorter span says nothing yet.
const MIN_SPAN: i64 = 100_000;
/// Window of the rate now, microseconds.
const RECENT: i64 = 250_000;
/// Samples of the window at most.
const MAX_SAMPLES: usize = 8192;

/// Rate of what the peer acknowledged, by its own clock.
#[derive(Debug, Default)]
pub(crate) struct AckedRate {
    samples: VecDeque<(i64, usize)>,
    bytes: usize,
    began: Option<i64>,
}

impl AckedRate {
    /// Takes a packet's arrival in microseconds and its size in bytes.
    pub(crate) fn sample(&mut self, arrival: i64, bytes: usize) {
        self.began.get_or_insert(arrival);
        self.samples.push_back((arrival, bytes));
        self.bytes += bytes;
        let newest = self.samples.iter().rev().take(2).map(|(at, _)| *at).max();
        let newest = newest.unwrap_or(arrival);
        while let Some((at, bytes)) = self.samples.front().copied() {
            if self.samples.len() <= MAX_SAMPLES && newest.saturating_sub(at) <= WINDOW {
                break;
            }
            self.bytes -= bytes;
            self.samples.pop_front();
        }
    }

    /// Bits per second over the window, once it spans enough.
    pub(crate) fn bits_per_second(&self) -> Option<f64> {
        let newest = self.samples.back()?.0;
        let span = newest.saturating_sub(self.began?).min(WINDOW);
        (span >= MIN_SPAN).then(|| self.bytes as f64 * 8e6 / span as f64)
    }

    /// The same over the last quarter of a second: while a queue stands, what the bottleneck carries now.
    pub(crate) fn recent(&self) -> Option<f64> {
        let newest = self.samples.back()?.0;
        let recent = self.samples.iter().rev();
        let mut recent = recent.take_while(|(at, _)| newest.saturating_sub(*at) <= RECENT);
        // The newest began to arrive where the one before it ended.
        let (mut oldest, mut bytes) = (newest, 0);
        let mut ended = 0;
        for (at, size) in &mut recent {
            (oldest, ended) = ((*at).min(oldest), *size);
            bytes += size;
        }
        let span = newest.saturating_sub(oldest);
        (span >= MIN_SPAN).then(|| (bytes - ended) as f64 * 8e6 / span as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_and_a_stop_is_not_zero() {
        let mut rate = AckedRate::default();
        rate.sample(0, 1250);
        assert_eq!(rate.bits_per_second(), None);
        for i in 1..200 {
            rate.sample(i * 10_000, 1250);
        }
        let bps = rate.bits_per_second().unwrap();
        assert!((950e3..1060e3).contains(&bps), "{bps}");
    }
}
