// SPDX-License-Identifier: MPL-2.0
//! What `rtcsink` sends comes out of `rtcsrc`, raw or encoded, counted and in order.
use crate::src_kit::{Call, Seen, assert_monotonic};
use gst::prelude::*;

const PICTURE: &str = "videotestsrc is-live=true pattern=red ! \
    video/x-raw,width=320,height=240,framerate=30/1 ! s.";
const TONE: &str = "audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000 ! s.";
/// VP8 with one keyframe, but for those that are asked for.
const ENCODED: &str = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! \
    vp8enc deadline=1 keyframe-max-dist=100000 ! s.";

#[test]
fn picture_and_sound_come_out_raw_in_order_and_whole() {
    let call = Call::new(&format!("{PICTURE} {TONE}"), "video/x-raw", "audio/x-raw");
    let (mut video, mut audio) = (Vec::new(), Vec::new());
    call.until("60 frames and 100 sounds", |seen| {
        if let Seen::Buffer(pad, buffer) = seen {
            let list = if pad == "video_0" {
                &mut video
            } else {
                &mut audio
            };
            list.push(buffer);
        }
        video.len() >= 60 && audio.len() >= 100
    });
    assert_monotonic(&video);
    assert_monotonic(&audio);
    for (name, got, wanted) in [("frame", &video, 33_333), ("sound", &audio, 20_000)] {
        // A busy machine may lose some before the encoder, but not half of them.
        let off = usual_step(got).abs_diff(wanted);
        assert!(off < 4_000, "{name} to {name} is off by {off} µs");
    }
    assert!(call.complaints().is_empty());
}

#[test]
fn a_red_picture_is_red() {
    let call = Call::new(PICTURE, "video/x-raw,format=I420", "audio/x-raw");
    let buffer = call.buffers("video_0", 5).pop().expect("five");
    let map = buffer.map_readable().expect("readable");
    // BT.601 red: Y 81, Cb 90, Cr 240.
    let plane = 320 * 240;
    let (y, cb, cr) = (map[plane / 2], map[plane + 40], map[plane * 5 / 4 + 40]);
    let near = |value: u8, wanted: u8| value.abs_diff(wanted) < 12;
    assert!(
        near(y, 81) && near(cb, 90) && near(cr, 240),
        "{y} {cb} {cr}"
    );
}

#[test]
fn encoded_frames_come_out_as_they_went_in() {
    for (sending, wanted) in [
        (ENCODED, "video/x-vp8"),
        (
            "videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! \
             x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse ! s.",
            "video/x-h264,stream-format=byte-stream,alignment=au",
        ),
    ] {
        let call = Call::new(sending, wanted, "audio/x-opus");
        let got = call.buffers("video_0", 40);
        assert_monotonic(&got);
        let delta = |buffer: &gst::Buffer| buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        // Behind the frames kept for who joins may come a keyframe that was asked for.
        assert!(!delta(&got[0]) && got.iter().any(delta), "{wanted}");
    }
}

#[test]
fn opus_comes_out_encoded_with_its_duration() {
    let call = Call::new(TONE, "video/x-vp8", "audio/x-opus");
    let got = call.buffers("audio_0", 50);
    assert_monotonic(&got);
    assert_eq!(got[49].duration(), Some(gst::ClockTime::from_mseconds(20)));
}

#[test]
fn a_force_key_unit_event_brings_a_keyframe() {
    let call = Call::new(ENCODED, "video/x-vp8", "audio/x-opus");
    call.buffers("video_0", 30);
    let pad = call.rtcsrc.static_pad("video_0").expect("the pad");
    let peer = pad.peer().expect("linked");
    assert!(peer.push_event(gst_video::UpstreamForceKeyUnitEvent::builder().build()));
    let mut frames = 0;
    call.until("a keyframe", |seen| {
        let Seen::Buffer(_, buffer) = seen else {
            return false;
        };
        frames += 1;
        assert!(frames < 300, "no keyframe in ten seconds");
        !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT)
    });
}

