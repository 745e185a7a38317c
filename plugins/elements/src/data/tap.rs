// SPDX-License-Identifier: MPL-2.0
//! The internal sink behind a `data_%u` pad of `rtcsink`: a buffer is a message.
//!
//! With nobody there, a live source's messages are dropped, as its pictures are; any other source waits
//! for the first peer. At EOS it waits until everything is sent and the channels are closed.
use super::envelope::{Envelope, Kind};
use super::lane::{Lane, Rings, Room};
use super::{CAT, ChannelFault, Leaky};
use bytes::Bytes;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

glib::wrapper! {
    /// Not registered, so it can't be made by name.
    pub struct DataTap(ObjectSubclass<imp::DataTap>)
        @extends gst_base::BaseSink, gst::Element, gst::Object;
}

/// What a tap is made with; all is called on the streaming thread.
pub(crate) struct TapSetup {
    pub(crate) lane: Arc<Lane>,
    pub(crate) leaky: Box<dyn Fn() -> Leaky + Send + Sync>,
    /// A stream begins: sessions shall have the channel.
    pub(crate) begin: Box<dyn Fn() + Send + Sync>,
    /// It has ended and everything was sent: the channels shall be closed.
    pub(crate) finish: Box<dyn Fn() + Send + Sync>,
    pub(crate) fault: Box<dyn Fn(ChannelFault) + Send + Sync>,
    /// The RTP timestamp for a message of that running time, if messages go in step with a video.
    pub(crate) stamp: Box<dyn Fn(gst::ClockTime) -> Option<u32> + Send + Sync>,
}

impl DataTap {
    pub(crate) fn new(name: &str, setup: TapSetup) -> Self {
        let tap: Self = glib::Object::builder()
            .property("name", format!("tap-{name}"))
            .build();
        tap.set_async(false);
        tap.set_qos(false);
        tap.set_enable_last_sample(false);
        assert!(tap.imp().setup.set(setup).is_ok(), "set only here");
        tap
    }
}

mod imp {
    use super::*;

    #[derive(Default)]
    #[allow(missing_debug_implementations)] // Closures have nothing to tell.
    pub struct DataTap {
        pub(super) setup: OnceLock<TapSetup>,
        /// The caps say that messages are text.
        text: AtomicBool,
        kind: Mutex<Option<Kind>>,
    }

    impl DataTap {
        fn setup(&self) -> &TapSetup {
            self.setup.get().expect("set before it gets a parent")
        }

        fn send(&self, data: &Bytes, text: bool) {
            let setup = self.setup();
            for fault in setup.lane.send(data, text, (setup.leaky)()) {
                (setup.fault)(fault);
            }
        }

        /// Waits until a message may go: `false` if it is to be dropped.
        fn wait_for_room(&self) -> Result<bool, gst::FlowError> {
            let setup = self.setup();
            let mut live = None;
            loop {
                let seen = setup.lane.bell.now();
                let (room, faults) = setup.lane.room(Instant::now());
                faults.into_iter().for_each(&setup.fault);
                match (room, (setup.leaky)()) {
                    (Room::Ready, _) | (Room::Full, Leaky::Downstream) => return Ok(true),
                    (Room::Nobody, Leaky::Downstream) => return Ok(false),
                    (Room::Nobody, Leaky::None) => {
                        if *live.get_or_insert_with(|| self.upstream_is_live()) {
                            return Ok(false);
                        }
                    }
                    (Room::Full, Leaky::None) => {}
                }
                if seen.unlocked || setup.lane.bell.wait(seen, LOOK_AGAIN).unlocks != seen.unlocks {
                    // Comes back when it may go on playing.
                    self.obj().wait_preroll()?;
                }
            }
        }

        fn upstream_is_live(&self) -> bool {
            let mut query = gst::query::Latency::new();
            self.pad().peer_query(&mut query) && query.result().0
        }

        fn kind(&self) -> MutexGuard<'_, Option<Kind>> {
            self.kind.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// The message in its envelope, if it goes in step with a video.
        fn sealed(&self, buffer: &gst::BufferRef, payload: &Bytes) -> Option<Bytes> {
            let segment = self.obj().segment();
            let segment = segment.downcast_ref::<gst::ClockTime>();
            let running = segment
                .and_then(|segment| segment.to_running_time(buffer.pts()?))
                .or_else(|| self.obj().current_running_time())?;
            let rtp_time = (self.setup().stamp)(running)?;
            let kind = self.kind().unwrap_or(Kind::Bytes);
            let payload = payload.clone();
            let envelope = Envelope {
                kind,
                rtp_time,
                payload,
            };
            Some(envelope.seal())
        }

