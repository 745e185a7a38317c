// SPDX-License-Identifier: MPL-2.0
//! Peer connections as GObjects: W3C's RTCPeerConnection and its parts, for applications in any language.
//!
//! ```text
//! rtc-session events ─► rtc-control ─► model ─┬► GstRtcSession and its parts: values, notify, signals
//!                                             └► mirror: `rtc-event` on the bus
//! application ─► properties, action signals ─► link ─► rtc-session
//! ```
//! Attributes are properties, methods action signals, events signals, and what ends in `statechange` the
//! `notify` of its property. Values are set before anything is told of them, in the order of W3C
//! webrtc-pc, on the endpoint's control thread, where no lock is held.
mod candidate;
mod dtls_transport;
mod dtmf_sender;
mod element;
mod enums;
mod error;
mod half;
mod ice_transport;
mod link;
mod mirror;
mod model;
mod receiver;
mod sctp_transport;
mod sender;
mod session;
mod slot;
mod stats;
mod transceiver;

pub(crate) use element::{
    HasSessions, SessionList, session_properties, session_property, session_signals,
};
pub(crate) use enums::TriState;
pub(crate) use link::{Ask, Link, Selected};
pub(crate) use mirror::Mirror;
pub(crate) use model::{Model, Pads, Setup};
pub(crate) use session::Session;

use std::sync::LazyLock;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtcobject",
        gst::DebugColorFlags::empty(),
        Some("Peer connections as objects"),
    )
});
