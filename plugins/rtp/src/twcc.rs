// SPDX-License-Identifier: MPL-2.0
//! Transport-wide feedback to the peer: which of its packets arrived, and when
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3).
use rtcp_types::{Twcc, TwccBuilder, TwccPacketStatus};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Feedback is sent so long after the first packet it tells of, at the latest.
const SLOW: Duration = Duration::from_millis(100);
/// Where packets come fast, feedback does too.
const FAST: Duration = Duration::from_millis(50);
const FAST_PACKETS: usize = 25;
/// One feedback tells of so many numbers at most; the sender of a wider gap has begun anew.
const MAX_SPAN: u64 = 2000;
/// Bytes of the feedback control information of one packet at most.
const MAX_SIZE: usize = 1000;
/// Microseconds of one unit of the reference time.
const REFERENCE: u64 = 64_000;
/// Microseconds of one unit of a delta.
const DELTA: u64 = 250;

/// Arrival times not told yet.
#[derive(Debug)]
pub(crate) struct FeedbackLog {
    epoch: Instant,
    arrivals: BTreeMap<u64, u64>,
    base: Option<u64>,
    highest: u64,
    count: u8,
    since: Option<Instant>,
    /// An SSRC of the peer's, to name in the feedback.
    pub(crate) media_ssrc: u32,
}

impl FeedbackLog {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            arrivals: BTreeMap::new(),
            base: None,
            highest: 0,
            count: 0,
            since: None,
            media_ssrc: 0,
        }
    }

    /// Notes a packet with a transport-wide number.
    pub(crate) fn arrived(&mut self, number: u16, media_ssrc: u32, now: Instant) {
        self.media_ssrc = media_ssrc;
        let extended = match self.base {
            // Room below the first, for reordering.
            None => 0x1_0000 + u64::from(number),
            Some(_) => {
                let step = number.wrapping_sub(self.highest as u16) as i16;
                self.highest.saturating_add_signed(i64::from(step))
            }
        };
        self.highest = self.highest.max(extended);
        if self.highest - extended > MAX_SPAN {
            return;
        }
        let base = self.base.map_or(extended, |base| base.min(extended));
        self.base = Some(base.max(self.highest.saturating_sub(MAX_SPAN)));
        let at = now.saturating_duration_since(self.epoch).as_micros() as u64;
        self.arrivals.insert(extended, at);
        while self.arrivals.len() > MAX_SPAN as usize {
            self.arrivals.pop_first();
        }
        self.since.get_or_insert(now);
    }

    /// When feedback is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let wait = if self.arrivals.len() >= FAST_PACKETS {
            FAST
        } else {
            SLOW
        };
        self.since.map(|since| since + wait)
    }

    /// The feedback control information of the packets to send now.
    pub(crate) fn take(&mut self) -> Vec<TwccBuilder> {
        self.since = None;
        let mut out = Vec::new();
        let arrivals = std::mem::take(&mut self.arrivals);
        let mut base = self
            .base
            .unwrap_or(0)
            .max(self.highest.saturating_sub(MAX_SPAN));
        while let Some((&first, &at)) = arrivals.range(base..).next() {
            let reference = at / REFERENCE;
            let mut ticks = reference * (REFERENCE / DELTA);
            let mut statuses = vec![TwccPacketStatus::NotReceived; (first - base) as usize];
            for (&number, &at) in arrivals.range(first..) {
                let delta = (at / DELTA) as i64 - ticks as i64;
                let Ok(delta) = i16::try_from(delta) else {
                    break; // more than 8 s apart: the next packet has a reference of its own
                };
                ticks = at / DELTA;
                statuses.resize((number - base) as usize, TwccPacketStatus::NotReceived);
                statuses.push(TwccPacketStatus::Received { delta });
            }
            let builder = Twcc::builder(
                base as u16,
                (reference & 0xff_ffff) as u32,
                self.count,
                &statuses,
                Some(MAX_SIZE),
            );
            let told = builder.packet_status_count();
            if told == 0 {
                break;
            }
            self.count = self.count.wrapping_add(1);
            base += told as u64;
            out.push(builder);
        }
        self.base = Some(self.highest + 1);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtcp_types::prelude::*;

    fn read(builders: Vec<TwccBuilder>) -> Vec<(u16, Option<u64>)> {
        let mut out = Vec::new();
        for builder in builders {
            let mut data = vec![0; 2000];
            let len = builder.write_into(&mut data).unwrap();
            assert!(len <= MAX_SIZE);
            let twcc = <Twcc<'_> as FciParser<'_>>::parse(&data[..len]).unwrap();
            let mut at = u64::from(twcc.reference_time()) * 256;
            for packet in twcc.packets() {
                let (number, status) = packet.unwrap();
                out.push(match status {
                    TwccPacketStatus::NotReceived => (number, None),
                    TwccPacketStatus::Received { delta } => {
                        at = at.wrapping_add_signed(i64::from(delta));
                        (number, Some(at * DELTA))
                    }
                });
            }
        }
        out
    }

    #[test]
    fn arrivals_are_told_with_losses_and_over_a_wrap() {
        let start = Instant::now();
        let mut log = FeedbackLog::new(start);
        let mut expected = Vec::new();
        for i in 0..3000u64 {
            let number = 65_000u64.wrapping_add(i) as u16;
            if i % 7 == 3 {
                expected.push((number, None));
                continue;
            }
            let at = start + Duration::from_micros(i * 1250);
            log.arrived(number, 1, at);
            expected.push((number, Some(i * 1250)));
            if i % 1000 == 999 {
                assert_eq!(read(log.take()), expected);
                expected.clear();
            }
        }
    }

    #[test]
    fn feedback_comes_within_100_ms_and_faster_under_load() {
        let now = Instant::now();
        let mut log = FeedbackLog::new(now);
        assert_eq!(log.deadline(), None);
        log.arrived(1, 1, now);
        assert_eq!(log.deadline(), Some(now + SLOW));
        for number in 2..30 {
            log.arrived(number, 1, now);
        }
        assert_eq!(log.deadline(), Some(now + FAST));
        log.take();
        assert_eq!(log.deadline(), None);
    }

    #[test]
    fn wild_numbers_keep_it_bounded() {
        let now = Instant::now();
        let mut log = FeedbackLog::new(now);
        for i in 0..20_000u32 {
            log.arrived(
                (i * 7919) as u16,
                1,
                now + Duration::from_millis(u64::from(i)),
            );
            assert!(log.arrivals.len() <= MAX_SPAN as usize);
        }
        assert!(log.take().len() < 50);
    }
}
