// SPDX-License-Identifier: MPL-2.0
//! Messages as buffers: sizes, kinds, order, what is refused, where they come out.
use crate::data_kit::{Got, Wire, bytes, got, state_of, watch};
use crate::kit::{Pipe, loopback, until};
use gst::prelude::*;

/// What we announce as the largest message we take.
const LIMIT: usize = 4 * 1024 * 1024;
const SIZES: [usize; 6] = [0, 1, 16 * 1024, 64 * 1024, 262_144, LIMIT];

#[test]
fn binary_messages_of_all_sizes_arrive_whole_and_in_order() {
    let wire = Wire::new("application/octet-stream", "data_0::label=bulk", "");
    for (seed, size) in SIZES.into_iter().enumerate() {
        wire.push(bytes(size, seed));
    }
    for (seed, size) in SIZES.into_iter().enumerate() {
        let Got {
            data, text, label, ..
        } = wire.pull();
        assert!(data == bytes(size, seed), "{size}: {} came", data.len());
        assert!(!text);
        assert_eq!(label, "bulk");
    }
    let stats = wire.sender.get("s").property::<gst::Structure>("stats");
    let session = stats.fields().next().unwrap().to_string();
    let session = stats.get::<gst::Structure>(&session).unwrap();
    let sctp = session.get::<gst::Structure>("sctp").unwrap();
    assert_eq!(sctp.get::<&str>("state"), Ok("connected"));
    assert_eq!(sctp.get::<u64>("messages-sent"), Ok(SIZES.len() as u64));
}

#[test]
fn text_stays_text_with_every_plane_of_unicode() {
    let wire = Wire::new("text/x-raw,format=utf8", "", "");
    let planes: String = (0..=16u32)
        .filter_map(|plane| char::from_u32(plane * 0x1_0000 + 0x41))
        .collect();
    for text in ["", "a", &planes, &"ü€𝄞".repeat(8_000)] {
        wire.push(text.as_bytes().to_vec());
        let got = wire.pull();
        assert!(got.text);
        assert_eq!(got.caps, "text/x-raw");
        assert_eq!(String::from_utf8(got.data).unwrap(), text);
    }
}

#[test]
fn what_takes_bytes_alone_gets_text_as_bytes() {
    let wire = Wire::new("text/x-raw,format=utf8", "", "! application/octet-stream");
    wire.push(b"hello".to_vec());
    let got = wire.pull();
    assert_eq!(got.caps, "application/octet-stream");
    assert!(got.text, "the meta still says so");
}

#[test]
fn a_message_too_large_is_refused_with_both_sizes_and_the_next_one_passes() {
    let wire = Wire::new("application/octet-stream", "", "");
    wire.push(bytes(LIMIT + 1, 1));
    wire.push(bytes(10, 2));
    assert_eq!(wire.pull().data.len(), 10);
    let error = wire.sender.wait_element("rtc-channel-error");
    let text = error.get::<String>("text").unwrap();
    assert!(
        text.contains("4194305") && text.contains("4194304"),
        "{text}"
    );
    assert_eq!(error.get::<String>("code").unwrap(), "too-large");
}

#[test]
fn labels_choose_what_is_read() {
    let uri = loopback();
    let sender = Pipe::playing(&format!(
        "rtcsink name=s uri={uri} udp-port=0 data_0::label=gps data_1::label=chat \
         appsrc name=a caps=text/x-raw,format=utf8 ! s.data_0 \
         appsrc name=b caps=text/x-raw,format=utf8 ! s.data_1"
    ));
    let receiver = Pipe::playing(&format!(
        "rtcdatasrc uri={uri} udp-port=0 label=ch?t ! appsink name=out sync=false async=false"
    ));
    let push = |name: &str, text: &str| {
        let input: gst_app::AppSrc = sender.get(name).downcast().unwrap();
        let buffer = gst::Buffer::from_slice(text.as_bytes().to_vec());
        input.push_buffer(buffer).unwrap();
    };
    push("a", "position");
    push("b", "hello");
    let output: gst_app::AppSink = receiver.get("out").downcast().unwrap();
    let sample = output.try_pull_sample(gst::ClockTime::from_seconds(20));
    assert_eq!(got(&sample.unwrap()).data, b"hello");
}

#[test]
fn wrong_settings_of_a_pad_are_named() {
    let pipe = Pipe::new(
        "rtcsink name=s uri=loopback:never udp-port=0 data_0::max-retransmits=3 \
         data_0::max-packet-lifetime=100 fakesrc ! application/octet-stream ! s.data_0",
    );
    assert!(pipe.0.set_state(gst::State::Playing).is_err());
    let text = pipe.error_text();
    assert!(
        text.contains("max-retransmits=3") && text.contains("-1"),
        "{text}"
    );
}

