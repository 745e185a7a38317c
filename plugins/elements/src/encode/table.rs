// SPDX-License-Identifier: MPL-2.0
//! The encoder table: a row per factory that is known, and a guess for those that are not.
//!
//! The first row of a codec whose factory is installed is used. A factory without a row is used where no
//! row fits, by its rank; its bitrate property is found by name and its unit by the property's own blurb.
use crate::caps;
use gst::prelude::*;
use rtc_payload::{Codec, MediaKind};
use std::borrow::Cow;
use std::num::NonZero;

/// How one encoder is set up.
struct Row {
    codec: Codec,
    factory: &'static str,
    bitrate: Option<Bitrate>,
    /// Name and value, as gst-launch writes them; one that this version of the encoder lacks is left out.
    settings: &'static [(&'static str, &'static str)],
    /// What the encoder must make.
    filter: &'static str,
}

/// How an encoder is told its bitrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bitrate {
    property: &'static str,
    /// Bit/s in one unit of the property.
    unit: u64,
    /// Whether it may change while the encoder runs.
    live: bool,
}

/// An encoder chosen for a codec.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    factory: gst::ElementFactory,
    bitrate: Option<Bitrate>,
    settings: &'static [(&'static str, &'static str)],
    filter: gst::Caps,
}

/// Keyframes come on request; this many frames without one is the most there may be.
const KEYFRAME_FRAMES: &str = "3000";
/// Stands for a number, see [`resolve`].
const HALF_THE_CORES: &str = "half the cores";
const CONSTRAINED_BASELINE: &str =
    "video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au";

const fn live(property: &'static str, unit: u64) -> Option<Bitrate> {
    Some(Bitrate {
        property,
        unit,
        live: true,
    })
}

const fn at_start(property: &'static str, unit: u64) -> Option<Bitrate> {
    Some(Bitrate {
        property,
        unit,
        live: false,
    })
}

const TABLE: [Row; 10] = [
    Row {
        codec: Codec::H264,
        factory: "x264enc",
        bitrate: live("bitrate", 1_000),
        settings: &[
            ("tune", "zerolatency"),
            ("speed-preset", "superfast"),
            ("bframes", "0"),
            ("b-adapt", "false"),
            ("key-int-max", KEYFRAME_FRAMES),
            // Frames of even size: a third of a second of buffer, not x264's 600 ms.
            ("vbv-buf-capacity", "300"),
            ("byte-stream", "true"),
        ],
        filter: CONSTRAINED_BASELINE,
    },
    Row {
        codec: Codec::H264,
        factory: "openh264enc",
        bitrate: live("bitrate", 1),
        settings: &[
            ("rate-control", "bitrate"),
            ("complexity", "low"),
            ("gop-size", KEYFRAME_FRAMES),
            ("enable-frame-skip", "false"),
        ],
        filter: CONSTRAINED_BASELINE,
    },
    Row {
        codec: Codec::Vp8,
        factory: "vp8enc",
        bitrate: live("target-bitrate", 1),
        settings: &[
            ("deadline", "1"),
            ("cpu-used", "-6"),
            ("end-usage", "cbr"),
            ("lag-in-frames", "0"),
            ("error-resilient", "default"),
            ("keyframe-max-dist", KEYFRAME_FRAMES),
            ("threads", HALF_THE_CORES),
            ("min-quantizer", "2"),
            ("max-quantizer", "56"),
            ("overshoot", "15"),
            ("undershoot", "95"),
            // libvpx's own advice for calls, in milliseconds.
            ("buffer-initial-size", "500"),
            ("buffer-optimal-size", "600"),
            ("buffer-size", "1000"),
        ],
        filter: "video/x-vp8",
    },
    Row {
        codec: Codec::Vp9,
        factory: "vp9enc",
        bitrate: live("target-bitrate", 1),
        settings: &[
            ("deadline", "1"),
            ("cpu-used", "8"),
            ("end-usage", "cbr"),
            ("lag-in-frames", "0"),
            ("error-resilient", "default"),
            ("keyframe-max-dist", KEYFRAME_FRAMES),
            ("threads", HALF_THE_CORES),
            ("row-mt", "true"),
            ("tile-columns", "2"),
            ("frame-parallel-decoding", "true"),
            ("min-quantizer", "2"),
            ("max-quantizer", "56"),
            ("buffer-initial-size", "500"),
            ("buffer-optimal-size", "600"),
            ("buffer-size", "1000"),
        ],
        filter: "video/x-vp9,profile=(string)0",
    },
    Row {
        codec: Codec::Av1,
        factory: "svtav1enc",
        bitrate: live("target-bitrate", 1_000),
        settings: &[
            ("preset", "12"),
            ("intra-period-length", KEYFRAME_FRAMES),
            ("parameters-string", "pred-struct=1:rc=2:lookahead=0"),
        ],
        filter: "video/x-av1",
    },
    Row {
        codec: Codec::Av1,
        factory: "av1enc",
        // libaom aborts the process when the bitrate of a running encoder changes (seen with 3.6).
        bitrate: at_start("target-bitrate", 1_000),
        settings: &[
            ("usage-profile", "realtime"),
            ("cpu-used", "10"),
            ("end-usage", "cbr"),
            ("lag-in-frames", "0"),
            ("keyframe-max-dist", KEYFRAME_FRAMES),
            ("threads", HALF_THE_CORES),
            ("row-mt", "true"),
            ("tile-columns", "1"),
            ("min-quantizer", "2"),
            ("max-quantizer", "58"),
            ("buf-initial-sz", "500"),
            ("buf-optimal-sz", "600"),
            ("buf-sz", "1000"),
        ],
        filter: "video/x-av1",
    },
    Row {
        codec: Codec::Av1,
        factory: "rav1enc",
        bitrate: at_start("bitrate", 1),
        settings: &[
            ("low-latency", "true"),
            ("speed-preset", "10"),
            ("max-key-frame-interval", KEYFRAME_FRAMES),
            ("error-resilient", "true"),
        ],
        filter: "video/x-av1",
    },
    Row {
        codec: Codec::Opus,
        factory: "opusenc",
        // Audio keeps the encoder's own 64 kbit/s: the estimate is for video to follow.
        bitrate: None,
        settings: &[
            ("inband-fec", "true"),
            ("packet-loss-percentage", "5"),
            ("frame-size", "20"),
            ("perfect-timestamp", "true"),
        ],
        filter: "audio/x-opus",
    },
    Row {
        codec: Codec::Pcmu,
        factory: "mulawenc",
        bitrate: None,
        settings: &[],
        filter: "audio/x-mulaw",
    },
    Row {
        codec: Codec::Pcma,
        factory: "alawenc",
        bitrate: None,
        settings: &[],
        filter: "audio/x-alaw",
    },
];

