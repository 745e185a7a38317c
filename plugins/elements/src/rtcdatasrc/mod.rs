// SPDX-License-Identifier: MPL-2.0
//! `rtcdatasrc`: the messages of data channels, each a buffer.
mod attached;
mod imp;
mod label;
mod settings;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The element `rtcdatasrc`.
    pub struct RtcDataSrc(ObjectSubclass<imp::RtcDataSrc>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object,
        @implements gst::ChildProxy;
}

/// Registers the element.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    crate::data::meta::register();
    gst::Element::register(
        Some(plugin),
        "rtcdatasrc",
        gst::Rank::NONE,
        RtcDataSrc::static_type(),
    )
}
