// SPDX-License-Identifier: MPL-2.0
//! Inputs of rtcsink without any viewer: pace, EOS, warnings, errors.
use crate::kit::{Pipe, loopback};
use gst::prelude::*;
use std::time::{Duration, Instant};

#[test]
fn a_source_that_is_not_live_is_paced_and_its_end_ends_the_pipeline() {
    let line = format!(
        "videotestsrc num-buffers=30 ! video/x-raw,framerate=30/1 ! rtcsink name=s uri={} \
         audiotestsrc num-buffers=30 ! s.audio_0",
        loopback()
    );
    let start = Instant::now();
    let pipe = Pipe::playing(&line);
    pipe.wait_eos();
    let took = start.elapsed();
    assert!(
        took > Duration::from_millis(900),
        "a second of video took {took:?}"
    );
}

#[test]
fn an_encoded_input_has_no_encoder_in_the_graph() {
    let line = format!(
        "videotestsrc is-live=true num-buffers=5 ! vp8enc deadline=1 ! rtcsink name=s uri={}",
        loopback()
    );
    let pipe = Pipe::playing(&line);
    pipe.wait_eos();
    let factories = pipe.factories("s");
    assert!(
        !factories.iter().any(|name| name.contains("enc")),
        "{factories:?}"
    );
}

fn warning(line: &str) -> String {
    let pipe = Pipe::playing(&format!("{line} ! rtcsink uri={}", loopback()));
    pipe.wait("a warning", |message| match message.view() {
        gst::MessageView::Warning(warning) => Some(warning.error().to_string()),
        _ => None,
    })
}

#[test]
fn b_frames_give_a_warning_that_names_the_cure() {
    let text = warning(
        "videotestsrc num-buffers=60 ! x264enc bframes=2 b-adapt=false ! video/x-h264,profile=main",
    );
    assert!(text.contains("bframes=0"), "{text}");
}

#[test]
fn a_profile_that_no_browser_plays_gives_a_warning_that_names_the_cure() {
    let text =
        warning("videotestsrc num-buffers=9 ! video/x-raw,format=Y444 ! x264enc tune=zerolatency");
    assert!(text.contains("constrained-baseline"), "{text}");
}

#[test]
fn a_source_that_can_choose_needs_no_conversion() {
    let pipe = Pipe::playing(&format!(
        "videotestsrc name=v is-live=true num-buffers=2 ! rtcsink uri={}",
        loopback()
    ));
    let source = pipe.get("v").static_pad("src").unwrap();
    pipe.wait_eos();
    let caps = source.current_caps().unwrap();
    assert_eq!(caps.structure(0).unwrap().get::<&str>("format"), Ok("I420"));
}

#[test]
fn pads_are_numbered_and_come_and_go() {
    crate::kit::init();
    let sink = gst::ElementFactory::make("rtcsink").build().unwrap();
    let pads = |name| sink.request_pad_simple(name).unwrap();
    let first = pads("video_%u");
    assert_eq!(first.name(), "video_0");
    assert_eq!(pads("video_%u").name(), "video_1");
    assert_eq!(pads("audio_7").name(), "audio_7");
    assert_eq!(pads("audio_%u").name(), "audio_0");
    sink.release_request_pad(&first);
    assert_eq!(pads("video_%u").name(), "video_0");
    assert_eq!(sink.pads().len(), 4);
}
