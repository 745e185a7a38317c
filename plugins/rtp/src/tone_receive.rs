// SPDX-License-Identifier: MPL-2.0
//! Tones received on one SSRC: one for each timestamp, whatever is lost, repeated or late (RFC 4733 §2.5.2).
//!
//! The marker is not looked at, for its packet may be lost and some senders set none.
use crate::ReceivedTone;
use crate::tone::{ToneFormat, TonePayload};
use rtc_payload::{Mid, Ssrc};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A tone of which nothing more comes is over after so long: four packets of the slowest sender, which
/// tells every 50 ms (RFC 4733 §2.5.2.2 has three).
const SILENCE: Duration = Duration::from_millis(200);
/// Timestamps of tones that are over, remembered against repeats.
const MAX_CLOSED: usize = 32;
/// So long they are remembered: a repeat by retransmission comes within a second or two.
const MEMORY: Duration = Duration::from_secs(5);
/// A peer that sends more tones than this at a time, or in a second, sends no tones.
const BURST: u32 = 30;
const PER_SECOND: u32 = 30;

/// A tone under way.
#[derive(Clone, Copy, Debug)]
struct Open {
    event: u8,
    volume: u8,
    rtp_time: u32,
    /// Timestamp of the newest segment, and the ticks before it.
    segment: u32,
    before: u64,
    /// Ticks of the newest segment.
    ticks: u16,
    arrived: Instant,
    seen: Instant,
}

/// The tones of one SSRC.
#[derive(Debug)]
pub(crate) struct ToneReceiver {
    pub(crate) ssrc: Ssrc,
    pub(crate) mid: Mid,
    clock_rate: u32,
    open: Option<Open>,
    closed: VecDeque<(u32, Instant)>,
    allowance: u32,
    counted: Instant,
    seen: Instant,
}

impl ToneReceiver {
    pub(crate) fn new(ssrc: Ssrc, mid: Mid, now: Instant) -> Self {
        Self {
            ssrc,
            mid,
            clock_rate: 8_000,
            open: None,
            closed: VecDeque::new(),
            allowance: BURST,
            counted: now,
            seen: now,
        }
    }

    /// Takes a packet; gives the tones that are over by it: the one before if its end was lost, and its own.
    pub(crate) fn packet(
        &mut self,
        payload: TonePayload,
        rtp_time: u32,
        format: ToneFormat,
        now: Instant,
    ) -> [Option<ReceivedTone>; 2] {
        self.seen = now;
        self.clock_rate = format.clock_rate.max(1);
        if payload.event > 15 || self.is_closed(rtp_time, now) {
            return [None, None];
        }
        let mut before = None;
        match self.open {
            Some(open) if self.belongs(&open, payload, rtp_time) => {}
            Some(open) if (rtp_time.wrapping_sub(open.rtp_time) as i32) < 0 => {
                // An older one of which nothing was seen before: its end alone still tells all.
                let open = Open::new(payload, rtp_time, now);
                let late = payload.end.then(|| self.close(&open, now)).flatten();
                return [late, None];
            }
            Some(open) => {
                before = self.close(&open, now);
                self.open = None;
            }
            None => {}
        }
        let open = self
            .open
            .get_or_insert_with(|| Open::new(payload, rtp_time, now));
        open.seen = now;
        if rtp_time != open.segment {
            self.closed.push_back((open.segment, now));
            open.before += u64::from(rtp_time.wrapping_sub(open.segment));
            (open.segment, open.ticks) = (rtp_time, 0);
        }
        // Reordered packets tell of less.
        open.ticks = open.ticks.max(payload.duration);
        let open = *open;
        let own = payload.end.then(|| self.close(&open, now)).flatten();
        if payload.end {
            self.open = None;
        }
        [before, own]
    }

    /// Ends the tone of which nothing was heard for too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<ReceivedTone> {
        let open = self.open.filter(|open| open.seen + SILENCE <= now)?;
        self.open = None;
        self.close(&open, now)
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.open.map(|open| open.seen + SILENCE)
    }

    /// Whether it may be forgotten.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        self.open.is_none() && now.saturating_duration_since(self.seen) > MEMORY
    }

    /// Whether a packet is of the open tone: of its segment, or of the next one of a long tone (§2.5.1.3).
    fn belongs(&self, open: &Open, payload: TonePayload, rtp_time: u32) -> bool {
        if rtp_time == open.segment {
            return true;
        }
        let further = rtp_time.wrapping_sub(open.segment);
        open.event == payload.event && further == u32::from(u16::MAX)
    }

    fn is_closed(&mut self, rtp_time: u32, now: Instant) -> bool {
        let old = |(_, at): &(u32, Instant)| now.saturating_duration_since(*at) > MEMORY;
        while self.closed.len() > MAX_CLOSED || self.closed.front().is_some_and(old) {
            self.closed.pop_front();
        }
        self.closed.iter().any(|(closed, _)| *closed == rtp_time)
    }

    fn close(&mut self, open: &Open, now: Instant) -> Option<ReceivedTone> {
        self.closed.push_back((open.segment, now));
        if !self.allows(now) {
            tracing::debug!(ssrc = self.ssrc.0, "more tones than anybody can dial");
            return None;
        }
        let ticks = open.before + u64::from(open.ticks);
        let seconds = ticks as f64 / f64::from(self.clock_rate);
        Some(ReceivedTone {
            mid: self.mid.clone(),
            ssrc: self.ssrc,
            event: open.event,
            volume: open.volume,
            duration: Duration::from_secs_f64(seconds),
            rtp_time: open.rtp_time,
            arrived: open.arrived,
        })
    }

    fn allows(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.counted).as_secs();
        if seconds > 0 {
            self.counted = now;
            let more = PER_SECOND.saturating_mul(u32::try_from(seconds).unwrap_or(u32::MAX));
            self.allowance = self.allowance.saturating_add(more).min(BURST);
        }
        let allowed = self.allowance > 0;
        self.allowance = self.allowance.saturating_sub(1);
        allowed
    }
}

impl Open {
    fn new(payload: TonePayload, rtp_time: u32, now: Instant) -> Self {
        Self {
            event: payload.event,
            volume: payload.volume,
            rtp_time,
            segment: rtp_time,
            before: 0,
            ticks: payload.duration,
            arrived: now,
            seen: now,
        }
    }
}
