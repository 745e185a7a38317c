// SPDX-License-Identifier: MPL-2.0
//! The running times of an input's newest frames: to which of them a message belongs.
use gst::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Frames(Mutex<VecDeque<gst::ClockTime>>);

impl Frames {
    /// Notes the frames that pass a pad from now on.
    pub(super) fn watch(pad: &impl IsA<gst::Pad>) -> Arc<Self> {
        let frames = Arc::<Self>::default();
        let weak = Arc::downgrade(&frames);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let segment = pad.sticky_event::<gst::event::Segment>(0);
            let running = segment.and_then(|event| {
                let segment = event.segment().downcast_ref::<gst::ClockTime>()?;
                segment.to_running_time(info.buffer()?.pts()?)
            });
            if let (Some(running), Some(frames)) = (running, weak.upgrade()) {
                frames.add(running);
            }
            gst::PadProbeReturn::Ok
        });
        frames
    }

    /// The time of the newest frame not after `running`; that itself while no later frame has come, for the
    /// frame it belongs to may be on its way.
    pub(super) fn at_or_before(&self, running: gst::ClockTime) -> gst::ClockTime {
        let frames = self.frames();
        let later = frames.iter().any(|frame| *frame > running);
        let before = frames.iter().filter(|frame| **frame <= running).max();
        before.copied().filter(|_| later).unwrap_or(running)
    }

    fn add(&self, running: gst::ClockTime) {
        let mut frames = self.frames();
        if frames.len() == KEPT {
            frames.pop_front();
        }
        frames.push_back(running);
    }

    fn frames(&self) -> MutexGuard<'_, VecDeque<gst::ClockTime>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two seconds of 60 frames a second.
const KEPT: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_between_two_frames_belongs_to_the_first() {
        let frames = Frames::default();
        let ms = gst::ClockTime::from_mseconds;
        assert_eq!(frames.at_or_before(ms(5)), ms(5));
        [0, 40, 120, 80]
            .into_iter()
            .for_each(|at| frames.add(ms(at)));
        assert_eq!(frames.at_or_before(ms(40)), ms(40));
        assert_eq!(frames.at_or_before(ms(79)), ms(40));
        assert_eq!(frames.at_or_before(ms(130)), ms(130));
    }
}
