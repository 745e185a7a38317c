// SPDX-License-Identifier: MPL-2.0
//! Caps to codec and back: one row per codec.
use rtc_payload::{Codec, MediaKind};
use rtc_session::CodecOffer;
use std::str::FromStr;

struct Row {
    codec: Codec,
    /// The media type in caps, without fields.
    media: &'static str,
    /// Element that brings a stream of this codec into the form that is packetised; the first one installed.
    parser: Option<&'static str>,
    /// That form, as caps.
    form: &'static str,
    /// What raw media must look like before an encoder of this codec.
    raw: &'static str,
}

/// The rows, in the order in which codecs are offered unless the application says otherwise.
const TABLE: [Row; 7] = [
    Row {
        codec: Codec::H264,
        media: "video/x-h264",
        parser: Some("h264parse"),
        form: "video/x-h264,stream-format=byte-stream,alignment=au",
        raw: "video/x-raw,format={I420,NV12}",
    },
    Row {
        codec: Codec::Vp8,
        media: "video/x-vp8",
        parser: None,
        form: "video/x-vp8",
        raw: "video/x-raw,format=I420",
    },
    Row {
        codec: Codec::Vp9,
        media: "video/x-vp9",
        parser: Some("vp9parse"),
        form: "video/x-vp9,alignment=super-frame",
        raw: "video/x-raw,format=I420",
    },
    Row {
        codec: Codec::Av1,
        media: "video/x-av1",
        parser: Some("av1parse"),
        form: "video/x-av1,stream-format=obu-stream,alignment=tu",
        raw: "video/x-raw,format=I420",
    },
    Row {
        codec: Codec::Opus,
        media: "audio/x-opus",
        // opusparse would only add a header to what is already one packet a buffer.
        parser: None,
        form: "audio/x-opus,channel-mapping-family=0",
        raw: "audio/x-raw,rate=48000,channels=[1,2]",
    },
    Row {
        codec: Codec::Pcmu,
        media: "audio/x-mulaw",
        parser: None,
        form: "audio/x-mulaw,rate=8000,channels=1",
        raw: "audio/x-raw,rate=8000,channels=1",
    },
    Row {
        codec: Codec::Pcma,
        media: "audio/x-alaw",
        parser: None,
        form: "audio/x-alaw,rate=8000,channels=1",
        raw: "audio/x-raw,rate=8000,channels=1",
    },
];

fn row(codec: Codec) -> &'static Row {
    TABLE
        .iter()
        .find(|row| row.codec == codec)
        .expect("a test checks that every codec has a row")
}

/// The media type of raw input.
pub(crate) fn raw_media(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Video => "video/x-raw",
        MediaKind::Audio => "audio/x-raw",
    }
}

/// The codec of encoded caps, or `None` for raw or unknown ones.
pub(crate) fn codec_of(caps: &gst::CapsRef) -> Option<Codec> {
    let name = caps.structure(0)?.name();
    TABLE
        .iter()
        .find(|row| row.media == name)
        .map(|row| row.codec)
}

/// The form in which frames of a codec are packetised and come out of a depacketiser.
pub(crate) fn form(codec: Codec) -> gst::Caps {
    parse(row(codec).form)
}

/// The media type of a codec's caps, without fields.
pub(crate) fn media(codec: Codec) -> &'static str {
    row(codec).media
}

/// The factory that brings encoded input into [`form`], if one is needed.
pub(crate) fn parser(codec: Codec) -> Option<&'static str> {
    row(codec).parser
}

/// What raw media must look like before an encoder of this codec.
pub(crate) fn raw(codec: Codec) -> gst::Caps {
    parse(row(codec).raw)
}

/// What a pad of this kind takes: raw media in any memory, or any codec's.
pub(crate) fn template(kind: MediaKind) -> gst::Caps {
    let mut caps = gst::Caps::builder(raw_media(kind)).any_features().build();
    for row in TABLE.iter().filter(|row| row.codec.kind() == kind) {
        caps.merge(gst::Caps::new_empty_simple(row.media));
    }
    caps
}

