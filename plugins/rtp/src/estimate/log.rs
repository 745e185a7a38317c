// SPDX-License-Identifier: MPL-2.0
//! Packets sent under transport-wide numbers, until feedback tells of them.
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets in flight that are remembered at most: a second of 65 Mbit/s.
const MAX_SENT: usize = 8192;
/// Feedback later than this says nothing of the path as it is.
const MAX_AGE: Duration = Duration::from_secs(3);
/// Of what was sent longer before the packet told of, it is not known whether it arrived.
const MAX_UNTOLD: Duration = Duration::from_millis(500);
/// IPv4 and UDP headers, which the path carries too, bytes.
pub(crate) const WIRE_OVERHEAD: usize = 28;

/// A packet sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// Transport-wide number, extended.
    pub(crate) number: u64,
    pub(crate) at: Instant,
    /// Bytes on the wire.
    pub(crate) size: usize,
    /// Feedback said that it arrived.
    told: bool,
    /// Feedback said anything of it.
    named: bool,
}

/// Gives transport-wide numbers and remembers what they were given to.
#[derive(Debug, Default)]
pub(crate) struct SentLog {
    next: u64,
    sent: VecDeque<Sent>,
    last_sent: Option<Instant>,
}

impl SentLog {
    /// The next transport-wide number, for a packet of `len` bytes.
    pub(crate) fn number(&mut self, len: usize, now: Instant) -> u16 {
        let number = self.next;
        self.next += 1;
        let size = len + WIRE_OVERHEAD;
        self.last_sent = Some(now);
        while self
            .sent
            .front()
            .is_some_and(|sent| sent.told || now.saturating_duration_since(sent.at) > MAX_AGE)
        {
            self.sent.pop_front();
        }
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            number,
            at: now,
            size,
            told: false,
            named: false,
        });
        number as u16
    }

    /// The packet that bears a number, once, for feedback that says it arrived.
    pub(crate) fn take(&mut self, number: u64) -> Option<Sent> {
        let first = self.sent.front()?.number;
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        let sent = self.sent.get_mut(at)?;
        if sent.told {
            return None;
        }
        sent.told = true;
        Some(*sent)
    }

    /// Notes that feedback says a packet has not arrived yet; when it left, if that is remembered.
    pub(crate) fn missed(&mut self, number: u64) -> Option<Instant> {
        let first = self.sent.front()?.number;
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        let sent = self.sent.get_mut(at)?;
        sent.named = true;
        Some(sent.at)
    }

    /// The bytes of packets before `number` that nothing was told of, at most 500 ms older than it.
    /// Feedback names every number in turn, so what told of them was lost, not they. They count as told.
    pub(crate) fn take_untold_before(&mut self, number: u64) -> usize {
        let Some(first) = self.sent.front().map(|sent| sent.number) else {
            return 0;
        };
        let end = number
            .checked_sub(first)
            .and_then(|n| usize::try_from(n).ok());
        let Some(newest) = end.and_then(|end| self.sent.get(end)).map(|sent| sent.at) else {
            return 0;
        };
        let mut bytes = 0;
        for sent in self.sent.range_mut(..end.unwrap_or(0)).rev() {
            let age = newest.saturating_duration_since(sent.at);
            if sent.told || sent.named || age > MAX_UNTOLD {
                break;
            }
            sent.told = true;
            bytes += sent.size;
        }
        bytes
    }

    /// When the newest packet left.
    pub(crate) fn last_sent(&self) -> Option<Instant> {
        self.last_sent
    }

    /// The extended number a 16-bit one most likely stands for: the newest not above what was sent.
    pub(crate) fn extend(&self, number: u16) -> Option<u64> {
        let last = self.next.checked_sub(1)?;
        last.checked_sub(u64::from((last as u16).wrapping_sub(number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_once_and_found_over_a_wrap() {
        let now = Instant::now();
        let mut log = SentLog {
            next: 0xfffe,
            ..SentLog::default()
        };
        for _ in 0..4 {
            log.number(100, now);
        }
        assert_eq!(log.extend(0xffff), Some(0xffff));
        assert_eq!(log.extend(1), Some(0x1_0001));
        assert!(log.take(0x1_0001).is_some() && log.take(0x1_0001).is_none());
        assert!(log.take(0x1_0002).is_none());
    }

    #[test]
    fn the_log_is_bounded_without_feedback() {
        let now = Instant::now();
        let mut log = SentLog::default();
        for _ in 0..MAX_SENT * 2 {
            log.number(100, now);
        }
        assert_eq!(log.sent.len(), MAX_SENT);
    }
}
