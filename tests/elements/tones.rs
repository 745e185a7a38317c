// SPDX-License-Identifier: MPL-2.0
//! `rtcdtmfsrc` through `rtcsink` to `rtcsrc`: each tone once, told at both ends.
use crate::kit::{Pipe, loopback, until};
use gst::prelude::*;
use std::sync::{Arc, Mutex};

const EVERY_TONE: &str = "0123456789*#ABCD";

/// A sender with audio and tones, and who hears it.
fn call(audio: &str, source: &str) -> (Pipe, Pipe) {
    let uri = loopback();
    let sender = Pipe::new(&format!(
        "rtcsink name=s uri={uri} udp-port=0 quiet=true {audio} ! s.audio_0 rtcdtmfsrc name=d {source} ! s.dtmf_0"
    ));
    let receiver = Pipe::new(&format!(
        "rtcsrc name=r uri={uri} udp-port=0 quiet=true ! fakesink sync=false"
    ));
    (sender, receiver)
}

const OPUS: &str = "audiotestsrc is-live=true";
const PCMU: &str = "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! mulawenc";

/// What `tone-change` says.
fn changes(sender: &Pipe) -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&told);
    sender
        .get("d")
        .connect("tone-change", false, move |values| {
            list.lock().unwrap().push(values[1].get().unwrap());
            None
        });
    told
}

/// The tones that the receiver's bus tells: character and length in ms.
fn heard(receiver: &Pipe, count: usize) -> Vec<(String, u32)> {
    let tone = |structure: gst::Structure| {
        assert_eq!(structure.get::<i32>("type"), Ok(1));
        assert_eq!(structure.get::<i32>("method"), Ok(1));
        (
            structure.get("tone").unwrap(),
            structure.get("duration").unwrap(),
        )
    };
    (0..count)
        .map(|_| tone(receiver.wait_element("dtmf-event")))
        .collect()
}

fn insert(pipe: &Pipe, tones: &str, duration: u32, gap: u32) -> bool {
    pipe.get("d")
        .emit_by_name("insert-dtmf", &[&tones, &duration, &gap])
}

fn can_insert(pipe: &Pipe) -> bool {
    pipe.get("d").property("can-insert-dtmf")
}

fn every_tone_is_heard_once(audio: &str) {
    let (sender, receiver) = call(audio, "tones=0123456789*#ABCD,");
    let told = changes(&sender);
    receiver.play();
    sender.play();
    let heard = heard(&receiver, EVERY_TONE.len());
    let text: String = heard.iter().map(|(tone, _)| tone.as_str()).collect();
    assert_eq!(text, EVERY_TONE);
    for (tone, ms) in &heard {
        assert!(ms.abs_diff(100) <= 20, "{tone} lasts {ms} ms");
    }
    let last = format!("{EVERY_TONE},");
    until("the end of the series", || told.lock().unwrap().len() == 18);
    let told = told.lock().unwrap();
    assert_eq!((told.concat(), told[17].as_str()), (last, ""));
    assert_eq!(sender.get("d").property::<String>("tone-buffer"), "");
    let bus = receiver.0.bus().unwrap();
    let more = bus.iter().find(|message| message.has_name("dtmf-event"));
    assert!(more.is_none(), "{more:?}");
}

#[test]
fn every_tone_beside_opus_is_heard_once() {
    every_tone_is_heard_once(OPUS);
}

#[test]
fn every_tone_beside_g711_is_heard_once() {
    every_tone_is_heard_once(PCMU);
}

