// SPDX-License-Identifier: MPL-2.0
//! How long after their presentation time frames leave the feed: the latency to report downstream.
use gst::ClockTime;

/// Tracks lateness. What it reports starts at [`START`], grows at once when a frame is later than that,
/// and shrinks slowly, in steps, so that the pipeline's latency is not changed all the time.
#[derive(Debug)]
pub(crate) struct Lateness {
    /// The user's floor and ceiling.
    floor: ClockTime,
    ceiling: ClockTime,
    reported: ClockTime,
    peak: ClockTime,
    since: Option<ClockTime>,
}

impl Lateness {
    pub(crate) fn new(floor: ClockTime, ceiling: ClockTime) -> Self {
        Self {
            floor,
            ceiling: ceiling.max(floor),
            reported: START.clamp(floor, ceiling.max(floor)),
            peak: ClockTime::ZERO,
            since: None,
        }
    }

    /// What to answer to a latency query.
    pub(crate) fn reported(&self) -> ClockTime {
        self.reported
    }

    /// A frame for `pts` leaves at running time `now`; true if [`Self::reported`] changed.
    pub(crate) fn observe(&mut self, pts: ClockTime, now: ClockTime) -> bool {
        let late = now.saturating_sub(pts);
        self.peak = self.peak.max(late);
        let since = *self.since.get_or_insert(now);
        let wanted = self.step_for(self.peak);
        if wanted > self.reported {
            return self.report(wanted, now);
        }
        if now.saturating_sub(since) >= CALM {
            let changed = wanted + STEP < self.reported;
            let target = if changed { wanted } else { self.reported };
            return self.report(target, now) && changed;
        }
        false
    }

    fn report(&mut self, latency: ClockTime, now: ClockTime) -> bool {
        self.peak = ClockTime::ZERO;
        self.since = Some(now);
        std::mem::replace(&mut self.reported, latency) != latency
    }

    /// The next whole step above a lateness, with one step to spare.
    fn step_for(&self, late: ClockTime) -> ClockTime {
        let steps = late.nseconds().div_ceil(STEP.nseconds()) + 1;
        let latency = ClockTime::from_nseconds(steps.saturating_mul(STEP.nseconds()));
        latency.clamp(self.floor, self.ceiling)
    }
}

/// Covers jitter in a home network and a pacer's burst.
const START: ClockTime = ClockTime::from_mseconds(40);
const STEP: ClockTime = ClockTime::from_mseconds(20);
/// Lateness must have stayed low for this long before less is reported.
const CALM: ClockTime = ClockTime::from_seconds(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> ClockTime {
        ClockTime::from_mseconds(ms)
    }

    #[test]
    fn a_late_frame_raises_it_at_once_and_calm_lowers_it() {
        let mut lateness = Lateness::new(ClockTime::ZERO, ms(500));
        assert!(!lateness.observe(ms(1000), ms(1010)));
        assert!(lateness.observe(ms(1000), ms(1085)));
        assert_eq!(lateness.reported(), ms(120));
        assert!(!lateness.observe(ms(5000), ms(5005)));
        assert!(lateness.observe(ms(25_000), ms(25_005)));
        assert_eq!(lateness.reported(), ms(40));
        assert!(!lateness.observe(ms(60_000), ms(60_005)));
    }

    #[test]
    fn it_stays_between_floor_and_ceiling() {
        let mut lateness = Lateness::new(ms(100), ms(200));
        assert_eq!(lateness.reported(), ms(100));
        assert!(lateness.observe(ms(0), ms(9000)));
        assert_eq!(lateness.reported(), ms(200));
        let fixed = Lateness::new(ms(300), ms(200));
        assert_eq!(fixed.reported(), ms(300));
    }

    #[test]
    fn frames_before_their_time_are_not_late() {
        let mut lateness = Lateness::new(ClockTime::ZERO, ms(500));
        assert!(!lateness.observe(ms(2000), ms(1000)));
        assert_eq!(lateness.reported(), START);
    }
}
