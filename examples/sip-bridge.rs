// SPDX-License-Identifier: MPL-2.0
//! Between a browser and a telephone: sound and keys, both ways, as plain G.711 and RFC 4733 over RTP.
//!
//! `cargo run -p rtc-examples --example sip-bridge -- HOST:PORT` sends to the telephone's RTP port there and takes what it
//! sends at port 10004. The call itself is made by SIP gear: `docs/sip.md`. The browser's side is the page it prints.
use gst::prelude::*;

/// Payload types as SIP gear has them.
const PCMU: u32 = 0;
const KEYS: u32 = 101;
/// RFC 4733 §3.2, by event.
const TONES: &str = "0123456789*#ABCD";
/// How long a key is held for the browser, and the gap behind it, ms.
const HELD: u32 = 100;
const GAP: u32 = 70;

fn pipeline(host: &str, port: u16) -> String {
    format!(
        "rtcsink name=out endpoint=phone rtcsrc name=in endpoint=phone \
         rtpdtmfmux name=to ! udpsink host={host} port={port} async=false sync=false \
         in.audio_0 ! audioconvert ! audioresample ! mulawenc ! rtppcmupay pt={PCMU} ! to. \
         rtpdtmfsrc name=keys pt={KEYS} ! to. \
         udpsrc port=10004 caps=application/x-rtp,media=audio,clock-rate=8000 ! rtpptdemux name=from \
         from.src_{PCMU} ! rtppcmudepay ! mulawdec ! audioconvert ! audioresample ! out.audio_0 \
         from.src_{KEYS} ! rtpdtmfdepay name=heard ! fakesink async=false sync=false \
         rtcdtmfsrc name=dial ! out.dtmf_0"
    )
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:10000".to_owned());
    let (host, port) = address.rsplit_once(':').ok_or("write HOST:PORT")?;
    gst::init()?;
    let pipeline = gst::parse::launch(&pipeline(host, port.parse()?))?;
    let bin = pipeline.downcast_ref::<gst::Bin>().ok_or("not a bin")?;
    let element = |name: &str| bin.by_name(name).ok_or_else(|| format!("no {name}"));
    let (from, keys, dial) = (element("from")?, element("keys")?, element("dial")?);
    from.connect("request-pt-map", false, |values| {
        let pt = values[1].get::<u32>().ok()?;
        let name = if pt == KEYS {
            "TELEPHONE-EVENT"
        } else {
            "PCMU"
        };
        let caps = gst::Caps::builder("application/x-rtp")
            .field("media", "audio")
            .field("clock-rate", 8_000)
            .field("encoding-name", name)
            .field("payload", i32::try_from(pt).ok()?)
            .build();
        Some(caps.to_value())
    });
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().ok_or("no bus")?;
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Element(told) => {
                let fields = told.structure().filter(|s| s.name() == "dtmf-event");
                let number = fields.and_then(|fields| fields.get::<i32>("number").ok());
                let source = message.src().map(|source| source.name());
                match (number, source.as_deref()) {
                    (Some(number), Some("in")) => press(&keys, number),
                    (Some(number), Some("heard")) => insert(&dial, number),
                    _ => {}
                }
            }
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => return Err(error.error().into()),
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}

/// A key of the browser's, for the telephone: the source holds it as long as telephones want at the least.
fn press(keys: &gst::Element, number: i32) {
    println!("to the telephone: {}", tone(number));
    let Some(pad) = keys.static_pad("src") else {
        return;
    };
    for start in [true, false] {
        let event = gst::Structure::builder("dtmf-event")
            .field("type", 1)
            .field("number", number)
            .field("volume", 10)
            .field("method", 1)
            .field("start", start)
            .build();
        pad.send_event(gst::event::CustomUpstream::new(event));
    }
}

/// A key of the telephone's, for the browser, behind those that still wait.
fn insert(dial: &gst::Element, number: i32) {
    println!("from the telephone: {}", tone(number));
    let tones = format!("{}{}", dial.property::<String>("tone-buffer"), tone(number));
    let _taken: bool = dial.emit_by_name("insert-dtmf", &[&tones, &HELD, &GAP]);
}

fn tone(number: i32) -> char {
    let at = usize::try_from(number).ok();
    at.and_then(|at| TONES.chars().nth(at)).unwrap_or('?')
}
