// SPDX-License-Identifier: MPL-2.0
//! `rtcsink` as its endpoint sees it.
use super::RtcSink;
use crate::data::{Channel, DataChannel};
use crate::endpoint::Attachment;
use crate::tones::ToneState;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::{Codec, TrackId};
use rtc_rtp::CodecParams;
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

    fn codec_wanted(&self, track: TrackId, codec: &CodecParams) {
        self.with_stream(track, |stream| stream.want(codec.codec));
    }

    fn codec_released(&self, track: TrackId, codec: Codec) {
        self.with_stream(track, |stream| stream.release(codec));
    }

    fn keyframe_wanted(&self, track: TrackId, codec: Codec) {
        self.with_stream(track, |stream| stream.request_keyframe(codec));
    }

    fn target_changed(&self, track: TrackId, codec: Codec, bits_per_second: u64) {
        self.with_stream(track, |stream| stream.set_bitrate(codec, bits_per_second));
    }

    fn channel_opened(&self, channel: &Arc<Channel>, object: &DataChannel) {
        if let Some(element) = self.0.upgrade() {
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
