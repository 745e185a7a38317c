// SPDX-License-Identifier: MPL-2.0
//! From an input's tee to a tap: convert, encode, parse for raw input; parse alone for encoded input.
pub(crate) mod rate;
pub(crate) mod table;

use crate::caps;
use crate::tap::{Tap, TapConfig};
use gst::prelude::*;
use rtc_payload::{Codec, MediaKind};
use table::{Bitrate, Choice};

/// One chain of elements, in a bin of its own, that ends in a tap.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    bin: gst::Bin,
    tap: Tap,
    encoder: Option<(gst::Element, Option<Bitrate>)>,
}

impl Branch {
    /// For raw input: an encoder of `choice` for the tap's codec.
    pub(crate) fn encoding(
        config: TapConfig,
        input: Option<&gst::CapsRef>,
        choice: &Choice,
        bits_per_second: u64,
    ) -> Result<Self, gst::glib::BoolError> {
        let codec = config.codec;
        let encoder = choice.create(bits_per_second)?;
        let mut chain = vec![queue()?];
        if let Some(factory) = input.and_then(downloader) {
            chain.push(make(factory)?);
        }
        match codec.kind() {
            MediaKind::Video => chain.extend(video_converters(codec)?),
            MediaKind::Audio => chain.extend(audio_converters(codec)?),
        }
        chain.push(encoder.clone());
        chain.push(filter(choice.filter())?);
        chain.extend(parsers(codec)?);
        Self::assemble(config, chain, Some((encoder, choice.live_bitrate())))
    }

    /// For input that is encoded already.
    pub(crate) fn passing(config: TapConfig) -> Result<Self, gst::glib::BoolError> {
        let chain = parsers(config.codec)?;
        Self::assemble(config, chain, None)
    }

    fn assemble(
        config: TapConfig,
        mut chain: Vec<gst::Element>,
        encoder: Option<(gst::Element, Option<Bitrate>)>,
    ) -> Result<Self, gst::glib::BoolError> {
        let bin = gst::Bin::with_name(&format!("branch-{}", config.name));
        let tap = Tap::new(config);
        chain.push(tap.clone().upcast());
        bin.add_many(&chain)?;
        gst::Element::link_many(&chain)?;
        let first = chain.first().expect("the tap is there at least");
        let target = first
            .static_pad("sink")
            .expect("every element here has one");
        bin.add_pad(
            &gst::GhostPad::builder_with_target(&target)?
                .name("sink")
                .build(),
        )?;
        Ok(Self { bin, tap, encoder })
    }

    /// The bin to add to the element.
    pub(crate) fn bin(&self) -> &gst::Bin {
        &self.bin
    }

    /// Where its frames leave the pipeline.
    pub(crate) fn tap(&self) -> &Tap {
        &self.tap
    }

    /// The encoder, where there is one.
    pub(crate) fn encoder(&self) -> Option<&gst::Element> {
        self.encoder.as_ref().map(|(encoder, _)| encoder)
    }

    /// A new bitrate for the encoder, if it takes one while it runs.
    pub(crate) fn set_bitrate(&self, bits_per_second: u64) {
        if let Some((encoder, Some(bitrate))) = &self.encoder {
            bitrate.set(encoder, bits_per_second);
        }
    }

    /// Asks for a keyframe: of the encoder, or of whatever is upstream of encoded input.
    pub(crate) fn request_keyframe(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build();
        // False means that nobody upstream can make one: a file, say.
        let _ = self.tap.pad().push_event(event);
    }
}

/// Few buffers, the oldest dropped: an encoder that is too slow costs frames, never the pipeline's pace.
fn queue() -> Result<gst::Element, gst::glib::BoolError> {
    gst::ElementFactory::make("queue")
        .property("max-size-buffers", 5_u32)
        .property("max-size-bytes", 0_u32)
        .property("max-size-time", 0_u64)
        .property_from_str("leaky", "downstream")
        .property("silent", true)
        .build()
}

