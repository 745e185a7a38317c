// SPDX-License-Identifier: MPL-2.0
//! The feed's GObject, Element, BaseSrc and PushSrc traits, and how a frame becomes a buffer.
use super::Setup;
use super::latency::Lateness;
use super::queue::{Next, Queue};
use crate::clock::{self, StreamClock};
use crate::data::Timeline;
use crate::transform::{self, FrameFacts};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_src::CreateSuccess;
use gst_base::subclass::prelude::*;
use rtc_payload::{Codec, MediaKind};
use rtc_rtp::ReceivedFrame;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
pub(crate) struct Feed {
    fixed: OnceLock<Fixed>,
    /// Used by the streaming thread; the latency query reads it too.
    state: Mutex<Option<State>>,
}

struct Fixed {
    kind: MediaKind,
    queue: Arc<Queue>,
    outflow: Arc<dyn super::Outflow>,
}

struct State {
    clock: StreamClock,
    timeline: Option<Arc<Timeline>>,
    lateness: Lateness,
    caps: Option<gst::Caps>,
    frames: u64,
    /// Where the last audio buffer ended.
    end: Option<gst::ClockTime>,
}

/// A buffer with the silence before it, if there is any.
struct Made {
    buffer: gst::Buffer,
    gap: Option<gst::Event>,
    latency_changed: bool,
}

impl Feed {
    pub(super) fn set_up(&self, setup: Setup) {
        *self.state() = Some(State {
            clock: setup.clock,
            timeline: setup.timeline,
            lateness: Lateness::new(setup.latency.0, setup.latency.1),
            caps: None,
            frames: 0,
            end: None,
        });
        let fixed = Fixed {
            kind: setup.kind,
            queue: setup.queue,
            outflow: setup.outflow,
        };
        assert!(self.fixed.set(fixed).is_ok(), "a feed is set up once");
        name_stream(&self.obj(), setup.stream_id, setup.group);
    }

    fn fixed(&self) -> &Fixed {
        self.fixed.get().expect("set up before it gets a parent")
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A frame on its way out; `None` if nobody takes it or the clock does not run.
    fn push_frame(&self, frame: &ReceivedFrame) -> Option<gst::Buffer> {
        let Some(caps) = self.fixed().outflow.caps_for(frame) else {
            self.drop_until_wanted();
            return None;
        };
        let now = self.obj().current_running_time()?;
        let arrived = now.saturating_sub(elapsed(frame.arrived));
        let fresh_caps = self.state().as_mut()?.take_caps(&caps);
        if fresh_caps && self.obj().set_caps(&caps).is_err() {
            gst::warning!(CAT, imp = self, "downstream refuses {caps}");
        }
        let made = self.state().as_mut()?.make(frame, arrived, now);
        if made.latency_changed {
            let message = gst::message::Latency::builder().src(&*self.obj()).build();
            let _ = self.obj().post_message(message);
        }
        if let Some(gap) = made.gap {
            self.push_gap(gap);
        }
        Some(made.buffer)
    }

    fn drop_until_wanted(&self) {
        let fixed = self.fixed();
        let now = Instant::now();
        fixed.queue.set_unwanted(true, now);
        // The pad may have been linked between the look and the line above.
        if fixed.outflow.is_waiting() {
            fixed.queue.set_unwanted(false, now);
        }
    }

    /// Audio fell silent: tells downstream, so that a muxer or mixer does not wait for it.
    fn fill_silence(&self) {
        if self.fixed().kind != MediaKind::Audio {
            return; // A video decoder drains at a gap and then needs a keyframe.
        }
        let Some(until) = self
            .obj()
            .current_running_time()
            .and_then(|now| now.checked_sub(SILENCE_MARGIN))
        else {
            return;
        };
        let gap = self.state().as_mut().and_then(|state| {
            let end = state.end.filter(|end| *end < until)?;
            state.end = Some(until);
            Some(gap_event(end, until - end))
        });
        if let Some(gap) = gap {
            self.push_gap(gap);
        }
    }

    fn push_gap(&self, gap: gst::Event) {
        let pad = self.obj().static_pad("src");
        // Before the segment, which comes with the first buffer, there is nothing to be silent in.
        if let Some(pad) = pad.filter(|pad| pad.sticky_event::<gst::event::Segment>(0).is_some()) {
            pad.push_event(gap);
        }
    }
}

impl State {
    /// Whether these caps are not those in force.
    fn take_caps(&mut self, caps: &gst::Caps) -> bool {
        if self.caps.as_ref() == Some(caps) {
            return false;
        }
        self.caps = Some(caps.clone());
        true
    }

