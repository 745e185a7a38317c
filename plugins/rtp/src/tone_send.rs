// SPDX-License-Identifier: MPL-2.0
//! Tones to send on one audio stream: W3C's queue of them, and the packets of each (RFC 4733 §2.5.1).
//!
//! Packets of a tone bear the timestamp of its beginning and what it lasted so far: one each [`INTERVAL`],
//! then the end three times. Audio is not sent from the beginning to the last of those.
use crate::clock::rtp_time_at;
use crate::tone::{
    MAX_TONES, ToneError, ToneFormat, TonePayload, ToneTiming, tone_character, tone_event,
};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Time between the packets of a tone: as audio's (RFC 4733 §2.5.1.2).
const INTERVAL: Duration = Duration::from_millis(20);
/// The last packet of a tone, and of a segment of it, is sent so often in all (RFC 4733 §2.5.1.4).
const LAST_TIMES: u8 = 3;
/// What a comma stands for (W3C webrtc-pc §7.2).
const PAUSE: Duration = Duration::from_secs(2);
/// W3C's bounds of the duration, and of the gap, ms.
const DURATION_MS: (u32, u32) = (40, 6000);
const GAP_MS: (u32, u32) = (30, 6000);
/// A tone that starts so late is sent whole from then on, instead of from when it was due.
const LATE: Duration = Duration::from_millis(20);
/// Audio from before the end of a tone can come so long after it, and the first so long after a request.
const AUDIO_DELAY: Duration = Duration::from_millis(500);

/// One packet of a tone, but for its header's constant part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TonePacket {
    pub(crate) marker: bool,
    pub(crate) rtp_time: u32,
    pub(crate) payload: TonePayload,
}

/// How a stream counts time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToneClock {
    /// A timestamp of the stream, and when it was the time.
    pub(crate) at: (u32, Instant),
    /// Of timestamps: the audio codec's.
    pub(crate) rate: u32,
    /// Of durations.
    pub(crate) format: ToneFormat,
}

impl ToneClock {
    /// The stream's timestamp at a moment; never before that of audio already sent.
    fn timestamp(&self, at: Instant) -> u32 {
        let (newest, when) = self.at;
        let rtp_time = rtp_time_at(newest, when, self.rate, at);
        match (rtp_time.wrapping_sub(newest) as i32) < 0 {
            true => newest,
            false => rtp_time,
        }
    }

    fn ticks(&self, duration: Duration) -> u64 {
        let ticks = duration.as_nanos() * u128::from(self.format.clock_rate) / 1_000_000_000;
        ticks as u64 // six seconds at most
    }
}

/// One character of the tone buffer.
#[derive(Clone, Copy, Debug)]
struct Item {
    character: char,
    /// `None` for a pause.
    event: Option<u8>,
    length: Length,
    gap: Duration,
    volume: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Fixed(Duration),
    /// Until it is stopped; asked for then.
    Open(Instant),
}

/// The tone that sounds.
#[derive(Clone, Copy, Debug)]
struct Playing {
    event: u8,
    volume: u8,
    length: Length,
    gap: Duration,
    started: Instant,
    rtp_time: u32,
    /// Ticks from the beginning to that of the present segment.
    segment: u64,
    is_new: bool,
    due: Instant,
}

/// The last packet of a tone or of a segment, still to be sent again.
#[derive(Clone, Copy, Debug)]
struct Last {
    packet: TonePacket,
    left: u8,
    every: Duration,
    due: Instant,
}

/// The tones of one stream.
#[derive(Debug, Default)]
pub(crate) struct ToneSender {
    buffer: VecDeque<Item>,
    /// W3C's playout task: when the next character is looked at.
    next: Option<Instant>,
    playing: Option<Playing>,
    last: Option<Last>,
    /// Where the newest tone ended.
    ended: Option<(u32, Instant)>,
    /// The time base where no audio was sent yet.
    base: Option<(u32, Instant)>,
    asked: Option<Instant>,
    packets: VecDeque<TonePacket>,
}

impl ToneSender {
    /// Replaces what waits.
    pub(crate) fn insert(
        &mut self,
        tones: &str,
        timing: ToneTiming,
        events: u16,
        now: Instant,
    ) -> Result<(), ToneError> {
        let clamp =
            |ms: u32, (min, max): (u32, u32)| Duration::from_millis(ms.clamp(min, max).into());
        let length = Length::Fixed(clamp(timing.duration_ms, DURATION_MS));
        let gap = clamp(timing.gap_ms, GAP_MS);
        let mut buffer = VecDeque::new();
        for character in tones.chars() {
            if buffer.len() >= MAX_TONES {
                return Err(ToneError::TooMany);
            }
            buffer.push_back(item(character, length, gap, timing.volume, events)?);
        }
        self.buffer = buffer;
        self.wake(now);
        Ok(())
    }

