// SPDX-License-Identifier: MPL-2.0
//! `rtcsrc`: receives audio and video of WebRTC peers.
//!
//! ```text
//! peer -> rtc-io -> FrameSink (feed::Queue) -> feed -> [parser, decoder] -> video_%u, audio_%u
//!                                               ^ the pad of `encoded-pad-added`
//! ```
//! A pad lives as long as its m-line: it comes when a peer's offer or answer says that it will send, on
//! the control thread, and goes after the EOS at the end. What is behind the feed is chosen when the
//! first frame meets a linked pad (see [`crate::decode`]); frames for a pad nobody has linked are dropped.
mod audible;
mod data;
mod imp;
mod pad;
mod receiver;
mod running;
mod settings;
mod stream;
mod tail;
mod tones;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The element `rtcsrc`.
    pub struct RtcSrc(ObjectSubclass<imp::RtcSrc>)
        @extends gst::Bin, gst::Element, gst::Object,
        @implements gst::ChildProxy, gst::URIHandler;
}

glib::wrapper! {
    /// A source pad of `rtcsrc`.
    pub struct RtcSrcPad(ObjectSubclass<pad::RtcSrcPad>)
        @extends gst::GhostPad, gst::ProxyPad, gst::Pad, gst::Object;
}

/// Registers the element, with rank PRIMARY.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    crate::transform::register();
    gst::Element::register(
        Some(plugin),
        "rtcsrc",
        gst::Rank::PRIMARY,
        RtcSrc::static_type(),
    )
}
