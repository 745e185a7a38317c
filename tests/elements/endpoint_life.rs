// SPDX-License-Identifier: MPL-2.0
//! An endpoint's start and end: its errors, its threads, its name.
use crate::kit::{Pipe, loopback, wait_threads};
use gst::prelude::*;
use std::net::TcpListener;

const LIVE: &str = "videotestsrc is-live=true ! ";

fn refused(settings: &str) -> String {
    let pipe = Pipe::new(&format!("{LIVE} rtcsink {settings}"));
    assert!(pipe.0.set_state(gst::State::Playing).is_err(), "{settings}");
    let text = pipe.error_text();
    let more = pipe
        .0
        .bus()
        .unwrap()
        .pop_filtered(&[gst::MessageType::Error]);
    assert!(more.is_none(), "{settings}: told more than once");
    text
}

#[test]
fn a_taken_port_is_told_once_with_what_to_write() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = refused(&format!("udp-port=0 web-address={address}"));
    assert!(text.contains(&address.to_string()), "{text}");
    assert!(text.contains("write web-address="), "{text}");
}

#[test]
fn a_setting_that_cannot_be_is_told_with_what_can() {
    for (settings, expected) in [
        ("uri=gopher://x", "loopback:"),
        ("uri=loopback:a video-caps=video/x-theora", "video/x-vp8"),
        ("uri=loopback:a video-caps=NONE", "name at least one"),
        (
            "uri=loopback:a start-bitrate=9000000",
            "max-bitrate=8192000",
        ),
        (
            "uri=loopback:a announced-addresses=home.invalid",
            "or write the IP address",
        ),
        ("uri=loopback:a interfaces=nothing0", "nothing0"),
    ] {
        let text = refused(settings);
        assert!(text.contains(expected), "{settings}: {text}");
    }
}

#[test]
fn fifty_starts_leave_no_thread_and_no_descriptor() {
    let pipe = Pipe::new(&format!(
        "{LIVE} rtcsink udp-port=0 web-address=127.0.0.1:0 quiet=true"
    ));
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut before = 0;
    for round in 0..50 {
        pipe.play();
        pipe.wait_element("rtc-listening");
        wait_threads("rtc-control", 1);
        wait_threads("rtc-io", 1);
        pipe.0.set_state(gst::State::Null).unwrap();
        wait_threads("rtc-control", 0);
        wait_threads("rtc-io", 0);
        if round == 0 {
            // What the first start opened for the process (signallers' runtime) stays.
            before = descriptors();
        }
    }
    assert!(
        descriptors() <= before + 2,
        "{} then {}",
        before,
        descriptors()
    );
}

#[test]
fn elements_of_one_name_share_one_endpoint() {
    let uri = loopback();
    let sink = format!("rtcsink endpoint=shared-name uri={uri}");
    let pipe = Pipe::playing(&format!("{LIVE} {sink} {LIVE} {sink}"));
    wait_threads("rtc-io", 1);
    drop(pipe);
    wait_threads("rtc-io", 0);
    let other = loopback();
    let _both = Pipe::playing(&format!(
        "{LIVE} rtcsink uri={uri} {LIVE} rtcsink uri={other}"
    ));
    wait_threads("rtc-io", 2);
}

#[test]
fn the_address_is_told_on_the_bus() {
    let pipe = Pipe::playing(&format!(
        "{LIVE} rtcsink name=s udp-port=0 quiet=true signaller::web-address=127.0.0.1:0"
    ));
    let told = pipe.wait_element("rtc-listening");
    let uri: String = told.get("uri").unwrap();
    assert!(uri.starts_with("http://127.0.0.1:"), "{uri}");
    assert_ne!(told.get::<u32>("udp-port"), Ok(0));
    let text: String = told.get("text").unwrap();
    assert!(text.starts_with(&format!("s: watch at {uri}")), "{text}");
    let stats: gst::Structure = pipe.get("s").property("stats");
    assert_eq!(stats.n_fields(), 0);
}

#[test]
fn a_pad_s_and_the_signaller_s_properties_are_reached_as_children() {
    let pipe = Pipe::new(&format!("{LIVE} rtcsink name=s"));
    let proxy = pipe.get("s").downcast::<gst::Bin>().unwrap();
    let proxy = proxy.upcast_ref::<gst::Object>().clone();
    let proxy = proxy.dynamic_cast::<gst::ChildProxy>().unwrap();
    proxy.set_child_property("video_0::msid", "camera");
    assert_eq!(proxy.child_property::<String>("video_0::msid"), "camera");
    proxy.set_child_property("signaller::web-address", "127.0.0.1:0");
    let names = proxy.child_by_name("signaller").unwrap();
    assert_eq!(names.property::<String>("web-address"), "127.0.0.1:0");
}
