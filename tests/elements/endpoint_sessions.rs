// SPDX-License-Identifier: MPL-2.0
//! Sessions asked for through a signaller whose wire is the test itself.
use crate::kit::{PATIENCE, Pipe};
use gst::prelude::*;
use rtc_signaller::{Role, Signaller, SignallerExt, Wish};
use std::sync::mpsc::{self, Receiver};

/// What the endpoint says to its peers.
#[derive(Debug, PartialEq)]
enum Said {
    Description(String, String, String),
    Ended(String, String, String),
}

/// `application:` with ears.
fn signaller() -> (Signaller, Receiver<Said>) {
    crate::kit::init();
    let signaller = rtc_signaller::registry::from_uri("application:").unwrap();
    let (said, heard) = mpsc::channel();
    let text = |values: &[gst::glib::Value], i: usize| values[i].get::<String>().unwrap();
    let tell = said.clone();
    signaller.connect("send-description", false, move |v| {
        let _ = tell.send(Said::Description(text(v, 1), text(v, 2), text(v, 3)));
        None
    });
    signaller.connect("end-session", false, move |v| {
        let _ = said.send(Said::Ended(text(v, 1), text(v, 2), text(v, 3)));
        None
    });
    (signaller, heard)
}

fn sink(line: &str) -> (Pipe, Signaller, Receiver<Said>) {
    let (signaller, heard) = signaller();
    let pipe = Pipe::new(line);
    pipe.get("s").set_property("signaller", &signaller);
    (pipe, signaller, heard)
}

fn description(heard: &Receiver<Said>) -> String {
    match heard.recv_timeout(PATIENCE) {
        Ok(Said::Description(_, _, sdp)) => sdp,
        other => panic!("no description: {other:?}"),
    }
}

fn ended(heard: &Receiver<Said>) -> (String, String) {
    match heard.recv_timeout(PATIENCE) {
        Ok(Said::Ended(_, code, text)) => (code, text),
        other => panic!("not ended: {other:?}"),
    }
}

#[test]
fn a_peer_that_comes_before_the_first_frame_gets_its_offer() {
    let (pipe, signaller, heard) = sink("appsrc name=a is-live=true format=time ! rtcsink name=s");
    pipe.play();
    signaller.report_session_requested("one", "early", Role::Offer, Wish::View);
    let source: gst_app::AppSrc = pipe.get("a").downcast().unwrap();
    let caps = "video/x-raw,format=I420,width=64,height=48,framerate=30/1";
    source.set_caps(Some(&caps.parse().unwrap()));
    source
        .push_buffer(gst::Buffer::with_size(64 * 48 * 3 / 2).unwrap())
        .unwrap();
    let sdp = description(&heard);
    assert!(sdp.contains("m=video") && !sdp.contains("m=audio"), "{sdp}");
    assert!(sdp.contains("a=sendonly"), "{sdp}");
}

#[test]
fn codecs_are_offered_in_the_order_of_the_caps() {
    let (pipe, signaller, heard) = sink(
        "videotestsrc is-live=true ! rtcsink name=s video-caps=\"video/x-vp9;video/x-vp8\" \
         audiotestsrc is-live=true ! s.audio_0",
    );
    pipe.play();
    signaller.report_session_requested("one", "peer", Role::Offer, Wish::View);
    let sdp = description(&heard);
    let at = |name: &str| {
        sdp.find(name)
            .unwrap_or_else(|| panic!("{name} is not in {sdp}"))
    };
    assert!(at("VP9/90000") < at("VP8/90000"));
    assert!(at("opus/48000/2") > 0 && !sdp.contains("H264"));
    assert_eq!(sdp.matches("a=msid:s").count(), 2, "{sdp}");
}

#[test]
fn a_passed_stream_is_offered_as_what_it_is() {
    let (pipe, signaller, heard) = sink(
        "videotestsrc is-live=true ! x264enc tune=zerolatency ! video/x-h264,profile=main ! rtcsink name=s",
    );
    pipe.play();
    signaller.report_session_requested("one", "peer", Role::Offer, Wish::View);
    let sdp = description(&heard);
    assert!(sdp.contains("profile-level-id=4d00"), "{sdp}");
    assert!(!sdp.contains("VP8"), "{sdp}");
}

#[test]
fn refusals_name_their_reason() {
    let (pipe, signaller, heard) =
        sink("videotestsrc is-live=true ! rtcsink name=s max-consumers=1");
    pipe.play();
    signaller.report_session_requested("pub", "peer", Role::Answer, Wish::Publish);
    let (code, text) = ended(&heard);
    assert_eq!(code, "not-acceptable");
    assert!(text.contains("rtcsrc"), "{text}");
    signaller.report_session_requested("one", "peer", Role::Offer, Wish::View);
    description(&heard);
    signaller.report_session_requested("two", "peer", Role::Offer, Wish::View);
    let (code, text) = ended(&heard);
    assert_eq!(code, "busy");
    assert!(text.contains("max-consumers=1"), "{text}");
    let told = pipe.wait_element("rtc-session-error");
    assert_eq!(told.get::<String>("session").as_deref(), Ok("pub"));
    // The place of one that ends is free again.
    signaller.report_session_ended("one", "bye", "");
    crate::kit::until("a free place", || {
        signaller.report_session_requested("three", "peer", Role::Offer, Wish::View);
        matches!(heard.recv_timeout(PATIENCE), Ok(Said::Description(..)))
    });
}

#[test]
fn a_description_that_makes_no_sense_ends_that_session_alone() {
    let (pipe, signaller, heard) = sink("videotestsrc is-live=true ! rtcsink name=s");
    pipe.play();
    signaller.report_session_requested("good", "peer", Role::Offer, Wish::View);
    description(&heard);
    signaller.report_session_requested("bad", "peer", Role::Answer, Wish::View);
    signaller.report_description("bad", "offer", "this is no description");
    let (code, _) = ended(&heard);
    assert_eq!(code, "bad-request");
    let stats = || pipe.get("s").property::<gst::Structure>("stats");
    crate::kit::until("the end of the bad one", || stats().n_fields() == 1);
    assert!(stats().has_field("good"));
}

#[test]
fn an_input_that_comes_later_is_offered_to_the_sessions_that_run() {
    let (pipe, signaller, heard) = sink("videotestsrc is-live=true ! rtcsink name=s");
    pipe.play();
    signaller.report_session_requested("one", "peer", Role::Offer, Wish::View);
    let first = description(&heard);
    // Rolled back, so that the next offer need not wait for an answer.
    signaller.report_description("one", "rollback", "");
    assert!(!first.contains("m=audio"));
    let tone = gst::parse::bin_from_description("audiotestsrc is-live=true", true).unwrap();
    pipe.0.add(&tone).unwrap();
    tone.link_pads(Some("src"), &pipe.get("s"), Some("audio_0"))
        .unwrap();
    tone.sync_state_with_parent().unwrap();
    crate::kit::until("an offer with audio", || {
        description(&heard).contains("m=audio")
    });
}

#[test]
fn the_end_of_the_element_says_goodbye_to_its_peers() {
    let (pipe, signaller, heard) = sink("videotestsrc is-live=true ! rtcsink name=s");
    pipe.play();
    signaller.report_session_requested("one", "peer", Role::Offer, Wish::View);
    description(&heard);
    pipe.0.set_state(gst::State::Null).unwrap();
    assert_eq!(ended(&heard).0, "bye");
}