/// [`template`] with the raw formats first that encoders take without conversion: a source that can make
/// anything would else choose what its own list begins with.
pub(crate) fn preference(kind: MediaKind) -> gst::Caps {
    let mut caps = parse(match kind {
        // An encoder upstream that is free to choose takes the profile every browser plays.
        MediaKind::Video => {
            "video/x-raw,format={I420,NV12}; video/x-h264,profile=constrained-baseline; \
             video/x-h264,profile={main,high}"
        }
        MediaKind::Audio => "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=[1,2]",
    });
    caps.merge(template(kind));
    caps
}

/// Every codec of a kind as caps: the default of `video-caps` and `audio-caps`.
pub(crate) fn every(kind: MediaKind) -> gst::Caps {
    let mut caps = gst::Caps::new_empty();
    for row in TABLE.iter().filter(|row| row.codec.kind() == kind) {
        caps.merge(gst::Caps::new_empty_simple(row.media));
    }
    caps
}

/// The codecs that caps name, in their order; an error names what is unknown and what is known.
pub(crate) fn codecs_in(caps: &gst::Caps, kind: MediaKind) -> Result<Vec<Codec>, String> {
    if caps.is_any() {
        return codecs_in(&every(kind), kind);
    }
    let known = || {
        let names: Vec<_> = TABLE
            .iter()
            .filter(|row| row.codec.kind() == kind)
            .map(|row| row.media)
            .collect();
        names.join("; ")
    };
    let mut codecs = Vec::new();
    for structure in caps.iter() {
        let row = TABLE
            .iter()
            .find(|row| row.media == structure.name() && row.codec.kind() == kind)
            .ok_or_else(|| {
                format!(
                    "{}-caps names `{}`, which this element does not send; known are {}",
                    kind.as_str(),
                    structure.name(),
                    known()
                )
            })?;
        if !codecs.contains(&row.codec) {
            codecs.push(row.codec);
        }
    }
    if codecs.is_empty() {
        return Err(format!(
            "{}-caps is empty; name at least one of {}",
            kind.as_str(),
            known()
        ));
    }
    Ok(codecs)
}

/// What an input with these encoded caps offers: the codec and the `a=fmtp` of the real stream.
pub(crate) fn offer(codec: Codec, caps: &gst::CapsRef) -> CodecOffer {
    let fmtp = match codec {
        Codec::H264 => caps.structure(0).and_then(h264_fmtp),
        Codec::Vp9 => caps
            .structure(0)
            .and_then(|s| s.get::<String>("profile").ok())
            .filter(|profile| profile.len() == 1 && profile.as_bytes()[0].is_ascii_digit())
            .map(|profile| format!("profile-id={profile}")),
        _ => None,
    };
    CodecOffer {
        codec,
        fmtp: fmtp.unwrap_or_default(),
    }
}

/// `profile-level-id` (RFC 6184 §8.1) from the profile and level that h264parse writes into caps.
fn h264_fmtp(structure: &gst::StructureRef) -> Option<String> {
    let profile: String = structure.get("profile").ok()?;
    let level: String = structure.get("level").ok()?;
    let (idc, constraints) = H264_PROFILES
        .iter()
        .find(|(name, _, _)| *name == profile)
        .map(|(_, idc, constraints)| (*idc, *constraints))?;
    let (constraints, level) = match level.as_str() {
        // H.264 A.3.1: 1b is level 11 with constraint_set3_flag.
        "1b" => (constraints | 0x10, 11),
        text => (constraints, level_idc(text)?),
    };
    Some(format!(
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={idc:02x}{constraints:02x}{level:02x}"
    ))
}

/// The profile of H.264 caps if it is one that no browser plays.
pub(crate) fn exotic_profile(caps: &gst::CapsRef) -> Option<String> {
    let profile: String = caps.structure(0)?.get("profile").ok()?;
    let known = H264_PROFILES.iter().any(|(name, _, _)| *name == profile);
    (!known).then_some(profile)
}

fn level_idc(text: &str) -> Option<u8> {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    let level = major.parse::<u8>().ok()?.checked_mul(10)?;
    level.checked_add(minor.parse().ok()?)
}