/// The encoder for a codec, if one is installed.
pub(crate) fn choose(codec: Codec) -> Option<Choice> {
    let known = TABLE
        .iter()
        .filter(|row| row.codec == codec)
        .find_map(|row| {
            Some(Choice {
                factory: gst::ElementFactory::find(row.factory)?,
                bitrate: row.bitrate,
                settings: row.settings,
                filter: row.filter.parse().expect("a test parses every filter"),
            })
        });
    known.or_else(|| by_rank(codec))
}

/// The names of the factories that the table knows for a codec, for error messages.
pub(crate) fn known(codec: Codec) -> String {
    let names: Vec<_> = TABLE
        .iter()
        .filter(|row| row.codec == codec)
        .map(|row| row.factory)
        .collect();
    names.join(", ")
}

fn by_rank(codec: Codec) -> Option<Choice> {
    let kind = match codec.kind() {
        MediaKind::Video => gst::ElementFactoryType::VIDEO_ENCODER,
        MediaKind::Audio => gst::ElementFactoryType::AUDIO_ENCODER,
    };
    let form = caps::form(codec);
    let media = gst::Caps::new_empty_simple(caps::media(codec));
    let factory = gst::ElementFactory::factories_with_type(kind, gst::Rank::MARGINAL)
        .into_iter()
        .filter(|factory| factory.can_src_any_caps(&media))
        .max_by_key(|factory| factory.rank())?;
    let bitrate = factory
        .create()
        .build()
        .ok()
        .and_then(|encoder| discover_bitrate(&encoder));
    Some(Choice {
        filter: if factory.can_src_any_caps(&form) {
            form
        } else {
            media
        },
        factory,
        bitrate,
        settings: &[],
    })
}

