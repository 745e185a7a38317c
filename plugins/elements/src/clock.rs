// SPDX-License-Identifier: MPL-2.0
//! RTP time, the pipeline's running time and the sender's wall clock, mapped on each other.
//!
//! Receiving, a stream's presentation time is its RTP time plus an offset. The offset follows the
//! *smallest* transit seen of late (arrival less RTP time): what is above it is jitter, and what moves
//! it is drift between the two clocks or a changed path. Once both streams of a session have had a
//! sender report they share the larger of their offsets from the sender's wall clock, so that what was
//! captured together is presented together and no stream is presented before it can have arrived.
//! Offsets are approached by at most a tenth of the time that passes, so that neither picture nor
//! sound jumps; only what is off by more than [`JUMP`] jumps.
//!
//! No clock is read here: times come in as arguments.
use std::sync::{Arc, Mutex, PoisonError};

/// Nanoseconds; signed, for differences and times before zero.
type Nanos = i64;

const SECOND: Nanos = 1_000_000_000;
/// An offset farther off than this is not approached but taken at once: the sender's timestamps
/// jumped, or it paused.
pub const JUMP: Nanos = SECOND / 2;
/// A frame this far before its arrival, or after it, belongs to another time line.
const BREAK_EARLY: Nanos = 2 * SECOND;
const BREAK_LATE: Nanos = 10 * SECOND;
/// The smallest transit is looked for over this to twice this long.
const WINDOW: Nanos = 2 * SECOND;
/// The share of passing time by which an offset may move.
const SLEW_DIVISOR: Nanos = 10;
/// Seconds from 1900 (NTP) to 1970 (Unix), RFC 5905 §6.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// Running time to RTP time, as a 32-bit counter that starts at `offset`.
pub fn rtp_from_running(running: gst::ClockTime, clock_rate: u32, offset: u32) -> u32 {
    let ticks = u128::from(running.nseconds()) * u128::from(clock_rate) / SECOND as u128;
    // The low 32 bits are wanted: RTP time wraps.
    offset.wrapping_add(ticks as u32)
}

/// NTP time in 32.32 fixed point to nanoseconds since 1970; `None` for times before that.
pub fn unix_from_ntp(ntp: u64) -> Option<u64> {
    let seconds = (ntp >> 32).checked_sub(NTP_TO_UNIX)?;
    Some(seconds * SECOND as u64 + fraction_to_nanos(ntp))
}

/// NTP time in 32.32 fixed point to nanoseconds since 1900, what `timestamp/x-ntp` wants.
pub fn ntp_nanos(ntp: u64) -> u64 {
    (ntp >> 32) * SECOND as u64 + fraction_to_nanos(ntp)
}

fn fraction_to_nanos(ntp: u64) -> u64 {
    ((ntp & 0xffff_ffff) * SECOND as u64) >> 32
}

/// What the streams of one session share: the newest offsets of each from the sender's wall clock.
#[derive(Clone, Debug, Default)]
pub struct SessionClock(Arc<Mutex<Vec<Member>>>);

#[derive(Debug)]
struct Member {
    stream: u64,
    /// Running time less the sender's wall clock; `None` before the first report.
    offset: Option<Nanos>,
}

impl SessionClock {
    /// A time line for one more stream of the session, whose RTP clock has `clock_rate` Hz.
    pub fn stream(&self, clock_rate: u32) -> StreamClock {
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = members.iter().map(|m| m.stream + 1).max().unwrap_or(0);
        members.push(Member {
            stream,
            offset: None,
        });
        StreamClock {
            session: self.clone(),
            stream,
            clock_rate,
            line: None,
        }
    }

    /// Notes a stream's offset and returns the one to use: the largest of all streams.
    fn share(&self, stream: u64, offset: Option<Nanos>) -> Option<Nanos> {
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = members.iter_mut().find(|m| m.stream == stream) {
            member.offset = offset;
        }
        offset?;
        members.iter().filter_map(|m| m.offset).max()
    }

    fn leave(&self, stream: u64) {
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|m| m.stream != stream);
    }
}

/// When a frame is to be presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presentation {
    /// Running time.
    pub pts: gst::ClockTime,
    /// The time line broke before this frame: the buffer is to be marked as discontinuous.
    pub jumped: bool,
}

/// The time line of one received stream.
#[derive(Debug)]
pub struct StreamClock {
    session: SessionClock,
    stream: u64,
    clock_rate: u32,
    line: Option<Line>,
}

#[derive(Debug)]
struct Line {
    /// RTP time of the first frame: media time counts from there.
    first: u64,
    /// Added to media time to get presentation time.
    offset: Nanos,
    transit: WindowedMin,
    /// Media time and presentation time of the frame before.
    last_media: Nanos,
    last_pts: Nanos,
}