/// Name in caps, profile_idc, constraint_set flags (H.264 A.2).
const H264_PROFILES: [(&str, u8, u8); 7] = [
    ("constrained-baseline", 0x42, 0xe0),
    ("baseline", 0x42, 0x00),
    ("main", 0x4d, 0x00),
    ("extended", 0x58, 0x00),
    ("constrained-high", 0x64, 0x0c),
    ("progressive-high", 0x64, 0x08),
    ("high", 0x64, 0x00),
];

/// Whether a frame of a codec can be decoded alone, for codecs that say so in their first byte; `None`
/// where the buffer's flag must do.
pub(crate) fn keyframe_by_bytes(codec: Codec, data: &[u8]) -> Option<bool> {
    match codec {
        // RFC 6386 §9.1: bit 0 of the frame tag is 0 for a key frame. Demuxers forget the flag.
        Codec::Vp8 => data.first().map(|byte| byte & 1 == 0),
        _ => None,
    }
}

fn parse(text: &str) -> gst::Caps {
    gst::Caps::from_str(text).expect("a test parses every text of the table")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init() {
        gst::init().expect("GStreamer starts");
    }

    #[test]
    fn every_codec_has_a_row_whose_texts_are_caps_of_its_kind() {
        init();
        for codec in Codec::all() {
            assert_eq!(codec_of(&form(codec)), Some(codec));
            let name = raw(codec).structure(0).expect("one").name().to_owned();
            assert_eq!(name, raw_media(codec.kind()));
            assert!(template(codec.kind()).can_intersect(&form(codec)));
            assert!(template(codec.kind()).can_intersect(&raw(codec)));
        }
    }

    #[test]
    fn codecs_come_in_the_order_asked_and_unknown_ones_are_named() {
        init();
        let caps = gst::Caps::from_str("video/x-vp9;video/x-h264").expect("caps");
        assert_eq!(
            codecs_in(&caps, MediaKind::Video),
            Ok(vec![Codec::Vp9, Codec::H264])
        );
        let caps = gst::Caps::from_str("video/x-theora").expect("caps");
        let error = codecs_in(&caps, MediaKind::Video).unwrap_err();
        assert!(error.contains("theora") && error.contains("video/x-vp8"));
        assert!(codecs_in(&form(Codec::Opus), MediaKind::Video).is_err());
        assert!(codecs_in(&gst::Caps::new_empty(), MediaKind::Audio).is_err());
    }

    #[test]
    fn the_profile_level_id_is_that_of_the_stream() {
        init();
        for (profile, level, expected) in [
            ("constrained-baseline", "3.1", "42e01f"),
            ("main", "4", "4d0028"),
            ("high", "5.2", "640034"),
            ("baseline", "1b", "42100b"),
        ] {
            let caps = gst::Caps::builder("video/x-h264")
                .field("profile", profile)
                .field("level", level)
                .build();
            let fmtp = offer(Codec::H264, &caps).fmtp;
            assert!(
                fmtp.ends_with(&format!("profile-level-id={expected}")),
                "{fmtp}"
            );
        }
        let unknown = gst::Caps::new_empty_simple("video/x-h264");
        assert_eq!(offer(Codec::H264, &unknown).fmtp, "");
        assert_eq!(exotic_profile(&unknown), None);
        let exotic = gst::Caps::builder("video/x-h264")
            .field("profile", "high-4:4:4")
            .build();
        assert_eq!(exotic_profile(&exotic).as_deref(), Some("high-4:4:4"));
    }

    #[test]
    fn a_vp8_keyframe_is_told_by_its_first_bit() {
        assert_eq!(keyframe_by_bytes(Codec::Vp8, &[0x10]), Some(true));
        assert_eq!(keyframe_by_bytes(Codec::Vp8, &[0x11]), Some(false));
        assert_eq!(keyframe_by_bytes(Codec::Vp8, &[]), None);
        assert_eq!(keyframe_by_bytes(Codec::H264, &[0]), None);
    }
}
