// SPDX-License-Identifier: MPL-2.0
//! A running encoder and its bitrate: what it is told at once, what it is started anew for, and which
//! frames are left out so that the rest stay sharp.
use super::bitrate::Bitrate;
use gst::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An encoder whose bitrate is fixed while it runs is started anew when it makes so much more, in percent,
/// than the viewers carry, or so much less; each time costs a keyframe and some milliseconds.
const TOO_MUCH: u64 = 115;
const TOO_LITTLE: u64 = 60;
/// Not more often than that: down soon, for a queue builds up; up slowly, for it only looks better.
const DOWN_AFTER: Duration = Duration::from_secs(2);
const UP_AFTER: Duration = Duration::from_secs(10);

/// Bits a pixel needs to stay sharp, in thousandths: 720p at 2 Mbit/s keeps 27 frames a second.
const SHARP: u64 = 80;
/// Fewer frames a second are no moving picture any more.
const LEAST_FRAMES: u64 = 5;
/// Where the caps tell no frame rate.
const USUAL_FRAMES: u64 = 30;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    encoder: gst::Element,
    bitrate: Option<Bitrate>,
    /// Its rate control counts on the caps' frame rate.
    counts_frames: bool,
    /// Frames are left out before they get unsharp.
    keeps_sharpness: bool,
    /// The least distance of frames, nanoseconds; 0 = all pass.
    distance: AtomicU64,
    next: Mutex<Option<gst::ClockTime>>,
    rate: Mutex<Rate>,
}

/// What an encoder that cannot change was started with, and what it should make.
#[derive(Debug)]
struct Rate {
    started_with: u64,
    since: Instant,
    wanted: u64,
}

impl Control {
    /// `bits_per_second` is what the encoder was made with.
    pub(super) fn new(
        encoder: gst::Element,
        bitrate: Option<Bitrate>,
        (counts_frames, keeps_sharpness): (bool, bool),
        bits_per_second: u64,
    ) -> Self {
        Self(Arc::new(Inner {
            encoder,
            bitrate,
            counts_frames,
            keeps_sharpness,
            distance: AtomicU64::new(0),
            next: Mutex::default(),
            rate: Mutex::new(Rate {
                started_with: bits_per_second,
                since: Instant::now(),
                wanted: bits_per_second,
            }),
        }))
    }

    pub(super) fn encoder(&self) -> &gst::Element {
        &self.0.encoder
    }

    /// Watches the frames on their way: `input` is where they leave the branch's queue, before anything is
    /// converted.
    pub(super) fn watch(&self, input: &gst::Pad) {
        if self.0.keeps_sharpness {
            let inner = Arc::downgrade(&self.0);
            input.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
                match (inner.upgrade(), info.buffer()) {
                    (Some(inner), Some(buffer)) if !inner.passes(pad, buffer) => {
                        gst::PadProbeReturn::Drop
                    }
                    _ => gst::PadProbeReturn::Ok,
                }
            });
        }
        if self.0.bitrate.is_some_and(|bitrate| !bitrate.is_live()) {
            let before = self.0.encoder.static_pad("sink").and_then(|pad| pad.peer());
            let inner = Arc::downgrade(&self.0);
            if let Some(before) = before {
                before.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
                    if let Some(inner) = inner.upgrade() {
                        inner.restart_if_due(pad, Instant::now());
                    }
                    gst::PadProbeReturn::Ok
                });
            }
        }
    }

    /// What the viewers can carry.
    pub(super) fn set(&self, bits_per_second: u64) {
        self.0.rate().wanted = bits_per_second;
        if let Some(bitrate) = self.0.bitrate
            && bitrate.is_live()
            && !self.0.keeps_sharpness
        {
            bitrate.set(&self.0.encoder, bits_per_second);
        }
    }
}

impl Inner {
    /// Whether a frame is to be encoded; on the streaming thread.
    fn passes(&self, pad: &gst::Pad, buffer: &gst::BufferRef) -> bool {
        self.follow(pad);
        let distance = gst::ClockTime::from_nseconds(self.distance.load(Ordering::Relaxed));
        let Some(at) = buffer.pts().filter(|_| !distance.is_zero()) else {
            return true;
        };
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // A time that jumps starts anew.
        let due = next.filter(|due| *due <= at + distance);
        if due.is_some_and(|due| at < due) {
            return false;
        }
        // Every frame that falls into a grid of that distance, so that the rate holds on average.
        let late = due.map_or(gst::ClockTime::ZERO, |due| at.saturating_sub(due));
        *next = Some(at + distance - late.min(distance));
        true
    }

    /// Brings frame distance and bitrate to what is wanted, if that changed.
    fn follow(&self, pad: &gst::Pad) {
        let mut rate = self.rate();
        let (wanted, before) = (rate.wanted, rate.started_with);
        let is_live = self.bitrate.is_some_and(Bitrate::is_live);
        let first = self.distance.load(Ordering::Relaxed) == 0;
        if wanted == before && !first {
            return;
        }
        let caps = pad.current_caps();
        let picture = caps.as_deref().and_then(Picture::of).unwrap_or_default();
        let frames = picture.affordable(wanted);
        self.distance
            .store(distance(frames, picture.frames), Ordering::Relaxed);
        if let Some(bitrate) = self.bitrate.filter(|_| is_live) {
            rate.started_with = wanted;
            let bits = match self.counts_frames {
                true => wanted * picture.frames / frames,
                false => wanted,
            };
            bitrate.set(&self.encoder, bits);
        }
    }