    fn make(
        &mut self,
        frame: &ReceivedFrame,
        arrived: gst::ClockTime,
        now: gst::ClockTime,
    ) -> Made {
        self.clock.set_clock_rate(frame.codec.clock_rate());
        let presentation = self.clock.present(frame.rtp_time, arrived, frame.ntp);
        let pts = presentation.pts;
        if let Some(timeline) = &self.timeline {
            // What was on the wire: the low 32 bits.
            timeline.add(frame.rtp_time as u32, pts);
        }
        let duration = duration(frame.codec, &frame.data);
        let gap = self
            .end
            .filter(|end| pts.saturating_sub(*end) > GAP_TOLERANCE)
            .map(|end| gap_event(end, pts - end));
        self.end = duration.map(|duration| pts + duration);
        let mut buffer = gst::Buffer::from_slice(frame.data.clone());
        let writable = buffer.get_mut().expect("a new buffer has one owner");
        writable.set_pts(pts);
        writable.set_duration(duration);
        if frame.discontinuity || presentation.jumped || gap.is_some() {
            writable.set_flags(gst::BufferFlags::DISCONT);
        }
        if !frame.info.keyframe {
            writable.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        if let Some(ntp) = frame.ntp {
            let time = gst::ClockTime::from_nseconds(clock::ntp_nanos(ntp));
            gst::ReferenceTimestampMeta::add(writable, &NTP_CAPS, time, gst::ClockTime::NONE);
        }
        transform::attach(writable, &facts(frame, self.frames, arrived));
        self.frames += 1;
        Made {
            buffer,
            gap,
            latency_changed: self.lateness.observe(pts, now),
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for Feed {
    const NAME: &'static str = "GstRtcFeed";
    type Type = super::Feed;
    type ParentType = gst_base::PushSrc;
}

impl ObjectImpl for Feed {}
impl GstObjectImpl for Feed {}

impl ElementImpl for Feed {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static META: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "WebRTC feed",
                "Source/Network",
                "Received frames enter the pipeline here; part of rtcsrc",
                "The rtc plugin's authors",
            )
        });
        Some(&META)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let template = gst::PadTemplate::new(
                "src",
                gst::PadDirection::Src,
                gst::PadPresence::Always,
                &gst::Caps::new_any(),
            );
            vec![template.expect("any caps are valid")]
        });
        &TEMPLATES
    }
}

impl BaseSrcImpl for Feed {
    fn negotiate(&self) -> Result<(), gst::LoggableError> {
        Ok(()) // The caps come with the first frame.
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        self.fixed().queue.set_flushing(true);
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        self.fixed().queue.set_flushing(false);
        Ok(())
    }

    fn event(&self, event: &gst::Event) -> bool {
        if gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok() {
            self.fixed().queue.request_keyframe(Instant::now());
            return true;
        }
        self.parent_event(event)
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Latency(latency) = query.view_mut() {
            let least = self.state().as_ref().map(|s| s.lateness.reported());
            // No upper bound: a frame may be held as long as one likes, the queue is ours.
            latency.set(true, least.unwrap_or_default(), gst::ClockTime::NONE);
            return true;
        }
        BaseSrcImplExt::parent_query(self, query)
    }
}

impl PushSrcImpl for Feed {
    fn create(&self, _: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
        loop {
            match self.fixed().queue.next(PATIENCE) {
                Next::Frame(frame) => {
                    if let Some(buffer) = self.push_frame(&frame) {
                        return Ok(CreateSuccess::NewBuffer(buffer));
                    }
                }
                Next::Idle => self.fill_silence(),
                Next::Flushing => return Err(gst::FlowError::Flushing),
                Next::Ended => return Err(gst::FlowError::Eos),
            }
        }
    }
}

