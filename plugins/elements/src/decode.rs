// SPDX-License-Identifier: MPL-2.0
//! What stands between received frames and a source pad: nothing, a parser, or a parser and a decoder.
//!
//! The pad's peer decides. If it takes raw media (or anything) frames are decoded, by the installed
//! decoder of the highest rank that opens; if it takes encoded media only, they go through untouched
//! where the peer takes their form, else through the codec's parser, which brings them into another.
use crate::caps;
use gst::prelude::*;
use rtc_payload::{Codec, MediaKind};
use rtc_rtp::ReceivedFrame;

/// How frames get from the feed to the pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As they are.
    Direct,
    /// Into another form of the same codec.
    Parse,
    /// To raw media.
    Decode,
}

/// Why no chain could be built; the text is for the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// No decoder is installed, or none opens.
    #[error("no decoder for {} opens{tried}; install one, or ask for {} downstream", .codec.name(), caps::media(*.codec))]
    NoDecoder {
        /// The codec that arrived.
        codec: Codec,
        /// Factories tried, with a leading text; empty if there were none.
        tried: String,
    },
    /// Elements of one's own making do not fit.
    #[error("the {} chain can't be built: {source}", .codec.name())]
    Build {
        /// The codec that arrived.
        codec: Codec,
        /// Which step failed.
        source: gst::glib::BoolError,
    },
}

/// The caps of a received frame; with its size where the frame tells it.
pub(crate) fn caps_of(frame: &ReceivedFrame) -> gst::Caps {
    let mut caps = caps::form(frame.codec);
    let fields = caps.make_mut();
    if let (Some(width), Some(height)) = (frame.info.width, frame.info.height) {
        fields.set("width", i32::from(width));
        fields.set("height", i32::from(height));
    }
    if frame.codec == Codec::Opus {
        // RFC 7587 §4.1 and §7: always 48 kHz and stereo by the format's own word.
        fields.set("rate", 48_000i32);
        fields.set("channels", 2i32);
    }
    caps
}

/// Which way a frame with caps `have` goes to a peer that takes `want`; `None` if it takes another codec.
pub(crate) fn way(codec: Codec, have: &gst::Caps, want: &gst::Caps) -> Option<Way> {
    let raw = gst::Caps::builder(caps::raw_media(codec.kind()))
        .any_features()
        .build();
    if want.is_any() || want.can_intersect(&raw) {
        return Some(Way::Decode);
    }
    let same_codec = want.iter().any(|s| s.name() == caps::media(codec));
    match (same_codec, caps::parser(codec)) {
        (false, _) => None,
        (true, Some(_)) if !have.is_subset(want) => Some(Way::Parse),
        (true, _) => Some(Way::Direct),
    }
}

/// Whether a decoder for a codec is installed.
pub(crate) fn is_installed(codec: Codec) -> bool {
    !decoders(codec).is_empty()
}

/// The chain for a way, ready to be linked by its pads `sink` and `src`; `None` for [`Way::Direct`].
pub(crate) fn chain(codec: Codec, way: Way, name: &str) -> Result<Option<gst::Bin>, DecodeError> {
    let elements = match way {
        Way::Direct => return Ok(None),
        Way::Parse => parser(codec).into_iter().collect::<Vec<_>>(),
        Way::Decode => {
            let mut elements: Vec<_> = parser(codec).into_iter().collect();
            elements.push(decoder(codec)?);
            elements
        }
    };
    // A parser that is not installed: the frames go as they are.
    if elements.is_empty() {
        return Ok(None);
    }
    bin(name, &elements)
        .map(Some)
        .map_err(|source| DecodeError::Build { codec, source })
}

fn bin(name: &str, elements: &[gst::Element]) -> Result<gst::Bin, gst::glib::BoolError> {
    let bin = gst::Bin::with_name(name);
    bin.add_many(elements)?;
    gst::Element::link_many(elements)?;
    let ends = [(elements.first(), "sink"), (elements.last(), "src")];
    for (element, name) in ends {
        let pad = element.and_then(|element| element.static_pad(name));
        let pad = pad.ok_or_else(|| gst::glib::bool_error!("no pad {name}"))?;
        bin.add_pad(&gst::GhostPad::with_target(&pad)?)?;
    }
    Ok(bin)
}

fn parser(codec: Codec) -> Option<gst::Element> {
    gst::ElementFactory::make(caps::parser(codec)?).build().ok()
}

