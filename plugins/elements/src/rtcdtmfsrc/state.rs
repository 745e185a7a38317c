// SPDX-License-Identifier: MPL-2.0
//! What `rtcdtmfsrc` knows: what is to be passed on, and what the sessions say.
use crate::tones::{DEFAULT_DURATION, DEFAULT_GAP, ToneRequest};
use rtc_rtp::{MAX_TONES, tone_character, tone_event};
use std::collections::VecDeque;

/// Requests that wait for the streaming thread at most.
const MAX_QUEUED: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    /// The property `tones`, and whether it is still to be inserted.
    pub(super) tones: String,
    pub(super) is_pending: bool,
    pub(super) duration: u32,
    pub(super) gap: u32,
    pub(super) tone_buffer: String,
    pub(super) can_insert: bool,
    queue: VecDeque<ToneRequest>,
    pub(super) flushing: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            tones: String::new(),
            is_pending: false,
            duration: DEFAULT_DURATION,
            gap: DEFAULT_GAP,
            tone_buffer: String::new(),
            can_insert: false,
            queue: VecDeque::new(),
            flushing: false,
        }
    }
}

/// Why tones are not inserted, by W3C's names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InsertError {
    #[error(
        "InvalidStateError: nobody takes tones now: is the element linked to a dtmf_%u pad of rtcsink, is \
         a peer connected, and does it take the audio?"
    )]
    State,
    #[error("InvalidCharacterError: {0:?} is not one of 0-9 A-D a-d * # and the comma")]
    Character(char),
    #[error("more than {MAX_TONES} tones at a time")]
    TooMany,
}

impl State {
    /// W3C insertDTMF.
    pub(super) fn insert(
        &mut self,
        tones: &str,
        duration_ms: u32,
        gap_ms: u32,
    ) -> Result<(), InsertError> {
        if !self.can_insert {
            return Err(InsertError::State);
        }
        let tones = checked(tones)?;
        // Replaced anyway by what comes.
        self.queue
            .retain(|request| !matches!(request, ToneRequest::Insert { .. }));
        self.tone_buffer.clone_from(&tones);
        self.push(ToneRequest::Insert {
            tones,
            duration_ms,
            gap_ms,
        });
        Ok(())
    }

    /// Inserts the property's tones if it is time.
    pub(super) fn insert_pending(&mut self) -> Result<(), InsertError> {
        if !self.is_pending || !self.can_insert {
            return Ok(());
        }
        self.is_pending = false;
        let tones = self.tones.clone();
        self.insert(&tones, self.duration, self.gap)
    }

    pub(super) fn push(&mut self, request: ToneRequest) {
        while self.queue.len() >= MAX_QUEUED {
            self.queue.pop_front();
        }
        self.queue.push_back(request);
    }

    pub(super) fn pop(&mut self) -> Option<ToneRequest> {
        self.queue.pop_front()
    }

    /// Nothing of what was is true any more.
    pub(super) fn reset(&mut self) {
        self.queue.clear();
        self.tone_buffer.clear();
        self.can_insert = false;
    }
}

/// The tones as they are sent: letters in upper case.
fn checked(tones: &str) -> Result<String, InsertError> {
    if tones.len() > MAX_TONES {
        return Err(InsertError::TooMany);
    }
    let upper = |character: char| match character {
        ',' => Ok(','),
        _ => tone_event(character)
            .and_then(tone_character)
            .ok_or(InsertError::Character(character)),
    };
    tones.chars().map(upper).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn able() -> State {
        State {
            can_insert: true,
            ..State::default()
        }
    }

    #[test]
    fn tones_are_refused_by_w3c_s_names() {
        let mut state = State::default();
        assert_eq!(state.insert("1", 100, 70), Err(InsertError::State));
        state.can_insert = true;
        assert_eq!(
            state.insert("1x", 100, 70),
            Err(InsertError::Character('x'))
        );
        let many = "1".repeat(MAX_TONES + 1);
        assert_eq!(state.insert(&many, 100, 70), Err(InsertError::TooMany));
        assert!(state.pop().is_none() && state.tone_buffer.is_empty());
        state.insert("1,d", 100, 70).unwrap();
        assert_eq!(state.tone_buffer, "1,D");
    }

    #[test]
    fn a_later_insertion_replaces_an_earlier_one() {
        let mut state = able();
        state.insert("123", 100, 70).unwrap();
        state.push(ToneRequest::Stop);
        state.insert("", 100, 70).unwrap();
        assert_eq!(state.pop(), Some(ToneRequest::Stop));
        let Some(ToneRequest::Insert { tones, .. }) = state.pop() else {
            panic!("the last insertion is there");
        };
        assert!(tones.is_empty() && state.pop().is_none());
    }

    #[test]
    fn the_property_s_tones_wait_for_somebody_to_take_them() {
        let mut state = State {
            tones: "12#".into(),
            is_pending: true,
            ..State::default()
        };
        assert_eq!(state.insert_pending(), Ok(()));
        assert!(state.pop().is_none());
        state.can_insert = true;
        assert_eq!(state.insert_pending(), Ok(()));
        assert_eq!(state.insert_pending(), Ok(()));
        assert!(state.pop().is_some() && state.pop().is_none());
    }
}
