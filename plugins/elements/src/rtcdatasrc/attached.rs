// SPDX-License-Identifier: MPL-2.0
//! `rtcdatasrc` as its endpoint sees it; called on the control thread.
use super::RtcDataSrc;
use super::label;
use crate::data::{Channel, DataChannel, Queue};
use crate::endpoint::Attachment;
use gst::glib;
use gst::prelude::*;
use std::sync::Arc;

/// Holds the element weakly: the endpoint must not keep it alive.
pub(super) struct Attached {
    pub(super) element: glib::WeakRef<RtcDataSrc>,
    pub(super) queue: Arc<Queue>,
    /// Which channels are read.
    pub(super) label: String,
    pub(super) protocol: String,
}

impl Attachment for Attached {
    fn element(&self) -> Option<gst::Element> {
        Some(self.element.upgrade()?.upcast())
    }

    fn place(&self, base: &str) -> String {
        format!("data channels at {base}/  (WHEP {base}/whep")
    }

    fn wants_data(&self) -> bool {
        true
    }

    fn channel_opened(&self, channel: &Arc<Channel>, object: &DataChannel) {
        let Some(element) = self.element.upgrade() else {
            return;
        };
        let init = &channel.init;
        let protocol_fits = self.protocol.is_empty() || self.protocol == init.protocol;
        if label::fits(&self.label, &init.label) && protocol_fits {
            self.queue.opened();
            channel.add_sink(self.queue.clone());
        }
        element.emit_by_name::<()>("on-data-channel", &[&channel.session_name, object]);
    }
}
