// SPDX-License-Identifier: MPL-2.0
//! Loss as the peer tells it, over windows of half a second.
use std::time::{Duration, Instant};

/// Window of the loss.
const LOSS_WINDOW: Duration = Duration::from_millis(500);
/// Loss over windows of half a second, as the peer tells it: feedback that is itself lost says nothing.
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
    fn a_tenth_lost_is_a_tenth() {
        let mut loss = LossRate::default();
        let start = Instant::now();
        let told: Vec<f64> = (0..400u32)
            .filter_map(|i| {
                loss.sample(i % 10 == 5);
                loss.take(start + Duration::from_millis(5) * i)
            })
            .collect();
        assert_eq!(told.len(), 3);
        assert!(
            told.iter().all(|part| (part - 0.1).abs() < 0.01),
            "{told:?}"
        );
    }
}
