// SPDX-License-Identifier: MPL-2.0
//! Telephone tones both ways: dials for whoever listens, and shows what whoever speaks dials.
//!
//! `cargo run -p rtc-examples --example dial -- 0123#` opens a page each for the two. Who presses keys there
//! (`sender.dtmf.insertDTMF("1")` in a browser's console) sees them here.
use gst::prelude::*;

const PIPELINE: &str = "\
    rtcsink name=out web-address=127.0.0.1:8080 \
    audiotestsrc is-live=true volume=0.05 ! out.audio_0 rtcdtmfsrc name=dial ! out.dtmf_0 \
    rtcsrc name=in web-address=127.0.0.1:8081 ! fakesink";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let number = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "0123456789*#".to_owned());
    gst::init()?;
    let pipeline = gst::parse::launch(PIPELINE)?;
    let bin = pipeline.downcast_ref::<gst::Bin>().ok_or("not a bin")?;
    let dial = bin.by_name("dial").ok_or("no rtcdtmfsrc")?;
    dial.connect("tone-change", false, |values| {
        match values[1].get::<String>().ok()?.as_str() {
            "" => println!("dialled"),
            tone => println!("dialling {tone}"),
        }
        None
    });
    // Whoever comes to listen is dialled for.
    dial.connect_notify(Some("can-insert-dtmf"), move |dial, _| {
        if dial.property("can-insert-dtmf") {
            let dialled: bool = dial.emit_by_name("insert-dtmf", &[&number, &100u32, &70u32]);
            println!(
                "{}",
                if dialled {
                    "somebody listens"
                } else {
                    "not a number"
                }
            );
        }
    });
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().ok_or("no bus")?;
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Element(element) => {
                let structure = element.structure().filter(|s| s.name() == "dtmf-event");
                if let Some(tone) = structure.and_then(|s| s.get::<String>("tone").ok()) {
                    println!("heard {tone}");
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
