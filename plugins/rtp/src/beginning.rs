// SPDX-License-Identifier: MPL-2.0
//! The first packets of a stream: they may come in any order, and the very first not at all.
//!
//! Nothing before the first packet seen looks missing by its number. What shows it is a beginning that is
//! none: then the frame is held for a moment, and what may stand before it is asked for.
use crate::nack::DEFAULT_RTT;
use crate::receive::{REORDER_WAIT, RecvStream};
use rtc_payload::MediaKind;
use std::time::{Duration, Instant};

/// Packets before the first one seen that are asked for at a time; those that never were do no harm.
const BEFORE: u64 = 4;
/// So far before the first one seen they are asked for at most; as far as they would be taken.
const MAX_BEFORE: u64 = 32;
/// The first packet of audio is held for one more of it, as it tells nothing of whether it is the first.
const AUDIO_HOLD: Duration = Duration::from_millis(20);

/// How a stream begins.
#[derive(Debug)]
pub(crate) struct Beginning {
    at: Instant,
    first: u64,
    /// All from here to the first was asked for.
    asked: u64,
    /// Nothing was given out yet.
    is_new: bool,
}

impl Beginning {
    pub(crate) fn new(first: u64, now: Instant) -> Self {
        Self {
            at: now,
            first,
            asked: first,
            is_new: true,
        }
    }

    /// What follows is in the middle of a stream.
    pub(crate) fn is_over(&mut self) {
        self.is_new = false;
    }
}

impl RecvStream {
    /// When to look again, while the first frame is held.
    pub(crate) fn hold(&mut self, now: Instant, rtt: Option<Duration>) -> Option<Instant> {
        if !self.beginning.is_new || self.begins_well() {
            return None;
        }
        let repaired = rtt.unwrap_or(DEFAULT_RTT) * 3 / 2 + REORDER_WAIT;
        let (look, hold) = match (self.kind, self.codec.nack) {
            (MediaKind::Audio, _) => (AUDIO_HOLD, AUDIO_HOLD),
            (MediaKind::Video, false) => (REORDER_WAIT, REORDER_WAIT),
            (MediaKind::Video, true) => (REORDER_WAIT, repaired),
        };
        let until = self.beginning.at + hold.min(self.max_latency);
        let look = self.beginning.at + look.min(self.max_latency);
        if now >= look {
            // Not reordered, but lost or joined late: a repeat or a keyframe, whichever is sooner.
            self.want_keyframe(now, rtt);
        }
        [look, until].into_iter().find(|at| now < *at)
    }

    /// Asks for what may stand before the first packets.
    pub(crate) fn ask_before(&mut self, now: Instant) {
        if !self.beginning.is_new || !self.codec.nack || self.begins_well() {
            return;
        }
        let Some(lowest) = self.assembly.next() else {
            return;
        };
        let limit = self.beginning.first.saturating_sub(MAX_BEFORE);
        let from = lowest.saturating_sub(BEFORE).max(limit);
        let asked = self.beginning.asked;
        if self.kind == MediaKind::Video && from < asked.min(lowest) {
            self.nacks.skipped(from..asked.min(lowest), now);
            self.beginning.asked = from;
        }
    }

    /// Whether the lowest packet there is the first of a keyframe.
    fn begins_well(&self) -> bool {
        self.kind == MediaKind::Video
            && self
                .assembly
                .first()
                .is_some_and(|first| self.begins_keyframe(first.payload()))
    }
}
