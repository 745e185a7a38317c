// SPDX-License-Identifier: MPL-2.0
//! The bounded queue between the io thread, which never waits, and the feed's streaming thread.
use crate::endpoint::FrameSink;
use rtc_payload::MediaKind;
use rtc_rtp::ReceivedFrame;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Asks the peer for a keyframe; must not block.
pub(crate) type WantKeyframe = Box<dyn Fn() + Send + Sync>;

/// What the feed gets when it asks for a frame.
#[derive(Debug)]
pub(crate) enum Next {
    /// The next frame in decoding order.
    Frame(ReceivedFrame),
    /// Nothing came for as long as it was willing to wait.
    Idle,
    /// The pipeline wants its thread back.
    Flushing,
    /// No frame will come any more.
    Ended,
}

/// Frames of one m-line on their way into the pipeline. A full queue drops, counts, and asks for a keyframe.
pub(crate) struct Queue {
    kind: MediaKind,
    state: Mutex<State>,
    changed: Condvar,
    want_keyframe: WantKeyframe,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<ReceivedFrame>,
    bytes: usize,
    /// Frames thrown away so far.
    dropped: u64,
    /// What comes next does not follow what went before.
    broken: bool,
    needs_keyframe: bool,
    asked: Option<Instant>,
    unwanted: bool,
    ended: bool,
    flushing: bool,
}

impl Queue {
    pub(crate) fn new(kind: MediaKind, want_keyframe: WantKeyframe) -> Self {
        let state = State {
            needs_keyframe: kind == MediaKind::Video,
            ..State::default()
        };
        Self {
            kind,
            state: Mutex::new(state),
            changed: Condvar::new(),
            want_keyframe,
        }
    }

    /// The next frame; waits for one at most as long as `patience`.
    pub(crate) fn next(&self, patience: Duration) -> Next {
        let (mut state, _) = self
            .changed
            .wait_timeout_while(self.lock(), patience, |state| {
                state.frames.is_empty() && !state.ended && !state.flushing
            })
            .unwrap_or_else(PoisonError::into_inner);
        if state.flushing {
            return Next::Flushing;
        }
        match state.frames.pop_front() {
            Some(frame) => {
                state.bytes -= frame.data.len();
                Next::Frame(frame)
            }
            None if state.ended => Next::Ended,
            None => Next::Idle,
        }
    }

    /// Wakes a waiting feed, and keeps it from waiting until told otherwise.
    pub(crate) fn set_flushing(&self, flushing: bool) {
        self.lock().flushing = flushing;
        self.changed.notify_all();
    }

    /// Nobody takes frames (they are dropped, and nothing is asked for), or somebody does again.
    pub(crate) fn set_unwanted(&self, unwanted: bool, now: Instant) {
        let mut state = self.lock();
        if state.unwanted == unwanted {
            return;
        }
        state.unwanted = unwanted;
        if unwanted {
            state.drop_front(usize::MAX);
        }
        let ask = state.break_at(self.kind, now) && !unwanted;
        drop(state);
        if ask {
            (self.want_keyframe)();
        }
    }

    /// Asks the peer for a keyframe on behalf of the pipeline; a decoder may do so at every frame.
    pub(crate) fn request_keyframe(&self, now: Instant) {
        let mut state = self.lock();
        let on_its_way = state.asked_within(ON_ITS_WAY, now);
        if self.kind == MediaKind::Audio || on_its_way {
            return;
        }
        state.asked = Some(now);
        drop(state);
        (self.want_keyframe)();
    }

    /// Frames thrown away so far: too many waited, or nobody took them.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Whether no frame will come any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FrameSink for Queue {
    fn frame(&self, frame: ReceivedFrame) {
        let arrived = frame.arrived;
        let mut state = self.lock();
        if state.ended {
            return;
        }
        let ask = state.push(frame, self.kind, arrived);
        drop(state);
        self.changed.notify_all();
        if ask {
            (self.want_keyframe)();
        }
    }

    fn ended(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }
}

impl State {
    /// Takes a frame in; true if a keyframe must be asked for.
    fn push(&mut self, mut frame: ReceivedFrame, kind: MediaKind, now: Instant) -> bool {
        if self.unwanted {
            self.dropped += 1;
            return false;
        }
        let mut ask = false;
        if self.is_full(frame.data.len()) {
            ask = self.make_room(&frame, kind, now);
        }
        if self.needs_keyframe && !frame.info.keyframe {
            self.dropped += 1;
            return self.break_at(kind, now) || ask;
        }
        self.needs_keyframe = false;
        frame.discontinuity |= std::mem::take(&mut self.broken);
        self.bytes += frame.data.len();
        self.frames.push_back(frame);
        ask
    }

    fn is_full(&self, more: usize) -> bool {
        self.frames.len() >= MAX_FRAMES || self.bytes + more > MAX_BYTES
    }

    /// Drops what is oldest: one frame of audio; of video all before the newest keyframe. True if a
    /// keyframe must be asked for, because none is left and none is coming.
    fn make_room(&mut self, incoming: &ReceivedFrame, kind: MediaKind, now: Instant) -> bool {
        let newest_keyframe = || self.frames.iter().rposition(|frame| frame.info.keyframe);
        let drop_count = match kind {
            MediaKind::Audio => 1,
            MediaKind::Video if incoming.info.keyframe => self.frames.len(),
            MediaKind::Video => newest_keyframe().unwrap_or(0),
        };
        self.drop_front(drop_count);
        // Also when the newest keyframe was the first: it can't be kept without all that follows.
        if self.is_full(incoming.data.len()) {
            self.drop_front(self.frames.len());
        }
        match self.frames.front_mut() {
            Some(first) => first.discontinuity = true,
            None => self.broken = true,
        }
        let starved = self.frames.is_empty() && !incoming.info.keyframe;
        starved && self.break_at(kind, now)
    }

    fn drop_front(&mut self, count: usize) {
        for frame in self.frames.drain(..count.min(self.frames.len())) {
            self.bytes -= frame.data.len();
            self.dropped += 1;
        }
    }

    fn asked_within(&self, time: Duration, now: Instant) -> bool {
        let since = |asked| now.saturating_duration_since(asked);
        self.asked.is_some_and(|asked| since(asked) < time)
    }

    /// Nothing is usable before the next keyframe; true if it is time to ask for one.
    fn break_at(&mut self, kind: MediaKind, now: Instant) -> bool {
        self.broken = true;
        if kind == MediaKind::Audio {
            return false;
        }
        self.needs_keyframe = true;
        let due = !self.unwanted && !self.asked_within(ASK_AGAIN, now);
        if due {
            self.asked = Some(now);
        }
        due
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Two seconds of 60 frames a second; 2.4 s of Opus.
const MAX_FRAMES: usize = 120;
/// Two seconds at 64 Mbit/s.
const MAX_BYTES: usize = 16 << 20;
/// A request may be lost, and an answer takes a round trip.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Round trip and encoder: what is asked again sooner is answered by the same keyframe.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

#[cfg(test)]
#[path = "queue_test.rs"]
mod tests;