#[test]
fn the_end_of_the_sender_is_eos_on_every_pad_and_the_pads_go() {
    let call = Call::new(&format!("{PICTURE} {TONE}"), "video/x-raw", "audio/x-raw");
    call.buffers("video_0", 10);
    call.buffers("audio_0", 10);
    call.sender.set_state(gst::State::Null).expect("it stops");
    let mut ended = Vec::new();
    call.until("EOS of both pads", |seen| {
        if let Seen::Eos(pad) = seen {
            ended.push(pad);
        }
        ended.len() == 2
    });
    let bus = call.receiver.bus().expect("a bus");
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &[gst::MessageType::Eos]);
    assert!(
        end.is_some(),
        "no EOS message: a muxer would not close its file"
    );
}

#[test]
fn a_probe_on_the_encoded_pads_inverts_at_one_end_and_back_at_the_other() {
    let call = Call::prepared(
        &format!("{PICTURE} {TONE}"),
        "video/x-raw,format=I420",
        "audio/x-raw",
    );
    let sink = call.sender.by_name("s").expect("rtcsink");
    for element in [&sink, &call.rtcsrc] {
        element.connect("encoded-pad-added", false, |values| {
            let pad = values[1].get::<gst::Pad>().expect("a pad");
            pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
                if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
                    let mut map = buffer.make_mut().map_writable().expect("writable");
                    map.iter_mut().for_each(|byte| *byte = !*byte);
                }
                gst::PadProbeReturn::Ok
            });
            None
        });
    }
    call.start();
    let picture = call.buffers("video_0", 20).pop().expect("twenty");
    let map = picture.map_readable().expect("readable");
    assert!(
        map[320 * 120].abs_diff(81) < 12,
        "red has a luma of 81, not {}",
        map[320 * 120]
    );
    call.buffers("audio_0", 20);
}

#[test]
fn a_recording_is_finalised_and_plays() {
    crate::src_kit::init();
    let uri = crate::src_kit::meeting_point();
    let file = std::env::temp_dir().join(format!("rtc-src-{}.mkv", std::process::id()));
    let receiver = crate::src_kit::launch(&format!(
        "rtcsrc name=r uri={uri} udp-port=0 quiet=true \
         matroskamux name=m ! filesink location={} \
         r.video_0 ! video/x-vp8 ! queue ! m.video_0 r.audio_0 ! audio/x-opus ! queue ! m.audio_0",
        file.display()
    ));
    let sender = crate::src_kit::launch(&format!(
        "rtcsink name=s uri={uri} udp-port=0 quiet=true \
         videotestsrc is-live=true num-buffers=90 ! video/x-raw,width=320,height=240,framerate=30/1 ! s. \
         audiotestsrc is-live=true num-buffers=150 samplesperbuffer=960 ! audio/x-raw,rate=48000 ! s."
    ));
    for pipeline in [&receiver, &sender] {
        pipeline.set_state(gst::State::Playing).expect("it starts");
    }
    let wait = |pipeline: &gst::Pipeline| {
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let bus = pipeline.bus().expect("a bus");
        let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(30), &types);
        let kind = message.as_ref().map(|message| message.type_());
        assert_eq!(kind, Some(gst::MessageType::Eos), "{message:?}");
        pipeline.set_state(gst::State::Null).expect("it stops");
    };
    wait(&sender);
    wait(&receiver);
    let player = crate::src_kit::launch(&format!(
        "filesrc location={} ! matroskademux name=d \
         d.video_0 ! queue ! vp8dec ! fakesink name=v sync=false signal-handoffs=true \
         d.audio_0 ! queue ! opusdec ! fakesink name=a sync=false signal-handoffs=true",
        file.display()
    ));
    let counts = ["v", "a"].map(|name| {
        let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = std::sync::Arc::clone(&count);
        let sink = player.by_name(name).expect("the sink");
        sink.connect("handoff", false, move |_| {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            None
        });
        count
    });
    player.set_state(gst::State::Playing).expect("it plays");
    wait(&player);
    let [video, audio] = counts.map(|count| count.load(std::sync::atomic::Ordering::Relaxed));
    let _ = std::fs::remove_file(&file);
    assert!(
        video > 45 && audio > 75,
        "{video} frames and {audio} sounds"
    );
}

