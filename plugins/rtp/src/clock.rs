// SPDX-License-Identifier: MPL-2.0
//! Between the monotonic clock, the wall clock in NTP form and RTP time.
use std::time::{Duration, Instant};

/// Ties the monotonic clock to the wall clock, so that nothing here reads a clock.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// A moment on the monotonic clock.
    pub at: Instant,
    /// The wall clock then: NTP seconds in 32.32 fixed point (RFC 3550 §4).
    pub ntp: u64,
}

impl WallClock {
    /// NTP time of a moment, 32.32 fixed point.
    pub fn ntp(&self, now: Instant) -> u64 {
        match now.checked_duration_since(self.at) {
            Some(after) => self.ntp.wrapping_add(fixed_point(after)),
            None => self.ntp.wrapping_sub(fixed_point(self.at - now)),
        }
    }

    /// Send time for the abs-send-time extension: 6.18 fixed point seconds, wrapping.
    pub(crate) fn abs_send_time(&self, now: Instant) -> u32 {
        (self.ntp(now) >> 14) as u32 & 0xff_ffff
    }
}

/// 32.32 fixed point seconds of a duration.
pub(crate) fn fixed_point(duration: Duration) -> u64 {
    (duration.as_secs() << 32) + ((u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000)
}

/// A duration of 16.16 fixed point seconds, the unit of DLSR and LSR (RFC 3550 §6.4.1).
pub(crate) fn from_short(short: u32) -> Duration {
    Duration::from_nanos((u64::from(short) * 1_000_000_000) >> 16)
}

/// The RTP time at `now` of a stream that had `rtp_time` at `at`, wrapping.
pub(crate) fn rtp_time_at(rtp_time: u32, at: Instant, rate: u32, now: Instant) -> u32 {
    let ticks =
        |duration: Duration| (duration.as_nanos() * u128::from(rate) / 1_000_000_000) as u32;
    match now.checked_duration_since(at) {
        Some(after) => rtp_time.wrapping_add(ticks(after)),
        None => rtp_time.wrapping_sub(ticks(at - now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_the_anchor_map_alike() {
        let at = Instant::now() + Duration::from_secs(100);
        let wall = WallClock { at, ntp: 5 << 32 };
        assert_eq!(
            wall.ntp(at + Duration::from_millis(500)),
            (5 << 32) + (1 << 31)
        );
        assert_eq!(wall.ntp(at - Duration::from_secs(2)), 3 << 32);
        let half = Duration::from_millis(500);
        assert_eq!(rtp_time_at(10, at, 90_000, at + half), 45_010);
        assert_eq!(
            rtp_time_at(10, at, 90_000, at - half),
            10u32.wrapping_sub(45_000)
        );
        assert_eq!(from_short(0x8000), half);
    }
}