    /// On the streaming thread, before a frame enters the encoder, which so is at rest.
    fn restart_if_due(&self, before: &gst::Pad, now: Instant) {
        let wanted = {
            let mut rate = self.rate();
            if !rate.is_due(now) {
                return;
            }
            rate.started_with = rate.wanted;
            rate.since = now;
            rate.wanted
        };
        let Some(sink) = before.peer() else {
            return;
        };
        if self.encoder.set_state(gst::State::Ready).is_err() {
            return;
        }
        if let Some(bitrate) = self.bitrate {
            bitrate.set(&self.encoder, wanted);
        }
        let _ = self.encoder.sync_state_with_parent();
        // Its pads forgot what the stream is.
        let mut events = Vec::new();
        before.sticky_events_foreach(|event| {
            events.push(event.clone());
            std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
        });
        for event in events {
            let _ = sink.send_event(event);
        }
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rate {
    fn is_due(&self, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.since);
        let percent = self.started_with * 100 / self.wanted.max(1);
        percent > TOO_MUCH && age >= DOWN_AFTER || percent < TOO_LITTLE && age >= UP_AFTER
    }
}

/// What a frame rate is reckoned from.
#[derive(Clone, Copy, Debug)]
struct Picture {
    pixels: u64,
    /// A second.
    frames: u64,
}

impl Default for Picture {
    fn default() -> Self {
        Self {
            pixels: 0,
            frames: USUAL_FRAMES,
        }
    }
}

impl Picture {
    fn of(caps: &gst::CapsRef) -> Option<Self> {
        let structure = caps.structure(0)?;
        let [width, height] = ["width", "height"].map(|name| structure.get::<i32>(name));
        let frames = structure.get::<gst::Fraction>("framerate").ok();
        let frames = frames.filter(|rate| rate.numer() > 0 && rate.denom() > 0);
        let frames = frames.map(|rate| (rate.numer() / rate.denom()).max(1));
        Some(Self {
            pixels: u64::from(width.ok()?.unsigned_abs()) * u64::from(height.ok()?.unsigned_abs()),
            frames: frames.map_or(USUAL_FRAMES, |frames| u64::from(frames.unsigned_abs())),
        })
    }

    /// The frames a second that stay sharp.
    fn affordable(self, bits_per_second: u64) -> u64 {
        let bits = (self.pixels * SHARP / 1_000).max(1);
        (bits_per_second / bits).max(LEAST_FRAMES).min(self.frames)
    }
}

/// Of frames, nanoseconds; less than a frame's where all pass.
fn distance(frames: u64, of: u64) -> u64 {
    match frames < of {
        true => 1_000_000_000 / frames.max(1),
        false => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_payload::Codec;

    #[test]
    fn an_encoder_of_fixed_bitrate_starts_anew_soon_when_it_makes_too_much() {
        let since = Instant::now();
        let rate = |started_with, wanted| Rate {
            started_with,
            since,
            wanted,
        };
        let after = |seconds| since + Duration::from_secs(seconds);
        assert!(rate(2_000, 1_000).is_due(after(2)));
        assert!(!rate(2_000, 1_000).is_due(after(1)));
        assert!(!rate(1_000, 2_000).is_due(after(9)));
        assert!(rate(1_000, 2_000).is_due(after(10)));
        assert!(!rate(1_000, 900).is_due(after(60)) && !rate(1_000, 1_500).is_due(after(60)));
    }

    #[test]
    fn frames_are_left_out_before_they_get_unsharp() {
        let picture = Picture {
            pixels: 1280 * 720,
            frames: 30,
        };
        let frames =
            [100_000, 1_000_000, 2_000_000, 8_000_000].map(|bits| picture.affordable(bits));
        assert_eq!(frames, [5, 13, 27, 30]);
        assert_eq!(distance(30, 30), 1);
        assert_eq!(distance(5, 30), 200_000_000);
    }

    #[test]
    fn a_running_encoder_that_cannot_change_is_started_anew_and_goes_on_with_a_keyframe() {
        gst::init().expect("GStreamer starts");
        let found = super::super::table::candidates(Codec::Av1, None);
        let Some(choice) = found.iter().find(|choice| choice.name() == "av1enc") else {
            return println!("skipped: av1enc is not installed");
        };
        let encoder = choice.create(4_000_000).expect("an element");
        let line = "videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=90,framerate=15/1 ! \
            queue name=q fakesink name=f signal-handoffs=true sync=false";
        let pipeline = gst::parse::launch(line).expect("it parses");
        let pipeline = pipeline.downcast::<gst::Bin>().expect("a pipeline");
        let [queue, sink] = ["q", "f"].map(|name| pipeline.by_name(name).expect(name));
        pipeline.add(&encoder).expect("a pipeline takes it");
        gst::Element::link_many([&queue, &encoder, &sink]).expect("they fit");
        let (told, keyframes) = std::sync::mpsc::channel();
        sink.connect("handoff", false, move |values| {
            let buffer = values[1].get::<gst::Buffer>().expect("a buffer");
            let _ = told.send(!buffer.flags().contains(gst::BufferFlags::DELTA_UNIT));
            None
        });
        let control = choice.control(encoder.clone(), 4_000_000);
        control.watch(&queue.static_pad("src").expect("a queue has one"));
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let next = || {
            keyframes
                .recv_timeout(Duration::from_secs(20))
                .expect("frames go on")
        };
        assert!(next(), "the first is a keyframe");
        control.set(400_000);
        while !next() {}
        assert_eq!(encoder.property::<u32>("target-bitrate"), 400);
        assert!((0..10).all(|_| !next()), "what follows builds on it");
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}
