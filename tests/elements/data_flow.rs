// SPDX-License-Identifier: MPL-2.0
//! What a slow reader does to a pad and to memory; ends of streams.
use crate::data_kit::{Wire, bytes};
use crate::kit::{Pipe, loopback, until};
use gst::prelude::*;

const BIG: usize = 256 * 1024;
const MIB: u64 = 1024 * 1024;

#[test]
fn a_slow_reader_stops_the_pad_and_nothing_is_lost() {
    let wire = Wire::new("application/octet-stream", "", "max-bytes=1000000");
    const COUNT: usize = 200;
    for seed in 0..COUNT {
        wire.push(bytes(BIG, seed));
    }
    let left = wire.until_blocked();
    // 50 MiB were pushed; the rest is in the session, in SCTP's windows and in the receiver.
    let inside = (COUNT * BIG) as u64 - left;
    assert!(inside < 16 * MIB, "{inside} bytes are under way");
    let level = wire
        .receiver
        .get("r")
        .property::<u64>("current-level-bytes");
    assert!(level < 8 * MIB, "{level} bytes wait in rtcdatasrc");
    for seed in 0..COUNT {
        assert!(wire.pull().data == bytes(BIG, seed), "message {seed}");
    }
}

#[test]
fn a_leaky_pad_drops_the_oldest_and_never_stops() {
    let wire = Wire::new(
        "application/octet-stream",
        "data_0::leaky=downstream",
        "max-bytes=300000",
    );
    wire.push(bytes(10, 0));
    until("the session", || {
        // Messages for nobody are dropped: until one comes through.
        wire.push(bytes(10, 0));
        wire.output
            .try_pull_sample(gst::ClockTime::from_mseconds(20))
            .is_some()
    });
    const COUNT: usize = 200;
    for seed in 1..=COUNT {
        wire.push(bytes(BIG, seed));
    }
    until("an input that took all", || {
        wire.input.current_level_bytes() == 0
    });
    let pad = wire.sender.get("s").static_pad("data_0").unwrap();
    assert!(pad.property::<u64>("dropped") > 0);
    let mut numbers = Vec::new();
    while numbers.last() != Some(&COUNT) {
        let data = wire.pull().data;
        if data.len() == BIG {
            numbers.push((1..=COUNT).find(|seed| bytes(BIG, *seed) == data).unwrap());
        }
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert!(numbers.len() < COUNT);
}

#[test]
fn a_leaky_source_keeps_the_newest() {
    let wire = Wire::new(
        "application/octet-stream",
        "",
        "max-bytes=600000 leaky=downstream",
    );
    for seed in 0..60 {
        wire.push(bytes(BIG, seed));
    }
    let source = wire.receiver.get("r");
    // appsink and the streaming thread hold two or three; two fit into the queue.
    until("drops", || source.property::<u64>("dropped") >= 54);
    let mut last = Vec::new();
    for _ in 0..60 - source.property::<u64>("dropped") {
        last = wire.pull().data;
    }
    assert!(last == bytes(BIG, 59));
}

#[test]
fn a_pad_that_waits_lets_go_when_the_pipeline_stops() {
    let wire = Wire::new("application/octet-stream", "", "max-bytes=1000000");
    for seed in 0..200 {
        wire.push(bytes(BIG, seed));
    }
    wire.until_blocked();
    wire.sender.0.set_state(gst::State::Paused).unwrap();
    wire.sender.0.set_state(gst::State::Playing).unwrap();
    wire.sender.0.set_state(gst::State::Null).unwrap();
}

#[test]
fn nobody_there_holds_a_file_and_not_a_live_source() {
    let pipe = Pipe::playing(&format!(
        "rtcsink name=s uri={} udp-port=0 \
         fakesrc sizetype=fixed sizemax=10 num-buffers=50 name=file ! application/octet-stream ! s.data_0 \
         fakesrc is-live=true do-timestamp=true sizetype=fixed sizemax=10 num-buffers=50 ! \
         application/octet-stream ! s.data_1",
        loopback()
    ));
    let sink = pipe.get("s");
    let dropped = |name: &str| sink.static_pad(name).unwrap().property::<u64>("dropped");
    until("drops of the live one", || dropped("data_1") == 50);
    assert_eq!(dropped("data_0"), 0);
}

#[test]
fn the_end_of_a_file_comes_after_its_last_byte() {
    let uri = loopback();
    let folder = std::env::temp_dir();
    let name = format!("rtc-data-{}", std::process::id());
    let (from, to) = (
        folder.join(format!("{name}-in")),
        folder.join(format!("{name}-out")),
    );
    let content = bytes(5 * 1024 * 1024 + 123, 3);
    std::fs::write(&from, &content).unwrap();
    let sender = Pipe::playing(&format!(
        "filesrc location={} blocksize=16384 ! rtcsink.data_0 rtcsink name=rtcsink uri={uri} udp-port=0",
        from.display()
    ));
    let receiver = Pipe::playing(&format!(
        "rtcdatasrc uri={uri} udp-port=0 on-close=eos ! filesink async=false location={}",
        to.display()
    ));
    sender.wait_eos();
    receiver.wait_eos();
    let arrived = std::fs::read(&to).unwrap();
    let _ = std::fs::remove_file(&from);
    let _ = std::fs::remove_file(&to);
    assert!(
        arrived == content,
        "{} of {} bytes",
        arrived.len(),
        content.len()
    );
}
