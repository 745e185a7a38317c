// SPDX-License-Identifier: MPL-2.0
//! Probes: a few packets sent faster than the estimate, to learn whether the path carries more.
//!
//! The first goes out with the first feedback, the next at once while each finds room; later ones while the
//! application sends less than the estimate, so that growth alone can learn nothing. A probe is
//! measured by how far its bursts arrive apart.
use std::time::{Duration, Instant};

/// A probe lasts so long and has so many bytes at least, that its bursts can be told apart.
const LENGTH: f64 = 0.020;
const LEAST_BYTES: usize = 6_000;
/// Probes at so many times the estimate: the first, and the later ones.
const FIRST: f64 = 3.0;
const FURTHER: f64 = 2.0;
/// While the application is the limit, probes are so far apart; after one that found no room, longer.
const INTERVAL: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);
/// Nothing is learned from a probe told of later than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// What part of a probe must have arrived.
const ARRIVED: f64 = 0.8;
/// Arriving so much faster than sent, packets came in clumps and say nothing.
const CLUMPED: f64 = 2.0;
/// Slower than this part of what was sent, they filled the path.
const FILLED: f64 = 0.9;
/// What of a measured rate the estimate may become, and of one that filled the path.
const TRUSTED: f64 = 0.95;
const TRUSTED_FULL: f64 = 0.85;
/// What a probe must have found, of the estimate, for the next one at once.
const WORTH: f64 = 1.3;
/// Packets of a probe that are remembered at most.
const MAX_PACKETS: usize = 256;

#[derive(Debug)]
struct Probe {
    rate: f64,
    /// Bytes to send yet.
    left: usize,
    began: Instant,
    /// When the newest of it was sent.
    ended: Instant,
    sent: usize,
    /// When sent and arrived, and size, of those told of.
    told: Vec<(Instant, i64, usize)>,
}

/// Decides on probes and measures them.
#[derive(Debug, Default)]
pub(crate) struct Prober {
    probe: Option<Probe>,
    started: bool,
    /// Not before.
    next: Option<Instant>,
    pause: Option<Duration>,
}

impl Prober {
    /// Whether to begin one: `estimate` and the most of any use, bit/s; `limited` if the application sends
    /// less than the estimate.
    pub(crate) fn consider(&mut self, estimate: f64, most: f64, limited: bool, now: Instant) {
        if let Some(probe) = &self.probe {
            if now.saturating_duration_since(probe.began) > PATIENCE {
                self.probe = None;
                self.failed(now);
            }
            return;
        }
        let factor = match self.started {
            false => FIRST,
            true if limited && self.next.is_none_or(|at| at <= now) => FURTHER,
            true => return,
        };
        self.started = true;
        self.begin(estimate, factor, most, now);
    }

    fn begin(&mut self, estimate: f64, factor: f64, most: f64, now: Instant) {
        self.next = Some(now + self.pause.unwrap_or(INTERVAL));
        let rate = (estimate * factor).min(1.2 * most);
        if rate < 1.1 * estimate {
            return;
        }
        self.probe = Some(Probe {
            rate,
            left: LEAST_BYTES.max((rate / 8.0 * LENGTH) as usize),
            began: now,
            ended: now,
            sent: 0,
            told: Vec::new(),
        });
    }

    /// Rate of the probe under way, bit/s, and the bytes to send of it.
    pub(crate) fn sending(&self) -> Option<(f64, usize)> {
        let probe = self.probe.as_ref().filter(|probe| probe.left > 0)?;
        Some((probe.rate, probe.left))
    }

