// SPDX-License-Identifier: MPL-2.0
//! What senders and receivers have alike: parameters, statistics and capabilities (webrtc-pc §5.2, §5.3).
use super::session::Session;
use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use rtc_payload::{Codec, MediaKind};
use rtc_rtp::CodecParams;
use std::sync::OnceLock;

/// The session that a sender or receiver belongs to, which it does not keep.
#[derive(Debug, Default)]
pub(super) struct Owner(OnceLock<glib::WeakRef<Session>>);

impl Owner {
    pub(super) fn set(&self, session: &Session) {
        let _ = self.0.set(session.downgrade());
    }

    fn session(&self) -> Option<Session> {
        self.0.get()?.upgrade()
    }
}

/// A sender or a receiver.
pub(super) trait Half: IsA<gst::Object> {
    /// Whether it sends.
    const SENDS: bool;
    /// Its session.
    fn owner(&self) -> &Owner;
    /// Whether it is that of this transceiver.
    fn is_of(&self, transceiver: &super::transceiver::Transceiver) -> bool;

    /// The mid of its m-line.
    fn line(&self) -> Option<(Session, String)> {
        let session = self.owner().session()?;
        let all = session.held().clone();
        let mid = all.iter().find(|t| self.is_of(t))?.mid()?;
        Some((session, mid))
    }
}

/// The action signals.
pub(super) fn signals<T: Half>() -> Vec<Signal> {
    vec![
        // -> rtc-rtp-parameters {mid, codec-0, codec-1, …}, each with payload-type, mime-type, clock-rate,
        // channels, sdp-fmtp-line; without codecs before they are negotiated.
        Signal::builder("get-parameters")
            .return_type::<gst::Structure>()
            .action()
            .class_handler(|values| Some(parameters(&values[0].get::<T>().ok()?).to_value()))
            .build(),
        // (promise) -> rtc-stats: what concerns it of the session's statistics.
        Signal::builder("get-stats")
            .param_types([gst::Promise::static_type()])
            .action()
            .class_handler(|values| {
                let half = values[0].get::<T>().ok()?;
                let promise = values[1].get::<Option<gst::Promise>>().ok()?;
                match half.line() {
                    Some((session, mid)) => session.stats_of_line(mid, T::SENDS, promise),
                    // Nothing was counted for what has no m-line.
                    None => {
                        if let Some(promise) = promise {
                            promise.reply(Some(gst::Structure::new_empty("rtc-stats")));
                        }
                    }
                }
                None
            })
            .build(),
        // (kind) -> rtc-rtp-capabilities {codec-0, codec-1, …}, or NULL for what is neither audio nor video.
        // W3C has it at the class; here any object will do.
        Signal::builder("get-capabilities")
            .param_types([String::static_type()])
            .return_type::<Option<gst::Structure>>()
            .action()
            .class_handler(|values| {
                let kind = values[1].get::<Option<String>>().ok()?;
                Some(capabilities(kind.as_deref().unwrap_or_default()).to_value())
            })
            .build(),
    ]
}

fn parameters<T: Half>(half: &T) -> gst::Structure {
    let mut made = gst::Structure::new_empty("rtc-rtp-parameters");
    let Some((session, mid)) = half.line() else {
        return made;
    };
    made.set("mid", &mid);
    let known = session.known();
    let line = known.lines.iter().find(|line| line.mid.as_str() == mid);
    let codecs: Vec<&CodecParams> = match line {
        Some(line) if T::SENDS => line.sending.iter().map(|(_, params)| params).collect(),
        Some(line) => line.receiving.iter().collect(),
        None => Vec::new(),
    };
    for (at, params) in codecs.into_iter().enumerate() {
        let mut one = codec(params.codec);
        one.set("payload-type", u32::from(params.pt.0));
        if !params.fmtp.is_empty() {
            one.set("sdp-fmtp-line", &params.fmtp);
        }
        made.set(format!("codec-{at}"), one);
    }
    made
}

fn capabilities(kind: &str) -> Option<gst::Structure> {
    let kind = [MediaKind::Audio, MediaKind::Video]
        .into_iter()
        .find(|known| known.as_str() == kind)?;
    let mut made = gst::Structure::new_empty("rtc-rtp-capabilities");
    let codecs = Codec::all().filter(|codec| codec.kind() == kind);
    for (at, known) in codecs.enumerate() {
        made.set(format!("codec-{at}"), codec(known));
    }
    Some(made)
}

fn codec(codec: Codec) -> gst::Structure {
    let mut made = gst::Structure::builder("rtc-rtp-codec")
        .field("mime-type", codec.mime())
        .field("clock-rate", codec.clock_rate())
        .build();
    if codec.kind() == MediaKind::Audio {
        made.set("channels", u32::from(codec.channels()));
    }
    made
}