/// The best decoder that opens: a hardware decoder may be installed on a machine without the hardware.
fn decoder(codec: Codec) -> Result<gst::Element, DecodeError> {
    let mut tried = Vec::new();
    for factory in decoders(codec) {
        match factory.create().build() {
            Ok(decoder) if decoder.set_state(gst::State::Ready).is_ok() => {
                tune(&decoder);
                return Ok(decoder);
            }
            Ok(decoder) => {
                let _ = decoder.set_state(gst::State::Null);
                tried.push(factory.name());
            }
            Err(_) => tried.push(factory.name()),
        }
    }
    let tried = match tried.is_empty() {
        true => String::new(),
        false => format!(" (tried {})", tried.join(", ")),
    };
    Err(DecodeError::NoDecoder { codec, tried })
}

fn decoders(codec: Codec) -> Vec<gst::ElementFactory> {
    let class = gst::ElementFactoryType::DECODER
        | match codec.kind() {
            MediaKind::Audio => gst::ElementFactoryType::MEDIA_AUDIO,
            MediaKind::Video => gst::ElementFactoryType::MEDIA_VIDEO,
        };
    let mut caps = caps::form(codec);
    if codec.kind() == MediaKind::Video {
        // Decoders for pictures with alpha rank highest, and take nothing else.
        caps.make_mut().set("codec-alpha", false);
    }
    let mut found: Vec<_> = gst::ElementFactory::factories_with_type(class, gst::Rank::MARGINAL)
        .into_iter()
        .filter(|factory| factory.can_sink_any_caps(&caps))
        .collect();
    found.sort_by(|a, b| {
        b.rank()
            .cmp(&a.rank())
            .then_with(|| a.name().cmp(&b.name()))
    });
    found
}

/// Settings for packets that get lost; those a decoder does not have are left out.
fn tune(decoder: &gst::Element) {
    for (property, value) in TUNING {
        if decoder.has_property(property) {
            decoder.set_property_from_str(property, value);
        }
    }
}

const TUNING: [(&str, &str); 4] = [
    // Opus: conceal what is missing, from the next packet where it helps.
    ("plc", "true"),
    ("use-inband-fec", "true"),
    // Video: a frame that can't be decoded is no reason to stop; ask for a keyframe.
    ("max-errors", "-1"),
    ("automatic-request-sync-points", "true"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn parse(text: &str) -> gst::Caps {
        gst::Caps::from_str(text).unwrap()
    }

    #[test]
    fn the_peers_caps_decide_the_way() {
        gst::init().unwrap();
        let h264 = caps::form(Codec::H264);
        for (name, want, way_expected) in [
            ("anything", "ANY", Some(Way::Decode)),
            ("raw", "video/x-raw", Some(Way::Decode)),
            (
                "raw in GL memory",
                "video/x-raw(memory:GLMemory)",
                Some(Way::Decode),
            ),
            (
                "raw or encoded",
                "video/x-h264;video/x-raw",
                Some(Way::Decode),
            ),
            ("this codec", "video/x-h264", Some(Way::Direct)),
            (
                "this form",
                "video/x-h264,stream-format=byte-stream",
                Some(Way::Direct),
            ),
            (
                "another form",
                "video/x-h264,stream-format=avc",
                Some(Way::Parse),
            ),
            (
                "with a size",
                "video/x-h264,width=[16,4096]",
                Some(Way::Parse),
            ),
            ("another codec", "video/x-vp8", None),
        ] {
            assert_eq!(
                way(Codec::H264, &h264, &parse(want)),
                way_expected,
                "{name}"
            );
        }
        let vp8 = caps::form(Codec::Vp8);
        let sized = parse("video/x-vp8,width=[16,4096]");
        assert_eq!(
            way(Codec::Vp8, &vp8, &sized),
            Some(Way::Direct),
            "VP8 has no parser"
        );
    }

    #[test]
    fn every_codec_has_a_decoder_that_opens_and_fits_its_parser() {
        gst::init().unwrap();
        for codec in Codec::all() {
            assert!(is_installed(codec), "{codec:?}");
            let bin = chain(codec, Way::Decode, "chain").unwrap().unwrap();
            assert!(bin.static_pad("sink").is_some() && bin.static_pad("src").is_some());
            bin.set_state(gst::State::Null).unwrap();
        }
    }

    #[test]
    fn decoders_for_alpha_are_left_out() {
        gst::init().unwrap();
        let names: Vec<_> = decoders(Codec::Vp8).iter().map(|f| f.name()).collect();
        assert!(
            names.iter().all(|name| !name.contains("alpha")),
            "{names:?}"
        );
    }
}
