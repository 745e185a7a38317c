// SPDX-License-Identifier: MPL-2.0
//! The estimate: grown, held and cut by queueing delay, loss and what arrives.
use super::delay::QueueDelay;
use super::loss::LossRate;
use super::probe::Prober;
use super::rate::AckedRate;
use super::{Arrival, SentLog};
use std::time::{Duration, Instant};

/// Above this queueing delay the path is too full, seconds.
const FULL: f64 = 0.025;
/// Below it there is room, seconds.
const ROOM: f64 = 0.012;
/// Cuts for delay follow one another no faster: the queue needs time to empty.
const CUT_GAP: Duration = Duration::from_millis(200);
/// Growth a second before the path was ever full, and after.
const GROWTH_START: f64 = 3.0;
const GROWTH: f64 = 1.3;
/// Near the rate the path was full at growth is by so many bit/s a second, alike for all who share it, and
/// a little of the rate: those who have more lose more by a cut, so that shares become even.
const STEP: f64 = 80e3;
const GROWTH_NEAR: f64 = 1.01;
/// What is near, as parts of that rate.
const NEAR: std::ops::Range<f64> = 0.85..1.1;
/// A step of the peer's clock above this is no delay, microseconds.
const CLOCK_JUMP: u64 = 5_000_000;
/// Part of what arrives that the estimate does not fall below while there is room.
const CARRIED: f64 = 0.9;
/// Loss below this is the path's nature (wireless), not a sign of fullness.
const HEAVY_LOSS: f64 = 0.10;
/// Loss above this near the rate the path was full at is no time to grow (a policer has no queue).
const SOME_LOSS: f64 = 0.04;
/// The application is the limit where the estimate is so many times what arrives.
const LIMITED: f64 = 1.3;
/// No more is probed for than so many times what arrives, and so many bit/s beside.
const PROBED: f64 = 4.0;
const PROBED_BESIDE: f64 = 2e6;
/// Without feedback for so long, while packets leave, the estimate halves.
const SILENCE: Duration = Duration::from_secs(1);
/// How long the path must have had room to be thought of as far wider than what is sent.
const RELAXED_AFTER: Duration = Duration::from_secs(2);
/// A path that was never full since is not held back by the pacer.
const FORGET_FULL: Duration = Duration::from_secs(5);

/// Bounds of the estimate, bit/s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) start: u64,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

/// Send-side estimator of one session.
#[derive(Debug)]
pub(crate) struct Estimator {
    limits: Limits,
    epoch: Instant,
    rate: f64,
    delay: QueueDelay,
    acked: AckedRate,
    loss: LossRate,
    /// What arrived when the path was last full.
    ceiling: Option<f64>,
    /// That was told by loss, not by delay.
    policed: bool,
    ever_full: bool,
    /// What the newest window lost.
    lost: f64,
    last_cut: Option<Instant>,
    last_update: Option<Instant>,
    last_feedback: Option<Instant>,
    silent_since: Option<Instant>,
    last_narrow: Instant,
    last_arrival: Option<i64>,
    /// The estimate before the peer fell silent, to be regained fast.
    regain: Option<f64>,
    remb: Option<f64>,
    /// The peer's bound (TMMBR).
    bound: Option<f64>,
    pub(crate) prober: Prober,
}

