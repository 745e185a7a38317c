// SPDX-License-Identifier: MPL-2.0
//! `rtcsink` as its endpoint sees it.
use super::RtcSink;
use crate::data::{Channel, ChannelFault, DataChannel};
use crate::endpoint::{Attachment, Listening, SessionFault};
use crate::report;
use crate::tones::ToneState;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::{Codec, TrackId};
use rtc_rtp::CodecParams;
use rtc_session::CandidateError;
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

    fn channel_failed(&self, fault: &ChannelFault) {
        if let Some(element) = self.0.upgrade() {
            post(&element, fault.structure());
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

    fn session_failed(&self, fault: &SessionFault) {
        if let Some(element) = self.0.upgrade() {
            let message = gst::Structure::builder("rtc-session-error")
                .field("session", &fault.session)
                .field("peer", &fault.peer)
                .field("code", fault.code)
                .field("text", &fault.text)
                .build();
            post(&element, message);
        }
    }

    fn server_failed(&self, session: &str, error: &CandidateError) {
        if let Some(element) = self.0.upgrade() {
            post(&element, report::server_error(session, error));
        }
    }

    fn listening(&self, listening: &Listening) {
        let Some(element) = self.0.upgrade() else {
            return;
        };
        let text = announcement(&element.name(), listening);
        let message = gst::Structure::builder("rtc-listening")
            .field("uri", &listening.web_uri)
            .field("udp-port", u32::from(listening.udp_port))
            .field("text", &text)
            .build();
        post(&element, message);
        if !element.property::<bool>("quiet") {
            eprintln!("{text}");
        }
    }

    fn signaller_failed(&self, text: &str) {
        if let Some(element) = self.0.upgrade() {
            gst::element_warning!(element, gst::ResourceError::Failed, ("signalling: {text}"));
        }
    }

    fn signaller_closed(&self, text: &str) {
        if let Some(element) = self.0.upgrade() {
            gst::element_error!(element, gst::ResourceError::Failed, ("signalling: {text}"));
        }
    }
}

pub(super) fn post(element: &RtcSink, structure: gst::Structure) {
    let message = gst::message::Element::builder(structure)
        .src(element)
        .build();
    // Without a bus nobody wants to know.
    let _ = element.post_message(message);
}

/// The one line for the user.
fn announcement(name: &str, listening: &Listening) -> String {
    let Listening {
        web_uri,
        text,
        udp_port,
    } = listening;
    if web_uri.is_empty() {
        return format!("{name}: {text}  (ICE udp {udp_port})");
    }
    let base = web_uri.trim_end_matches('/');
    let lan = match base.rsplit_once(':') {
        Some((host, port)) if host.ends_with("127.0.0.1") || host.ends_with("localhost") => {
            format!("; set web-address=0.0.0.0:{port} for the LAN")
        }
        _ => String::new(),
    };
    format!("{name}: watch at {base}/  (WHEP {base}/whep, ICE udp {udp_port}{lan})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_page_whep_port_and_the_way_to_the_lan() {
        let mut listening = Listening {
            web_uri: "http://127.0.0.1:8080/".into(),
            text: String::new(),
            udp_port: 8189,
        };
        assert_eq!(
            announcement("rtcsink0", &listening),
            "rtcsink0: watch at http://127.0.0.1:8080/  (WHEP http://127.0.0.1:8080/whep, ICE udp 8189; \
             set web-address=0.0.0.0:8080 for the LAN)"
        );
        listening.web_uri = "https://10.0.0.5:8443".into();
        assert_eq!(
            announcement("s", &listening),
            "s: watch at https://10.0.0.5:8443/  (WHEP https://10.0.0.5:8443/whep, ICE udp 8189)"
        );
    }
}
