// SPDX-License-Identifier: MPL-2.0
//! `rtcsink` as its endpoint sees it.
use super::RtcSink;
use crate::data::{Channel, DataChannel};
use crate::endpoint::{Attachment, Encoding};
use crate::tones::ToneState;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::TrackId;
use std::sync::Arc;

/// Holds the element weakly: the endpoint must not keep it alive.
pub(super) struct Attached(pub(super) glib::WeakRef<RtcSink>);

impl Attached {
    fn with_stream(&self, track: TrackId, call: impl FnOnce(&Arc<super::stream::Stream>)) {
        if let Some(element) = self.0.upgrade()
            && let Some(stream) = element.imp().stream_of(track)
        {
            call(&stream);
        }
    }
}

impl Attachment for Attached {
    fn element(&self) -> Option<gst::Element> {
        Some(self.0.upgrade()?.upcast())
    }

    fn place(&self, base: &str) -> String {
        format!("watch at {base}/  (WHEP {base}/whep")
    }

    fn track_pad(&self, track: TrackId) -> Option<gst::Pad> {
        let stream = self.0.upgrade()?.imp().stream_of(track)?;
        Some(stream.pad().clone().upcast())
    }

    fn encoding_wanted(&self, encoding: Encoding, bits_per_second: Option<u64>) {
        let what = encoding.into();
        self.with_stream(encoding.track, |stream| stream.want(what, bits_per_second));
    }

    fn encoding_released(&self, encoding: Encoding) {
        self.with_stream(encoding.track, |stream| stream.release(encoding.into()));
    }

    fn keyframe_wanted(&self, encoding: Encoding) {
        let what = encoding.into();
        self.with_stream(encoding.track, |stream| stream.request_keyframe(what));
    }

    fn target_changed(&self, encoding: Encoding, bits_per_second: u64) {
        let what = encoding.into();
        self.with_stream(encoding.track, |stream| {
            stream.set_bitrate(what, bits_per_second)
        });
    }

    fn channel_opened(&self, channel: &Arc<Channel>, object: &DataChannel) {
        if let Some(element) = self.0.upgrade() {
            let running = element.imp().running().clone();
            if let Some(steering) = running.as_ref().and_then(|running| running.steering()) {
                steering.opened(channel);
            }
            element.emit_by_name::<()>("on-data-channel", &[&channel.session_name, object]);
        }
    }

    fn tones_possible(&self, track: TrackId, possible: bool) {
        if let Some(element) = self.0.upgrade() {
            let state = ToneState::CanInsert(possible);
            element.imp().tell_tones(track, &state);
        }
    }

    fn tone_changed(&self, track: TrackId, tone: &str, buffer: &str) {
        if let Some(element) = self.0.upgrade() {
            let state = ToneState::Change {
                tone: tone.into(),
                buffer: buffer.into(),
            };
            element.imp().tell_tones(track, &state);
        }
    }
}
