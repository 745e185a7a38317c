// SPDX-License-Identifier: MPL-2.0
//! Round trip times: smoothed, least, and how long to wait for an acknowledgement (RFC 6298, RFC 9002 §5).
use std::time::{Duration, Instant};

/// How long a peer may keep an acknowledgement. Most know the I bit (RFC 7053) and keep none of what nothing
/// follows; for those that don't, a piece is sent twice now and then.
const ACK_DELAY: Duration = Duration::from_millis(25);
const INITIAL: Duration = Duration::from_millis(300);
/// Timers are no finer, nor is a busy machine's scheduler.
const GRANULARITY: Duration = Duration::from_millis(5);
/// The least round trip is that of this long.
const WINDOW: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Rtt {
    smoothed: Option<Duration>,
    variation: Duration,
    latest: Duration,
    least: Duration,
    /// The least since `window_from`, which takes over when the window is through.
    next_least: Duration,
    window_from: Option<Instant>,
}

impl Rtt {
    pub(crate) fn new() -> Self {
        Self {
            smoothed: None,
            variation: Duration::ZERO,
            latest: INITIAL,
            least: Duration::MAX,
            next_least: Duration::MAX,
            window_from: None,
        }
    }

    pub(crate) fn sample(&mut self, rtt: Duration, now: Instant) {
        let rtt = rtt.max(Duration::from_micros(1));
        self.latest = rtt;
        let from = *self.window_from.get_or_insert(now);
        if now.saturating_duration_since(from) > WINDOW {
            self.least = self.next_least;
            self.next_least = rtt;
            self.window_from = Some(now);
        }
        self.least = self.least.min(rtt);
        self.next_least = self.next_least.min(rtt);
        let Some(smoothed) = self.smoothed else {
            self.smoothed = Some(rtt);
            self.variation = rtt / 2;
            return;
        };
        self.variation = (self.variation * 3 + smoothed.abs_diff(rtt)) / 4;
        self.smoothed = Some((smoothed * 7 + rtt) / 8);
    }

    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// The least of late; `None` before the first.
    pub(crate) fn least(&self) -> Option<Duration> {
        self.smoothed.map(|_| self.least)
    }

    /// Without an acknowledgement for so long something is sent again to ask for one (RFC 9002 §6.2).
    pub(crate) fn patience(&self) -> Duration {
        match self.smoothed {
            Some(smoothed) => smoothed + (self.variation * 4).max(GRANULARITY) + ACK_DELAY,
            None => INITIAL * 2,
        }
    }

    /// A packet is lost if one sent so much later has arrived (RFC 9002 §6.1.2).
    pub(crate) fn reordering(&self) -> Duration {
        let base = self.smoothed.unwrap_or(INITIAL).max(self.latest);
        (base * 9 / 8).max(GRANULARITY)
    }
}
