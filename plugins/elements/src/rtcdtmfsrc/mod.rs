// SPDX-License-Identifier: MPL-2.0
//! `rtcdtmfsrc`: telephone tones to send on the audio of an `rtcsink`.
//!
//! ```text
//! insert-dtmf, tones, dtmf-event ─► buffers of application/x-rtc-dtmf ─► rtcsink.dtmf_%u ─► sessions
//!        tone-change, tone-buffer ◄──── events upstream ◄──────────────────────┘
//! ```
//! The sessions keep the time: this element passes on what is asked, and tells what they say (W3C
//! RTCDTMFSender).
mod imp;
mod state;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The element `rtcdtmfsrc`.
    pub struct RtcDtmfSrc(ObjectSubclass<imp::RtcDtmfSrc>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

/// Registers the element.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "rtcdtmfsrc",
        gst::Rank::NONE,
        RtcDtmfSrc::static_type(),
    )
}
