// SPDX-License-Identifier: MPL-2.0
//! `rtcsink`: sends audio and video to WebRTC peers, any number of them from one encoder.
//!
//! ```text
//! video_%u ─ tee ┬ pacer                                       (waits for the clock, takes EOS)
//!                ├ [queue ! convert ! encoder ! parser ! tap]  per codec and layer that somebody takes
//!                └ [parser ! tap]                              for input that is encoded already
//!                                         └─► PacketBlock ─► rtc-io ─► every session
//! data_%u ── data::tap ─► messages ─► rtc-io ─► every session
//! ```
mod attached;
mod branches;
mod data_pad;
mod dtmf_pad;
mod fallback;
mod frames;
mod gop;
mod imp;
mod ladders;
mod pad;
mod running;
mod settings;
mod stream;

use gst::glib;
use gst::prelude::*;
use std::sync::LazyLock;

glib::wrapper! {
    /// The element `rtcsink`.
    pub struct RtcSink(ObjectSubclass<imp::RtcSink>)
        @extends gst::Bin, gst::Element, gst::Object,
        @implements gst::ChildProxy, gst_video::Navigation;
}

/// Registers the element.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "rtcsink",
        gst::Rank::NONE,
        RtcSink::static_type(),
    )
}

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtcsink",
        gst::DebugColorFlags::empty(),
        Some("Sends to WebRTC peers"),
    )
});