impl StreamClock {
    /// Changes the RTP clock's rate (another codec): the time line starts anew, without falling back.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.clock_rate = clock_rate;
            if let Some(line) = &mut self.line {
                // An RTP time no frame can have, so that the next frame restarts the line.
                line.first = u64::MAX;
            }
        }
    }

    /// The presentation time of a frame with the extended RTP time `rtp_time`, whose first packet came
    /// at running time `arrived`, and which was captured at `ntp` by the sender's wall clock.
    pub fn present(
        &mut self,
        rtp_time: u64,
        arrived: gst::ClockTime,
        ntp: Option<u64>,
    ) -> Presentation {
        let arrived = Nanos::try_from(arrived.nseconds()).unwrap_or(Nanos::MAX / 2);
        let media = self.media_time(rtp_time);
        let restart = match (&self.line, media) {
            (Some(line), Some(media)) => {
                let ahead = media + line.offset - arrived;
                !(-BREAK_LATE..=BREAK_EARLY).contains(&ahead)
            }
            _ => true,
        };
        if restart {
            return self.restart(rtp_time, arrived);
        }
        let (Some(line), Some(media)) = (&mut self.line, media) else {
            return self.restart(rtp_time, arrived);
        };
        let transit = line.transit.update(arrived - media, arrived);
        // Wall clock less media time; its sum with a session offset is a stream offset.
        let wall = ntp.map(|ntp| ntp_nanos(ntp) as Nanos - media);
        let shared = self.session.share(self.stream, wall.map(|w| transit - w));
        let target = match (shared, wall) {
            // A peer's report may lie: never farther from the stream's own arrival than a jump.
            (Some(shared), Some(wall)) if (0..JUMP).contains(&(shared + wall - transit)) => {
                shared + wall
            }
            _ => transit,
        };
        line.advance(media, target)
    }

    fn restart(&mut self, rtp_time: u64, arrived: Nanos) -> Presentation {
        let floor = self.line.as_ref().map(|line| line.last_pts + 1);
        let pts = arrived.max(floor.unwrap_or(0));
        let mut transit = WindowedMin::default();
        transit.update(arrived, arrived);
        self.session.share(self.stream, None);
        let jumped = self.line.is_some();
        self.line = Some(Line {
            first: rtp_time,
            offset: pts,
            transit,
            last_media: 0,
            last_pts: pts,
        });
        Presentation {
            pts: clock_time(pts),
            jumped,
        }
    }

    /// Time since the line's first frame; `None` if that is no sane number.
    fn media_time(&self, rtp_time: u64) -> Option<Nanos> {
        let line = self.line.as_ref()?;
        let ticks = i128::from(rtp_time) - i128::from(line.first);
        let nanos = ticks * i128::from(SECOND) / i128::from(self.clock_rate.max(1));
        // Far beyond any session, and far from overflow in the sums to come.
        let bound = i128::from(Nanos::MAX / 4);
        (-bound..bound).contains(&nanos).then_some(nanos as Nanos)
    }
}

impl Drop for StreamClock {
    fn drop(&mut self) {
        self.session.leave(self.stream);
    }
}

impl Line {
    fn advance(&mut self, media: Nanos, target: Nanos) -> Presentation {
        let passed = (media - self.last_media).max(0);
        let wrong = target - self.offset;
        // Forward a jump is safe; backward it would break the order, so it is only hurried.
        let jumped = wrong > JUMP;
        let step = match jumped {
            true => wrong,
            false if wrong < -JUMP => wrong.max(-passed / 2),
            false => wrong.clamp(-passed / SLEW_DIVISOR, passed / SLEW_DIVISOR),
        };
        self.offset += step;
        // A frame out of order (the session gives none) must not let time fall back.
        let pts = (media + self.offset).max(self.last_pts + 1);
        self.last_media = self.last_media.max(media);
        self.last_pts = pts;
        Presentation {
            pts: clock_time(pts),
            jumped,
        }
    }
}

fn clock_time(nanos: Nanos) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(nanos.max(0) as u64)
}

/// The smallest value of the last one to two [`WINDOW`]s, in constant space.
#[derive(Debug, Default)]
struct WindowedMin {
    current: Option<Nanos>,
    previous: Option<Nanos>,
    since: Nanos,
}

impl WindowedMin {
    fn update(&mut self, value: Nanos, now: Nanos) -> Nanos {
        if self.current.is_some() && now - self.since >= WINDOW {
            self.previous = self.current.take();
        }
        if self.current.is_none() {
            self.since = now;
        }
        let current = self.current.map_or(value, |current| current.min(value));
        self.current = Some(current);
        self.previous
            .map_or(current, |previous| previous.min(current))
    }
}

#[cfg(test)]
#[path = "clock_test.rs"]
mod tests;
