// SPDX-License-Identifier: MPL-2.0
//! One input: `tee` with a pacing sink, and a branch to a tap for each codec that somebody takes.
//!
//! The pacing sink waits for the clock where the source does not (a file), and since it is the tee's
//! first, every branch gets frames when they are due. It also is what the input drains into, and takes
//! its EOS, while nobody watches.
use super::RtcSink;
use super::branches::{Attached, Output};
use super::fallback::Failures;
use super::frames::Frames;
use super::gop::GopCache;
use super::ladders::Ladders;
use super::pad::RtcSinkPad;
use crate::caps;
use crate::clock;
use crate::encode::{hint::Tuning, table};
use crate::endpoint::{AttachmentId, Endpoint};
use crate::fault::{self, Fault};
use gst::glib;
use gst::prelude::*;
use rtc_driver::Handle;
use rtc_payload::{Codec, MediaKind, TrackId};
use rtc_session::CodecOffer;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What the element wishes of an input.
pub(super) struct Wishes {
    /// Bit/s.
    pub(super) start_bitrate: u64,
    /// What raw input is offered as.
    pub(super) codecs: Vec<Codec>,
    /// Encodings of raw video.
    pub(super) layers: u32,
    /// Of the encoders of raw input.
    pub(super) tuning: Tuning,
    pub(super) gop_cache: GopCache,
    /// Whether encoders run only while somebody takes what they make.
    pub(super) on_demand: bool,
}

/// See the module.
pub(super) struct Stream {
    pub(super) element: glib::WeakRef<RtcSink>,
    pub(super) pad: RtcSinkPad,
    kind: MediaKind,
    pub(super) tee: gst::Element,
    pacer: gst::Element,
    pub(super) rtp_offset: u32,
    frames: Arc<Frames>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// While the element is at least READY.
    pub(super) running: Option<Running>,
    pub(super) input: Option<Input>,
    pub(super) branches: HashMap<Output, Attached>,
    /// What sessions take, whatever the input is, and the bit/s for its encoder.
    pub(super) wanted: HashMap<Output, Option<u64>>,
    /// What a thread is making a branch for at this moment.
    pub(super) building: HashSet<Output>,
    pub(super) failures: Failures,
    /// The codec whose frames since the last keyframe are kept.
    pub(super) kept: Option<Codec>,
}

#[derive(Clone)]
pub(super) struct Running {
    pub(super) endpoint: Weak<Endpoint>,
    pub(super) handle: Handle,
    pub(super) track: TrackId,
    pub(super) start_bitrate: u64,
    pub(super) tuning: Tuning,
    pub(super) gop_cache: GopCache,
    pub(super) on_demand: bool,
    /// Of video that has several encodings.
    pub(super) ladders: Ladders,
    /// What raw input is offered as.
    codecs: Vec<Codec>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Raw,
    Encoded(Codec),
}

impl State {
    /// Whether a session takes a codec, whichever encoding of it.
    pub(super) fn wants(&self, codec: Codec) -> bool {
        self.wanted.keys().any(|output| output.codec == codec)
    }

    /// Whether frames of encoded input are packetised: for sessions, or for those that will join.
    pub(super) fn feeds(&self, codec: Codec) -> bool {
        self.wants(codec) || self.kept == Some(codec)
    }

    /// The branch to take down now that no session takes its output: none while the encoder is kept running
    /// for the next viewer, which is the last one of its codec.
    pub(super) fn let_go(&mut self, output: Output) -> Option<Attached> {
        let on_demand = self
            .running
            .as_ref()
            .is_none_or(|running| running.on_demand);
        let others = self
            .branches
            .keys()
            .any(|other| other.codec == output.codec && *other != output);
        if on_demand || others {
            return self.branches.remove(&output);
        }
        if let Some(attached) = self.branches.get(&output) {
            attached.set_active(false);
        }
        None
    }
}