#[test]
fn tones_are_refused_until_somebody_takes_them_and_replaced_while_they_sound() {
    let (sender, receiver) = call(OPUS, "");
    let told = changes(&sender);
    sender.play();
    assert!(!can_insert(&sender) && !insert(&sender, "1", 100, 70));
    receiver.play();
    until("somebody who takes tones", || can_insert(&sender));
    assert!(!insert(&sender, "12x", 100, 70));
    assert!(insert(&sender, "1234d", 200, 30));
    assert_eq!(sender.get("d").property::<String>("tone-buffer"), "1234D");
    until("the first tone", || told.lock().unwrap().len() == 1);
    assert!(insert(&sender, "9", 10, 5));
    let heard = heard(&receiver, 2);
    let tones: Vec<&str> = heard.iter().map(|(tone, _)| tone.as_str()).collect();
    assert_eq!(tones, ["1", "9"]);
    assert!(
        heard[0].1.abs_diff(200) <= 20 && heard[1].1.abs_diff(40) <= 20,
        "{heard:?}"
    );
    until("the end", || *told.lock().unwrap() == ["1", "9", ""]);
    drop(receiver);
    until("nobody to take tones", || !can_insert(&sender));
}

#[test]
fn a_key_held_by_dtmf_events_sounds_until_it_is_released() {
    let (sender, receiver) = call(OPUS, "");
    receiver.play();
    sender.play();
    until("somebody who takes tones", || can_insert(&sender));
    let key = |start: bool| {
        let structure = gst::Structure::builder("dtmf-event")
            .field("type", 1)
            .field("number", 11)
            .field("volume", 25)
            .field("start", start)
            .build();
        let event = gst::event::CustomUpstream::new(structure);
        sender.get("d").send_event(event)
    };
    let told = changes(&sender);
    assert!(key(true));
    until("the tone", || !told.lock().unwrap().is_empty());
    assert!(key(false));
    let structure = receiver.wait_element("dtmf-event");
    assert_eq!(structure.get::<i32>("number"), Ok(11));
    assert_eq!(structure.get::<i32>("volume"), Ok(25));
    assert!(structure.get::<u32>("duration").unwrap() >= 40);
}

#[test]
fn tones_come_out_of_a_pad_until_the_peer_leaves() {
    let (sender, receiver) = call(OPUS, "tones=7#");
    let seen = Arc::new(Mutex::new(Vec::<String>::new()));
    let (list, pipeline) = (Arc::clone(&seen), receiver.0.downgrade());
    receiver.get("r").connect_pad_added(move |_, pad| {
        if !pad.name().starts_with("dtmf") {
            return;
        }
        let sink = gst::ElementFactory::make("fakesink")
            .property("sync", false)
            .build()
            .unwrap();
        sink.set_property("async", false);
        pipeline.upgrade().unwrap().add(&sink).unwrap();
        let list = Arc::clone(&list);
        let types = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        let entry = sink.static_pad("sink").unwrap();
        entry.add_probe(types, move |_, info| {
            let text = match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => {
                    assert!(buffer.pts().is_some() && buffer.duration().is_some());
                    let text = buffer.map_readable().unwrap();
                    let text = std::str::from_utf8(&text).unwrap();
                    text.parse::<gst::Structure>().unwrap().get("tone").unwrap()
                }
                Some(gst::PadProbeData::Event(event)) if event.type_() == gst::EventType::Eos => {
                    "EOS".to_owned()
                }
                _ => return gst::PadProbeReturn::Ok,
            };
            list.lock().unwrap().push(text);
            gst::PadProbeReturn::Ok
        });
        sink.sync_state_with_parent().unwrap();
        pad.link(&entry).unwrap();
    });
    receiver.play();
    sender.play();
    until("both tones", || *seen.lock().unwrap() == ["7", "#"]);
    drop(sender);
    until("the end", || *seen.lock().unwrap() == ["7", "#", "EOS"]);
    let has_pad = || {
        receiver
            .get("r")
            .src_pads()
            .iter()
            .any(|pad| pad.name().starts_with("dtmf"))
    };
    until("the pad's leaving", || !has_pad());
}

#[test]
fn a_receiver_with_tones_stops_and_starts_again() {
    let (sender, receiver) = call(OPUS, "tones=1");
    receiver.play();
    sender.play();
    heard(&receiver, 1);
    for state in [gst::State::Ready, gst::State::Playing, gst::State::Null] {
        receiver.0.set_state(state).unwrap();
    }
    receiver.play();
    until("a new session", || can_insert(&sender));
    sender.get("d").set_property("tones", "2");
    assert_eq!(heard(&receiver, 1)[0].0, "2");
}

