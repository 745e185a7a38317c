// SPDX-License-Identifier: MPL-2.0
//! Telephone events (RFC 4733): codes, format and payload, and what is said of them.
use rtc_payload::{Mid, Pt, Ssrc};
use std::time::{Duration, Instant};

/// The tones of a telephone in the order of their event codes 0-15 (RFC 4733 §3.2).
const TONES: &[u8; 16] = b"0123456789*#ABCD";
/// The characters of one request at most: W3C names no limit, a telephone number has fifteen digits.
pub const MAX_TONES: usize = 4096;

/// A negotiated `telephone-event` format of an audio m-line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToneFormat {
    /// Its payload type on the wire.
    pub pt: Pt,
    /// The unit of durations: 1 / this many seconds.
    pub clock_rate: u32,
    /// The events the receiver takes (`a=fmtp`): bit n is event n.
    pub events: u16,
}

/// What is asked with the tones of [`crate::Media::insert_tones`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToneTiming {
    /// How long each tone lasts, ms; taken as 40-6000 (W3C webrtc-pc §7.2).
    pub duration_ms: u32,
    /// How long the silence after each is, ms; taken as 30-6000.
    pub gap_ms: u32,
    /// Loudness, -dBm0, 0-63.
    pub volume: u8,
}

impl Default for ToneTiming {
    /// W3C's 100 and 70 ms, and the loudness browsers send.
    fn default() -> Self {
        Self {
            duration_ms: 100,
            gap_ms: 70,
            volume: 10,
        }
    }
}

/// Why tones can't be sent; the names are W3C's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToneError {
    /// No sender of that track is active with a format for tones.
    #[error("InvalidStateError: the track is not sent, or the peer takes no telephone-event")]
    InvalidState,
    /// A character that is no tone, or one the peer does not take.
    #[error("InvalidCharacterError: {0:?} is not one of 0-9 A-D * # , or not taken by the peer")]
    InvalidCharacter(char),
    /// More characters than are taken at a time.
    #[error("more than {MAX_TONES} tones at a time")]
    TooMany,
}

/// A tone of the peer, told once, when it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedTone {
    /// Its m-line.
    pub mid: Mid,
    /// The SSRC of the audio it is part of.
    pub ssrc: Ssrc,
    /// Event code 0-15: digits, `*`, `#`, A-D (RFC 4733 §3.2).
    pub event: u8,
    /// Loudness, -dBm0, 0-63.
    pub volume: u8,
    /// How long it was held; what was seen of it if its end was lost.
    pub duration: Duration,
    /// RTP timestamp of its beginning.
    pub rtp_time: u32,
    /// When its first packet arrived.
    pub arrived: Instant,
}

impl ReceivedTone {
    /// The tone as a character (`0`-`9`, `*`, `#`, `A`-`D`).
    pub fn character(&self) -> char {
        tone_character(self.event).unwrap_or('?')
    }
}

/// The character of an event code 0-15.
pub fn tone_character(event: u8) -> Option<char> {
    TONES.get(usize::from(event)).copied().map(char::from)
}

/// The event code of a tone's character; letters of either case.
pub fn tone_event(character: char) -> Option<u8> {
    let upper = character.to_ascii_uppercase();
    let at = TONES.iter().position(|tone| char::from(*tone) == upper)?;
    u8::try_from(at).ok()
}

/// The payload of a packet (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TonePayload {
    pub(crate) event: u8,
    pub(crate) end: bool,
    pub(crate) volume: u8,
    /// From the segment's beginning, in ticks.
    pub(crate) duration: u16,
}

impl TonePayload {
    /// Bytes.
    pub(crate) const LEN: usize = 4;

    /// Only the first event of a payload counts: several in one are states of a line, not tones.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, high, low] = *payload.first_chunk()?;
        Some(Self {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    pub(crate) fn bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        let flags = u8::from(self.end) << 7 | self.volume & 0x3f;
        [self.event, flags, high, low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_and_codes_are_the_rfc_s() {
        for (event, character) in "0123456789*#ABCD".chars().enumerate() {
            assert_eq!(tone_event(character), Some(event as u8));
            assert_eq!(tone_character(event as u8), Some(character));
        }
        assert_eq!(tone_event('d'), Some(15));
        assert_eq!((tone_event(','), tone_character(16)), (None, None));
    }

    #[test]
    fn a_payload_is_four_bytes_to_the_letter() {
        let payload = TonePayload {
            event: 11,
            end: true,
            volume: 10,
            duration: 0x1234,
        };
        assert_eq!(payload.bytes(), [11, 0x8a, 0x12, 0x34]);
        assert_eq!(TonePayload::parse(&[11, 0x8a, 0x12, 0x34]), Some(payload));
        let reserved = TonePayload::parse(&[1, 0x40, 0, 1, 9]).unwrap();
        assert!(!reserved.end && reserved.volume == 0);
        assert_eq!(TonePayload::parse(&[1, 0x40, 0]), None);
    }
}