        fn pad(&self) -> gst::Pad {
            self.obj().static_pad("sink").expect("every sink has one")
        }

        /// Waits until everything is sent and every channel closed, or the pad is flushed.
        fn drain(&self) {
            let setup = self.setup();
            if !self.wait_until(None, Lane::is_drained) {
                return;
            }
            (setup.finish)();
            self.wait_until(Some(Instant::now() + CLOSING), Lane::is_empty);
        }

        fn wait_until(&self, deadline: Option<Instant>, done: fn(&Lane) -> bool) -> bool {
            let lane = &self.setup().lane;
            loop {
                let seen: Rings = lane.bell.now();
                if done(lane) {
                    return true;
                }
                let flushing = self.pad().pad_flags().contains(gst::PadFlags::FLUSHING);
                if flushing || deadline.is_some_and(|deadline| Instant::now() > deadline) {
                    return false;
                }
                lane.bell.wait(seen, LOOK_AGAIN / 10);
            }
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for DataTap {
        const NAME: &'static str = "GstRtcDataTap";
        type Type = super::DataTap;
        type ParentType = gst_base::BaseSink;
    }

    impl ObjectImpl for DataTap {}
    impl GstObjectImpl for DataTap {}

    impl ElementImpl for DataTap {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static META: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "WebRTC data tap",
                    "Sink/Network",
                    "Messages leaving the pipeline; part of rtcsink",
                    "The rtc plugin set's authors",
                )
            });
            Some(&META)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let template = gst::PadTemplate::new(
                    "sink",
                    gst::PadDirection::Sink,
                    gst::PadPresence::Always,
                    &crate::data::template_caps(),
                );
                vec![template.expect("the caps are valid")]
            });
            &TEMPLATES
        }
    }

    impl BaseSinkImpl for DataTap {
        fn set_caps(&self, caps: &gst::Caps) -> Result<(), gst::LoggableError> {
            let name = caps.structure(0).map(|structure| structure.name());
            let text = name.is_some_and(|name| TEXTS.contains(&name.as_str()));
            self.text.store(text, Ordering::Relaxed);
            *self.kind() = name.map(|name| Kind::of(name));
            Ok(())
        }

        fn event(&self, event: gst::Event) -> bool {
            match event.type_() {
                gst::EventType::StreamStart => (self.setup().begin)(),
                gst::EventType::Eos => self.drain(),
                _ => {}
            }
            self.parent_event(event)
        }

        fn render(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
            let lane = &self.setup().lane;
            if !self.wait_for_room()? {
                lane.dropped.fetch_add(1, Ordering::Relaxed);
                return Ok(gst::FlowSuccess::Ok);
            }
            let Ok(map) = buffer.clone().into_mapped_buffer_readable() else {
                gst::warning!(CAT, imp = self, "a message cannot be mapped");
                return Ok(gst::FlowSuccess::Ok);
            };
            let text = self.text.load(Ordering::Relaxed);
            if text && let Err(error) = std::str::from_utf8(&map) {
                let text = format!(
                    "a message that its caps call text is no UTF-8 ({error}) and is dropped: give \
                     application/octet-stream instead"
                );
                gst::element_imp_warning!(self, gst::StreamError::Format, ("{text}"));
                return Ok(gst::FlowSuccess::Ok);
            }
            let message = Bytes::from_owner(map);
            match self.sealed(buffer, &message) {
                Some(sealed) => self.send(&sealed, false),
                None => self.send(&message, text),
            }
            Ok(gst::FlowSuccess::Ok)
        }

        fn unlock(&self) -> Result<(), gst::ErrorMessage> {
            self.setup().lane.bell.unlock();
            Ok(())
        }

        fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
            self.setup().lane.bell.unlock_stop();
            Ok(())
        }
    }
}

/// What a browser shall get as a string.
const TEXTS: [&str; 2] = ["text/x-raw", "application/x-json"];

/// Peers that stall are noticed by looking.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a peer has to close its channel at the end.
const CLOSING: Duration = Duration::from_secs(5);