    /// Counts bytes sent while one is under way.
    pub(crate) fn sent(&mut self, bytes: usize, now: Instant) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.left > 0) {
            probe.left = probe.left.saturating_sub(bytes);
            probe.sent += bytes;
            probe.ended = now;
        }
    }

    /// The path has become wider: the next probe is due.
    pub(crate) fn restart(&mut self) {
        self.next = None;
        self.pause = None;
        self.started = false;
    }

    /// There is nothing to send probes of.
    pub(crate) fn cancel(&mut self) {
        self.probe = None;
    }

    /// The path became too full to probe on.
    pub(crate) fn full(&mut self, now: Instant) {
        self.probe = None;
        self.started = true;
        self.next = Some(now + INTERVAL);
    }

    /// Takes the arrival of a packet sent at `sent`, microseconds on the peer's clock. The estimate that
    /// follows if it was the last that was missing.
    pub(crate) fn told(&mut self, sent: Instant, at: i64, size: usize) {
        if let Some(probe) = &mut self.probe
            && (probe.began..=probe.ended).contains(&sent)
            && probe.told.len() < MAX_PACKETS
        {
            probe.told.push((sent, at, size));
        }
    }

    /// What the probe found, once all of it was told of: an estimate to grow to. One that found room is
    /// followed by another at the start.
    pub(crate) fn result(
        &mut self,
        estimate: f64,
        most: f64,
        start: bool,
        now: Instant,
    ) -> Option<f64> {
        let probe = self.probe.as_ref().filter(|probe| probe.left == 0)?;
        let arrived: usize = probe.told.iter().map(|(.., size)| size).sum();
        if (arrived as f64) < ARRIVED * probe.sent as f64 {
            return None;
        }
        let measured = measure(&probe.told);
        self.probe = None;
        let Some((sent, received)) = measured.filter(|(sent, received)| *received < CLUMPED * sent)
        else {
            self.failed(now);
            return None;
        };
        if received < FILLED * sent {
            self.failed(now);
            return Some(TRUSTED_FULL * received);
        }
        self.pause = None;
        let found = TRUSTED * sent.min(received);
        if start && found > WORTH * estimate {
            self.begin(found, FURTHER, most, now);
        }
        Some(found)
    }

    fn failed(&mut self, now: Instant) {
        let pause = self
            .pause
            .map_or(INTERVAL * 2, |pause| (pause * 2).min(LONGEST));
        self.pause = Some(pause);
        self.next = Some(now + pause);
    }
}

/// Rates at which the bursts of a probe were sent and arrived, bit/s: all but the last, in the time from the
/// first one's first packet to the last one's, for packets of a burst leave at one time.
fn measure(told: &[(Instant, i64, usize)]) -> Option<(f64, f64)> {
    let first = told.iter().map(|(sent, ..)| *sent).min()?;
    let last = told.iter().map(|(sent, ..)| *sent).max()?;
    let arrival = |of: Instant| {
        let burst = told.iter().filter(|(sent, ..)| *sent == of);
        burst.map(|(_, at, _)| *at).min()
    };
    let before = told.iter().filter(|(sent, ..)| *sent != last);
    let bits = before.map(|(.., size)| *size as f64 * 8.0).sum::<f64>();
    let span = last.saturating_duration_since(first).as_secs_f64();
    let took = arrival(last)?.saturating_sub(arrival(first)?) as f64 / 1e6;
    (span > LENGTH / 4.0 && took > 0.0).then(|| (bits / span, bits / took))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bursts of two packets each 5 ms, over a path of so many bit/s.
    fn probe_over(path: f64, estimate: f64) -> Option<f64> {
        let start = Instant::now();
        let mut prober = Prober::default();
        prober.consider(estimate, 20e6, false, start);
        let (rate, _) = prober.sending().unwrap();
        let (mut at, mut free) = (start, 0.0f64);
        while prober.sending().is_some() {
            let mut budget = rate / 8.0 * 0.005;
            while budget > 0.0 && prober.sending().is_some() {
                let since = at.saturating_duration_since(start).as_secs_f64();
                free = free.max(since) + 1200.0 * 8.0 / path;
                prober.sent(1200, at);
                prober.told(at, (free * 1e6) as i64, 1200);
                budget -= 1200.0;
            }
            at += Duration::from_secs_f64((0.005 - budget * 8.0 / rate).max(0.005));
        }
        prober.result(estimate, 20e6, false, at)
    }

    #[test]
    fn a_wide_path_carries_what_was_sent() {
        let found = probe_over(50e6, 1e6).unwrap();
        assert!((2.4e6..3.0e6).contains(&found), "{found}");
    }

    #[test]
    fn a_narrow_path_shows_what_it_carries() {
        let found = probe_over(1.5e6, 1e6).unwrap();
        assert!((1.1e6..1.5e6).contains(&found), "{found}");
    }

    #[test]
    fn probes_that_find_nothing_become_rare() {
        let start = Instant::now();
        let mut prober = Prober::default();
        let mut began = Vec::new();
        for i in 0..6_000u32 {
            let now = start + Duration::from_millis(50) * i;
            let before = prober.sending().is_some();
            prober.consider(1e6, 20e6, true, now);
            if !before && prober.sending().is_some() {
                began.push(i / 20);
            }
        }
        assert!((5..15).contains(&began.len()), "{began:?}");
        prober.full(start + Duration::from_secs(400));
        assert!(prober.sending().is_none());
    }

    #[test]
    fn nothing_is_probed_beyond_what_is_of_use() {
        let start = Instant::now();
        let mut prober = Prober::default();
        prober.consider(1e6, 0.9e6, true, start);
        assert!(prober.sending().is_none());
    }
}