    /// Adds a tone that lasts until it is stopped.
    pub(crate) fn start(
        &mut self,
        tone: char,
        volume: u8,
        events: u16,
        now: Instant,
    ) -> Result<(), ToneError> {
        self.stop(now);
        if self.buffer.len() >= MAX_TONES {
            return Err(ToneError::TooMany);
        }
        let gap = Duration::from_millis(ToneTiming::default().gap_ms.into());
        let item = item(tone, Length::Open(now), gap, volume, events)?;
        if item.event.is_none() {
            return Err(ToneError::InvalidCharacter(tone));
        }
        self.buffer.push_back(item);
        self.wake(now);
        Ok(())
    }

    /// Ends the tone that was started, or that still waits to be.
    pub(crate) fn stop(&mut self, now: Instant) {
        let min = Duration::from_millis(DURATION_MS.0.into());
        if let Some(playing) = &mut self.playing
            && let Length::Open(_) = playing.length
        {
            let length = now.saturating_duration_since(playing.started).max(min);
            playing.length = Length::Fixed(length);
            playing.due = playing.due.min(playing.started + length);
            self.next = Some(playing.started + length + playing.gap);
        }
        for item in &mut self.buffer {
            if let Length::Open(asked) = item.length {
                item.length = Length::Fixed(now.saturating_duration_since(asked).max(min));
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        if self.next.is_none() && self.playing.is_none() && !self.buffer.is_empty() {
            self.next = Some(now);
        }
    }

    /// Forgets everything at once, as when the stream ends. True if a series was under way.
    pub(crate) fn cancel(&mut self) -> bool {
        let was_active = self.next.is_some() || self.playing.is_some();
        *self = Self::default();
        was_active
    }

    /// What waits, as W3C's toneBuffer.
    pub(crate) fn buffer(&self) -> String {
        self.buffer.iter().map(|item| item.character).collect()
    }

    /// Whether audio of this timestamp is not sent: in its place there is a tone.
    pub(crate) fn silences(&mut self, rtp_time: u32, now: Instant) -> bool {
        if self.playing.is_some() || self.last.is_some() || !self.packets.is_empty() {
            return true;
        }
        let during = self.ended.is_some_and(|(end, at)| {
            let before = (rtp_time.wrapping_sub(end) as i32) < 0;
            before && now.saturating_duration_since(at) < AUDIO_DELAY
        });
        if !during {
            self.ended = None;
        }
        during
    }

    /// The next packet to send.
    pub(crate) fn packet(&mut self) -> Option<TonePacket> {
        self.packets.pop_front()
    }

    pub(crate) fn has_packets(&self) -> bool {
        !self.packets.is_empty()
    }

    /// Puts the first tone off while there is no audio yet whose timestamps it could go on with.
    pub(crate) fn waits_for_audio(&mut self, now: Instant) -> bool {
        let since = *self.asked.get_or_insert(now);
        let waits = self.base.is_none() && now.saturating_duration_since(since) < AUDIO_DELAY;
        if waits {
            self.next = Some(now + INTERVAL);
        }
        waits
    }

    /// The time base of a stream without audio so far.
    pub(crate) fn base(&mut self, now: Instant) -> (u32, Instant) {
        *self.base.get_or_insert_with(|| (rand::random(), now))
    }

    /// When [`Self::advance`] is wanted next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let playing = self.playing.map(|playing| playing.due);
        let next = self.next.filter(|_| playing.is_none());
        let last = self.last.map(|last| last.due);
        [playing, next, last].into_iter().flatten().min()
    }

    /// Does what is due: packets to [`Self::packet`], and W3C's tonechange events to `changed`, each with
    /// what then waits.
    pub(crate) fn advance(
        &mut self,
        clock: &ToneClock,
        now: Instant,
        mut changed: impl FnMut(String, String),
    ) {
        self.repeat_last(now);
        self.update(clock, now);
        if self.playing.is_none()
            && let Some(due) = self.next.filter(|due| *due <= now)
        {
            self.next = None;
            let start = match now.saturating_duration_since(due) > LATE {
                true => now,
                false => due,
            };
            let tone = self.begin(clock, start);
            changed(tone, self.buffer());
            self.update(clock, now);
        }
    }

    /// Looks at the next character; gives what tonechange says.
    fn begin(&mut self, clock: &ToneClock, start: Instant) -> String {
        let Some(item) = self.buffer.pop_front() else {
            return String::new();
        };
        let Some(event) = item.event else {
            self.next = Some(start + PAUSE);
            return item.character.into();
        };
        if let Length::Fixed(length) = item.length {
            self.next = Some(start + length + item.gap);
        }
        if let Some(last) = self.last.take() {
            // A gap of one packet: what is left of the end goes out at once.
            self.packets.extend((0..last.left).map(|_| last.packet));
        }
        self.playing = Some(Playing {
            event,
            volume: item.volume,
            length: item.length,
            gap: item.gap,
            started: start,
            rtp_time: clock.timestamp(start),
            segment: 0,
            is_new: true,
            due: start + INTERVAL,
        });
        item.character.into()
    }

    /// Sends what the tone that sounds lasted so far, or its end.
    fn update(&mut self, clock: &ToneClock, now: Instant) {
        let Some(mut playing) = self.playing.filter(|playing| playing.due <= now) else {
            return;
        };
        let longest = Duration::from_millis(DURATION_MS.1.into());
        let elapsed = now.saturating_duration_since(playing.started);
        let length = match playing.length {
            Length::Fixed(length) => length.min(longest),
            Length::Open(_) => longest,
        };
        let end = elapsed >= length;
        // Whole intervals, as if no timer were ever late.
        let steps = (elapsed.as_nanos() / INTERVAL.as_nanos()) as u32;
        let lasted = if end { length } else { INTERVAL * steps };
        let ticks = clock.ticks(lasted);
        while ticks - playing.segment > u64::from(u16::MAX) {
            let packet = playing.packet(clock, u16::MAX, false);
            self.packets.push_back(packet);
            self.keep(packet, INTERVAL, now);
            playing.segment += u64::from(u16::MAX);
            playing.is_new = false;
        }
        let packet = playing.packet(clock, (ticks - playing.segment) as u16, end);
        self.packets.push_back(packet);
        playing.is_new = false;
        playing.due = playing.started + (INTERVAL * (steps + 1)).min(length);
        self.playing = Some(playing);
        if end {
            self.end(&playing, packet, clock, length, now);
        }
    }

    fn end(
        &mut self,
        playing: &Playing,
        packet: TonePacket,
        clock: &ToneClock,
        length: Duration,
        now: Instant,
    ) {
        let end = playing.started + length;
        self.playing = None;
        self.next = Some(end + playing.gap);
        self.keep(packet, INTERVAL.min(playing.gap / 2), now);
        let rtp_time = rtp_time_at(playing.rtp_time, playing.started, clock.rate, end);
        self.ended = Some((rtp_time, now));
    }

    fn keep(&mut self, packet: TonePacket, every: Duration, now: Instant) {
        self.last = Some(Last {
            packet: TonePacket {
                marker: false,
                ..packet
            },
            left: LAST_TIMES - 1,
            every,
            due: now + every,
        });
    }

    fn repeat_last(&mut self, now: Instant) {
        let Some(last) = self.last.as_mut().filter(|last| last.due <= now) else {
            return;
        };
        self.packets.push_back(last.packet);
        last.left -= 1;
        last.due = now + last.every;
        if last.left == 0 {
            self.last = None;
        }
    }
}

impl Playing {
    fn packet(&self, clock: &ToneClock, duration: u16, end: bool) -> TonePacket {
        // Segments begin where the one before ended, in the clock of timestamps.
        let rate = u64::from(clock.format.clock_rate.max(1));
        let offset = self.segment * u64::from(clock.rate) / rate;
        TonePacket {
            marker: self.is_new,
            rtp_time: self.rtp_time.wrapping_add(offset as u32),
            payload: TonePayload {
                event: self.event,
                end,
                volume: self.volume.min(63),
                duration,
            },
        }
    }
}

/// A character as it is queued: letters in upper case (W3C webrtc-pc §7.2).
fn item(
    character: char,
    length: Length,
    gap: Duration,
    volume: u8,
    events: u16,
) -> Result<Item, ToneError> {
    let event = match character {
        ',' => None,
        _ => Some(tone_event(character).ok_or(ToneError::InvalidCharacter(character))?),
    };
    if event.is_some_and(|event| events & 1 << event == 0) {
        return Err(ToneError::InvalidCharacter(character));
    }
    Ok(Item {
        character: event.and_then(tone_character).unwrap_or(character),
        event,
        length,
        gap,
        volume,
    })
}