#[test]
fn every_viewer_hears_the_tones_and_they_are_told_of_once() {
    let sender = Pipe::new(&format!(
        "rtcsink name=s web-address=127.0.0.1:0 udp-port=0 quiet=true {OPUS} ! s.audio_0 rtcdtmfsrc name=d ! s.dtmf_0"
    ));
    let told = changes(&sender);
    sender.play();
    let page: String = sender.wait_element("rtc-listening").get("uri").unwrap();
    let uri = page.replace("http://", "whep://");
    let uri = format!("{}/whep", uri.trim_end_matches('/'));
    let line = format!("rtcsrc uri={uri} udp-port=0 quiet=true ! fakesink sync=false");
    let viewers: Vec<Pipe> = (0..3).map(|_| Pipe::playing(&line)).collect();
    let connected = || {
        let stats: gst::Structure = sender.get("s").property("stats");
        let states = stats.iter().filter_map(|(_, value)| {
            let session: gst::Structure = value.get().ok()?;
            session.get::<String>("connection-state").ok()
        });
        states.filter(|state| state == "connected").count() == 3
    };
    until("three viewers", connected);
    assert!(insert(&sender, "42#", 60, 40));
    for viewer in &viewers {
        let text: String = heard(viewer, 3)
            .iter()
            .map(|(tone, _)| tone.as_str())
            .collect();
        assert_eq!(text, "42#");
    }
    until("the end", || *told.lock().unwrap() == ["4", "2", "#", ""]);
}

#[test]
fn tones_are_part_of_the_audio_that_the_pad_names() {
    let uri = loopback();
    let sender = Pipe::new(&format!(
        "rtcsink name=s uri={uri} udp-port=0 quiet=true {OPUS} ! s.audio_0 {OPUS} ! s.audio_1 \
         rtcdtmfsrc name=d tones=3 ! s.dtmf_0"
    ));
    let pad = sender.get("s").static_pad("dtmf_0").unwrap();
    pad.set_property("audio", "audio_1");
    let receiver = Pipe::new(&format!(
        "rtcsrc name=r uri={uri} udp-port=0 quiet=true ! fakesink sync=false"
    ));
    receiver.play();
    sender.play();
    let tone = receiver.wait_element("dtmf-event");
    assert_eq!(tone.get::<String>("mid").unwrap(), "1");
}

#[test]
fn dtmf_events_sent_to_the_pipeline_reach_the_source_of_tones() {
    let (sender, receiver) = call(OPUS, "");
    receiver.play();
    sender.play();
    until("somebody who takes tones", || can_insert(&sender));
    for start in [true, false] {
        let structure = gst::Structure::builder("dtmf-event")
            .field("type", 1)
            .field("number", 9)
            .field("volume", 10)
            .field("start", start)
            .field("method", 1)
            .build();
        assert!(
            sender
                .0
                .send_event(gst::event::CustomUpstream::new(structure))
        );
    }
    assert_eq!(heard(&receiver, 1)[0].0, "9");
}

#[test]
fn a_sender_that_starts_again_waits_again_for_who_takes_tones() {
    let uri = loopback();
    let sender = Pipe::new(&format!(
        "rtcsink name=s uri={uri} udp-port=0 quiet=true {OPUS} ! s.audio_0 rtcdtmfsrc name=d tones=1 ! s.dtmf_0"
    ));
    // Encoded, for a decoder fails at the end of a stream too short for it.
    let receiver = Pipe::new(&format!(
        "rtcsrc uri={uri} udp-port=0 quiet=true ! audio/x-opus ! fakesink sync=false"
    ));
    receiver.play();
    sender.play();
    assert_eq!(heard(&receiver, 1)[0].0, "1");
    sender.0.set_state(gst::State::Null).unwrap();
    assert!(!can_insert(&sender));
    sender.get("d").set_property("tones", "2");
    sender.play();
    assert_eq!(heard(&receiver, 1)[0].0, "2");
}
