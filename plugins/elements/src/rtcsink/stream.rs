// SPDX-License-Identifier: MPL-2.0
//! One input: `tee` with a pacing sink, and a branch to a tap for each codec that somebody takes.
//!
//! The pacing sink waits for the clock where the source does not (a file), and since it is the tee's
//! first, every branch gets frames when they are due. It also is what the input drains into, and takes
//! its EOS, while nobody watches.
use super::RtcSink;
use super::pad::RtcSinkPad;
use crate::caps;
use crate::encode::{Branch, table};
use crate::endpoint::{AttachmentId, Endpoint};
use crate::fault::{self, Fault};
use crate::tap::{TapConfig, TapEvent};
use gst::glib;
use gst::prelude::*;
use rtc_driver::Handle;
use rtc_payload::{Codec, MediaKind, TrackId};
use rtc_session::CodecOffer;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::Duration;

/// See the module.
pub(super) struct Stream {
    element: glib::WeakRef<RtcSink>,
    pad: RtcSinkPad,
    kind: MediaKind,
    tee: gst::Element,
    pacer: gst::Element,
    rtp_offset: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// While the element is at least READY.
    running: Option<Running>,
    input: Option<Input>,
    branches: HashMap<Codec, Attached>,
    /// What sessions take, whatever the input is.
    wanted: HashSet<Codec>,
    /// What a thread is making a branch for at this moment.
    building: HashSet<Codec>,
}

#[derive(Clone)]
struct Running {
    endpoint: Weak<Endpoint>,
    handle: Handle,
    track: TrackId,
    start_bitrate: u64,
    /// What raw input is offered as.
    codecs: Vec<Codec>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Raw,
    Encoded(Codec),
}

