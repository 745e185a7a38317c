// SPDX-License-Identifier: MPL-2.0
//! `rtcsink` and `rtcsrc` of one process, and what comes out of the latter.
use gst::prelude::*;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Something that came out of a pad of `rtcsrc`; `pad` is its name.
#[derive(Debug)]
pub enum Seen {
    Buffer(String, gst::Buffer),
    Eos(String),
}

/// A sending and a receiving pipeline that meet by `loopback:`.
pub struct Call {
    pub sender: gst::Pipeline,
    pub receiver: gst::Pipeline,
    pub rtcsrc: gst::Element,
    pub seen: Receiver<Seen>,
}

impl Call {
    /// `sending` ends in `rtcsink` elements' pads named `s.`; `video` and `audio` are the caps that the
    /// receiver takes.
    pub fn new(sending: &str, video: &str, audio: &str) -> Self {
        let call = Self::prepared(sending, video, audio);
        call.start();
        call
    }

    /// As [`Self::new`], but not started.
    pub fn prepared(sending: &str, video: &str, audio: &str) -> Self {
        init();
        let uri = meeting_point();
        let text = format!("rtcsink name=s uri={uri} udp-port=0 quiet=true {sending}");
        let sender = launch(&text);
        let receiver = gst::Pipeline::new();
        let rtcsrc = gst::ElementFactory::make("rtcsrc")
            .property("uri", &uri)
            .property("udp-port", 0u32)
            .property("quiet", true)
            .build()
            .expect("rtcsrc is registered");
        receiver.add(&rtcsrc).expect("an empty pipeline takes it");
        let (tell, seen) = mpsc::channel();
        let wanted = [caps(video), caps(audio)];
        let (tell, into) = (Mutex::new(tell), receiver.downgrade());
        rtcsrc.connect_pad_added(move |_, pad| {
            let Some(pipeline) = into.upgrade() else {
                return;
            };
            let wanted = &wanted[usize::from(pad.name().starts_with("audio"))];
            let tell = tell.lock().expect("no test panics here").clone();
            link(&pipeline, pad, wanted, tell);
        });
        Self {
            sender,
            receiver,
            rtcsrc,
            seen,
        }
    }

    pub fn start(&self) {
        for pipeline in [&self.receiver, &self.sender] {
            pipeline
                .set_state(gst::State::Playing)
                .expect("the pipeline starts");
        }
    }

    /// Buffers of one pad until there are `count`; panics with the bus's word if they do not come.
    pub fn buffers(&self, pad: &str, count: usize) -> Vec<gst::Buffer> {
        let mut got = Vec::new();
        self.until(&format!("{count} buffers of {pad}"), |seen| {
            if let Seen::Buffer(name, buffer) = seen
                && name == pad
            {
                got.push(buffer);
            }
            got.len() == count
        });
        got
    }

    /// What comes until `is_last` says that it was the last.
    pub fn until(&self, what: &str, mut is_last: impl FnMut(Seen) -> bool) {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.seen.recv_timeout(left) {
                Ok(seen) => {
                    if is_last(seen) {
                        return;
                    }
                }
                Err(_) => panic!("no {what}; the buses say {:?}", self.complaints()),
            }
        }
    }

    /// Errors and warnings on both buses so far.
    pub fn complaints(&self) -> Vec<String> {
        let types = [gst::MessageType::Error, gst::MessageType::Warning];
        [&self.sender, &self.receiver]
            .iter()
            .filter_map(|pipeline| pipeline.bus())
            .flat_map(|bus| std::iter::from_fn(move || bus.pop_filtered(&types)))
            .map(|message| format!("{message:?}"))
            .collect()
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        for pipeline in [&self.sender, &self.receiver] {
            let _ = pipeline.set_state(gst::State::Null);
        }
    }
}

/// Starts GStreamer with the plugin of this very build.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().expect("GStreamer starts");
        gstrtc::plugin_register_static().expect("the plugin registers");
    });
}

/// A `loopback:` URI of the caller's own.
pub fn meeting_point() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("loopback:src-test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn launch(text: &str) -> gst::Pipeline {
    let element = gst::parse::launch(text).expect("the pipeline's text is right");
    element.downcast().expect("several elements are a pipeline")
}

/// Presentation times grow from buffer to buffer.
pub fn assert_monotonic(buffers: &[gst::Buffer]) {
    let times: Vec<_> = buffers.iter().map(|buffer| buffer.pts()).collect();
    let grows = times
        .windows(2)
        .all(|pair| pair[0].is_some() && pair[0] < pair[1]);
    assert!(grows, "{times:?}");
}

fn caps(text: &str) -> gst::Caps {
    gst::Caps::from_str(text).expect("the caps' text is right")
}

/// Behind `pad`: a filter for the caps and a sink that tells what comes.
fn link(pipeline: &gst::Pipeline, pad: &gst::Pad, wanted: &gst::Caps, tell: Sender<Seen>) {
    let filter = gst::ElementFactory::make("capsfilter")
        .property("caps", wanted)
        .build()
        .expect("capsfilter");
    let sink = gst::ElementFactory::make("fakesink")
        .property("sync", false)
        .property("async", false)
        .build()
        .expect("fakesink");
    pipeline.add_many([&filter, &sink]).expect("add");
    filter.link(&sink).expect("link");
    watch(&sink.static_pad("sink").expect("sink"), &pad.name(), tell);
    for element in [&sink, &filter] {
        element.sync_state_with_parent().expect("state");
    }
    pad.link(&filter.static_pad("sink").expect("sink"))
        .expect("the pad links");
}

fn watch(pad: &gst::Pad, name: &str, tell: Sender<Seen>) {
    let (tell, name) = (Mutex::new(tell), name.to_owned());
    let types = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(types, move |_, info| {
        let seen = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                Some(Seen::Buffer(name.clone(), buffer.clone()))
            }
            Some(gst::PadProbeData::Event(event)) => match event.view() {
                gst::EventView::Eos(_) => Some(Seen::Eos(name.clone())),
                _ => None,
            },
            _ => None,
        };
        if let Some(seen) = seen {
            // The test may have seen enough.
            let _ = tell.lock().expect("no test panics here").send(seen);
        }
        gst::PadProbeReturn::Ok
    });
}
