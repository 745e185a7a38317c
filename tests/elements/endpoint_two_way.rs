// SPDX-License-Identifier: MPL-2.0
//! A call: `rtcsink` and `rtcsrc` of one endpoint at both ends, one session between them.
use crate::kit::{Pipe, loopback, until, wait_threads};
use gst::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One end: sends, and counts what comes; it starts as `endpoint` of its own name.
fn end(name: &str, uri: &str, sends: &str) -> (Pipe, Arc<AtomicUsize>) {
    let pipe = Pipe::new(&format!(
        "{sends} ! rtcsink name=s endpoint={name} uri={uri} udp-port=0 \
         rtcsrc name=r endpoint={name} uri={uri} udp-port=0 ! fakesink name=f signal-handoffs=true sync=false"
    ));
    let frames = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&frames);
    pipe.get("f").connect("handoff", false, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        None
    });
    (pipe, frames)
}

const CAMERA: &str = "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=30/1";

#[test]
fn a_sink_and_a_source_of_one_endpoint_make_a_two_way_call() {
    let uri = loopback();
    let (left, at_left) = end("left", &uri, CAMERA);
    let (right, at_right) = end("right", &uri, CAMERA);
    left.play();
    right.play();
    let seen = |count: &AtomicUsize| count.load(Ordering::Relaxed) >= 10;
    until("the left picture", || seen(&at_left));
    until("both pictures", || seen(&at_left) && seen(&at_right));
    wait_threads("rtc-io", 2);
    for pipe in [&left, &right] {
        let stats: gst::Structure = pipe.get("s").property("stats");
        assert_eq!(
            stats.n_fields(),
            1,
            "one session carries both ways: {stats}"
        );
        let session: gst::Structure = stats.iter().next().unwrap().1.get().unwrap();
        let has = |start: &str| session.fields().any(|name| name.starts_with(start));
        assert!(has("outbound-") && has("inbound-"), "{session}");
    }
}

#[test]
fn the_end_of_one_element_leaves_the_other_its_endpoint() {
    let uri = loopback();
    let (left, _) = end("left", &uri, CAMERA);
    let (right, at_right) = end("right", &uri, CAMERA);
    left.play();
    right.play();
    until("a picture", || at_right.load(Ordering::Relaxed) >= 5);
    let sink = right.get("s");
    sink.set_locked_state(true);
    sink.set_state(gst::State::Null).unwrap();
    let before = at_right.load(Ordering::Relaxed);
    until("more of it", || {
        at_right.load(Ordering::Relaxed) >= before + 10
    });
    wait_threads("rtc-io", 2);
}
