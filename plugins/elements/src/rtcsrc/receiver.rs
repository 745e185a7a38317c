// SPDX-License-Identifier: MPL-2.0
//! The element as its endpoint sees it; called on the control thread.
use super::RtcSrc;
use super::stream::Stream;
use crate::data::{Channel, ChannelFault, DataChannel};
use crate::endpoint::{Attachment, FrameSink, IncomingMedia, Listening, SessionFault};
use crate::report;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::{Mid, SessionId};
use rtc_rtp::ReceivedTone;
use rtc_session::CandidateError;
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

    fn channel_failed(&self, fault: &ChannelFault) {
        if let Some(src) = self.0.upgrade() {
            post(&src, fault.structure());
        }
    }

    fn session_failed(&self, fault: &SessionFault) {
        let Some(src) = self.0.upgrade() else {
            return;
        };
        let structure = gst::Structure::builder("rtc-session-error")
            .field("session", &fault.session)
            .field("peer", &fault.peer)
            .field("code", fault.code)
            .field("text", &fault.text)
            .build();
        post(&src, structure);
    }

    fn server_failed(&self, session: &str, error: &CandidateError) {
        if let Some(element) = self.0.upgrade() {
            post(&element, report::server_error(session, error));
        }
    }

    fn listening(&self, listening: &Listening) {
        let Some(src) = self.0.upgrade() else {
            return;
        };
        let text = announcement(&src.name(), listening);
        let structure = gst::Structure::builder("rtc-listening")
            .field("uri", &listening.web_uri)
            .field("udp-port", u32::from(listening.udp_port))
            .field("text", &text)
            .build();
        post(&src, structure);
        if !src.property::<bool>("quiet") {
            eprintln!("{text}");
        }
    }

    fn signaller_failed(&self, text: &str) {
        if let Some(src) = self.0.upgrade() {
            gst::element_warning!(src, gst::ResourceError::Failed, ("signalling: {text}"));
        }
    }

    fn signaller_closed(&self, text: &str) {
        if let Some(src) = self.0.upgrade() {
            gst::element_error!(src, gst::ResourceError::Failed, ("signalling: {text}"));
        }
    }
}

fn post(src: &RtcSrc, structure: gst::Structure) {
    let message = gst::message::Element::builder(structure).src(src).build();
    // Without a bus nobody wants to know.
    let _ = src.post_message(message);
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
    format!("{name}: publish at {base}/publish  (WHIP {base}/whip, ICE udp {udp_port}{lan})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_page_whip_port_and_the_way_to_the_lan() {
        let listening = Listening {
            web_uri: "http://127.0.0.1:8080/".into(),
            text: String::new(),
            udp_port: 8189,
        };
        assert_eq!(
            announcement("rtcsrc0", &listening),
            "rtcsrc0: publish at http://127.0.0.1:8080/publish  (WHIP http://127.0.0.1:8080/whip, ICE udp \
             8189; set web-address=0.0.0.0:8080 for the LAN)"
        );
    }
}
