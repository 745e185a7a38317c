// SPDX-License-Identifier: MPL-2.0
//! Which presentation time each RTP timestamp of a received video got, so that messages get the same.
use rtc_payload::Mid;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One video's newest frames.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<(u32, gst::ClockTime)>,
    /// A message has waited in vain since the newest.
    stands: bool,
}

impl Timeline {
    /// A frame gets its presentation time.
    pub(crate) fn add(&self, rtp_time: u32, pts: gst::ClockTime) {
        let mut state = self.state();
        state.stands = false;
        let frames = &mut state.frames;
        let newest = frames.back();
        // A jump back begins another count.
        if newest.is_some_and(|(newest, _)| ahead(rtp_time, *newest) < 0) {
            frames.clear();
        }
        if frames.len() == KEPT {
            frames.pop_front();
        }
        frames.push_back((rtp_time, pts));
        drop(state);
        self.grown.notify_all();
    }

    /// The presentation time of the frame at or before a timestamp. It waits a little until that is known; the
    /// time of a frame that does not come is reckoned. `None` if there is no video, or it is at quite another
    /// time.
    pub(crate) fn pts(&self, rtp_time: u32) -> Option<gst::ClockTime> {
        let waits = |state: &mut State| {
            // The first message comes before the first frame, as that is larger.
            let awaits = |newest: &(u32, _)| (1..FAR).contains(&ahead(rtp_time, newest.0));
            !state.stands && state.frames.back().is_none_or(awaits)
        };
        let (mut state, waited) = self
            .grown
            .wait_timeout_while(self.state(), PATIENCE, waits)
            .unwrap_or_else(PoisonError::into_inner);
        // Those behind need not wait for a video that stands.
        state.stands |= waited.timed_out();
        let frames = &state.frames;
        let after = frames
            .iter()
            .position(|(time, _)| ahead(*time, rtp_time) > 0);
        match after {
            // Before all that is known.
            Some(0) => reckon(*frames.front()?, rtp_time),
            Some(after) => Some(frames.get(after - 1)?.1),
            None => {
                let newest = frames.back()?;
                reckon(*newest, rtp_time)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The videos of one session, in the order of their m-lines.
#[derive(Debug, Default)]
pub(crate) struct Timelines(Mutex<Vec<(Mid, Arc<Timeline>)>>);

impl Timelines {
    /// That of an m-line, made if it is new.
    pub(crate) fn of(&self, mid: &Mid) -> Arc<Timeline> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, timeline)) = all.iter().find(|(of, _)| of == mid) {
            return Arc::clone(timeline);
        }
        let timeline = Arc::<Timeline>::default();
        all.push((mid.clone(), Arc::clone(&timeline)));
        timeline
    }

    /// That at a position.
    pub(crate) fn at(&self, video: usize) -> Option<Arc<Timeline>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(video).map(|(_, timeline)| Arc::clone(timeline))
    }
}

/// The time of a timestamp by that of a frame.
fn reckon((time, pts): (u32, gst::ClockTime), rtp_time: u32) -> Option<gst::ClockTime> {
    let ticks = ahead(rtp_time, time);
    if ticks.abs() >= FAR {
        return None;
    }
    let apart = gst::ClockTime::from_nseconds(u64::from(ticks.unsigned_abs()) * 100_000 / 9);
    Some(match ticks < 0 {
        true => pts.saturating_sub(apart),
        false => pts + apart,
    })
}

fn ahead(time: u32, of: u32) -> i32 {
    time.wrapping_sub(of) as i32
}

/// Four seconds of 60 frames a second.
const KEPT: usize = 240;
/// A message overtakes its frame by what that takes to be received, and the first by what decoders take to start.
const PATIENCE: Duration = Duration::from_secs(1);
/// Ten seconds of 90 kHz: of another count.
const FAR: i32 = 900_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(ms)
    }

    #[test]
    fn a_message_has_the_time_of_its_frame_though_the_count_wraps() {
        let timeline = Timeline::default();
        assert_eq!(timeline.pts(5), None);
        let first = u32::MAX - 2_999;
        timeline.add(first, ms(1000));
        timeline.add(first.wrapping_add(9_000), ms(1105));
        assert_eq!(timeline.pts(first), Some(ms(1000)));
        assert_eq!(timeline.pts(first.wrapping_add(4_500)), Some(ms(1000)));
        assert_eq!(timeline.pts(6_000), Some(ms(1105)));
        assert_eq!(timeline.pts(first.wrapping_sub(9_000)), Some(ms(900)));
        assert_eq!(timeline.pts(first.wrapping_add(2_000_000)), None);
    }

    #[test]
    fn a_message_waits_for_its_frame() {
        let timeline = Arc::new(Timeline::default());
        timeline.add(90, ms(1));
        let other = Arc::clone(&timeline);
        let message = std::thread::spawn(move || other.pts(9_090));
        timeline.add(9_090, ms(140));
        assert_eq!(message.join().unwrap(), Some(ms(140)));
    }
}