/// Gives the stream-start event of a feed its id, and the group that makes the streams of a session one.
fn name_stream(feed: &super::Feed, stream_id: String, group: gst::GroupId) {
    let probe = gst::PadProbeType::EVENT_DOWNSTREAM;
    feed.encoded_pad().add_probe(probe, move |_, info| {
        if let Some(gst::PadProbeData::Event(event)) = &mut info.data
            && event.type_() == gst::EventType::StreamStart
        {
            *event = gst::event::StreamStart::builder(&stream_id)
                .group_id(group)
                .build();
        }
        gst::PadProbeReturn::Ok
    });
}

fn facts<'a>(frame: &'a ReceivedFrame, number: u64, arrived: gst::ClockTime) -> FrameFacts<'a> {
    FrameFacts {
        codec: frame.codec,
        ssrc: Some(frame.ssrc.0),
        payload_type: Some(frame.pt.0),
        // What was on the wire: the low 32 bits.
        rtp_time: frame.rtp_time as u32,
        frame_id: number,
        info: &frame.info,
        capture_time: frame.ntp.and_then(clock::unix_from_ntp),
        receive_time: Some(arrived),
        audio_level: frame.audio_level,
    }
}

fn elapsed(since: Instant) -> gst::ClockTime {
    let nanos = since.elapsed().as_nanos();
    gst::ClockTime::from_nseconds(u64::try_from(nanos).unwrap_or(0))
}

fn gap_event(at: gst::ClockTime, duration: gst::ClockTime) -> gst::Event {
    gst::event::Gap::builder(at).duration(duration).build()
}

/// How long an audio frame lasts; `None` for video.
fn duration(codec: Codec, data: &[u8]) -> Option<gst::ClockTime> {
    match codec {
        Codec::Opus => opus_duration(data),
        // One byte a sample, 8,000 a second.
        Codec::Pcmu | Codec::Pcma => Some(gst::ClockTime::from_useconds(data.len() as u64 * 125)),
        _ => None,
    }
}

/// RFC 6716 §3.1: the first byte gives a frame's length and how many there are.
fn opus_duration(data: &[u8]) -> Option<gst::ClockTime> {
    let toc = *data.first()?;
    let micros = match toc >> 3 {
        config @ 0..=11 => [10_000, 20_000, 40_000, 60_000][usize::from(config & 3)],
        config @ 12..=15 => [10_000, 20_000][usize::from(config & 1)],
        config => [2_500, 5_000, 10_000, 20_000][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(data.get(1)? & 0x3f),
    };
    // RFC 6716 §3.2.5: at most 120 ms a packet; more is not Opus.
    Some(micros * frames)
        .filter(|total| (1..=120_000).contains(total))
        .map(gst::ClockTime::from_useconds)
}

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtcfeed",
        gst::DebugColorFlags::empty(),
        Some("rtcsrc: received frames into the pipeline"),
    )
});

static NTP_CAPS: LazyLock<gst::Caps> =
    LazyLock::new(|| gst::Caps::new_empty_simple("timestamp/x-ntp"));

/// A wait for a frame; after it an audio stream counts as silent.
const PATIENCE: Duration = Duration::from_secs(1);
/// Silence is told up to this long ago, so that late frames still find their place.
const SILENCE_MARGIN: gst::ClockTime = gst::ClockTime::from_mseconds(500);
/// Time lines slew by 2 ms a 20 ms frame: that is no gap.
const GAP_TOLERANCE: gst::ClockTime = gst::ClockTime::from_mseconds(7);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opus_packet_tells_its_length() {
        for (bytes, micros) in [
            (&[0x78, 0][..], Some(20_000)),
            (&[0xfc, 0], Some(20_000)),
            (&[0x09, 0], Some(40_000)),
            (&[0xf3, 6], Some(60_000)),
            (&[0x1b, 3], None),
            (&[0xf3], None),
            (&[], None),
        ] {
            let expected = micros.map(gst::ClockTime::from_useconds);
            assert_eq!(opus_duration(bytes), expected, "{bytes:02x?}");
        }
        let pcm = duration(Codec::Pcmu, &[0; 160]);
        assert_eq!(pcm, Some(gst::ClockTime::from_mseconds(20)));
    }
}
