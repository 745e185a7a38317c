// SPDX-License-Identifier: MPL-2.0
//! A `data_%u` pad: the messages of one channel that a peer opened.
use super::RtcSrc;
use crate::data::{Channel, DataFeed, FeedSetup, Queue, template_caps};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_session::ChannelKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The name of the pad template.
pub(super) const TEMPLATE: &str = "data_%u";

/// Bytes that may wait behind one pad before the peer waits.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Pads of one session; further channels are read by rtcdatasrc and by their objects alone.
pub(super) const MAX_PADS: usize = 32;

/// One channel's feed and pad.
pub(super) struct DataStream {
    pub(super) session: rtc_payload::SessionId,
    pub(super) key: ChannelKey,
    pub(super) pad: gst::GhostPad,
    queue: Arc<Queue>,
    feed: DataFeed,
    leaving: AtomicBool,
}

pub(super) fn template() -> gst::PadTemplate {
    gst::PadTemplate::new(
        TEMPLATE,
        gst::PadDirection::Src,
        gst::PadPresence::Sometimes,
        &template_caps(),
    )
    .expect("the template's caps are valid")
}

impl DataStream {
    /// Adds a feed and shows its pad.
    pub(super) fn new(
        src: &RtcSrc,
        channel: &Arc<Channel>,
        number: u32,
    ) -> Result<Arc<Self>, glib::BoolError> {
        let queue = Arc::new(Queue::new(MAX_BYTES, false, true));
        let name = TEMPLATE.replace("%u", &number.to_string());
        let template = src.pad_template(TEMPLATE);
        let template = template.ok_or_else(|| glib::bool_error!("no pad template {TEMPLATE}"))?;
        let (weak, session, key) = (src.downgrade(), channel.session, channel.init.key);
        let pad = gst::GhostPad::builder_from_template(&template)
            .name(&name)
            .proxy_pad_event_function(move |proxy: &gst::ProxyPad, parent, event: gst::Event| {
                let is_end = event.type_() == gst::EventType::Eos;
                let passed = gst::Pad::event_default(proxy, parent, event);
                if is_end && let Some(src) = weak.upgrade() {
                    // This is the feed's own thread: it can't take itself down.
                    src.call_async(move |src| src.imp().end_data(session, key));
                }
                passed
            })
            .build();
        let shown = pad.downgrade();
        let setup = FeedSetup {
            queue: Arc::clone(&queue),
            is_linked: Box::new(move || shown.upgrade().is_some_and(|pad| pad.is_linked())),
        };
        let feed = DataFeed::new(&format!("{name}-feed"), setup);
        src.add(&feed)?;
        let target = feed.static_pad("src").expect("every source has this pad");
        pad.set_target(Some(&target))?;
        queue.opened();
        channel.add_sink(queue.clone());
        Ok(Arc::new(Self {
            session,
            key,
            pad,
            queue,
            feed,
            leaving: AtomicBool::new(false),
        }))
    }

    /// Shows the pad. Called without a lock.
    pub(super) fn expose(&self, src: &RtcSrc) -> Result<(), glib::BoolError> {
        self.pad.set_active(true)?;
        src.add_pad(&self.pad)?;
        self.feed.sync_state_with_parent()
    }

    /// Takes it out of the element. Never on its own thread.
    pub(super) fn remove(&self, src: &RtcSrc) {
        if self.leaving.swap(true, Ordering::AcqRel) {
            return;
        }
        self.queue.end();
        let _ = self.pad.set_active(false);
        if self.pad.parent().is_some() {
            let _ = src.remove_pad(&self.pad);
        }
        let _ = self.feed.set_locked_state(true);
        let _ = self.feed.set_state(gst::State::Null);
        let _ = src.remove(&self.feed);
    }
}