fn discover_bitrate(encoder: &gst::Element) -> Option<Bitrate> {
    ["target-bitrate", "bitrate"]
        .into_iter()
        .find_map(|property| {
            let spec = encoder.find_property(property)?;
            let blurb = spec.blurb().unwrap_or_default().to_lowercase();
            let kilo = ["kbit", "kbps", "kilobit"]
                .iter()
                .any(|word| blurb.contains(word));
            Some(Bitrate {
                property,
                unit: if kilo { 1_000 } else { 1 },
                live: spec.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING),
            })
        })
}

impl Choice {
    /// Makes the encoder, set up for low latency and with its first bitrate.
    pub(crate) fn create(
        &self,
        bits_per_second: u64,
    ) -> Result<gst::Element, gst::glib::BoolError> {
        let encoder = self.factory.create().build()?;
        for (property, value) in self.settings {
            if encoder.has_property(property) {
                encoder.set_property_from_str(property, &resolve(value));
            }
        }
        if let Some(bitrate) = self.bitrate {
            bitrate.set(&encoder, bits_per_second);
        }
        Ok(encoder)
    }

    /// What follows the encoder as a caps filter.
    pub(crate) fn filter(&self) -> &gst::Caps {
        &self.filter
    }

    /// How a running encoder is told a new bitrate, if it can be.
    pub(crate) fn live_bitrate(&self) -> Option<Bitrate> {
        self.bitrate.filter(|bitrate| bitrate.live)
    }
}

impl Bitrate {
    /// Sets it, within what the property takes.
    pub(crate) fn set(self, encoder: &gst::Element, bits_per_second: u64) {
        let value = (bits_per_second / self.unit).max(1);
        let Some(spec) = encoder.find_property(self.property) else {
            return;
        };
        if let Some(spec) = spec.downcast_ref::<gst::glib::ParamSpecInt>() {
            let value = i32::try_from(value).unwrap_or(i32::MAX);
            encoder.set_property(self.property, value.clamp(spec.minimum(), spec.maximum()));
        } else if let Some(spec) = spec.downcast_ref::<gst::glib::ParamSpecUInt>() {
            let value = u32::try_from(value).unwrap_or(u32::MAX);
            encoder.set_property(self.property, value.clamp(spec.minimum(), spec.maximum()));
        }
    }
}

/// The threads of libvpx and libaom wait for each other by spinning: as many as there are cores, and a
/// busy machine encodes slower with them than without.
fn resolve(value: &str) -> Cow<'_, str> {
    if value != HALF_THE_CORES {
        return value.into();
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    (cores / 2).clamp(1, 4).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_made_where_it_is_installed_and_takes_its_settings() {
        gst::init().expect("GStreamer starts");
        for row in &TABLE {
            let filter: gst::Caps = row.filter.parse().expect("caps");
            assert_eq!(caps::codec_of(&filter), Some(row.codec), "{}", row.factory);
            let Some(factory) = gst::ElementFactory::find(row.factory) else {
                continue;
            };
            let encoder = factory.create().build().expect("an element");
            for (property, value) in row.settings {
                let spec = encoder.find_property(property);
                assert!(spec.is_some(), "{} lacks {property}", row.factory);
                encoder.set_property_from_str(property, &resolve(value));
            }
            if let Some(bitrate) = row.bitrate {
                bitrate.set(&encoder, 1_000_000);
                let value = encoder.property_value(bitrate.property);
                let text = value.serialize().expect("a number");
                assert_eq!(text, (1_000_000 / bitrate.unit).to_string());
            }
        }
    }

    #[test]
    fn an_encoder_without_a_row_has_its_bitrate_found() {
        gst::init().expect("GStreamer starts");
        let encoder = |name| gst::ElementFactory::make(name).build().expect(name);
        let found = discover_bitrate(&encoder("x264enc")).expect("x264enc has one");
        assert_eq!((found.property, found.unit), ("bitrate", 1_000));
        let found = discover_bitrate(&encoder("vp8enc")).expect("vp8enc has one");
        assert_eq!((found.property, found.unit), ("target-bitrate", 1));
        assert_eq!(discover_bitrate(&encoder("mulawenc")), None);
    }

    #[test]
    fn a_codec_of_the_table_gets_its_first_installed_row() {
        gst::init().expect("GStreamer starts");
        let choice = choose(Codec::Vp8).expect("vp8enc is installed");
        assert_eq!(choice.factory.name(), "vp8enc");
        let encoder = choice.create(750_000).expect("an element");
        assert_eq!(encoder.property::<i32>("target-bitrate"), 750_000);
        assert!(known(Codec::H264).contains("openh264enc"));
    }
}
