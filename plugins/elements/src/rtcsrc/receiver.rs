// SPDX-License-Identifier: MPL-2.0
//! The element as its endpoint sees it; called on the control thread.
use super::RtcSrc;
use super::stream::Stream;
use crate::data::{Channel, DataChannel};
use crate::endpoint::{Attachment, FrameSink, IncomingMedia};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::{Mid, SessionId};
use rtc_rtp::ReceivedTone;
use std::sync::Arc;

/// Holds the element weakly: the endpoint must not keep it alive.
pub(super) struct Receiver(glib::WeakRef<RtcSrc>);

impl Receiver {
    pub(super) fn new(src: &RtcSrc) -> Self {
        Self(src.downgrade())
    }

    fn end(&self, session: SessionId, mid: Option<&Mid>) {
        let Some(src) = self.0.upgrade() else {
            return;
        };
        src.imp().finish_tones(session, mid);
        for stream in src.imp().streams_of(session, mid) {
            // With a peer the pad stays until the EOS has gone by.
            if !stream.end() {
                src.imp().end_stream(session, &stream.mid);
            }
        }
    }
}

impl Attachment for Receiver {
    fn element(&self) -> Option<gst::Element> {
        Some(self.0.upgrade()?.upcast())
    }

    fn place(&self, base: &str) -> String {
        format!("publish at {base}/publish  (WHIP {base}/whip")
    }

    fn media_added(&self, media: &IncomingMedia) -> Option<Arc<dyn FrameSink>> {
        let src = self.0.upgrade()?;
        let parts = src.imp().parts_for(media)?;
        let stream = match Stream::new(&src, media, parts) {
            Ok(stream) => stream,
            Err(error) => {
                gst::error!(
                    super::imp::CAT,
                    obj = src,
                    "no stream for {media:?}: {error}"
                );
                return None;
            }
        };
        // Known before it is shown, so that an application may end it at once.
        if let Err(stream) = src.imp().keep(Arc::clone(&stream)) {
            stream.remove(&src);
            return None;
        }
        if let Err(error) = stream.expose(&src) {
            gst::error!(super::imp::CAT, obj = src, "no pad for {media:?}: {error}");
            src.imp().end_stream(media.session, &media.mid);
            return None;
        }
        Some(stream.queue.clone())
    }

    fn line_pad(&self, session: SessionId, mid: &Mid) -> Option<gst::Pad> {
        let streams = self.0.upgrade()?.imp().streams_of(session, Some(mid));
        Some(streams.first()?.pad.clone().upcast())
    }

    fn media_settled(&self, session: SessionId) {
        let Some(src) = self.0.upgrade() else {
            return;
        };
        // Some players wait for it before they show anything.
        if !src.imp().streams_of(session, None).is_empty() {
            src.no_more_pads();
        }
    }

    fn tone_received(&self, session: SessionId, name: &str, tone: &ReceivedTone) {
        if let Some(src) = self.0.upgrade() {
            src.imp().add_tone(session, name, tone);
        }
    }

    fn media_removed(&self, session: SessionId, mid: &Mid) {
        self.end(session, Some(mid));
    }

    fn session_ended(&self, session: SessionId) {
        self.end(session, None);
        if let Some(src) = self.0.upgrade() {
            src.imp().forget_session(session);
        }
    }

    fn channel_opened(&self, channel: &Arc<Channel>, object: &DataChannel) {
        let Some(src) = self.0.upgrade() else {
            return;
        };
        src.emit_by_name::<()>("on-data-channel", &[&channel.session_name, object]);
        if channel.by_peer {
            src.imp().add_data(channel);
        }
    }
}
