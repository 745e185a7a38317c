// SPDX-License-Identifier: MPL-2.0
//! A stream in a pipeline, fed by hand: what comes out of the pad, and what it asks for.
use super::*;
use crate::clock::SessionClock;
use bytes::Bytes;
use rtc_payload::{FrameInfo, Pt, Ssrc};
use rtc_rtp::ReceivedFrame;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

/// An `rtcsrc` in a playing pipeline, with one stream.
struct Bench {
    pipeline: gst::Pipeline,
    src: RtcSrc,
    stream: Arc<Stream>,
    asked: Arc<AtomicUsize>,
    sent: AtomicU64,
}

impl Bench {
    fn new(codec: Codec) -> Self {
        gst::init().unwrap();
        rtc_signaller_loopback::register();
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let src: RtcSrc = glib::Object::builder()
            .property("uri", format!("loopback:stream-test-{number}"))
            .property("udp-port", 0u32)
            .build();
        let pipeline = gst::Pipeline::new();
        pipeline.add(&src).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let media = IncomingMedia {
            session: SessionId(number as u64),
            peer: "peer".into(),
            mid: Mid::from("0"),
            kind: codec.kind(),
            codecs: Vec::new(),
            streams: vec!["one".into(), "two".into()],
        };
        let parts = Parts {
            number: 0,
            timeline: None,
            clock: SessionClock::default().stream(codec.clock_rate()),
            group: gst::GroupId::next(),
            latency: (gst::ClockTime::ZERO, gst::ClockTime::from_mseconds(500)),
            want_keyframe: Box::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            }),
        };
        let stream = Stream::new(&src, &media, parts).unwrap();
        src.imp().keep(Arc::clone(&stream)).ok().unwrap();
        Self {
            pipeline,
            src,
            stream,
            asked,
            sent: AtomicU64::new(0),
        }
    }

    /// Links the pad, as it is added, to a sink that takes `caps`; returns what comes there.
    fn link(&self, caps: &str) -> Receiver<Seen> {
        let (entry, seen) = self.sink(caps);
        self.src.connect_pad_added(move |_, pad| {
            pad.link(&entry).unwrap();
        });
        self.stream.expose(&self.src).unwrap();
        seen
    }

    fn sink(&self, caps: &str) -> (gst::Pad, Receiver<Seen>) {
        let filter = gst::ElementFactory::make("capsfilter")
            .property("caps", gst::Caps::from_str(caps).unwrap())
            .build()
            .unwrap();
        let sink = gst::ElementFactory::make("fakesink")
            .property("sync", false)
            .property("async", false)
            .build()
            .unwrap();
        self.pipeline.add_many([&filter, &sink]).unwrap();
        filter.link(&sink).unwrap();
        let (tell, seen) = mpsc::channel();
        watch(&sink.static_pad("sink").unwrap(), tell);
        sink.sync_state_with_parent().unwrap();
        filter.sync_state_with_parent().unwrap();
        (filter.static_pad("sink").unwrap(), seen)
    }

    fn feed(&self, codec: Codec, frames: &[Frame], step: u64) {
        self.feed_sized(codec, frames, step, (320, 240));
    }

    fn feed_sized(&self, codec: Codec, frames: &[Frame], step: u64, size: (u16, u16)) {
        for frame in frames {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            self.stream.queue.frame(ReceivedFrame {
                mid: self.stream.mid.clone(),
                rid: None,
                ssrc: Ssrc(1),
                pt: Pt(96),
                codec,
                data: Bytes::from(frame.data.clone()),
                rtp_time: number * step,
                info: FrameInfo {
                    keyframe: frame.keyframe,
                    width: frame.keyframe.then_some(size.0),
                    height: frame.keyframe.then_some(size.1),
                    ..FrameInfo::default()
                },
                arrived: Instant::now(),
                ntp: Some(4_000_000_000 << 32),
                discontinuity: false,
                audio_level: None,
            });
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

#[derive(Clone)]
struct Frame {
    data: Vec<u8>,
    keyframe: bool,
}

/// What arrives at a sink.
#[derive(Debug)]
enum Seen {
    Caps(gst::Caps),
    Buffer(gst::Buffer),
    Gap(gst::ClockTime),
    Eos,
}

fn watch(pad: &gst::Pad, tell: Sender<Seen>) {
    let tell = Mutex::new(tell);
    let types = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(types, move |_, info| {
        let seen = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => Some(Seen::Buffer(buffer.clone())),
            Some(gst::PadProbeData::Event(event)) => match event.view() {
                gst::EventView::Caps(caps) => Some(Seen::Caps(caps.caps_owned())),
                gst::EventView::Gap(gap) => gap.get().1.map(Seen::Gap),
                gst::EventView::Eos(_) => Some(Seen::Eos),
                _ => None,
            },
            _ => None,
        };
        if let Some(seen) = seen {
            let _ = tell.lock().unwrap().send(seen);
        }
        gst::PadProbeReturn::Ok
    });
}

/// Buffers until `count` have come.
fn buffers(seen: &Receiver<Seen>, count: usize) -> Vec<gst::Buffer> {
    let mut got = Vec::new();
    while got.len() < count {
        match seen.recv_timeout(DEADLINE).expect("a buffer in time") {
            Seen::Buffer(buffer) => got.push(buffer),
            Seen::Eos => panic!("EOS after {} buffers", got.len()),
            _ => {}
        }
    }
    got
}

/// Encodes with a real encoder; the description ends in the encoder.
fn encode(description: &str) -> Vec<Frame> {
    gst::init().unwrap();
    let text = format!("{description} ! fakesink name=end sync=false signal-handoffs=true");
    let pipeline = gst::parse::launch(&text).unwrap();
    let bin = pipeline.downcast_ref::<gst::Bin>().unwrap();
    let end = bin.by_name("end").unwrap();
    let (tell, frames) = mpsc::channel();
    end.connect("handoff", false, move |values| {
        let buffer = values[1].get::<gst::Buffer>().unwrap();
        let frame = Frame {
            data: buffer.map_readable().unwrap().to_vec(),
            keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
        };
        tell.send(frame).unwrap();
        None
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &types);
    assert_eq!(message.unwrap().type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).unwrap();
    frames.try_iter().collect()
}

fn vp8(count: u32) -> Vec<Frame> {
    encode(&format!(
        "videotestsrc num-buffers={count} ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! \
         vp8enc deadline=1 keyframe-max-dist=1000"
    ))
}

fn h264(count: u32) -> Vec<Frame> {
    encode(&format!(
        "videotestsrc num-buffers={count} ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! \
         x264enc tune=zerolatency speed-preset=ultrafast key-int-max=1000 byte-stream=true ! \
         video/x-h264,stream-format=byte-stream,alignment=au"
    ))
}

fn opus(count: u32) -> Vec<Frame> {
    encode(&format!(
        "audiotestsrc num-buffers={count} samplesperbuffer=960 ! \
         audio/x-raw,rate=48000,channels=2 ! opusenc"
    ))
}

#[test]
fn raw_frames_come_out_where_raw_is_taken_and_eos_at_the_end() {
    let bench = Bench::new(Codec::Vp8);
    let seen = bench.link("video/x-raw");
    bench.feed(Codec::Vp8, &vp8(30), 3000);
    let got = buffers(&seen, 30);
    let times: Vec<_> = got.iter().map(|buffer| buffer.pts().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert_eq!(got[0].size(), 320 * 240 * 3 / 2);
    assert!(bench.stream.end());
    let rest: Vec<_> = std::iter::from_fn(|| seen.recv_timeout(DEADLINE).ok())
        .take_while(|seen| !matches!(seen, Seen::Eos))
        .collect();
    assert!(rest.is_empty(), "{rest:?} before EOS");
}

#[test]
fn the_pad_goes_after_its_eos() {
    let bench = Bench::new(Codec::Opus);
    let (tell, gone) = mpsc::channel();
    let tell_pad = tell.clone();
    bench.src.connect_pad_removed(move |_, pad| {
        let _ = tell_pad.send(pad.name());
    });
    bench.src.connect_element_removed(move |_, element| {
        let _ = tell.send(element.name());
    });
    let seen = bench.link("audio/x-raw");
    bench.feed(Codec::Opus, &opus(3), 960);
    buffers(&seen, 2);
    bench.stream.end();
    let gone: [_; 3] = std::array::from_fn(|_| gone.recv_timeout(DEADLINE).unwrap());
    assert_eq!(gone, ["audio_0", "audio_0-decode", "audio_0-feed"]);
    assert!(seen.iter().any(|seen| matches!(seen, Seen::Eos)));
}

#[test]
fn encoded_frames_go_untouched_where_encoded_caps_are_asked_for() {
    let bench = Bench::new(Codec::Vp8);
    let seen = bench.link("video/x-vp8");
    let frames = vp8(5);
    bench.feed(Codec::Vp8, &frames, 3000);
    let Ok(Seen::Caps(caps)) = seen.recv_timeout(DEADLINE) else {
        panic!("caps come first");
    };
    assert_eq!(
        caps.to_string(),
        "video/x-vp8, width=(int)320, height=(int)240"
    );
    for (buffer, frame) in buffers(&seen, 5).iter().zip(&frames) {
        assert_eq!(*buffer.map_readable().unwrap(), *frame.data);
        let delta = buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        assert_eq!(delta, !frame.keyframe);
        let reference = buffer.meta::<gst::ReferenceTimestampMeta>().unwrap();
        assert_eq!(
            reference.timestamp(),
            gst::ClockTime::from_seconds(4_000_000_000)
        );
    }
}

#[test]
fn a_size_that_changes_does_not_stop_a_recording() {
    let bench = Bench::new(Codec::Vp8);
    let seen = bench.link("video/x-vp8,width=[16,4096],height=[16,4096]");
    bench.feed(Codec::Vp8, &vp8(5), 3000);
    let larger = encode(
        "videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=640,height=480 ! vp8enc deadline=1",
    );
    bench.feed_sized(Codec::Vp8, &larger, 3000, (640, 480));
    let mut caps = 0;
    let mut frames = 0;
    while frames < 10 {
        match seen.recv_timeout(DEADLINE).expect("ten frames") {
            Seen::Caps(_) => caps += 1,
            Seen::Buffer(_) => frames += 1,
            _ => {}
        }
    }
    assert_eq!(caps, 1, "a muxer refuses a second size");
}

#[test]
fn h264_takes_the_form_that_is_asked_for() {
    let bench = Bench::new(Codec::H264);
    let seen = bench.link("video/x-h264,stream-format=avc");
    bench.feed(Codec::H264, &h264(3), 3000);
    let caps = seen.iter().find_map(|seen| match seen {
        Seen::Caps(caps) => Some(caps),
        _ => None,
    });
    assert!(caps.unwrap().structure(0).unwrap().has_field("codec_data"));
}

#[test]
fn another_codec_than_the_one_that_comes_is_a_warning_and_no_stall() {
    let bench = Bench::new(Codec::Vp8);
    let _seen = bench.link("video/x-h264");
    bench.feed(Codec::Vp8, &vp8(3), 3000);
    let bus = bench.pipeline.bus().unwrap();
    let types = [gst::MessageType::Warning, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &types);
    let Some(gst::MessageView::Warning(warning)) = message.as_ref().map(|m| m.view()) else {
        panic!("{message:?}");
    };
    let text = warning.error().to_string();
    assert!(
        text.contains("the peer sends VP8") && text.contains("video-codecs"),
        "{text}"
    );
    assert_eq!(bench.asked(), 0);
}

#[test]
fn an_unlinked_pad_drops_and_one_linked_later_starts_with_a_keyframe() {
    let bench = Bench::new(Codec::Vp8);
    bench.stream.expose(&bench.src).unwrap();
    let frames = vp8(10);
    bench.feed(Codec::Vp8, &frames, 3000);
    let start = Instant::now();
    while bench.stream.queue.dropped() < 9 && start.elapsed() < DEADLINE {
        std::thread::yield_now();
    }
    assert_eq!(
        bench.asked(),
        0,
        "nobody wants a keyframe of what nobody sees"
    );
    let (entry, seen) = bench.sink("video/x-raw");
    bench.stream.pad.link(&entry).unwrap();
    assert_eq!(bench.asked(), 1);
    bench.feed(Codec::Vp8, &frames[5..], 3000);
    bench.feed(Codec::Vp8, &frames, 3000);
    let first = &buffers(&seen, 10)[0];
    assert!(first.flags().contains(gst::BufferFlags::DISCONT));
}

#[test]
fn unlinking_in_mid_stream_is_no_error() {
    let bench = Bench::new(Codec::Vp8);
    let seen = bench.link("video/x-raw");
    let frames = vp8(20);
    bench.feed(Codec::Vp8, &frames[..10], 3000);
    buffers(&seen, 10);
    let pad = &bench.stream.pad;
    let peer = pad.peer().unwrap();
    pad.unlink(&peer).unwrap();
    bench.feed(Codec::Vp8, &frames[10..], 3000);
    pad.link(&peer).unwrap();
    bench.feed(Codec::Vp8, &frames, 3000);
    buffers(&seen, 20);
    let bus = bench.pipeline.bus().unwrap();
    assert!(bus.pop_filtered(&[gst::MessageType::Error]).is_none());
}

#[test]
fn a_pad_linked_anew_gets_what_its_new_peer_takes() {
    let bench = Bench::new(Codec::Vp8);
    let frames = vp8(5);
    let mut link = None;
    for caps in ["video/x-raw", "video/x-vp8", "video/x-raw"] {
        let (entry, seen) = bench.sink(caps);
        match link.replace(entry.clone()) {
            None => {
                bench.src.connect_pad_added(move |_, pad| {
                    pad.link(&entry).unwrap();
                });
                bench.stream.expose(&bench.src).unwrap();
            }
            Some(old) => {
                bench.stream.pad.unlink(&old).unwrap();
                bench.stream.pad.link(&entry).unwrap();
            }
        }
        bench.feed(Codec::Vp8, &frames, 3000);
        let first = &buffers(&seen, 5)[0];
        let is_raw = first.size() == 320 * 240 * 3 / 2;
        assert_eq!(is_raw, caps == "video/x-raw");
    }
}

#[test]
fn an_end_before_the_first_frame_is_eos_too() {
    let bench = Bench::new(Codec::Vp8);
    let seen = bench.link("video/x-raw");
    assert!(!bench.stream.end());
    assert!(matches!(seen.recv_timeout(DEADLINE), Ok(Seen::Eos)));
}

#[test]
fn a_force_key_unit_event_asks_the_peer() {
    for caps in ["video/x-raw", "video/x-vp8"] {
        let bench = Bench::new(Codec::Vp8);
        let seen = bench.link(caps);
        bench.feed(Codec::Vp8, &vp8(2), 3000);
        buffers(&seen, 2);
        let peer = bench.stream.pad.peer().unwrap();
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().build();
        assert!(peer.push_event(event));
        assert_eq!(bench.asked(), 1, "{caps}");
    }
}

#[test]
fn another_codec_in_mid_stream_gets_another_decoder() {
    let bench = Bench::new(Codec::Vp8);
    let seen = bench.link("video/x-raw");
    bench.feed(Codec::Vp8, &vp8(5), 3000);
    buffers(&seen, 5);
    bench.feed(Codec::H264, &h264(5), 3000);
    let got = buffers(&seen, 4);
    assert_eq!(got[0].size(), 320 * 240 * 3 / 2);
}

#[test]
fn a_probe_on_the_encoded_pad_reads_replaces_and_drops() {
    let bench = Bench::new(Codec::Vp8);
    let (tell, facts) = mpsc::channel();
    let tell = Mutex::new(tell);
    bench
        .src
        .connect("encoded-pad-added", false, move |values| {
            let pad = values[1].get::<gst::Pad>().unwrap();
            assert_eq!(values[2].get::<&str>().unwrap(), "receive");
            assert_eq!(values[3].get::<&str>().unwrap(), "0");
            let tell = tell.lock().unwrap().clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data else {
                    return gst::PadProbeReturn::Ok;
                };
                let number = {
                    let meta =
                        gst::meta::CustomMeta::from_buffer(buffer, "GstRtcFrameMeta").unwrap();
                    meta.structure().get::<u64>("frame-id").unwrap()
                };
                tell.send(number).unwrap();
                if number == 3 {
                    return gst::PadProbeReturn::Drop;
                }
                let writable = buffer.make_mut();
                for byte in writable.map_writable().unwrap().iter_mut() {
                    *byte = !*byte;
                }
                gst::PadProbeReturn::Ok
            });
            None
        });
    let seen = bench.link("video/x-raw");
    let mut inverted = vp8(6);
    for frame in &mut inverted {
        frame.data.iter_mut().for_each(|byte| *byte = !*byte);
    }
    bench.feed(Codec::Vp8, &inverted, 3000);
    let got = buffers(&seen, 5);
    assert_eq!(got[0].size(), 320 * 240 * 3 / 2);
    assert_eq!(facts.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_hole_in_the_sound_is_a_gap() {
    let bench = Bench::new(Codec::Opus);
    let seen = bench.link("audio/x-opus");
    let frames = opus(4);
    bench.feed(Codec::Opus, &frames[..2], 960);
    buffers(&seen, 2);
    bench.sent.fetch_add(5, Ordering::Relaxed);
    bench.feed(Codec::Opus, &frames[2..], 960);
    let gap = seen.iter().find_map(|seen| match seen {
        Seen::Gap(length) => Some(length),
        _ => None,
    });
    let off = gap.unwrap().absdiff(gst::ClockTime::from_mseconds(100));
    assert!(off < gst::ClockTime::from_mseconds(15), "{gap:?}");
    let next = &buffers(&seen, 1)[0];
    assert!(next.flags().contains(gst::BufferFlags::DISCONT));
}

#[test]
fn the_pad_tells_what_it_shows() {
    let bench = Bench::new(Codec::Opus);
    let pad = &bench.stream.pad;
    assert_eq!(pad.property::<String>("mid"), "0");
    assert_eq!(pad.property::<String>("session"), "peer");
    assert_eq!(pad.property::<String>("msid"), "one two");
}

#[test]
fn the_latency_is_live_and_at_least_what_is_asked() {
    let bench = Bench::new(Codec::Vp8);
    let seen = bench.link("video/x-vp8");
    bench.feed(Codec::Vp8, &vp8(1), 3000);
    buffers(&seen, 1);
    let mut query = gst::query::Latency::new();
    assert!(bench.stream.pad.query(&mut query));
    let (live, least, _) = query.result();
    assert!(live);
    assert!(least >= gst::ClockTime::from_mseconds(40), "{least}");
}