/// What brings frames out of a device's memory; converters take none but the system's.
fn downloader(input: &gst::CapsRef) -> Option<&'static str> {
    let features = input.features(0)?;
    DOWNLOADERS
        .iter()
        .find(|(feature, _)| features.contains(*feature))
        .map(|(_, factory)| *factory)
}

const DOWNLOADERS: [(&str, &str); 5] = [
    ("memory:GLMemory", "gldownload"),
    ("memory:CUDAMemory", "cudadownload"),
    ("memory:D3D11Memory", "d3d11download"),
    ("memory:VAMemory", "vapostproc"),
    ("memory:DMABuf", "vapostproc"),
];

fn video_converters(codec: Codec) -> Result<Vec<gst::Element>, gst::glib::BoolError> {
    let convert = make("videoconvert")?;
    let scale = gst::ElementFactory::make("videoscale")
        // A border would shift the picture; one pixel of scaling does not show.
        .property("add-borders", false)
        .build()?;
    let size = filter(&caps::raw(codec))?;
    keep_size_even(&convert, &size, codec);
    Ok(vec![convert, scale, size])
}

/// 4:2:0 frames of odd size are not what every encoder and decoder takes: the filter follows the
/// input's size, less the odd pixel.
fn keep_size_even(convert: &gst::Element, size: &gst::Element, codec: Codec) {
    let size = size.downgrade();
    let sink = convert.static_pad("sink").expect("videoconvert has one");
    sink.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let Some(gst::EventView::Caps(event)) = info.event().map(|event| event.view()) else {
            return gst::PadProbeReturn::Ok;
        };
        let structure = event.caps().structure(0);
        let (Some(size), Some(structure)) = (size.upgrade(), structure) else {
            return gst::PadProbeReturn::Ok;
        };
        let mut wanted = caps::raw(codec);
        for name in ["width", "height"] {
            if let Ok(pixels) = structure.get::<i32>(name) {
                wanted.make_mut().set(name, (pixels & !1).max(2));
            }
        }
        size.set_property("caps", wanted);
        gst::PadProbeReturn::Ok
    });
}

fn audio_converters(codec: Codec) -> Result<Vec<gst::Element>, gst::glib::BoolError> {
    let mut chain = vec![
        make("audioconvert")?,
        make("audioresample")?,
        filter(&caps::raw(codec))?,
    ];
    // G.711 encoders keep the buffers' lengths, and one buffer is one packet: 20 ms (RFC 3551 §4.2).
    // Opus cuts by itself.
    if codec != Codec::Opus
        && let Ok(split) = gst::ElementFactory::make("audiobuffersplit")
            .property("output-buffer-duration", gst::Fraction::new(1, 50))
            .build()
    {
        chain.push(split);
    }
    Ok(chain)
}

fn parsers(codec: Codec) -> Result<Vec<gst::Element>, gst::glib::BoolError> {
    let mut chain = Vec::new();
    if let Some(name) = caps::parser(codec) {
        let parser = make(name)?;
        // Parameter sets before every keyframe, for viewers that come later.
        if parser.has_property("config-interval") {
            parser.set_property("config-interval", -1_i32);
        }
        chain.push(parser);
    }
    chain.push(filter(&caps::form(codec))?);
    Ok(chain)
}

fn filter(caps: &gst::Caps) -> Result<gst::Element, gst::glib::BoolError> {
    gst::ElementFactory::make("capsfilter")
        .property("caps", caps)
        .build()
}

fn make(factory: &str) -> Result<gst::Element, gst::glib::BoolError> {
    gst::ElementFactory::make(factory).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_memory_of_a_device_is_downloaded() {
        gst::init().expect("GStreamer starts");
        for (text, expected) in [
            ("video/x-raw,format=I420", None),
            ("video/x-raw(memory:SystemMemory),format=I420", None),
            ("video/x-raw(meta:GstVideoOverlayComposition)", None),
            (
                "video/x-raw(memory:GLMemory),format=RGBA",
                Some("gldownload"),
            ),
            ("video/x-raw(memory:DMABuf)", Some("vapostproc")),
        ] {
            let caps: gst::Caps = text.parse().expect("caps");
            assert_eq!(downloader(&caps), expected, "{text}");
        }
    }
}