impl Stream {
    /// The elements and the pad of an input; the pad is still to be added to the element.
    pub(super) fn new(
        element: &RtcSink,
        template: &gst::PadTemplate,
        name: &str,
        kind: MediaKind,
    ) -> Result<Arc<Self>, glib::BoolError> {
        let tee = gst::ElementFactory::make("tee")
            .name(format!("tee-{name}"))
            .property("allow-not-linked", true)
            .build()?;
        let pacer = gst::ElementFactory::make("fakesink")
            .name(format!("pacer-{name}"))
            .property("async", false)
            .property("sync", false)
            .property("enable-last-sample", false)
            .build()?;
        element.add_many([&tee, &pacer])?;
        tee.link(&pacer)?;
        let target = tee.static_pad("sink").expect("a tee has one");
        let pad = gst::PadBuilder::<RtcSinkPad>::from_template(template)
            .name(name)
            .build();
        pad.set_target(Some(&target))?;
        let frames = Frames::watch(&pad);
        let stream = Arc::new(Self {
            element: element.downgrade(),
            pad,
            kind,
            tee,
            pacer,
            rtp_offset: glib::random_int(),
            frames,
            state: Mutex::default(),
        });
        stream.watch_caps();
        stream.answer_caps();
        stream.tee.sync_state_with_parent()?;
        stream.pacer.sync_state_with_parent()?;
        Ok(stream)
    }

    pub(super) fn pad(&self) -> &RtcSinkPad {
        &self.pad
    }

    /// The track of this input while the element runs.
    pub(super) fn track(&self) -> Option<TrackId> {
        self.state().running.as_ref().map(|running| running.track)
    }

    /// The RTP timestamp of the frame to which a message of that running time belongs.
    pub(super) fn rtp_time_at(&self, running: gst::ClockTime) -> u32 {
        let frame = self.frames.at_or_before(running);
        clock::rtp_from_running(frame, VIDEO_CLOCK_RATE, self.rtp_offset)
    }

    pub(super) fn kind(&self) -> MediaKind {
        self.kind
    }

    /// Answers upstream's questions for caps in place of the branches: what is there for the input of
    /// now must not bind that of later. What an encoder takes without conversion comes first.
    fn answer_caps(&self) {
        let preference = caps::preference(self.kind);
        self.pad.add_probe(
            gst::PadProbeType::QUERY_DOWNSTREAM,
            move |_, info| match info.query_mut().map(gst::QueryRef::view_mut) {
                Some(gst::QueryViewMut::Caps(query)) => {
                    let mode = gst::CapsIntersectMode::First;
                    let caps = match query.filter_owned() {
                        Some(filter) => preference.intersect_with_mode(&filter, mode),
                        None => preference.clone(),
                    };
                    query.set_result(&caps);
                    gst::PadProbeReturn::Handled
                }
                Some(gst::QueryViewMut::AcceptCaps(query)) => {
                    let accepted = preference.can_intersect(query.caps());
                    query.set_result(accepted);
                    gst::PadProbeReturn::Handled
                }
                _ => gst::PadProbeReturn::Ok,
            },
        );
    }

