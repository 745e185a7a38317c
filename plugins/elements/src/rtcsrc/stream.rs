// SPDX-License-Identifier: MPL-2.0
//! One output: an m-line of a session, its feed, what stands behind that, and its pad.
use super::tail::Tail;
use super::{RtcSrc, RtcSrcPad};
use crate::clock::StreamClock;
use crate::data::Timeline;
use crate::endpoint::{FrameSink, IncomingMedia};
use crate::feed::{Feed, Queue, Setup, WantKeyframe};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::{Codec, MediaKind, Mid, SessionId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// See the module.
pub(super) struct Stream {
    pub(super) session: SessionId,
    pub(super) mid: Mid,
    pub(super) pad: RtcSrcPad,
    pub(super) queue: Arc<Queue>,
    feed: Feed,
    tail: Arc<Tail>,
    stream_id: String,
    /// Somebody is taking it down.
    leaving: AtomicBool,
}

/// What a stream takes from the element.
pub(super) struct Parts {
    /// The pad's number among those of its kind.
    pub(super) number: u32,
    pub(super) clock: StreamClock,
    /// Of a video, for the messages that go with it.
    pub(super) timeline: Option<Arc<Timeline>>,
    pub(super) group: gst::GroupId,
    pub(super) latency: (gst::ClockTime, gst::ClockTime),
    pub(super) want_keyframe: WantKeyframe,
}

impl Stream {
    /// Makes the stream and adds its feed to the element; not its pad yet.
    pub(super) fn new(
        src: &RtcSrc,
        media: &IncomingMedia,
        parts: Parts,
    ) -> Result<Arc<Self>, glib::BoolError> {
        let queue = Arc::new(Queue::new(media.kind, parts.want_keyframe));
        let pad = pad(src, media, parts.number)?;
        let tail = Tail::new(src, pad.clone(), Arc::clone(&queue));
        let stream_id = format!("rtc/{}/{}/{}", media.session, media.peer, media.mid);
        let feed = Feed::new(Setup {
            name: format!("{}-feed", pad.name()),
            kind: media.kind,
            queue: Arc::clone(&queue),
            outflow: tail.clone(),
            clock: parts.clock,
            timeline: parts.timeline,
            latency: parts.latency,
            group: parts.group,
            stream_id: stream_id.clone(),
        });
        tail.set_feed(&feed.encoded_pad());
        src.add(&feed)?;
        Ok(Arc::new(Self {
            session: media.session,
            mid: media.mid.clone(),
            pad,
            queue,
            feed,
            tail,
            stream_id,
            leaving: AtomicBool::new(false),
        }))
    }

    /// Shows the pads to the application, then lets frames flow. Called without a lock.
    pub(super) fn expose(&self, src: &RtcSrc) -> Result<(), glib::BoolError> {
        let encoded: gst::Pad = self.feed.encoded_pad();
        src.emit_by_name::<()>(
            "encoded-pad-added",
            &[&encoded, &"receive", &self.mid.as_str()],
        );
        self.pad.set_active(true)?;
        src.add_pad(&self.pad)?;
        self.feed.sync_state_with_parent()
    }

    /// No frame will come any more. True if the pad must wait for the feed's EOS to pass.
    pub(super) fn end(&self) -> bool {
        self.queue.ended();
        if !self.pad.is_linked() {
            return false;
        }
        let flows = self.pad.target().is_some();
        if !flows {
            // Nothing ever went through, but who is linked must not wait for it for ever.
            self.pad
                .push_event(gst::event::StreamStart::new(&self.stream_id));
            self.pad.push_event(gst::event::Eos::new());
        }
        flows
    }

    /// Whether an element stands between the feed and the pad.
    pub(super) fn decodes_by(&self, element: &gst::Object) -> bool {
        self.tail.contains(element)
    }

    /// Takes the stream out of the element. Never on one of its streaming threads.
    pub(super) fn remove(&self, src: &RtcSrc) {
        if self.leaving.swap(true, Ordering::AcqRel) {
            return;
        }
        self.queue.ended();
        let _ = self.pad.set_active(false);
        if self.pad.parent().is_some() {
            let _ = src.remove_pad(&self.pad);
        }
        let _ = self.feed.set_locked_state(true);
        let _ = self.feed.set_state(gst::State::Null);
        self.tail.clear();
        let _ = src.remove(&self.feed);
    }
}

/// The name of the pad template, and so of the pads, of a kind.
pub(super) fn template_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "audio_%u",
        MediaKind::Video => "video_%u",
    }
}

/// The clock rate of the codec the peer most likely sends; the feed follows the frames' own.
pub(super) fn clock_rate(media: &IncomingMedia) -> u32 {
    let usual = match media.kind {
        MediaKind::Audio => Codec::Opus,
        MediaKind::Video => Codec::Vp8,
    };
    let first = media.codecs.first().map_or(usual, |params| params.codec);
    first.clock_rate()
}

fn pad(src: &RtcSrc, media: &IncomingMedia, number: u32) -> Result<RtcSrcPad, glib::BoolError> {
    let name = template_name(media.kind);
    let template = src.pad_template(name);
    let template = template.ok_or_else(|| glib::bool_error!("no pad template {name}"))?;
    let (src, session, mid) = (src.downgrade(), media.session, media.mid.clone());
    let pad = gst::PadBuilder::<RtcSrcPad>::from_template(&template)
        .name(name.replace("%u", &number.to_string()))
        .query_function(|pad, parent, query| {
            if !pad.is_linked()
                && let gst::QueryViewMut::Caps(caps) = query.view_mut()
            {
                // What is built behind the pad is for the peer it had; the next one may choose again.
                let all = pad.pad_template_caps();
                let result = caps.filter().map_or_else(
                    || all.clone(),
                    |filter| filter.intersect_with_mode(&all, gst::CapsIntersectMode::First),
                );
                caps.set_result(&result);
                return true;
            }
            gst::Pad::query_default(pad, parent, query)
        })
        .proxy_pad_chain_function(|proxy, parent, buffer| {
            match gst::ProxyPad::chain_default(proxy, parent, buffer) {
                // The peer left between the feed's look and the push: the next frame finds nobody.
                Err(gst::FlowError::NotLinked) if is_unlinked(proxy) => Ok(gst::FlowSuccess::Ok),
                result => result,
            }
        })
        .proxy_pad_event_function(move |proxy, parent, event| {
            let is_end = event.type_() == gst::EventType::Eos;
            let passed = gst::Pad::event_default(proxy, parent, event);
            if is_end && let Some(src) = src.upgrade() {
                // This is a streaming thread of the stream: it can't take itself down.
                let mid = mid.clone();
                src.call_async(move |src| src.imp().end_stream(session, &mid));
            }
            passed
        })
        .build();
    pad.imp().describe(media);
    Ok(pad)
}

fn is_unlinked(proxy: &gst::ProxyPad) -> bool {
    proxy.internal().is_some_and(|pad| !pad.is_linked())
}

#[cfg(test)]
#[path = "stream_test.rs"]
mod tests;