/// Median of the time from a buffer to the next, microseconds.
fn usual_step(buffers: &[gst::Buffer]) -> u64 {
    let times: Vec<_> = buffers.iter().filter_map(|buffer| buffer.pts()).collect();
    let mut steps: Vec<_> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).useconds())
        .collect();
    steps.sort_unstable();
    steps[steps.len() / 2]
}

#[test]
fn a_receiver_that_starts_again_and_again_leaves_no_thread_and_no_descriptor() {
    crate::src_kit::init();
    let count = |what: &str| {
        let folder = format!("/proc/self/{what}");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    };
    let round = || {
        let call = Call::new(&format!("{PICTURE} {TONE}"), "video/x-raw", "audio/x-raw");
        call.buffers("video_0", 3);
        drop(call);
        (count("task"), count("fd"))
    };
    // GStreamer keeps some threads of its pools, and opens its own descriptors at first use.
    let warm = (0..4).map(|_| round()).max().expect("four rounds");
    let last = (0..12).fold((0, 0), |_, _| round());
    assert!(last.0 < warm.0 + 6, "threads: {last:?} after {warm:?}");
    assert!(last.1 < warm.1 + 6, "descriptors: {last:?} after {warm:?}");
}

#[test]
fn a_second_sender_is_shown_too_and_the_receiver_goes_on() {
    let call = Call::new(PICTURE, "video/x-raw", "audio/x-raw");
    call.buffers("video_0", 5);
    call.sender.set_state(gst::State::Null).expect("it stops");
    call.until("EOS", |seen| matches!(seen, Seen::Eos(_)));
    call.sender
        .set_state(gst::State::Playing)
        .expect("it starts");
    // On video_0 again, or on video_1 if the first pad is not gone yet.
    let mut frames = 0;
    call.until("five more buffers", |seen| {
        frames += usize::from(matches!(seen, Seen::Buffer(..)));
        frames == 5
    });
    assert!(call.complaints().is_empty());
}

#[test]
fn a_pause_of_the_receiver_ends_with_fresh_frames_in_order() {
    let call = Call::new(PICTURE, "video/x-raw", "audio/x-raw");
    let before = call.buffers("video_0", 20);
    let change = call.receiver.set_state(gst::State::Paused);
    assert_eq!(change, Ok(gst::StateChangeSuccess::NoPreroll));
    call.receiver
        .set_state(gst::State::Playing)
        .expect("it goes on");
    let after = call.buffers("video_0", 20);
    assert_monotonic(&[before, after].concat());
    assert!(call.complaints().is_empty());
}

#[test]
fn both_ends_of_one_endpoint_share_a_session() {
    crate::src_kit::init();
    let uri = crate::src_kit::meeting_point();
    let side = |name: &str| {
        crate::src_kit::launch(&format!(
            "rtcsink name=s endpoint={name} uri={uri} udp-port=0 quiet=true {PICTURE} \
             rtcsrc endpoint={name} uri={uri} udp-port=0 quiet=true ! \
             video/x-raw ! fakesink name=end sync=false signal-handoffs=true"
        ))
    };
    let sides = [side(&format!("{uri}-left")), side(&format!("{uri}-right"))];
    let (tell, arrived) = std::sync::mpsc::channel();
    for (number, pipeline) in sides.iter().enumerate() {
        let (tell, mut frames) = (tell.clone(), 0);
        let tell = std::sync::Mutex::new(move || {
            frames += 1;
            if frames == 10 {
                let _ = tell.send(number);
            }
        });
        let end = pipeline.by_name("end").expect("the sink");
        end.connect("handoff", false, move |_| {
            tell.lock().expect("no panic")();
            None
        });
        pipeline.set_state(gst::State::Playing).expect("it starts");
    }
    let mut both: Vec<_> = (0..2)
        .map(|_| arrived.recv_timeout(crate::src_kit::DEADLINE))
        .collect();
    both.sort_by_key(|number| number.unwrap_or(usize::MAX));
    assert_eq!(both, [Ok(0), Ok(1)]);
    for pipeline in &sides {
        let stats: gst::Structure = pipeline.by_name("s").expect("rtcsink").property("stats");
        assert_eq!(stats.n_fields(), 1, "one session both ways: {stats}");
    }
    for pipeline in &sides {
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}
