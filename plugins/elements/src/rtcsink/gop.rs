// SPDX-License-Identifier: MPL-2.0
//! Whether the source of encoded input makes keyframes on request. Until it has proven to, the frames since
//! the last keyframe are kept for viewers that join.
use super::stream::{Running, Stream};
use crate::encode::Branch;
use crate::transform;
use gst::glib;
use gst::prelude::*;
use rtc_payload::{Codec, MediaKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// `gop-cache`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcGopCache")]
pub enum GopCache {
    /// As long as the source has not answered requests.
    #[default]
    #[enum_value(name = "Unless the source makes keyframes on request", nick = "auto")]
    Auto,
    /// Always.
    #[enum_value(name = "For all encoded video", nick = "on")]
    On,
    /// Never.
    #[enum_value(name = "Never: who joins waits for the next keyframe", nick = "off")]
    Off,
}

/// A keyframe so soon after a request is its answer.
const ANSWERED: Duration = Duration::from_millis(150);
/// One that has not come by then never will.
const UNANSWERED: Duration = Duration::from_secs(1);
/// After a keyframe, before the next request: encoders may pass over one that comes too soon.
const PAUSE: Duration = Duration::from_millis(400);
/// One keyframe may have been due just then; three in a row were asked for.
const PROOFS: u32 = 3;
/// A source that is no better than chance is asked no further.
const TRIES: u32 = 6;

/// Asks a source for keyframes and watches what comes.
#[derive(Debug, Default)]
struct Asker {
    keyframe: Option<Instant>,
    asked: Option<Instant>,
    answers: u32,
    tries: u32,
    done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Nothing,
    Ask,
    /// It makes keyframes on request.
    Proven,
    /// It does not, or not surely: asked no further.
    GiveUp,
}

impl Asker {
    fn frame(&mut self, keyframe: bool, now: Instant) -> Act {
        if self.done {
            return Act::Nothing;
        }
        let since = |at: Instant| now.saturating_duration_since(at);
        let act = match (keyframe, self.asked) {
            (true, asked) => {
                self.keyframe = Some(now);
                self.asked = None;
                match asked.map(since) {
                    Some(took) if took <= ANSWERED => self.answers += 1,
                    Some(_) => self.answers = 0,
                    None => {}
                }
                match (self.answers >= PROOFS, self.tries >= TRIES) {
                    (true, _) => Act::Proven,
                    (false, true) => Act::GiveUp,
                    (false, false) => Act::Nothing,
                }
            }
            (false, Some(asked)) if since(asked) > UNANSWERED => Act::GiveUp,
            (false, Some(_)) => Act::Nothing,
            (false, None) => match self.keyframe.map(since) {
                Some(age) if age > PAUSE => {
                    self.asked = Some(now);
                    self.tries += 1;
                    Act::Ask
                }
                _ => Act::Nothing,
            },
        };
        self.done = matches!(act, Act::Proven | Act::GiveUp);
        act
    }
}

impl Stream {
    /// The frames of encoded input are kept from now on, if the user wants that.
    pub(super) fn keep_frames(self: &Arc<Self>, running: &Running, codec: Codec, branch: &Branch) {
        if codec.kind() != MediaKind::Video || running.gop_cache == GopCache::Off {
            return;
        }
        self.state().kept = Some(codec);
        running.handle.keep_frames(running.track, codec, true);
        if running.gop_cache == GopCache::Auto {
            self.ask_source(codec, branch);
        }
    }

    /// They are not kept any more; what holds a branch active then is its viewers alone.
    pub(super) fn drop_frames(&self, running: &Running) {
        let kept = self.state().kept.take();
        if let Some(codec) = kept {
            running.handle.keep_frames(running.track, codec, false);
        }
    }

    fn ask_source(self: &Arc<Self>, codec: Codec, branch: &Branch) {
        let (weak, asker) = (Arc::downgrade(self), Mutex::new(Asker::default()));
        let of_branch = branch.tap().downgrade();
        let probe = move |_: &gst::Pad, info: &mut gst::PadProbeInfo<'_>| {
            let Some(buffer) = info.buffer() else {
                return gst::PadProbeReturn::Ok;
            };
            let keyframe = transform::frame_info(buffer).keyframe;
            let mut asker = asker.lock().unwrap_or_else(PoisonError::into_inner);
            let act = asker.frame(keyframe, Instant::now());
            drop(asker);
            let (Some(stream), Some(tap)) = (weak.upgrade(), of_branch.upgrade()) else {
                return gst::PadProbeReturn::Remove;
            };
            match act {
                Act::Nothing => gst::PadProbeReturn::Ok,
                Act::Ask => {
                    crate::encode::request_keyframe(&tap);
                    gst::PadProbeReturn::Ok
                }
                Act::GiveUp => gst::PadProbeReturn::Remove,
                Act::Proven => {
                    let running = stream.state().running.clone();
                    running
                        .iter()
                        .for_each(|running| stream.drop_frames(running));
                    tap.set_active(stream.state().wants(codec));
                    gst::PadProbeReturn::Remove
                }
            }
        };
        branch
            .tap()
            .pad()
            .add_probe(gst::PadProbeType::BUFFER, probe);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds of 30 frames a second, a keyframe every `every` frames and `delay` frames after a request.
    fn outcome(every: u32, delay: Option<u32>) -> (Act, u32) {
        let (mut asker, start) = (Asker::default(), Instant::now());
        let (mut due, mut asked) = (None, 0);
        for at in 0..300 {
            let keyframe = at % every == 0 || due == Some(at);
            match asker.frame(keyframe, start + Duration::from_millis(33) * at) {
                Act::Nothing => {}
                Act::Ask => {
                    asked += 1;
                    due = delay.map(|delay| at + delay);
                }
                end => return (end, asked),
            }
        }
        (Act::Nothing, asked)
    }

    #[test]
    fn a_source_that_answers_three_times_needs_no_cache() {
        assert_eq!(outcome(250, Some(2)), (Act::Proven, 3));
    }

    #[test]
    fn a_source_that_never_answers_is_asked_once() {
        assert_eq!(outcome(250, None), (Act::GiveUp, 1));
    }

    #[test]
    fn keyframes_that_come_anyway_are_no_answers() {
        // Every second, so that each request sees one, but not soon.
        assert_eq!(outcome(30, None), (Act::GiveUp, 6));
        // Of so short groups nothing needs to be known.
        assert_eq!(outcome(10, None), (Act::Nothing, 0));
    }
}
