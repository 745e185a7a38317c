// SPDX-License-Identifier: MPL-2.0
//! The branches of an input: one for each encoding that somebody takes, and one for encoded input.
use super::stream::{Input, Running, Stream};
use crate::caps;
use crate::encode::Branch;
use crate::endpoint::Encoding;
use crate::fault;
use crate::tap::{TapConfig, TapEvent};
use gst::glib;
use gst::prelude::*;
use rtc_payload::Codec;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// What a branch makes. Encoded input has layer 0 alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Output {
    pub(super) codec: Codec,
    /// 0 the full size.
    pub(super) layer: u8,
}

impl Output {
    fn passed(codec: Codec) -> Self {
        Self { codec, layer: 0 }
    }
}

impl From<Encoding> for Output {
    fn from(encoding: Encoding) -> Self {
        Self {
            codec: encoding.codec,
            layer: encoding.layer,
        }
    }
}

/// A branch that is up.
#[derive(Clone)]
pub(super) struct Attached {
    branch: Branch,
    tee_pad: gst::Pad,
}

impl Attached {
    /// Whether its frames are packetised.
    pub(super) fn set_active(&self, active: bool) {
        self.branch.tap().set_active(active);
    }
}

impl Stream {
    /// Encoded input: its one branch is there from the start, for its caps make the offer.
    pub(super) fn pass(self: &Arc<Self>, running: &Running, codec: Codec) {
        let output = Output::passed(codec);
        let branch = Branch::passing(self.tap_config(running, output));
        match branch.and_then(|branch| self.put_up(output, branch)) {
            Ok(branch) => {
                self.keep_frames(running, codec, &branch);
                let wanted = self.state().wants(codec);
                branch.tap().set_active(self.state().feeds(codec));
                // Of sessions that had this codec from an encoder before.
                if wanted {
                    branch.request_keyframe();
                }
            }
            Err(error) => self.fail(codec, &error),
        }
    }

    /// A session takes what `output` says, of video at so many bit/s; on the control thread.
    pub(super) fn want(self: &Arc<Self>, output: Output, bits_per_second: Option<u64>) {
        self.state().wanted.insert(output, bits_per_second);
        match self.branch(output) {
            Some(branch) => branch.tap().set_active(true),
            None => self.encode(output),
        }
    }

    /// Makes the branch that encodes raw input, unless it is there or being made.
    pub(super) fn encode(self: &Arc<Self>, output: Output) {
        let (running, bitrate) = {
            let mut state = self.state();
            let is_there = state.branches.contains_key(&output);
            let (Some(running), Some(Input::Raw), false) =
                (state.running.clone(), state.input, is_there)
            else {
                return;
            };
            if !state.building.insert(output) {
                return;
            }
            let bitrate = state.wanted.get(&output).copied().flatten();
            let bitrate = bitrate.unwrap_or(running.start_bitrate);
            (running, bitrate)
        };
        let built = self.build(&running, output, bitrate);
        self.state().building.remove(&output);
        match built {
            // Released while it was made.
            Ok(()) if !self.state().wanted.contains_key(&output) => self.release(output),
            Ok(()) => self.drop_idle(output.codec),
            Err(error) => self.fail(output.codec, &error),
        }
    }

    /// No session takes what `output` says any more; on the control thread.
    pub(super) fn release(&self, output: Output) {
        let attached = {
            let mut state = self.state();
            state.wanted.remove(&output);
            match state.input {
                Some(Input::Encoded(codec)) => {
                    let active = state.feeds(codec);
                    if let Some(attached) = state.branches.get(&Output::passed(codec)) {
                        attached.branch.tap().set_active(active);
                    }
                    None
                }
                _ => state.let_go(output),
            }
        };
        if let Some(attached) = attached {
            self.take_down(&attached);
        }
    }

    pub(super) fn request_keyframe(&self, output: Output) {
        if let Some(branch) = self.branch(output) {
            branch.request_keyframe();
        }
    }

    pub(super) fn set_bitrate(&self, output: Output, bits_per_second: u64) {
        if let Some(wanted) = self.state().wanted.get_mut(&output) {
            *wanted = Some(bits_per_second);
        }
        if let Some(branch) = self.branch(output) {
            branch.set_bitrate(bits_per_second);
        }
    }

    /// The branch that makes it: of encoded input the only one, whatever the layer.
    pub(super) fn branch(&self, output: Output) -> Option<Branch> {
        let state = self.state();
        let output = match state.input {
            Some(Input::Encoded(codec)) if codec == output.codec => Output::passed(codec),
            _ => output,
        };
        let attached = state.branches.get(&output)?;
        Some(attached.branch.clone())
    }

    pub(super) fn tap_config(self: &Arc<Self>, running: &Running, output: Output) -> TapConfig {
        let weak = Arc::downgrade(self);
        let Output { codec, layer } = output;
        let mut name = format!("{}-{}", self.pad.name(), codec.name().to_lowercase());
        if layer > 0 {
            name = format!("{name}-{layer}");
        }
        let is_raw = self.state().input == Some(Input::Raw);
        TapConfig {
            name,
            track: running.track,
            codec,
            layer,
            ladder: running.ladders.of(codec).filter(|_| is_raw),
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
    pub(super) fn put_up(&self, output: Output, branch: Branch) -> Result<Branch, glib::BoolError> {
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
                self.state().branches.insert(output, attached);
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
    pub(super) fn take_down(&self, attached: &Attached) {
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
        // The application has taken the input away while a session asked for it.
        if self.state().running.is_none() {
            gst::debug!(
                super::CAT,
                obj = self.pad,
                "{} of an input that is gone: {error}",
                codec.name()
            );
            return;
        }
        if let Some(element) = self.element.upgrade() {
            fault::post(&element, &fault::no_branch(&self.pad.name(), codec, error));
        }
    }
}

/// A push through a leaky queue takes microseconds.
const UNLINK_PATIENCE: Duration = Duration::from_millis(500);
