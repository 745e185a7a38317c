// SPDX-License-Identifier: MPL-2.0
//! A call: `rtcsink` and `rtcsrc` of one endpoint at both ends, one session between them.
use crate::kit::{Pipe, loopback, until, wait_threads};
use gst::prelude::*;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

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

/// The pads that an end of a call shows at this moment.
type Shown = Arc<Mutex<BTreeSet<String>>>;

/// One end whose inputs come and go, each shown by the other end while it is there.
fn changing_end(name: &str, uri: &str) -> (Pipe, Shown) {
    let pipe = Pipe::new(&format!(
        "rtcsink name=s endpoint={name} uri={uri} udp-port=0 rtcsrc name=r endpoint={name} uri={uri} udp-port=0"
    ));
    let shown = Shown::default();
    let (added, into) = (Arc::clone(&shown), pipe.0.downgrade());
    let src = pipe.get("r");
    src.connect_pad_added(move |_, pad| {
        let Some(pipeline) = into.upgrade() else {
            return;
        };
        let sink = gst::ElementFactory::make("fakesink")
            .name(format!("of-{}", pad.name()))
            .property("async", false)
            .property("sync", false)
            .build()
            .unwrap();
        pipeline.add(&sink).unwrap();
        sink.sync_state_with_parent().unwrap();
        pad.link(&sink.static_pad("sink").unwrap()).unwrap();
        added.lock().unwrap().insert(pad.name().into());
    });
    let (removed, from) = (Arc::clone(&shown), pipe.0.downgrade());
    src.connect_pad_removed(move |_, pad| {
        removed.lock().unwrap().remove(pad.name().as_str());
        let of = |pipeline: gst::Pipeline| pipeline.by_name(&format!("of-{}", pad.name()));
        if let Some(sink) = from.upgrade().and_then(of) {
            sink.set_locked_state(true);
            sink.set_state(gst::State::Null).unwrap();
            let _ = from.upgrade().map(|pipeline| pipeline.remove(&sink));
        }
    });
    (pipe, shown)
}

/// One more input, with the pad it feeds.
fn add_tone(pipe: &Pipe) -> (gst::Element, gst::Pad) {
    let line = "audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! identity silent=true";
    let source = gst::parse::bin_from_description(line, true).unwrap();
    let source: gst::Element = source.upcast();
    let pad = pipe.get("s").request_pad_simple("audio_%u").unwrap();
    pipe.0.add(&source).unwrap();
    source.static_pad("src").unwrap().link(&pad).unwrap();
    source.sync_state_with_parent().unwrap();
    (source, pad)
}

fn remove_tone(pipe: &Pipe, (source, pad): (gst::Element, gst::Pad)) {
    source.set_locked_state(true);
    source.set_state(gst::State::Null).unwrap();
    source.static_pad("src").unwrap().unlink(&pad).unwrap();
    pipe.get("s").release_request_pad(&pad);
    pipe.0.remove(&source).unwrap();
}

#[test]
fn inputs_that_come_and_go_at_both_ends_at_once_are_all_shown() {
    const ROUNDS: usize = 200;
    let uri = loopback();
    let ends = [changing_end("left", &uri), changing_end("right", &uri)];
    let mut inputs = [const { Vec::new() }; 2];
    for (end, inputs) in ends.iter().zip(&mut inputs) {
        inputs.push(add_tone(&end.0));
        end.0.play();
    }
    for round in 0..ROUNDS {
        for (at, (pipe, _)) in ends.iter().enumerate() {
            let inputs = &mut inputs[at];
            // The ends are out of step, so that one adds while the other removes, too.
            match (round + at) % 3 {
                0 if inputs.len() > 1 => remove_tone(pipe, inputs.remove(1)),
                _ if inputs.len() < 4 => inputs.push(add_tone(pipe)),
                _ => remove_tone(pipe, inputs.remove(round % inputs.len())),
            }
        }
        until(&format!("all of round {round}"), || {
            let shown = |at: usize| ends[at].1.lock().unwrap().len();
            shown(0) == inputs[1].len() && shown(1) == inputs[0].len()
        });
    }
    for (pipe, _) in &ends {
        let stats: gst::Structure = pipe.get("s").property("stats");
        assert_eq!(stats.n_fields(), 1, "still the one session: {stats}");
        let bus = pipe.0.bus().unwrap();
        while let Some(message) = bus.pop() {
            match message.view() {
                gst::MessageView::Error(error) => panic!("{}", error.error()),
                gst::MessageView::Element(element) => {
                    let structure = element.structure().unwrap();
                    assert_ne!(structure.name(), "rtc-session-error", "{structure}");
                }
                _ => {}
            }
        }
    }
}
