// SPDX-License-Identifier: MPL-2.0
//! From an input's tee to a tap: convert, encode, parse for raw input; parse alone for encoded input.
mod bitrate;
mod control;
mod hardware;
pub(crate) mod hint;
pub(crate) mod layers;
mod memory;
#[cfg(test)]
mod mock_test;
pub(crate) mod rate;
mod row;
pub(crate) mod shield;
mod software;
pub(crate) mod table;

use crate::caps;
use crate::tap::{Tap, TapConfig};
use control::Control;
use gst::prelude::*;
use memory::Way;
use rtc_payload::{Codec, MediaKind};
use shield::{Failed, Shield};
use table::Choice;

/// One chain of elements, in a bin of its own, that ends in a tap.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    bin: Shield,
    tap: Tap,
    encoder: Option<Control>,
}

impl Branch {
    /// For raw input: an encoder of `choice` for the tap's codec. `failed` is told once if it fails as it
    /// runs; the pipeline sees nothing of that.
    pub(crate) fn encoding(
        config: TapConfig,
        input: Option<&gst::CapsRef>,
        choice: &Choice,
        bits_per_second: u64,
        failed: Failed,
    ) -> Result<Self, gst::glib::BoolError> {
        let (codec, layer) = (config.codec, config.layer);
        let encoder = choice.create(bits_per_second)?;
        let queue = queue()?;
        let mut chain = vec![queue.clone()];
        match codec.kind() {
            MediaKind::Video => chain.extend(video_front(choice, input, layer)?),
            MediaKind::Audio => chain.extend(audio_converters(codec)?),
        }
        chain.push(encoder.clone());
        chain.push(filter(choice.filter())?);
        chain.extend(parsers(codec)?);
        let control = choice.control(encoder, bits_per_second);
        let branch = Self::assemble(config, chain, Some(control), Some(failed))?;
        let input = queue.static_pad("src").expect("a queue has one");
        branch
            .encoder
            .iter()
            .for_each(|control| control.watch(&input));
        Ok(branch)
    }

    /// For input that is encoded already.
    pub(crate) fn passing(config: TapConfig) -> Result<Self, gst::glib::BoolError> {
        let chain = parsers(config.codec)?;
        Self::assemble(config, chain, None, None)
    }

    fn assemble(
        config: TapConfig,
        mut chain: Vec<gst::Element>,
        encoder: Option<Control>,
        failed: Option<Failed>,
    ) -> Result<Self, gst::glib::BoolError> {
        let bin = Shield::new(&format!("branch-{}", config.name), failed);
        let tap = Tap::new(config);
        chain.push(tap.clone().upcast());
        bin.add_many(&chain)?;
        gst::Element::link_many(&chain)?;
        let first = chain.first().expect("the tap is there at least");
        let target = first
            .static_pad("sink")
            .expect("every element here has one");
        bin.add_input(&target)?;
        Ok(Self { bin, tap, encoder })
    }

    /// The bin to add to the element.
    pub(crate) fn bin(&self) -> &gst::Bin {
        self.bin.upcast_ref()
    }

    /// Where its frames leave the pipeline.
    pub(crate) fn tap(&self) -> &Tap {
        &self.tap
    }

    /// The encoder, where there is one.
    pub(crate) fn encoder(&self) -> Option<&gst::Element> {
        self.encoder.as_ref().map(Control::encoder)
    }

    /// A new bitrate for the encoder, which follows at once or, where it can't, by starting anew.
    pub(crate) fn set_bitrate(&self, bits_per_second: u64) {
        if let Some(control) = &self.encoder {
            control.set(bits_per_second);
        }
    }

    /// Asks for a keyframe: of the encoder, or of whatever is upstream of encoded input.
    pub(crate) fn request_keyframe(&self) {
        request_keyframe(&self.tap);
    }
}

/// Asks whatever is upstream of a tap for a keyframe.
pub(crate) fn request_keyframe(tap: &Tap) {
    let event = gst_video::UpstreamForceKeyUnitEvent::builder()
        .all_headers(true)
        .build();
    // False means that nobody upstream can make one: a file, say.
    let _ = tap.pad().push_event(event);
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

/// From the queue to a video encoder.
fn video_front(
    choice: &Choice,
    input: Option<&gst::CapsRef>,
    layer: u8,
) -> Result<Vec<gst::Element>, gst::glib::BoolError> {
    let mut chain = Vec::new();
    match choice.way(input, layer) {
        Way::Device(convert) => chain.extend(convert.map(make).transpose()?),
        Way::System(download) => {
            chain.extend(download.map(make).transpose()?);
            chain.extend(video_converters(&choice.raw(), layer)?);
            chain.extend(choice.upload().map(make).transpose()?);
        }
    }
    Ok(chain)
}

fn video_converters(raw: &gst::Caps, layer: u8) -> Result<Vec<gst::Element>, gst::glib::BoolError> {
    let convert = make("videoconvert")?;
    let scale = gst::ElementFactory::make("videoscale")
        // A border would shift the picture; one pixel of scaling does not show.
        .property("add-borders", false)
        .build()?;
    let size = filter(raw)?;
    // What is made smaller is so before it is converted: fewer pixels to convert.
    let chain = match layer {
        0 => vec![convert, scale, size.clone()],
        _ => vec![scale, convert, size.clone()],
    };
    keep_size(&chain[0], &size, raw, layer);
    Ok(chain)
}

/// The filter follows the input's size, halved as the layer wants it, less the odd pixel: 4:2:0 frames of
/// odd size are not what every encoder and decoder takes.
fn keep_size(first: &gst::Element, size: &gst::Element, raw: &gst::Caps, layer: u8) {
    let raw = raw.clone();
    let size = size.downgrade();
    let sink = first.static_pad("sink").expect("converters have one");
    sink.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let Some(gst::EventView::Caps(event)) = info.event().map(|event| event.view()) else {
            return gst::PadProbeReturn::Ok;
        };
        let structure = event.caps().structure(0);
        let (Some(size), Some(structure)) = (size.upgrade(), structure) else {
            return gst::PadProbeReturn::Ok;
        };
        let mut wanted = raw.clone();
        for name in ["width", "height"] {
            if let Ok(pixels) = structure.get::<i32>(name) {
                let pixels = layers::halved(pixels.unsigned_abs(), layer);
                wanted.make_mut().set(name, pixels as i32);
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
