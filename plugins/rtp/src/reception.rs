// SPDX-License-Identifier: MPL-2.0
//! What a receiver counts for its reports: loss, jitter, the newest sender report (RFC 3550 §6.4, A.3, A.8).
use crate::clock::{fixed_point, from_short};
use std::time::{Duration, Instant};

/// The newest sender report of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SenderReport {
    pub(crate) ntp: u64,
    pub(crate) rtp_time: u32,
    pub(crate) arrived: Instant,
}

impl SenderReport {
    /// The sender's wall clock at an RTP time, 32.32 fixed point NTP seconds.
    pub(crate) fn ntp_at(&self, rtp_time: u32, rate: u32) -> u64 {
        let ticks = rtp_time.wrapping_sub(self.rtp_time) as i32;
        let offset = (i128::from(ticks) << 32) / i128::from(rate.max(1));
        self.ntp.wrapping_add(offset as u64)
    }
}

/// One report block to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) fraction_lost: u8,
    pub(crate) lost: i64,
    pub(crate) highest: u32,
    pub(crate) jitter: u32,
    pub(crate) last_report: u32,
    pub(crate) delay: u32,
}

/// Counts of one source.
#[derive(Debug)]
pub(crate) struct Reception {
    rate: u32,
    first: u64,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    /// Jitter in RTP ticks, times 16.
    jitter: u64,
    transit: Option<(u32, Instant)>,
    pub(crate) report: Option<SenderReport>,
}

impl Reception {
    pub(crate) fn new(first: u64, rate: u32) -> Self {
        Self {
            rate,
            first,
            highest: first,
            received: 0,
            expected_before: 0,
            received_before: 0,
            jitter: 0,
            transit: None,
            report: None,
        }
    }

    /// Counts a packet whose timestamp tells nothing of when it was sent: a tone's.
    pub(crate) fn untimed(&mut self, index: u64) {
        self.received += 1;
        self.first = self.first.min(index);
        self.highest = self.highest.max(index);
    }

    /// Counts a packet that came under its own SSRC.
    pub(crate) fn packet(&mut self, index: u64, rtp_time: u32, now: Instant) {
        self.untimed(index);
        if let Some((before, at)) = self.transit {
            let ticks = now.saturating_duration_since(at).as_nanos() * u128::from(self.rate);
            let arrived = (ticks / 1_000_000_000) as i64;
            let sent = i64::from(rtp_time.wrapping_sub(before) as i32);
            // A jump of RTP time (a new source behind the same SSRC) is no jitter.
            let difference = (arrived - sent)
                .unsigned_abs()
                .min(u64::from(self.rate) * 10);
            // J += (|D| - J) / 16, with J kept times 16.
            self.jitter = self.jitter + difference - (self.jitter + 8) / 16;
        }
        self.transit = Some((rtp_time, now));
    }

    /// Packets expected less received; negative where packets were duplicated.
    pub(crate) fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    /// Interarrival jitter.
    pub(crate) fn jitter(&self) -> Duration {
        Duration::from_nanos(self.jitter / 16 * 1_000_000_000 / u64::from(self.rate.max(1)))
    }

    fn expected(&self) -> u64 {
        self.highest - self.first + 1
    }

    /// The report block for now; the interval of the next one starts here.
    pub(crate) fn block(&mut self, now: Instant) -> Block {
        let expected = self.expected() - self.expected_before;
        let received = self.received - self.received_before;
        self.expected_before += expected;
        self.received_before += received;
        let lost = expected.saturating_sub(received);
        let fraction_lost = (lost * 256).checked_div(expected).unwrap_or(0).min(255) as u8;
        let (last_report, delay) = self.report.map_or((0, 0), |report| {
            let delay = fixed_point(now.saturating_duration_since(report.arrived)) >> 16;
            ((report.ntp >> 16) as u32, delay as u32)
        });
        Block {
            fraction_lost,
            lost: self.lost(),
            highest: self.highest as u32,
            jitter: (self.jitter / 16) as u32,
            last_report,
            delay,
        }
    }
}

/// Round-trip time from a report block about us (RFC 3550 §6.4.1): `arrived` is our NTP time then.
pub(crate) fn round_trip(arrived: u64, last_report: u32, delay: u32) -> Option<Duration> {
    if last_report == 0 {
        return None;
    }
    let short = ((arrived >> 16) as u32)
        .wrapping_sub(last_report)
        .wrapping_sub(delay);
    // Clocks that disagree by rounding give a tiny negative time; above 2^31 it is one.
    let short = if short > u32::MAX / 2 { 0 } else { short };
    let rtt = from_short(short);
    (rtt < Duration::from_secs(60)).then_some(rtt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_quarter_shows_as_64_of_256() {
        let now = Instant::now();
        let mut reception = Reception::new(1000, 90_000);
        for index in (1000..1100).filter(|i| i % 4 != 1) {
            reception.packet(index, 0, now);
        }
        let block = reception.block(now);
        assert_eq!((block.fraction_lost, block.lost), (64, 25));
        assert_eq!(reception.block(now).fraction_lost, 0);
    }

    #[test]
    fn even_arrival_is_no_jitter_and_uneven_is() {
        let now = Instant::now();
        let mut even = Reception::new(0, 90_000);
        let mut uneven = Reception::new(0, 90_000);
        for i in 0..200u32 {
            let at = now + Duration::from_millis(20) * i;
            even.packet(u64::from(i), i * 1800, at);
            uneven.packet(
                u64::from(i),
                i * 1800,
                at + Duration::from_millis(5) * (i % 2),
            );
        }
        assert_eq!(even.jitter(), Duration::ZERO);
        let jitter = uneven.jitter().as_secs_f64();
        assert!((0.0045..0.0055).contains(&jitter), "{jitter}");
    }

    #[test]
    fn round_trip_is_what_lies_between_less_the_delay() {
        let sent = 77u64 << 32;
        let arrived = sent + fixed_point(Duration::from_millis(350));
        let delay = (fixed_point(Duration::from_millis(300)) >> 16) as u32;
        let rtt = round_trip(arrived, (sent >> 16) as u32, delay).unwrap();
        assert!((49..=51).contains(&rtt.as_millis()), "{rtt:?}");
        assert_eq!(round_trip(arrived, 0, delay), None);
    }

    #[test]
    fn the_sender_s_clock_is_known_at_any_rtp_time() {
        let report = SenderReport {
            ntp: 100 << 32,
            rtp_time: 0xffff_ffff,
            arrived: Instant::now(),
        };
        assert_eq!(report.ntp_at(45_000 - 1, 90_000), (100 << 32) + (1 << 31));
        assert_eq!(report.ntp_at(0xffff_ffff - 90_000, 90_000), 99 << 32);
    }
}
