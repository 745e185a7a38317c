// SPDX-License-Identifier: MPL-2.0
//! The tap: where encoded frames leave the pipeline, packetised once for all sessions.
//!
//! It does not wait for the clock: what reaches it is due, for the input it hangs on is paced already
//! (see `rtcsink/stream.rs`), and a frame that was encoded must not wait any longer.
use crate::transform::{self, FrameFacts};
use crate::{caps, clock};
use bytes::Bytes;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;
use rtc_driver::Handle;
use rtc_payload::{Codec, EncodedFrame, FrameInfo, MediaKind, TrackId};
use rtc_rtp::{Ladder, Packetizer};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

glib::wrapper! {
    /// The last element of a branch; not registered with the plugin.
    pub struct Tap(ObjectSubclass<imp::Tap>)
        @extends gst_base::BaseSink, gst::Element, gst::Object;
}

/// What a tap is made with.
pub(crate) struct TapConfig {
    /// Names the element in logs and graphs.
    pub(crate) name: String,
    /// The input its frames come from.
    pub(crate) track: TrackId,
    /// Their codec.
    pub(crate) codec: Codec,
    /// Which encoding of the input, 0 the full size.
    pub(crate) layer: u8,
    /// What the encodings cost, where there are several.
    pub(crate) ladder: Option<Arc<Ladder>>,
    /// RTP timestamp of running time zero (RFC 3550 §5.1: random), the same for all codecs of an input.
    pub(crate) rtp_offset: u32,
    /// Where the packets go.
    pub(crate) handle: Handle,
    /// Told on the streaming thread.
    pub(crate) observer: Box<dyn Fn(TapEvent<'_>) + Send + Sync>,
}

/// What a tap notices.
pub(crate) enum TapEvent<'a> {
    /// The form of the frames that follow.
    Caps(&'a gst::CapsRef),
    /// Frames come in another order than they are shown: there are B-frames. Told once.
    Reordered,
}

impl Tap {
    pub(crate) fn new(config: TapConfig) -> Self {
        let tap: Self = glib::Object::builder()
            .property("name", format!("tap-{}", config.name))
            .build();
        tap.set_sync(false);
        tap.set_async(false);
        tap.set_qos(false);
        tap.set_enable_last_sample(false);
        // The first probe of the pad: what the application adds sees the meta.
        let weak = tap.downgrade();
        tap.pad()
            .add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
                if let Some(tap) = weak.upgrade()
                    && let Some(buffer) = info.buffer_mut()
                {
                    tap.imp().attach_facts(pad, buffer.make_mut());
                }
                gst::PadProbeReturn::Ok
            });
        let mut packetizer = Packetizer::new(config.track, config.codec, MAX_PACKET);
        if let Some(ladder) = &config.ladder {
            packetizer = packetizer.with_layer(config.layer, Arc::clone(ladder));
        }
        let running = imp::Running {
            packetizer: Mutex::new(packetizer),
            config,
        };
        assert!(tap.imp().running.set(running).is_ok(), "set only here");
        tap
    }

    /// The pad through which every encoded frame passes.
    pub(crate) fn pad(&self) -> gst::Pad {
        self.static_pad("sink").expect("every sink has one")
    }

    /// Whether frames are packetised and sent; without viewers it would be for nothing.
    pub(crate) fn set_active(&self, active: bool) {
        self.imp().active.store(active, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for TapConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapConfig")
            .field("track", &self.track)
            .field("codec", &self.codec)
            .finish_non_exhaustive()
    }
}

/// RTP packet with SRTP's tag, bytes: what fits through any path of 1,280 bytes IPv6 must carry.
const MAX_PACKET: usize = 1200;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtctap",
        gst::DebugColorFlags::empty(),
        Some("Encoded frames leaving the pipeline"),
    )
});

mod imp {
    use super::*;

    #[derive(Default)]
    #[allow(missing_debug_implementations)] // Packetizer and Handle have little to tell.
    pub struct Tap {
        pub(super) running: OnceLock<Running>,
        pub(super) active: AtomicBool,
        size: Mutex<(Option<u16>, Option<u16>)>,
        frames: AtomicU64,
        order: Mutex<Order>,
    }

    pub(super) struct Running {
        pub(super) packetizer: Mutex<Packetizer>,
        pub(super) config: TapConfig,
    }

    #[derive(Default)]
    struct Order {
        newest: Option<gst::ClockTime>,
        told: bool,
    }

    impl Tap {
        /// Hangs on a frame what its meta shall say, before the application's probes see it.
        pub(super) fn attach_facts(&self, pad: &gst::Pad, buffer: &mut gst::BufferRef) {
            let Some(running) = self.running.get() else {
                return;
            };
            let codec = running.config.codec;
            let (width, height) = *self.size.lock().unwrap_or_else(PoisonError::into_inner);
            let info = FrameInfo {
                keyframe: is_keyframe(codec, buffer),
                discardable: buffer.flags().contains(gst::BufferFlags::DROPPABLE),
                width,
                height,
                ..FrameInfo::default()
            };
            let segment = pad.sticky_event::<gst::event::Segment>(0);
            let position = segment
                .and_then(|event| running_time(event.segment(), buffer))
                .or_else(|| self.obj().current_running_time());
            let facts = FrameFacts {
                codec,
                ssrc: None,
                payload_type: None,
                rtp_time: running.rtp_time(position.unwrap_or_default()),
                frame_id: self.frames.fetch_add(1, Ordering::Relaxed),
                info: &info,
                capture_time: None,
                receive_time: None,
                audio_level: None,
            };
            transform::attach(buffer, &facts);
        }

