// SPDX-License-Identifier: MPL-2.0
//! An encoded-frame transform: a pad probe that inverts every byte behind the codec's header.
//!
//! A page that inverts them back in an `RTCRtpScriptTransform` worker shows the picture; any other shows
//! nothing. Put a cipher in the place of `!byte` and it is end-to-end encryption.
use gst::prelude::*;

const PIPELINE: &str = "rtcsink name=out video-caps=video/x-vp8 \
    videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 ! out.video_0 \
    audiotestsrc is-live=true freq=1000 ! audio/x-raw,rate=48000,channels=2 ! out.audio_0";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    gst::init()?;
    let pipeline = gst::parse::launch(PIPELINE)?;
    let bin = pipeline.downcast_ref::<gst::Bin>().ok_or("not a bin")?;
    let out = bin.by_name("out").ok_or("no rtcsink")?;
    // Parameters: the element, the pad every encoded frame passes, the direction, the m-line's mid.
    out.connect("encoded-pad-added", false, |values| {
        let pad = values[1].get::<gst::Pad>().ok()?;
        pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
            if let Some(buffer) = info.buffer() {
                let inverted = invert(pad, buffer);
                info.data = Some(gst::PadProbeData::Buffer(inverted));
            }
            gst::PadProbeReturn::Ok
        });
        None
    });
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().ok_or("no bus")?;
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => return Err(error.error().into()),
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}

/// A copy of the frame with the bytes behind the clear header inverted.
fn invert(pad: &gst::Pad, frame: &gst::BufferRef) -> gst::Buffer {
    let audio = pad
        .current_caps()
        .and_then(|caps| Some(caps.structure(0)?.name().starts_with("audio/")))
        .unwrap_or(false);
    // What receivers read of a VP8 frame before they decode it (RFC 6386 §9.1), and Opus' TOC byte.
    let clear = match (audio, frame.flags().contains(gst::BufferFlags::DELTA_UNIT)) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) => 10,
    };
    let mut out = frame.copy_deep().unwrap_or_else(|_| frame.copy());
    if let Some(out) = out.get_mut()
        && let Ok(mut map) = out.map_writable()
    {
        for byte in map.iter_mut().skip(clear) {
            *byte = !*byte;
        }
    }
    out
}