impl Estimator {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            rate: limits.start.clamp(limits.min, limits.max.max(limits.min)) as f64,
            limits,
            epoch: now,
            delay: QueueDelay::default(),
            acked: AckedRate::default(),
            loss: LossRate::default(),
            ceiling: None,
            policed: false,
            ever_full: false,
            lost: 0.0,
            last_cut: None,
            last_update: None,
            last_feedback: None,
            silent_since: None,
            last_narrow: now,
            last_arrival: None,
            regain: None,
            remb: None,
            bound: None,
            prober: Prober::default(),
        }
    }

    /// The estimate, bit/s.
    pub(crate) fn bits_per_second(&self) -> u64 {
        let bits = match (self.remb, self.has_feedback()) {
            (Some(remb), true) => remb.min(self.rate),
            (Some(remb), false) => remb.min(self.limits.max as f64),
            (None, _) => self.rate,
        };
        let bits = bits.max(self.limits.min as f64);
        self.bound.map_or(bits, |bound| bound.min(bits)) as u64
    }

    /// What arrives at the peer, bit/s.
    pub(crate) fn acked(&self) -> Option<f64> {
        self.acked.bits_per_second()
    }

    /// Whether the queue at the bottleneck is short now.
    pub(crate) fn has_room(&self) -> bool {
        self.delay.seconds() < ROOM
    }

    /// Whether any feedback came yet.
    pub(crate) fn has_feedback(&self) -> bool {
        self.last_feedback.is_some()
    }

    /// Whether the path was full a short while ago.
    pub(crate) fn was_full(&self, now: Instant) -> bool {
        self.last_cut
            .is_some_and(|cut| now.saturating_duration_since(cut) < FORGET_FULL)
    }

    /// Whether there has been room for a while and the estimate is above what is sent: frames may go
    /// out whole.
    pub(crate) fn is_relaxed(&self, now: Instant) -> bool {
        let room = now.saturating_duration_since(self.last_narrow) >= RELAXED_AFTER;
        let acked = self.acked().unwrap_or(0.0);
        room && self.has_feedback() && self.rate > 1.25 * acked
    }

    /// Takes the peer's own bound (REMB).
    pub(crate) fn set_remb(&mut self, bits_per_second: u64) {
        self.remb = Some(bits_per_second as f64);
    }

    /// Takes the peer's bound on what we send (TMMBR), whatever was measured.
    pub(crate) fn set_bound(&mut self, bits_per_second: u64) {
        self.bound = Some(bits_per_second as f64);
    }

    /// Takes the arrivals of one feedback.
    pub(crate) fn feedback(&mut self, arrivals: &[Arrival], log: &mut SentLog, now: Instant) {
        for arrival in arrivals {
            let Some(number) = log.extend(arrival.number) else {
                continue;
            };
            let Some(at) = arrival.at else {
                // What an outage swallowed says nothing of the path as it is now.
                // Neither does what was sent before the estimate was cut.
                let stale = log
                    .missed(number)
                    .is_none_or(|at| Some(at) <= self.last_cut);
                if self.regain.is_none() && !stale {
                    self.loss.sample(true);
                }
                continue;
            };
            let Some(sent) = log.take(number) else {
                continue;
            };
            let untold = log.take_untold_before(number);
            let sent_at = sent.at.saturating_duration_since(self.epoch).as_micros() as i64;
            self.follow_clock(at);
            self.delay.sample(at, at.saturating_sub(sent_at));
            self.acked.sample(at, sent.size + untold);
            self.prober.told(sent.at, at, sent.size);
            if Some(sent.at) > self.last_cut {
                self.loss.sample(false);
            }
            self.last_feedback = Some(now);
        }
        if self.last_feedback == Some(now) {
            self.silent_since = Some(now);
            let loss = self.loss.take(now);
            self.update(loss, now);
        }
    }

    /// A jump of the peer's clock (a middlebox changed streams), or a long rest: delays and rates from
    /// before can't be compared with those after.
    fn follow_clock(&mut self, at: i64) {
        let before = self.last_arrival.replace(at).unwrap_or(at);
        if at.abs_diff(before) > CLOCK_JUMP {
            self.delay = QueueDelay::default();
            self.acked = AckedRate::default();
        }
    }

    fn update(&mut self, loss: Option<f64>, now: Instant) {
        let since = self.last_update.replace(now);
        let elapsed = since.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        let queue = self.delay.seconds();
        let acked = self.acked();
        if queue > ROOM {
            self.last_narrow = now;
        }
        self.lost = loss.unwrap_or(self.lost);
        let lossy = self.lost > HEAVY_LOSS;
        if let Some(loss) = loss.filter(|_| lossy) {
            // What arrives of much that is lost is what a policer lets through.
            let carried = 0.95 * acked.unwrap_or(0.0);
            let least = (self.rate * (1.0 - loss / 2.0)).max(carried);
            self.rate = self.rate.min(least);
            self.policed = true;
            self.ceiling = acked;
            self.full(now);
        } else if queue > FULL {
            let may_cut = self
                .last_cut
                .is_none_or(|cut| now.saturating_duration_since(cut) >= CUT_GAP);
            if let (Some(carried), true) = (self.acked.recent(), may_cut) {
                self.rate = self.rate.min((0.92 - queue.min(0.4)) * carried);
                self.ceiling = Some(carried);
                self.policed = false;
                self.full(now);
            }
        } else if let (Some(acked), true) = (acked, queue < ROOM && !lossy) {
            self.grow(acked, elapsed.min(0.2));
        }
        self.probe(acked, now);
        let (min, max) = (self.limits.min as f64, self.limits.max as f64);
        self.rate = self.rate.clamp(min, max.max(min));
    }

    /// Takes what a probe found, and sees whether another is worth it.
    fn probe(&mut self, acked: Option<f64>, now: Instant) {
        let acked = acked.unwrap_or(0.0);
        let most = (PROBED * acked + PROBED_BESIDE).min(self.limits.max as f64);
        if let Some(found) = self
            .prober
            .result(self.rate, most, self.ceiling.is_none(), now)
            && self.delay.seconds() < ROOM
        {
            self.rate = self.rate.max(found);
        }
        let limited = self.rate > LIMITED * acked && self.delay.seconds() < ROOM;
        self.prober.consider(self.rate, most, limited, now);
    }

    fn full(&mut self, now: Instant) {
        self.prober.full(now);
        self.last_cut = Some(now);
        self.last_narrow = now;
        self.ever_full = true;
        self.regain = None;
    }

    fn grow(&mut self, acked: f64, elapsed: f64) {
        let part = self
            .ceiling
            .map_or(f64::INFINITY, |ceiling| self.rate / ceiling);
        let near = NEAR.contains(&part);
        self.regain = self.regain.filter(|before| self.rate < 0.9 * before);
        // Below what the path carried when it was full there is room: it was cut to empty the queue.
        let fast = !self.ever_full || self.regain.is_some() || part < NEAR.start && !self.policed;
        let wanted = match (fast, near) {
            (true, _) => self.rate * GROWTH_START.powf(elapsed),
            (false, true) if self.lost > SOME_LOSS => self.rate,
            (false, true) => self.rate * GROWTH_NEAR.powf(elapsed) + STEP * elapsed,
            (false, false) => {
                self.rate * GROWTH.powf(elapsed).max(1.0 + STEP * elapsed / self.rate)
            }
        };
        // What is not sent can't be measured: no growth far above what arrives.
        let bound = 1.5 * acked + 100e3;
        if self.rate < bound {
            self.rate = wanted.min(bound);
        }
        if part > NEAR.end && self.rate < bound && !self.policed {
            // The path is wider than it was: how much is for probes to find out.
            self.ceiling = None;
            self.prober.restart();
        }
        // What arrives without a queue is carried.
        self.rate = self.rate.max(CARRIED * acked);
    }

    /// Notes time passing; `last_sent` is when the newest packet left. Silence of the peer while
    /// packets leave halves the estimate.
    pub(crate) fn silence(&mut self, last_sent: Option<Instant>, now: Instant) {
        let Some(since) = self.silent_since else {
            return;
        };
        if last_sent <= self.last_feedback {
            self.silent_since = Some(now);
            return;
        }
        if now.saturating_duration_since(since) >= SILENCE {
            self.silent_since = Some(now);
            let before = self.regain.unwrap_or(self.rate);
            self.regain = Some(before);
            self.rate = (self.rate / 2.0).max(self.limits.min as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            start: 1_000_000,
            min: 100_000,
            max: 5_000_000,
        }
    }

    #[test]
    fn heavy_loss_cuts_by_half_of_it_and_light_loss_does_not() {
        for (every, falls) in [(5u16, true), (50, false)] {
            let start = Instant::now();
            let mut log = SentLog::default();
            let mut estimator = Estimator::new(limits(), start);
            for i in 0..400u32 {
                let at = start + Duration::from_millis(10) * i;
                let number = log.number(1200, at);
                let arrival = Arrival {
                    number,
                    at: (number % every != 0).then_some(i64::from(i) * 10_000),
                };
                estimator.feedback(&[arrival], &mut log, at);
            }
            let fell = estimator.bits_per_second() < 1_000_000;
            assert_eq!(fell, falls, "1 of {every}: {}", estimator.bits_per_second());
        }
    }

    #[test]
    fn a_jump_of_the_peer_s_clock_is_not_taken_for_a_queue() {
        for jump in [-3_600_000_000, 3_600_000_000i64] {
            let start = Instant::now();
            let mut log = SentLog::default();
            let mut estimator = Estimator::new(limits(), start);
            for i in 0..300u32 {
                let at = start + Duration::from_millis(10) * i;
                let number = log.number(1200, at);
                let arrived = i64::from(i) * 10_000 + if i < 100 { 0 } else { jump };
                let arrival = Arrival {
                    number,
                    at: Some(arrived),
                };
                estimator.feedback(&[arrival], &mut log, at);
                assert!(estimator.has_room());
            }
            assert!(estimator.bits_per_second() > 1_000_000);
        }
    }

    #[test]
    fn a_peer_fallen_silent_halves_the_estimate_down_to_the_least() {
        let start = Instant::now();
        let mut log = SentLog::default();
        let mut estimator = Estimator::new(limits(), start);
        estimator.silence(Some(start), start + SILENCE * 5);
        assert_eq!(
            estimator.bits_per_second(),
            1_000_000,
            "no feedback expected yet"
        );
        let number = log.number(1000, start);
        estimator.feedback(
            &[Arrival {
                number,
                at: Some(0),
            }],
            &mut log,
            start,
        );
        estimator.silence(Some(start + SILENCE / 2), start + SILENCE);
        assert_eq!(estimator.bits_per_second(), 500_000);
        for i in 2..20 {
            estimator.silence(Some(start + SILENCE / 2), start + SILENCE * i);
        }
        assert_eq!(estimator.bits_per_second(), 100_000);
    }
}
