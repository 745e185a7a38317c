// SPDX-License-Identifier: MPL-2.0
//! What arrives at the peer: bits per second and loss over a sliding window.
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Window of the rate, microseconds.
const WINDOW: i64 = 500_000;
/// A shorter span says nothing yet.
const MIN_SPAN: i64 = 100_000;
/// Window of the loss.
const LOSS_WINDOW: Duration = Duration::from_secs(1);
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
}

/// Loss over windows of a second, as the peer tells it: feedback that is itself lost says nothing.
#[derive(Debug, Default)]
pub(crate) struct LossRate {
    began: Option<Instant>,
    lost: u64,
    told: u64,
}

impl LossRate {
    /// Counts a packet the peer tells of.
    pub(crate) fn sample(&mut self, lost: bool) {
        self.told += 1;
        self.lost += u64::from(lost);
    }

    /// At the end of a window, the part lost, 0-1, of at least 20 packets.
    pub(crate) fn take(&mut self, now: Instant) -> Option<f64> {
        let began = *self.began.get_or_insert(now);
        if now.saturating_duration_since(began) < LOSS_WINDOW || self.told < 20 {
            return None;
        }
        let part = self.lost as f64 / self.told as f64;
        *self = Self {
            began: Some(now),
            ..Self::default()
        };
        Some(part)
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

    #[test]
    fn a_tenth_lost_is_a_tenth() {
        let mut loss = LossRate::default();
        let start = Instant::now();
        let told: Vec<f64> = (0..400u32)
            .filter_map(|i| {
                loss.sample(i % 10 == 5);
                loss.take(start + Duration::from_millis(5) * i)
            })
            .collect();
        assert_eq!(told.len(), 1);
        assert!((told[0] - 0.1).abs() < 0.01, "{told:?}");
    }
}
