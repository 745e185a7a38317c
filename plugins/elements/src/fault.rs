// SPDX-License-Identifier: MPL-2.0
//! Errors as the bus tells them: what was given, what is allowed, what to write instead.
use crate::encode::table;
use crate::endpoint::EndpointError;
use gst::glib;
use gst::prelude::*;
use rtc_payload::Codec;

/// A fault of an element, ready for the bus.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    domain: Domain,
    text: String,
}

#[derive(Clone, Copy, Debug)]
enum Domain {
    MissingPlugin,
    Settings,
    Resource,
    Failed,
}

/// Posts a fault as the element's error.
pub(crate) fn post(element: &impl IsA<gst::Element>, fault: &Fault) {
    let element = element.upcast_ref::<gst::Element>();
    let text = &fault.text;
    match fault.domain {
        Domain::MissingPlugin => {
            gst::element_error!(element, gst::CoreError::MissingPlugin, ("{text}"))
        }
        Domain::Settings => gst::element_error!(element, gst::LibraryError::Settings, ("{text}")),
        Domain::Resource => {
            gst::element_error!(element, gst::ResourceError::OpenReadWrite, ("{text}"))
        }
        Domain::Failed => gst::element_error!(element, gst::CoreError::Failed, ("{text}")),
    }
}

/// A property's value that can't be.
pub(crate) fn settings(text: impl Into<String>) -> Fault {
    Fault {
        domain: Domain::Settings,
        text: text.into(),
    }
}

/// An endpoint that could not start.
pub(crate) fn endpoint(error: &EndpointError) -> Fault {
    let domain = match error {
        EndpointError::Signaller(_) | EndpointError::Driver(_) => Domain::Resource,
        EndpointError::Certificate(_) | EndpointError::Thread(_) => Domain::Failed,
    };
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    // The outermost text alone often lacks the system's own word.
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    Fault { domain, text }
}

/// Raw input for which nothing can encode.
pub(crate) fn no_encoder(pad: &str, codecs: &[Codec]) -> Fault {
    let text = if codecs.is_empty() {
        format!("{pad} gets raw media, but the caps property names no codec of its kind")
    } else {
        let wanted: Vec<_> = codecs
            .iter()
            .map(|codec| format!("{} ({})", codec.name(), table::known(*codec)))
            .collect();
        format!(
            "no encoder is installed for what {pad} shall be sent as: {}; install one of the elements \
             in brackets, name another codec in video-caps or audio-caps, or give an encoded stream",
            wanted.join(", ")
        )
    };
    Fault {
        domain: Domain::MissingPlugin,
        text,
    }
}

/// A chain of elements that could not be made.
pub(crate) fn no_branch(pad: &str, codec: Codec, error: &glib::BoolError) -> Fault {
    Fault {
        domain: Domain::MissingPlugin,
        text: format!(
            "{pad} cannot be sent as {}: {}; an element may be missing: install \
             gstreamer1.0-plugins-base, -good, -bad and -ugly, or name another codec in video-caps or \
             audio-caps",
            codec.name(),
            error.message
        ),
    }
}

/// An encoder that failed, and the one that took its place.
pub(crate) fn warn_encoder(
    element: &impl IsA<gst::Element>,
    pad: &str,
    (failed, reason): (&str, &str),
    next: &str,
) {
    let element = element.upcast_ref::<gst::Element>();
    gst::element_warning!(
        element,
        gst::LibraryError::Encode,
        ("{failed} failed ({reason}), so {pad} is encoded by {next}; where {failed} should not be tried at \
             all, GST_PLUGIN_FEATURE_RANK={next}:MAX puts {next} first")
    );
}

/// Frames out of order: browsers show them in the order they come.
pub(crate) fn warn_b_frames(element: &impl IsA<gst::Element>, pad: &str) {
    let element = element.upcast_ref::<gst::Element>();
    gst::element_warning!(
        element,
        gst::StreamError::Format,
        ("{pad} has B-frames, which browsers show in the wrong order: encode without them (x264enc \
             bframes=0 or tune=zerolatency), or decode the stream before rtcsink so that it is encoded anew")
    );
}

/// A profile of H.264 that decoders in browsers don't have.
pub(crate) fn warn_profile(element: &impl IsA<gst::Element>, pad: &str, profile: &str) {
    let element = element.upcast_ref::<gst::Element>();
    gst::element_warning!(
        element,
        gst::StreamError::Format,
        ("{pad} is H.264 of profile {profile}, which no browser plays: put \
             video/x-h264,profile=constrained-baseline behind the encoder, or decode the stream before \
             rtcsink so that it is encoded anew")
    );
}