        fn send(&self, running: &Running, buffer: &gst::Buffer) {
            let now = Instant::now();
            let clock = self.obj().current_running_time();
            let position = running_time(&self.obj().segment(), buffer)
                .or(clock)
                .unwrap_or_default();
            self.check_order(running, position);
            if !self.active.load(Ordering::Relaxed) {
                return;
            }
            let captured = captured(now, clock, position);
            let info = transform::frame_info(buffer);
            let Ok(map) = buffer.clone().into_mapped_buffer_readable() else {
                gst::warning!(CAT, imp = self, "a frame cannot be mapped");
                return;
            };
            let frame = EncodedFrame {
                codec: running.config.codec,
                data: Bytes::from_owner(map),
                rtp_time: running.rtp_time(position),
                info,
            };
            let mut packetizer = running
                .packetizer
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match packetizer.block(&frame, captured) {
                Ok(block) => {
                    // Dropped when the io thread cannot keep up; the driver counts and mends that.
                    let _ = running.config.handle.media(Arc::new(block));
                }
                Err(error) => gst::warning!(CAT, imp = self, "a frame is dropped: {error}"),
            }
        }

        fn check_order(&self, running: &Running, position: gst::ClockTime) {
            if running.config.codec.kind() != MediaKind::Video {
                return;
            }
            let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
            if order.newest.is_some_and(|newest| position < newest) && !order.told {
                order.told = true;
                drop(order);
                (running.config.observer)(TapEvent::Reordered);
                return;
            }
            order.newest = Some(position);
        }
    }

    impl Running {
        fn rtp_time(&self, position: gst::ClockTime) -> u32 {
            let rate = self.config.codec.clock_rate();
            clock::rtp_from_running(position, rate, self.config.rtp_offset)
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Tap {
        const NAME: &'static str = "GstRtcTap";
        type Type = super::Tap;
        type ParentType = gst_base::BaseSink;
    }

    impl ObjectImpl for Tap {}
    impl GstObjectImpl for Tap {}

    impl ElementImpl for Tap {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "RTC tap",
                    "Sink/Network",
                    "Packetises encoded frames",
                    "The rtc plugin set's authors",
                )
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let template = gst::PadTemplate::new(
                    "sink",
                    gst::PadDirection::Sink,
                    gst::PadPresence::Always,
                    &gst::Caps::new_any(),
                );
                vec![template.expect("name, direction and presence agree")]
            });
            &TEMPLATES
        }
    }

    impl BaseSinkImpl for Tap {
        fn set_caps(&self, caps: &gst::Caps) -> Result<(), gst::LoggableError> {
            let number = |name| {
                let number: Option<i32> = caps.structure(0).and_then(|s| s.get(name).ok());
                number.and_then(|number| u16::try_from(number).ok())
            };
            *self.size.lock().unwrap_or_else(PoisonError::into_inner) =
                (number("width"), number("height"));
            if let Some(running) = self.running.get() {
                (running.config.observer)(TapEvent::Caps(caps));
            }
            self.parent_set_caps(caps)
        }

        fn render(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
            if let Some(running) = self.running.get() {
                self.send(running, buffer);
            }
            Ok(gst::FlowSuccess::Ok)
        }
    }
}

fn is_keyframe(codec: Codec, buffer: &gst::BufferRef) -> bool {
    if codec.kind() == MediaKind::Audio {
        return true;
    }
    let mut head = [0];
    let bytes = match buffer.copy_to_slice(0, &mut head) {
        Ok(()) => &head[..],
        Err(_) => &[],
    };
    caps::keyframe_by_bytes(codec, bytes)
        .unwrap_or_else(|| !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT))
}

fn running_time(segment: &gst::Segment, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    let segment = segment.downcast_ref::<gst::ClockTime>()?;
    segment.to_running_time(buffer.pts().or_else(|| buffer.dts())?)
}

/// The instant at which the running time was that of the frame. Bounded, for a source's time may be far off.
fn captured(now: Instant, clock: Option<gst::ClockTime>, position: gst::ClockTime) -> Instant {
    let Some(clock) = clock else {
        return now;
    };
    let age = clock.saturating_sub(position).nseconds();
    let lead = position.saturating_sub(clock).nseconds();
    let bound = |nanoseconds| Duration::from_nanos(nanoseconds).min(MAX_SHIFT);
    now.checked_sub(bound(age)).unwrap_or(now) + bound(lead)
}

/// Far more than any live pipeline's latency.
const MAX_SHIFT: Duration = Duration::from_secs(10);
