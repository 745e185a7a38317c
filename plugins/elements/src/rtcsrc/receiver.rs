// SPDX-License-Identifier: MPL-2.0
//! The element as its endpoint sees it; called on the control thread.
use super::RtcSrc;
use super::stream::Stream;
use crate::endpoint::{Attachment, FrameSink, IncomingMedia, Listening, SessionFault};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::{Mid, SessionId};
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

    fn media_removed(&self, session: SessionId, mid: &Mid) {
        self.end(session, Some(mid));
    }

    fn session_ended(&self, session: SessionId) {
        self.end(session, None);
        if let Some(src) = self.0.upgrade() {
            src.imp().forget_session(session);
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

    fn listening(&self, listening: &Listening) {
        let Some(src) = self.0.upgrade() else {
            return;
        };
        let Listening {
            web_uri,
            text,
            udp_port,
        } = listening;
        let structure = gst::Structure::builder("rtc-listening")
            .field("web-uri", web_uri)
            .field("text", text)
            .field("udp-port", u32::from(*udp_port))
            .build();
        post(&src, structure);
        if !web_uri.is_empty() && !src.property::<bool>("quiet") {
            let base = web_uri.trim_end_matches('/');
            eprintln!(
                "{}: publish at {base}/publish  (WHIP {base}/whip, ICE udp {udp_port}; set \
                 web-address=0.0.0.0:8080 for the LAN){}{text}",
                src.name(),
                if text.is_empty() { "" } else { " " },
            );
        }
    }

    fn signaller_failed(&self, text: &str) {
        if let Some(src) = self.0.upgrade() {
            gst::element_warning!(src, gst::ResourceError::Failed, ("signalling: {text}"));
        }
    }
}

fn post(src: &RtcSrc, structure: gst::Structure) {
    let message = gst::message::Element::builder(structure).src(src).build();
    // Without a bus nobody wants to know.
    let _ = src.post_message(message);
}
