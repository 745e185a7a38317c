// SPDX-License-Identifier: MPL-2.0
//! Data channels of an endpoint: what elements, pads and applications have of them.
//!
//! ```text
//! data_%u ─► tap ─► lane ─► outbox of each session's channel ─► rtc-io ─► peers
//! rtc-io ─► hub ─► channel ─┬► queue ─► rtcdatasrc, data_%u of rtcsrc
//!                           └► rtc-control ─► signals of GstRtcDataChannel
//! ```
//! The hub is the io thread's door in: it never blocks and calls no application. A reader that is slow
//! makes the session hold its messages back, so that SCTP holds the peer back; nothing is lost or piled up.
mod channel;
mod envelope;
mod feed;
mod flow;
mod hub;
mod lane;
pub(crate) mod meta;
mod object;
mod outbox;
mod priority;
mod queue;
mod tap;
mod timeline;

pub(crate) use channel::{Channel, Message};
pub(crate) use envelope::protocol as sync_protocol;
pub(crate) use feed::{DataFeed, FeedSetup};
pub(crate) use flow::Flow;
pub(crate) use hub::Hub;
pub(crate) use lane::Lane;
pub(crate) use object::DataChannel;
pub(crate) use object::detail as error_detail;
pub(crate) use priority::Priority;
pub(crate) use queue::{Item, Next, Queue};
pub(crate) use tap::{DataTap, TapSetup};
pub(crate) use timeline::Timeline;

use gst::glib;
use rtc_session::ChannelKey;
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a full channel or queue does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcLeaky")]
pub enum Leaky {
    /// Nothing is dropped.
    #[default]
    #[enum_value(name = "Wait until there is room", nick = "none")]
    None,
    /// The oldest goes.
    #[enum_value(name = "Drop the oldest message and count it", nick = "downstream")]
    Downstream,
}

/// Something wrong with a channel or a message, for the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelFault {
    /// The session's name in signalling.
    pub(crate) session: String,
    /// The channel's label.
    pub(crate) label: String,
    /// W3C's RTCErrorDetailType, or `too-large`, `too-slow`.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) text: String,
}

impl ChannelFault {
    /// The element message.
    pub(crate) fn structure(&self) -> gst::Structure {
        gst::Structure::builder("rtc-channel-error")
            .field("session", &self.session)
            .field("label", &self.label)
            .field("code", self.code)
            .field("text", &self.text)
            .build()
    }
}

/// A key for a channel that is opened here: unlike any other of the process.
pub(crate) fn new_key() -> ChannelKey {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    ChannelKey(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a buffer of messages may be; the first two are what messages are when nobody wishes otherwise.
pub(crate) fn template_caps() -> gst::Caps {
    gst::Caps::from_str(
        "text/x-raw, format=(string)utf8; application/octet-stream; meta/x-klv; application/x-json",
    )
    .expect("these caps are valid")
}

pub(crate) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtcdata",
        gst::DebugColorFlags::empty(),
        Some("Data channels of rtcsink, rtcsrc and rtcdatasrc"),
    )
});
