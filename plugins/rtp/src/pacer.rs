// SPDX-License-Identifier: MPL-2.0
//! When how much may be sent: bursts of 5 ms, sized by the estimate.
use std::time::{Duration, Instant};

/// Packets leave in bursts that long, so that no timer runs for a single packet.
const BURST: Duration = Duration::from_millis(5);
/// A wake-up that comes late while something waits is made up for, up to this: a thread that waits for the
/// processor would else send less and less.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Pacer of one session.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// When what was sent so far will have left at the rate.
    next: Instant,
    /// When the burst under way began.
    began: Instant,
    /// Something waits for its time.
    waiting: bool,
}

impl Pacer {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            next: now,
            began: now,
            waiting: false,
        }
    }

    /// Bytes that may be sent now at `rate` bit/s; `None` if nothing may.
    pub(crate) fn budget(&mut self, rate: f64, now: Instant) -> Option<usize> {
        if self.next <= now {
            let longest = if self.waiting { CATCH_UP } else { BURST };
            self.next = self.next.max(now.checked_sub(longest).unwrap_or(now));
            self.began = now;
        }
        let end = self.began + BURST;
        let left = end.saturating_duration_since(self.next);
        self.waiting = now > end || left.is_zero();
        (!self.waiting).then(|| (rate / 8.0 * left.as_secs_f64()) as usize)
    }

    /// Counts bytes sent.
    pub(crate) fn sent(&mut self, bytes: usize, rate: f64) {
        let seconds = bytes as f64 * 8.0 / rate.max(1000.0);
        self.next += Duration::from_secs_f64(seconds.min(10.0));
    }

    /// Nothing waits: time that passes now is not made up for.
    pub(crate) fn rest(&mut self) {
        self.waiting = false;
    }

    /// When something may be sent again, asked after nothing more might.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_may_be_sent_in_parts() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now);
        assert_eq!(pacer.budget(4e6, now), Some(2500));
        pacer.sent(1000, 4e6);
        assert_eq!(pacer.budget(4e6, now), Some(1500));
        pacer.sent(1500, 4e6);
        assert_eq!(pacer.budget(4e6, now), None);
    }

    #[test]
    fn a_late_wake_up_is_made_up_for_where_something_waited() {
        let start = Instant::now();
        for (waits, bytes) in [(true, 22_500..25_100), (false, 4_000..5_100)] {
            let mut pacer = Pacer::new(start);
            pacer.sent(2500, 4e6);
            assert_eq!(pacer.budget(4e6, start), None);
            if !waits {
                pacer.rest();
            }
            let budget = pacer.budget(4e6, start + Duration::from_millis(50));
            assert!(bytes.contains(&budget.unwrap()), "{budget:?}");
        }
        let mut pacer = Pacer::new(start);
        pacer.sent(2500, 4e6);
        assert_eq!(pacer.budget(4e6, start), None);
        let late = pacer.budget(4e6, start + Duration::from_secs(9)).unwrap();
        assert!(late <= 52_500, "{late}");
    }

    #[test]
    fn bursts_are_5_ms_apart_and_keep_the_rate() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start);
        let (mut now, mut sent, mut bursts) = (start, 0, 0u32);
        while now < start + Duration::from_secs(1) {
            let budget = pacer.budget(4e6, now).unwrap();
            pacer.sent(budget, 4e6);
            sent += budget;
            bursts += 1;
            assert_eq!(pacer.budget(4e6, now), None);
            now = pacer.next();
        }
        assert!((450_000..520_000).contains(&sent), "{sent}");
        assert!(bursts <= 202, "{bursts}");
    }
}