#[test]
fn a_channel_object_talks_and_ends_as_a_browsers_does() {
    let uri = loopback();
    let sender = Pipe::new(&format!(
        "rtcsink name=s uri={uri} udp-port=0 appsrc caps=text/x-raw,format=utf8 ! s.data_0"
    ));
    let receiver = Pipe::new(&format!(
        "rtcdatasrc name=r uri={uri} udp-port=0 ! fakesink async=false"
    ));
    let (ours, here) = watch(&sender.get("s"));
    let (theirs, there) = watch(&receiver.get("r"));
    sender.play();
    receiver.play();
    until("channels", || {
        !ours.lock().unwrap().is_empty() && !theirs.lock().unwrap().is_empty()
    });
    let (a, b) = (
        ours.lock().unwrap()[0].clone(),
        theirs.lock().unwrap()[0].clone(),
    );
    assert_eq!(a.property::<String>("label"), "data_0");
    assert!(a.property::<bool>("ordered"));
    assert_eq!(a.property::<i32>("id"), b.property::<i32>("id"));
    assert_eq!(a.property::<i32>("max-retransmits"), -1);
    assert!(b.emit_by_name::<bool>("send-string", &[&"hi"]));
    until("a message", || {
        here.lock().unwrap().contains(&"string hi".to_owned())
    });
    b.emit_by_name::<()>("close", &[]);
    until("the end", || {
        [&here, &there]
            .iter()
            .all(|t| t.lock().unwrap().contains(&"on-close closed".to_owned()))
    });
    assert_eq!(
        *here.lock().unwrap(),
        [
            "data-channel open",
            "on-open open",
            "string hi",
            "on-closing closing",
            "on-close closed"
        ]
    );
    let there = there.lock().unwrap();
    let there: Vec<_> = there
        .iter()
        .filter(|e| !e.starts_with("on-buffered"))
        .collect();
    assert_eq!(
        there,
        ["data-channel open", "on-open open", "on-close closed"]
    );
    assert_eq!(state_of(&a), "closed");
    assert!(!a.emit_by_name::<bool>("send-string", &[&"too late"]));
}

#[test]
fn rtcdatasrc_opens_a_channel_to_send_and_rtcsrc_shows_it_as_a_pad() {
    let uri = loopback();
    let receiver = Pipe::new(&format!("rtcsrc name=r uri={uri} udp-port=0 quiet=true"));
    let rtcsrc = receiver.get("r");
    let into = receiver.0.downgrade();
    rtcsrc.connect_pad_added(move |_, pad| {
        let Some(pipeline) = into.upgrade().filter(|_| pad.name().starts_with("data")) else {
            return;
        };
        let sink = gst::ElementFactory::make("appsink")
            .name("out")
            .property("sync", false)
            .property("async", false)
            .build()
            .unwrap();
        pipeline.add(&sink).unwrap();
        sink.sync_state_with_parent().unwrap();
        pad.link(&sink.static_pad("sink").unwrap()).unwrap();
    });
    let sender = Pipe::new(&format!(
        "rtcdatasrc name=d endpoint=sends{} uri={uri} udp-port=0 ! fakesink async=false \
         audiotestsrc is-live=true ! rtcsink endpoint=sends{} uri={uri} udp-port=0",
        uri.len(),
        uri.len()
    ));
    sender.play();
    receiver.play();
    let d = sender.get("d");
    let session = std::cell::RefCell::new(String::new());
    let source = receiver.get("r");
    until("a session", || {
        let stats = sender.0.by_name("rtcsink0").or_else(|| {
            let mut all = sender.0.iterate_elements().into_iter().flatten();
            all.find(|e| e.factory().is_some_and(|f| f.name() == "rtcsink"))
        });
        let stats = stats.unwrap().property::<gst::Structure>("stats");
        let name = stats.fields().next().map(|name| name.to_string());
        *session.borrow_mut() = name.clone().unwrap_or_default();
        name.is_some()
    });
    let data = gst::glib::Bytes::from_static(b"first word");
    let sent = d.emit_by_name::<bool>("send", &[&*session.borrow(), &"talk", &data, &true]);
    assert!(sent);
    until("a pad", || source.static_pad("data_0").is_some());
    until("a sink", || receiver.0.by_name("out").is_some());
    let outs = receiver.0.by_name("out").unwrap();
    let output: gst_app::AppSink = outs.downcast().unwrap();
    let sample = output.try_pull_sample(gst::ClockTime::from_seconds(20));
    let got = got(&sample.unwrap());
    assert_eq!((got.data.as_slice(), got.text), (&b"first word"[..], true));
    assert_eq!(got.label, "talk");
}

#[test]
fn a_source_that_comes_late_reads_the_channels_that_are_open() {
    let uri = loopback();
    let sender = Pipe::playing(&format!(
        "rtcsink name=s uri={uri} udp-port=0 data_0::leaky=downstream \
         appsrc name=in caps=text/x-raw,format=utf8 ! s.data_0"
    ));
    let name = format!("late-{}", uri.rsplit('-').next().unwrap());
    let keeper = Pipe::new(&format!(
        "rtcdatasrc name=r endpoint={name} uri={uri} udp-port=0 ! fakesink async=false"
    ));
    let (channels, _) = watch(&keeper.get("r"));
    keeper.play();
    until("a channel", || !channels.lock().unwrap().is_empty());
    let late = Pipe::playing(&format!(
        "rtcdatasrc endpoint={name} ! appsink name=out sync=false async=false"
    ));
    let input: gst_app::AppSrc = sender.get("in").downcast().unwrap();
    let output: gst_app::AppSink = late.get("out").downcast().unwrap();
    until("a message", || {
        let buffer = gst::Buffer::from_slice(b"to both".to_vec());
        input.push_buffer(buffer).unwrap();
        let sample = output.try_pull_sample(gst::ClockTime::from_mseconds(50));
        sample.is_some_and(|sample| got(&sample).data == b"to both")
    });
}
