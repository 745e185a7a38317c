// SPDX-License-Identifier: MPL-2.0
//! Tones of a session (W3C webrtc-pc §7): sent while it is connected, and only then.
use crate::session::Session;
use crate::{ConnectionState, SessionError};
use rtc_payload::TrackId;
use rtc_rtp::{ToneError, ToneTiming};
use std::time::Instant;

impl Session {
    pub(crate) fn insert_tones(
        &mut self,
        track: TrackId,
        tones: &str,
        duration_ms: u32,
        gap_ms: u32,
        now: Instant,
    ) {
        let timing = ToneTiming {
            duration_ms,
            gap_ms,
            ..ToneTiming::default()
        };
        let result = match self.is_connected() {
            true => self.media.insert_tones(track, tones, timing, now),
            false => Err(ToneError::InvalidState),
        };
        self.refuse(result.map_err(SessionError::Tones));
    }

    pub(crate) fn start_tone(&mut self, track: TrackId, tone: char, volume: u8, now: Instant) {
        let result = match self.is_connected() {
            true => self.media.start_tone(track, tone, volume, now),
            false => Err(ToneError::InvalidState),
        };
        self.refuse(result.map_err(SessionError::Tones));
    }

    fn is_connected(&self) -> bool {
        self.connection_state() == ConnectionState::Connected
    }
}
