// SPDX-License-Identifier: MPL-2.0
//! What a row of the encoder table says.
use super::bitrate::Bitrate;
use super::hint::ContentHint;
use rtc_payload::Codec;

/// Names and values of properties, as gst-launch writes them. What this version of an encoder lacks is
/// left out, and so is a value it does not know: of several for one property the last known one holds.
pub(super) type Settings = &'static [(&'static str, &'static str)];

/// How one encoder is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) codec: Codec,
    /// The factory's name; `*` stands for any letters (devices beyond the first bear a number).
    pub(super) factory: &'static str,
    pub(super) bitrate: Option<Bitrate>,
    pub(super) settings: Settings,
    /// What differs by what the input shows.
    pub(super) hints: &'static [(ContentHint, Settings)],
    /// Properties in milliseconds by which an encoder spreads large frames, and their values where viewers
    /// shall not wait; the latency budget is added.
    pub(super) buffers: &'static [(&'static str, u64)],
    /// Caps features of device memory that it reads without a copy.
    pub(super) memory: &'static [&'static str],
    /// The element that brings system memory to it, where it reads none.
    pub(super) upload: Option<&'static str>,
    /// What raw video must look like; empty = as `caps::raw` has it for the codec.
    pub(super) raw: &'static str,
    /// What it must make; empty = see `table::filter_of`.
    pub(super) filter: &'static str,
    /// Whether its rate control counts on the frame rate of the caps, so that frames left out leave their
    /// bits unused.
    pub(super) counts_frames: bool,
}

impl Row {
    /// A row with the codec, the factory and its bitrate alone.
    pub(super) const fn new(codec: Codec, factory: &'static str, bitrate: Option<Bitrate>) -> Self {
        Self {
            codec,
            factory,
            bitrate,
            settings: &[],
            hints: &[],
            buffers: &[],
            memory: &[],
            upload: None,
            raw: "",
            filter: "",
            counts_frames: false,
        }
    }
}

/// Keyframes come on request; this many frames without one is the most there may be.
pub(super) const KEYFRAME_FRAMES: &str = "3000";
/// Stands for a number, see `table::resolve`.
pub(super) const HALF_THE_CORES: &str = "half the cores";
