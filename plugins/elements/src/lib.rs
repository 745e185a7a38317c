// SPDX-License-Identifier: MPL-2.0
//! GStreamer elements `rtcsink` and `rtcsrc`: WebRTC from a pipeline and into one.
//!
//! ```text
//! rtcsink, rtcsrc ─► endpoint ─► rtc-driver ─► rtc-session      frames, and text of descriptions
//!                       └──────► rtc-signaller                  text alone; the signallers stand apart
//! ```
//! An endpoint never names an element: elements attach to it by `endpoint::Attachment`. This file
//! alone names signallers.
use gst::glib;

mod caps;
pub mod certificate;
pub mod clock;
mod connect;
mod control;
mod data;
mod decode;
mod encode;
mod endpoint;
mod fault;
mod feed;
mod object;
mod report;
mod rtcdatasrc;
mod rtcdtmfsrc;
mod rtcsink;
mod rtcsrc;
mod tap;
mod tones;
pub mod transform;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    rtc_signaller_serve::register();
    rtc_signaller_loopback::register();
    rtc_signaller_http::register();
    rtc_identity::register();
    certificate::register();
    rtcdtmfsrc::register(plugin)?;
    rtcsink::register(plugin)?;
    rtcdatasrc::register(plugin)?;
    rtcsrc::register(plugin)
}

gst::plugin_define!(
    rtc,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    "MPL",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    env!("BUILD_REL_DATE")
);
