// SPDX-License-Identifier: MPL-2.0
//! Messages in step with a video: each comes out at the time of the frame it was given with.
use crate::kit::{Pipe, loopback};
use gst::prelude::*;
use std::collections::HashMap;

const FRAMES: u32 = 90;
const WIDTH: usize = 256;
/// The frame's number is drawn as so many stripes, black or white: a bit each.
const BITS: usize = 16;

const VIDEO: &str = "video/x-raw,format=I420,width=256,height=64,framerate=30/1";

/// Draws the number of every frame that passes, and gives a message with it to `name`.
fn number(pipe: &Pipe, name: &str) {
    let input = pipe.get(name).downcast::<gst_app::AppSrc>().unwrap();
    let pad = pipe.get("paint").static_pad("src").unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let buffer = info.buffer_mut().unwrap().make_mut();
        {
            let mut map = buffer.map_writable().unwrap();
            for (at, byte) in map[..WIDTH * 64].iter_mut().enumerate() {
                let bit = n >> (at % WIDTH / (WIDTH / BITS)) & 1;
                *byte = if bit == 1 { 235 } else { 16 };
            }
        }
        let mut message = gst::Buffer::from_slice(n.to_be_bytes());
        let late = gst::ClockTime::from_mseconds(u64::from(n % 3 * 10));
        // At the frame's time or a little after it, but before the next.
        message
            .get_mut()
            .unwrap()
            .set_pts(buffer.pts().map(|pts| pts + late));
        let _ = input.push_buffer(message);
        gst::PadProbeReturn::Ok
    });
}

fn drawn(sample: &gst::Sample) -> u32 {
    let map = sample.buffer().unwrap().map_readable().unwrap();
    let middle = |bit: usize| map[WIDTH * 32 + bit * (WIDTH / BITS) + WIDTH / BITS / 2];
    (0..BITS)
        .map(|bit| u32::from(middle(bit) > 125) << bit)
        .sum()
}

/// Every sample up to the end, with its time.
fn all(pipe: &Pipe, name: &str) -> Vec<(gst::ClockTime, gst::Sample)> {
    let sink = pipe.get(name).downcast::<gst_app::AppSink>().unwrap();
    let next = || sink.try_pull_sample(gst::ClockTime::from_seconds(20));
    let timed = |sample: gst::Sample| (sample.buffer().unwrap().pts().unwrap(), sample);
    std::iter::from_fn(next).map(timed).collect()
}

#[test]
fn a_message_has_the_time_of_its_frame() {
    let uri = loopback();
    let sender = Pipe::new(&format!(
        "rtcsink name=s uri={uri} udp-port=0 data_0::sync-to=video_0 video-caps=video/x-vp8 \
         videotestsrc is-live=true num-buffers={FRAMES} ! {VIDEO} ! identity name=paint ! s.video_0 \
         appsrc name=in is-live=true format=time caps=meta/x-klv,parsed=true ! s.data_0"
    ));
    number(&sender, "in");
    let receiver = Pipe::playing(&format!(
        "rtcsrc name=r uri={uri} udp-port=0 r.video_0 ! video/x-raw,format=I420 ! \
         appsink name=video sync=false async=false r.data_0 ! meta/x-klv ! \
         appsink name=data sync=false async=false"
    ));
    let ended = sender.get("in").downcast::<gst_app::AppSrc>().unwrap();
    sender.get("paint").static_pad("src").unwrap().add_probe(
        gst::PadProbeType::EVENT_DOWNSTREAM,
        move |_, info| {
            if info
                .event()
                .is_some_and(|e| e.type_() == gst::EventType::Eos)
            {
                let _ = ended.end_of_stream();
            }
            gst::PadProbeReturn::Ok
        },
    );
    sender.play();
    sender.wait_eos();
    let sender = std::thread::spawn(move || drop(sender));
    let (frames, messages) = (all(&receiver, "video"), all(&receiver, "data"));
    sender.join().unwrap();
    let said: HashMap<u32, gst::ClockTime> = messages
        .iter()
        .map(|(pts, sample)| {
            let map = sample.buffer().unwrap().map_readable().unwrap();
            (u32::from_be_bytes(map[..].try_into().unwrap()), *pts)
        })
        .collect();
    // Behind the last there is none that tells how long it is shown.
    let frames = &frames[..frames.len().saturating_sub(1)];
    let found = frames.iter().filter(|(pts, sample)| {
        let said = said.get(&drawn(sample));
        // The thirds of messages that were given 10 and 20 ms after their frames count with them.
        said.inspect(|at| assert_eq!(*at, pts, "frame {}", drawn(sample)))
            .is_some()
    });
    let (found, frames) = (found.count(), frames.len());
    assert!(
        frames > FRAMES as usize / 2 && found * 100 >= frames * 95,
        "{found} of {frames}"
    );
    let meta = messages[0].1.buffer().unwrap();
    let meta = gst::meta::CustomMeta::from_buffer(meta, "GstRtcMessageMeta").unwrap();
    assert!(meta.structure().get::<u32>("rtp-timestamp").is_ok());
}

#[test]
fn json_comes_out_as_json_though_nobody_takes_the_video() {
    let uri = loopback();
    let sender = Pipe::new(&format!(
        "rtcsink name=s uri={uri} udp-port=0 data_0::sync-to=video_0 \
         videotestsrc is-live=true ! video/x-raw,width=64,height=64 ! s.video_0 \
         appsrc name=in is-live=true format=time do-timestamp=true caps=application/x-json ! s.data_0"
    ));
    let receiver = Pipe::playing(&format!(
        "rtcsrc name=r uri={uri} udp-port=0 r.data_0 ! appsink name=out sync=false async=false"
    ));
    sender.play();
    let input = sender.get("in").downcast::<gst_app::AppSrc>().unwrap();
    let output = receiver.get("out").downcast::<gst_app::AppSink>().unwrap();
    let sample = std::iter::repeat_with(|| {
        let _ = input.push_buffer(gst::Buffer::from_slice(b"{\"x\":1}"));
        output.try_pull_sample(gst::ClockTime::from_mseconds(50))
    })
    .take(400)
    .find_map(|sample| sample)
    .expect("a message comes");
    let caps = sample.caps().unwrap().structure(0).unwrap().name();
    assert_eq!(caps, "application/x-json");
    let buffer = sample.buffer().unwrap();
    assert_eq!(buffer.map_readable().unwrap()[..], *b"{\"x\":1}");
    assert!(buffer.pts().is_some());
}

#[test]
fn a_video_that_is_not_there_is_told() {
    let uri = loopback();
    let sender = Pipe::new(&format!(
        "rtcsink name=s uri={uri} udp-port=0 data_0::sync-to=video_7 \
         videotestsrc is-live=true ! s.video_0 appsrc name=in ! s.data_0"
    ));
    assert!(sender.0.set_state(gst::State::Playing).is_err());
    let text = sender.error_text();
    assert!(
        text.contains("video_7") && text.contains("sync-to=video_0"),
        "{text}"
    );
}
