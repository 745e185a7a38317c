// SPDX-License-Identifier: MPL-2.0
//! Messages of one channel of one session on their way out, and how many bytes wait (DC-06).
//!
//! Most wait here, not in the session, so that the oldest may still be dropped. The bytes are shared with
//! the outboxes of other sessions.
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Instant;

/// Bytes given to the session ahead of what it has sent.
const WINDOW: u64 = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Outbox {
    queue: VecDeque<(Bytes, bool)>,
    queued: u64,
    /// Bytes of messages given to the session, and of those that left it.
    given: u64,
    sent: u64,
    /// `buffered-amount-low-threshold`.
    pub(crate) threshold: u64,
    /// Nothing more is taken.
    pub(crate) closed: bool,
    /// When bytes last left, or began to wait.
    pub(crate) progress: Instant,
    pub(crate) dropped: u64,
}

impl Outbox {
    pub(crate) fn new(threshold: u64, now: Instant) -> Self {
        Self {
            queue: VecDeque::new(),
            queued: 0,
            given: 0,
            sent: 0,
            threshold,
            closed: false,
            progress: now,
            dropped: 0,
        }
    }

    /// W3C's bufferedAmount, bytes.
    pub(crate) fn buffered(&self) -> u64 {
        self.queued + self.given.saturating_sub(self.sent)
    }

    pub(crate) fn push(&mut self, data: Bytes, text: bool, now: Instant) {
        if self.buffered() == 0 {
            self.progress = now;
        }
        self.queued += data.len() as u64;
        self.queue.push_back((data, text));
    }

    /// Drops the oldest messages that the session does not have yet until no more than `bound` bytes wait.
    pub(crate) fn drop_oldest(&mut self, bound: u64) -> u64 {
        let before = self.dropped;
        while self.buffered() > bound
            && let Some((data, _)) = self.queue.pop_front()
        {
            self.queued -= data.len() as u64;
            self.dropped += 1;
        }
        self.dropped - before
    }

    /// The next message for the session, if it has room.
    pub(crate) fn next(&mut self) -> Option<(Bytes, bool)> {
        if self.closed || self.given.saturating_sub(self.sent) >= WINDOW {
            return None;
        }
        let (data, text) = self.queue.pop_front()?;
        self.queued -= data.len() as u64;
        self.given += data.len() as u64;
        Some((data, text))
    }

    /// The session has sent so many bytes in all; whether what waits fell to the threshold.
    pub(crate) fn sent(&mut self, sent: u64, now: Instant) -> bool {
        let before = self.buffered();
        if sent > self.sent {
            self.sent = sent;
            self.progress = now;
        }
        before > self.threshold && self.buffered() <= self.threshold
    }

    /// The session refused a message of that size.
    pub(crate) fn refused(&mut self, size: u64) {
        self.given = self.given.saturating_sub(size);
    }

    /// Nothing more is taken; what waits here goes.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.queue.clear();
        self.queued = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three of them fill the window.
    const PART: u64 = WINDOW * 2 / 5;

    fn message(size: u64) -> Bytes {
        Bytes::from(vec![7; size as usize])
    }

    #[test]
    fn the_session_gets_a_window_and_the_rest_waits_here() {
        let now = Instant::now();
        let mut outbox = Outbox::new(0, now);
        for _ in 0..5 {
            outbox.push(message(PART), false, now);
        }
        let given = std::iter::from_fn(|| outbox.next()).count();
        assert_eq!(given, 3);
        assert_eq!(outbox.buffered(), 5 * PART);
        assert!(!outbox.sent(PART, now));
        assert!(outbox.next().is_some());
        assert!(outbox.next().is_none());
        assert_eq!(outbox.buffered(), 4 * PART);
    }

    #[test]
    fn the_oldest_that_waits_is_dropped_first() {
        let now = Instant::now();
        let mut outbox = Outbox::new(0, now);
        for letter in b"abcdef" {
            outbox.push(Bytes::from(vec![*letter; PART as usize]), false, now);
        }
        while outbox.next().is_some() {}
        assert_eq!(outbox.drop_oldest(4 * PART), 2);
        outbox.sent(3 * PART, now);
        assert_eq!(outbox.next().unwrap().0[0], b'f');
        assert_eq!(outbox.dropped, 2);
    }

    #[test]
    fn low_is_told_once_when_the_threshold_is_crossed() {
        let now = Instant::now();
        let mut outbox = Outbox::new(50, now);
        outbox.push(message(100), false, now);
        outbox.next();
        assert!(!outbox.sent(40, now));
        assert!(outbox.sent(60, now));
        assert!(!outbox.sent(100, now));
    }

    #[test]
    fn a_refused_message_no_longer_waits() {
        let now = Instant::now();
        let mut outbox = Outbox::new(0, now);
        outbox.push(message(10), true, now);
        outbox.next();
        outbox.refused(10);
        assert_eq!(outbox.buffered(), 0);
    }
}