    fn watch_caps(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        self.pad
            .add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
                if let Some(gst::EventView::Caps(event)) = info.event().map(|event| event.view())
                    && let Some(stream) = weak.upgrade()
                {
                    stream.on_caps(event.caps());
                }
                gst::PadProbeReturn::Ok
            });
    }

    /// The element has its endpoint.
    pub(super) fn start(
        self: &Arc<Self>,
        endpoint: &Arc<Endpoint>,
        attachment: AttachmentId,
        default_id: &str,
        wishes: Wishes,
    ) {
        let id = self.pad.stream_id(default_id);
        let track = endpoint.add_track(attachment, self.kind, &id);
        let ladders = Ladders::new(self.kind, wishes.layers, &wishes.codecs);
        ladders.tell(endpoint, track);
        self.state().running = Some(Running {
            endpoint: Arc::downgrade(endpoint),
            handle: endpoint.handle().clone(),
            track,
            start_bitrate: wishes.start_bitrate,
            tuning: wishes.tuning,
            gop_cache: wishes.gop_cache,
            on_demand: wishes.on_demand,
            ladders,
            codecs: wishes.codecs,
        });
        // An input that was requested while data flows has its caps already.
        if let Some(caps) = self.pad.current_caps() {
            self.on_caps(&caps);
        }
    }

    /// The element lets go of its endpoint, or of this input.
    pub(super) fn stop(&self) {
        let (running, branches) = {
            let mut state = self.state();
            state.input = None;
            state.wanted.clear();
            state.failures = Failures::default();
            (state.running.take(), std::mem::take(&mut state.branches))
        };
        if let Some(running) = running {
            self.drop_frames(&running);
            if let Some(endpoint) = running.endpoint.upgrade() {
                endpoint.remove_track(running.track);
            }
        }
        for attached in branches.into_values() {
            self.take_down(&attached);
        }
    }

    /// Takes the input's elements out of the element; after [`Self::stop`].
    pub(super) fn remove(&self) {
        let Some(element) = self.element.upgrade() else {
            return;
        };
        for part in [&self.tee, &self.pacer] {
            part.set_locked_state(true);
            let _ = part.set_state(gst::State::Null);
            let _ = element.remove(part);
        }
    }

    /// On the streaming thread: what comes from now on.
    fn on_caps(self: &Arc<Self>, caps: &gst::CapsRef) {
        let input = match caps::codec_of(caps) {
            Some(codec) => Input::Encoded(codec),
            None => Input::Raw,
        };
        self.pace();
        let (running, before) = {
            let mut state = self.state();
            let before = state.input.replace(input);
            (state.running.clone(), before)
        };
        let Some(running) = running else {
            return;
        };
        running
            .ladders
            .follow((input == Input::Raw).then_some(caps));
        if before == Some(input) {
            return; // A change of size, say: the branches see it for themselves.
        }
        if before.is_some() {
            self.drop_frames(&running);
            let old = std::mem::take(&mut self.state().branches);
            old.values().for_each(|attached| self.take_down(attached));
        }
        match input {
            Input::Raw => {
                self.offer_raw(&running);
                // Of an input that was encoded before: what is taken goes on from an encoder.
                let wanted: Vec<_> = self.state().wanted.keys().copied().collect();
                wanted.into_iter().for_each(|output| self.encode(output));
            }
            // Its offer follows when the parser has told the profile.
            Input::Encoded(codec) => self.pass(&running, codec),
        }
    }

    /// A live source is due when it comes; anything else waits for the clock.
    fn pace(&self) {
        let mut query = gst::query::Latency::new();
        let is_live = self.pad.peer_query(&mut query) && query.result().0;
        self.pacer.set_property("sync", !is_live);
    }

    /// The codecs of the element that raw input can be encoded as here, and those that it can't.
    fn encodable(&self, codecs: &[Codec]) -> (Vec<Codec>, Vec<Codec>) {
        let of_kind = codecs.iter().filter(|codec| codec.kind() == self.kind);
        of_kind.partition(|codec| table::choose(**codec).is_some())
    }

    /// READY -> PAUSED: an input that can only be raw and that nothing can encode is found out before the
    /// first buffer, while the pipeline still can fail to start.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let Some(running) = self.state().running.clone() else {
            return Ok(());
        };
        let (able, unable) = self.encodable(&running.codecs);
        if !able.is_empty() {
            return Ok(());
        }
        let caps = self.pad.peer_query_caps(None);
        let is_raw = |caps: &gst::StructureRef| caps.name().ends_with("/x-raw");
        let raw_alone = !caps.is_any() && !caps.is_empty() && caps.iter().all(is_raw);
        match raw_alone {
            true => Err(fault::no_encoder(&self.pad.name(), &unable)),
            false => Ok(()),
        }
    }

    fn offer_raw(&self, running: &Running) {
        let (able, unable) = self.encodable(&running.codecs);
        if able.is_empty() {
            if let Some(element) = self.element.upgrade() {
                fault::post(&element, &fault::no_encoder(&self.pad.name(), &unable));
            }
            return;
        }
        let offers = able.into_iter().map(|codec| CodecOffer {
            codec,
            fmtp: String::new(),
        });
        if let Some(endpoint) = running.endpoint.upgrade() {
            endpoint.set_track_codecs(running.track, offers.collect());
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That of every video codec's RTP format, Hz.
const VIDEO_CLOCK_RATE: u32 = 90_000;