#[derive(Clone)]
struct Attached {
    branch: Branch,
    tee_pad: gst::Pad,
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
        let stream = Arc::new(Self {
            element: element.downgrade(),
            pad,
            kind,
            tee,
            pacer,
            rtp_offset: glib::random_int(),
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
        start_bitrate: u64,
        codecs: Vec<Codec>,
    ) {
        let id = self.pad.stream_id(default_id);
        let track = endpoint.add_track(attachment, self.kind, &id);
        self.state().running = Some(Running {
            endpoint: Arc::downgrade(endpoint),
            handle: endpoint.handle().clone(),
            track,
            start_bitrate,
            codecs,
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
            (state.running.take(), std::mem::take(&mut state.branches))
        };
        if let Some(running) = running
            && let Some(endpoint) = running.endpoint.upgrade()
        {
            endpoint.remove_track(running.track);
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
        if before == Some(input) {
            return; // A change of size, say: the branches see it for themselves.
        }
        if before.is_some() {
            let old = std::mem::take(&mut self.state().branches);
            old.values().for_each(|attached| self.take_down(attached));
        }
        match input {
            Input::Raw => {
                self.offer_raw(&running);
                // Of an input that was encoded before: what is taken goes on from an encoder.
                let wanted = self.state().wanted.clone();
                wanted.into_iter().for_each(|codec| self.encode(codec));
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

    /// Encoded input: its one branch is there from the start, for its caps make the offer.
    fn pass(self: &Arc<Self>, running: &Running, codec: Codec) {
        let branch = Branch::passing(self.tap_config(running, codec));
        match branch.and_then(|branch| self.put_up(codec, branch)) {
            Ok(branch) => {
                let wanted = self.state().wanted.contains(&codec);
                branch.tap().set_active(wanted);
                // Of sessions that had this codec from an encoder before.
                if wanted {
                    branch.request_keyframe();
                }
            }
            Err(error) => self.fail(codec, &error),
        }
    }

    /// A session takes `codec`; on the control thread.
    pub(super) fn want(self: &Arc<Self>, codec: Codec) {
        let passing = {
            let mut state = self.state();
            state.wanted.insert(codec);
            state.branches.get(&codec).cloned()
        };
        match passing {
            Some(attached) => attached.branch.tap().set_active(true),
            None => self.encode(codec),
        }
    }

    /// Makes the branch that encodes raw input, unless it is there or being made.
    fn encode(self: &Arc<Self>, codec: Codec) {
        let running = {
            let mut state = self.state();
            let is_there = state.branches.contains_key(&codec);
            let (Some(running), Some(Input::Raw), false) =
                (state.running.clone(), state.input, is_there)
            else {
                return;
            };
            if !state.building.insert(codec) {
                return;
            }
            running
        };
        let built = self.build(&running, codec);
        self.state().building.remove(&codec);
        match built {
            // Released while it was made.
            Ok(()) if !self.state().wanted.contains(&codec) => self.release(codec),
            Ok(()) => {}
            Err(error) => self.fail(codec, &error),
        }
    }

    fn build(self: &Arc<Self>, running: &Running, codec: Codec) -> Result<(), glib::BoolError> {
        // Not installed means not offered, so not negotiated.
        let choice = table::choose(codec).ok_or_else(|| glib::bool_error!("no encoder"))?;
        let config = self.tap_config(running, codec);
        let caps = self.pad.current_caps();
        let bitrate = running.start_bitrate;
        let branch = Branch::encoding(config, caps.as_deref(), &choice, bitrate)?;
        branch.tap().set_active(true);
        self.put_up(codec, branch).map(drop)
    }

    /// No session takes `codec` any more; on the control thread.
    pub(super) fn release(&self, codec: Codec) {
        let attached = {
            let mut state = self.state();
            state.wanted.remove(&codec);
            if state.input == Some(Input::Encoded(codec)) {
                if let Some(attached) = state.branches.get(&codec) {
                    attached.branch.tap().set_active(false);
                }
                None
            } else {
                state.branches.remove(&codec)
            }
        };
        if let Some(attached) = attached {
            self.take_down(&attached);
        }
    }

    pub(super) fn request_keyframe(&self, codec: Codec) {
        if let Some(branch) = self.branch(codec) {
            branch.request_keyframe();
        }
    }

    pub(super) fn set_bitrate(&self, codec: Codec, bits_per_second: u64) {
        if let Some(branch) = self.branch(codec) {
            branch.set_bitrate(bits_per_second);
        }
    }

    fn branch(&self, codec: Codec) -> Option<Branch> {
        let state = self.state();
        state
            .branches
            .get(&codec)
            .map(|attached| attached.branch.clone())
    }

    fn tap_config(self: &Arc<Self>, running: &Running, codec: Codec) -> TapConfig {
        let weak = Arc::downgrade(self);
        TapConfig {
            name: format!("{}-{}", self.pad.name(), codec.name().to_lowercase()),
            track: running.track,
            codec,
            rtp_offset: self.rtp_offset,
            handle: running.handle.clone(),
            observer: Box::new(move |event| {
                if let Some(stream) = weak.upgrade() {
                    stream.on_tap(codec, &event);
                }
            }),
        }
    }

    /// On the streaming thread of the branch.
    fn on_tap(&self, codec: Codec, event: &TapEvent<'_>) {
        let (running, input) = {
            let state = self.state();
            (state.running.clone(), state.input)
        };
        if input != Some(Input::Encoded(codec)) {
            return; // An encoder of ours makes what was negotiated.
        }
        match event {
            TapEvent::Caps(caps) => {
                if let (Codec::H264, Some(profile)) = (codec, caps::exotic_profile(caps))
                    && let Some(element) = self.element.upgrade()
                {
                    fault::warn_profile(&element, &self.pad.name(), &profile);
                }
                let endpoint = running.as_ref().and_then(|r| r.endpoint.upgrade());
                if let (Some(endpoint), Some(running)) = (endpoint, running) {
                    endpoint.set_track_codecs(running.track, vec![caps::offer(codec, caps)]);
                }
            }
            TapEvent::Reordered => {
                if let Some(element) = self.element.upgrade() {
                    fault::warn_b_frames(&element, &self.pad.name());
                }
            }
        }
    }

    /// Adds a branch to the running element.
    fn put_up(&self, codec: Codec, branch: Branch) -> Result<Branch, glib::BoolError> {
        let element = self.element.upgrade();
        let element = element.ok_or_else(|| glib::bool_error!("the element is gone"))?;
        if let Some(encoder) = branch.encoder() {
            element.emit_by_name::<()>("encoder-setup", &[&self.pad, encoder]);
        }
        let mid = self.pad.name();
        element.emit_by_name::<()>("encoded-pad-added", &[&branch.tap().pad(), &"send", &mid]);
        element.add(branch.bin())?;
        let linked = branch.bin().sync_state_with_parent().and_then(|()| {
            let sink = branch.bin().static_pad("sink").expect("assembled with one");
            let tee_pad = self
                .tee
                .request_pad_simple("src_%u")
                .ok_or_else(|| glib::bool_error!("the tee gives no pad"))?;
            tee_pad
                .link(&sink)
                .map_err(|error| glib::bool_error!("a branch does not link: {error:?}"))?;
            Ok(tee_pad)
        });
        match linked {
            Ok(tee_pad) => {
                let attached = Attached {
                    branch: branch.clone(),
                    tee_pad,
                };
                self.state().branches.insert(codec, attached);
                Ok(branch)
            }
            Err(error) => {
                let _ = branch.bin().set_state(gst::State::Null);
                let _ = element.remove(branch.bin());
                Err(error)
            }
        }
    }

    /// Takes a branch out; no buffer is on its way through the tee's pad when it is unlinked, so that
    /// the input does not see its end as an error.
    fn take_down(&self, attached: &Attached) {
        let bin = attached.branch.bin();
        let (idle, wait) = mpsc::sync_channel(1);
        attached
            .tee_pad
            .add_probe(gst::PadProbeType::IDLE, move |pad, _| {
                if let Some(peer) = pad.peer() {
                    let _ = pad.unlink(&peer);
                }
                let _ = idle.try_send(());
                gst::PadProbeReturn::Remove
            });
        // Blocked only by a tap that waits for PLAYING; going to NULL frees it.
        let _ = wait.recv_timeout(UNLINK_PATIENCE);
        bin.set_locked_state(true);
        let _ = bin.set_state(gst::State::Null);
        self.tee.release_request_pad(&attached.tee_pad);
        if let Some(element) = self.element.upgrade() {
            let _ = element.remove(bin);
        }
    }

    fn fail(&self, codec: Codec, error: &glib::BoolError) {
        if let Some(element) = self.element.upgrade() {
            fault::post(&element, &fault::no_branch(&self.pad.name(), codec, error));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A push through a leaky queue takes microseconds.
const UNLINK_PATIENCE: Duration = Duration::from_millis(500);
