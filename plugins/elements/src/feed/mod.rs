// SPDX-License-Identifier: MPL-2.0
//! Where received frames enter the pipeline: an internal live source over a bounded queue.
//!
//! ```text
//! io thread: FrameSink::frame -> Queue -> streaming thread: create() -> outflow.caps_for -> buffer
//! ```
//! The io thread never waits for the pipeline; a pipeline that is too slow loses frames up to the next
//! keyframe, and the peer is asked for one.
mod imp;
mod latency;
mod queue;

pub(crate) use queue::{Queue, WantKeyframe};

use crate::clock::StreamClock;
use crate::data::Timeline;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use rtc_payload::MediaKind;
use rtc_rtp::ReceivedFrame;
use std::sync::Arc;

glib::wrapper! {
    /// The internal element; never registered, so it can't be made by name.
    pub(crate) struct Feed(ObjectSubclass<imp::Feed>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

/// What comes after a feed. Called on its streaming thread.
pub(crate) trait Outflow: Send + Sync {
    /// The caps with which this frame is to be pushed, after whatever takes such frames was set up;
    /// `None` if nobody takes it now.
    fn caps_for(&self, frame: &ReceivedFrame) -> Option<gst::Caps>;

    /// Somebody may take frames since `caps_for` last said that nobody does.
    fn is_waiting(&self) -> bool;
}

/// What a feed is made with.
pub(crate) struct Setup {
    pub(crate) name: String,
    pub(crate) kind: MediaKind,
    pub(crate) queue: Arc<Queue>,
    pub(crate) outflow: Arc<dyn Outflow>,
    pub(crate) clock: StreamClock,
    /// Told what time each frame gets.
    pub(crate) timeline: Option<Arc<Timeline>>,
    /// The least and the most latency to report.
    pub(crate) latency: (gst::ClockTime, gst::ClockTime),
    /// The same for all streams of a session.
    pub(crate) group: gst::GroupId,
    /// Unlike any other stream's of the process.
    pub(crate) stream_id: String,
}

impl Feed {
    pub(crate) fn new(setup: Setup) -> Self {
        let feed: Self = glib::Object::builder()
            .property("name", &setup.name)
            .build();
        feed.set_format(gst::Format::Time);
        feed.set_live(true);
        feed.set_do_timestamp(false);
        feed.imp().set_up(setup);
        feed
    }

    /// The pad through which every encoded frame passes.
    pub(crate) fn encoded_pad(&self) -> gst::Pad {
        self.static_pad("src").expect("every source has this pad")
    }
}
