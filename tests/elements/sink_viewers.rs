// SPDX-License-Identifier: MPL-2.0
//! Many viewers of one rtcsink: encoders shared, made and taken down; nothing left behind.
use crate::kit::{Pipe, until, wait_threads};
use gst::prelude::*;
use rtc_signaller::{Role, Signaller, SignallerExt, Wish};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A sink whose signaller reaches any number of viewers, all in this process.
pub(crate) struct Stage {
    pub(crate) sink: Pipe,
    signaller: Signaller,
    viewers: Arc<Mutex<HashMap<String, Signaller>>>,
    next: AtomicUsize,
}

/// A receiving pipeline; it says goodbye when dropped.
pub(crate) struct Viewer {
    pipe: Pipe,
    frames: Arc<AtomicUsize>,
}

fn application() -> Signaller {
    crate::kit::init();
    rtc_signaller::registry::from_uri("application:").unwrap()
}

/// What `from` is asked to send is reported by the signaller that `to` finds for the session.
fn pass_on<F>(from: &Signaller, to: F)
where
    F: Fn(&str) -> Option<Signaller> + Send + Sync + Clone + 'static,
{
    fn text(values: &[gst::glib::Value], i: usize) -> Option<String> {
        values[i].get().unwrap()
    }
    let session = |v: &[gst::glib::Value]| text(v, 1).unwrap();
    let find = to.clone();
    from.connect("send-description", false, move |v| {
        let (kind, sdp) = (text(v, 2).unwrap(), text(v, 3).unwrap());
        find(&session(v))?.report_description(&session(v), &kind, &sdp);
        None
    });
    let find = to.clone();
    from.connect("send-candidate", false, move |v| {
        let (candidate, mid) = (text(v, 2), text(v, 3));
        let index = v[4].get().unwrap();
        find(&session(v))?.report_candidate(
            &session(v),
            candidate.as_deref(),
            mid.as_deref(),
            index,
        );
        None
    });
    from.connect("end-session", false, move |v| {
        to(&session(v))?.report_session_ended(&session(v), &text(v, 2).unwrap(), "");
        None
    });
}

impl Stage {
    pub(crate) fn new(line: &str) -> Self {
        let signaller = application();
        let viewers: Arc<Mutex<HashMap<String, Signaller>>> = Arc::default();
        let known = Arc::clone(&viewers);
        pass_on(&signaller, move |id| known.lock().unwrap().get(id).cloned());
        let sink = Pipe::new(line);
        sink.get("s").set_property("signaller", &signaller);
        sink.get("s").set_property("udp-port", 0_u32);
        sink.play();
        Self {
            sink,
            signaller,
            viewers,
            next: AtomicUsize::new(0),
        }
    }

    pub(crate) fn viewer(&self, codec: &str) -> Viewer {
        let id = format!("viewer-{}", self.next.fetch_add(1, Ordering::Relaxed));
        let signaller = application();
        let back = self.signaller.clone();
        pass_on(&signaller, move |_| Some(back.clone()));
        self.viewers
            .lock()
            .unwrap()
            .insert(id.clone(), signaller.clone());
        let pipe = Pipe::new(&format!(
            "rtcsrc name=r udp-port=0 video-codecs=<{codec}> ! fakesink name=f signal-handoffs=true sync=false"
        ));
        let frames = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&frames);
        pipe.get("f").connect("handoff", false, move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            None
        });
        pipe.get("r").set_property("signaller", &signaller);
        pipe.play();
        signaller.report_session_requested(&id, "the sink", Role::Answer, Wish::Publish);
        self.signaller
            .report_session_requested(&id, &id, Role::Offer, Wish::View);
        Viewer { pipe, frames }
    }

    pub(crate) fn encoders(&self) -> Vec<String> {
        let mut names = self.sink.factories("s");
        names.retain(|name| name.ends_with("enc"));
        names.sort();
        names
    }

    pub(crate) fn sessions(&self) -> usize {
        let stats: gst::Structure = self.sink.get("s").property("stats");
        stats.n_fields()
    }
}

impl Viewer {
    pub(crate) fn count(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    pub(crate) fn sees(&self, frames: usize) {
        let start = self.frames.load(Ordering::Relaxed);
        until("a picture", || {
            self.frames.load(Ordering::Relaxed) >= start + frames
        });
        let _ = &self.pipe;
    }
}

const PICTURE: &str = "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=30/1 ! \
    rtcsink name=s on-demand=true video-caps=\"video/x-vp8;video/x-h264\"";

#[test]
fn viewers_of_one_codec_share_an_encoder_and_the_last_takes_it_along() {
    let stage = Stage::new(PICTURE);
    assert!(stage.encoders().is_empty());
    let first = stage.viewer("VP8");
    first.sees(5);
    let second = stage.viewer("VP8");
    second.sees(5);
    assert_eq!(stage.encoders(), ["vp8enc"]);
    drop(first);
    until("one session less", || stage.sessions() == 1);
    assert_eq!(stage.encoders(), ["vp8enc"]);
    second.sees(5);
    drop(second);
    until("no encoder", || stage.encoders().is_empty());
}

#[test]
fn a_viewer_of_another_codec_gets_an_encoder_of_its_own() {
    let stage = Stage::new(PICTURE);
    let first = stage.viewer("VP8");
    let second = stage.viewer("H264");
    first.sees(5);
    second.sees(5);
    assert_eq!(stage.encoders(), ["vp8enc", "x264enc"]);
    drop(first);
    until("one encoder less", || stage.encoders() == ["x264enc"]);
    second.sees(10);
}

#[test]
fn a_viewer_is_no_thread_and_no_element_of_the_sink() {
    let stage = Stage::new(PICTURE);
    let first = stage.viewer("VP8");
    first.sees(3);
    let elements = stage.sink.factories("s");
    let viewers: Vec<_> = (0..4).map(|_| stage.viewer("VP8")).collect();
    viewers.iter().for_each(|viewer| viewer.sees(3));
    assert_eq!(stage.sink.factories("s"), elements);
    // One control and one io thread for the sink, and for each viewing pipeline.
    wait_threads("rtc-io", 1 + 5);
    wait_threads("rtc-control", 1 + 5);
}

#[test]
fn viewers_that_come_and_go_leave_nothing() {
    let stage = Stage::new(PICTURE);
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    let mut before = None;
    for _ in 0..5 {
        let viewers: Vec<_> = (0..4).map(|_| stage.viewer("VP8")).collect();
        viewers.iter().for_each(|viewer| viewer.sees(2));
        drop(viewers);
        until("the last goodbye", || stage.sessions() == 0);
        until("no encoder", || stage.encoders().is_empty());
        stage.viewers.lock().unwrap().clear();
        let descriptors = count("/proc/self/fd");
        // The first round opens what the process keeps.
        let before = *before.get_or_insert(descriptors);
        assert!(descriptors <= before + 2, "{before}, then {descriptors}");
        wait_threads("rtc-io", 1);
    }
}

#[test]
fn an_encoder_may_be_set_up_and_its_frames_read_by_the_application() {
    let stage = Stage::new(PICTURE);
    let element = stage.sink.get("s");
    element.connect("encoder-setup", false, |values| {
        let encoder: gst::Element = values[2].get().unwrap();
        encoder.set_property("min-quantizer", 7);
        None
    });
    let frames = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&frames);
    element.connect("encoded-pad-added", false, move |values| {
        assert_eq!(values[2].get::<&str>().unwrap(), "send");
        let pad: gst::Pad = values[1].get().unwrap();
        let counted = Arc::clone(&counted);
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let buffer = info.buffer().unwrap();
            gst::meta::CustomMeta::from_buffer(buffer, "GstRtcFrameMeta").unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            gst::PadProbeReturn::Ok
        });
        None
    });
    let viewer = stage.viewer("VP8");
    viewer.sees(5);
    assert!(frames.load(Ordering::Relaxed) >= 5);
    let bin = element.downcast::<gst::Bin>().unwrap();
    let encoder = bin.iterate_all_by_element_factory_name("vp8enc").next();
    let encoder = encoder.unwrap().unwrap();
    assert_eq!(encoder.property::<i32>("min-quantizer"), 7);
}

#[test]
fn frames_that_a_probe_drops_are_not_sent() {
    let stage = Stage::new(PICTURE);
    let element = stage.sink.get("s");
    let drop_now = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let dropping = Arc::clone(&drop_now);
    element.connect("encoded-pad-added", false, move |values| {
        let pad: gst::Pad = values[1].get().unwrap();
        let dropping = Arc::clone(&dropping);
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            match dropping.load(Ordering::Relaxed) {
                true => gst::PadProbeReturn::Drop,
                false => gst::PadProbeReturn::Ok,
            }
        });
        None
    });
    let viewer = stage.viewer("VP8");
    viewer.sees(5);
    let sent = || {
        let stats: gst::Structure = element.property("stats");
        let session = stats
            .iter()
            .next()
            .unwrap()
            .1
            .get::<gst::Structure>()
            .unwrap();
        let stream = session
            .iter()
            .find(|(name, _)| name.starts_with("outbound-"))
            .map(|(_, value)| value.get::<gst::Structure>().unwrap());
        stream.unwrap().get::<u64>("frames-sent").unwrap()
    };
    drop_now.store(true, Ordering::Relaxed);
    // Two readings that are the same: what was on its way is through.
    let mut last = u64::MAX;
    until("silence", || {
        let now = sent();
        std::mem::replace(&mut last, now) == now
    });
    let quiet = last;
    drop_now.store(false, Ordering::Relaxed);
    until("frames again", || sent() > quiet);
}

#[test]
fn an_input_that_turns_from_raw_to_encoded_and_back_is_seen_on() {
    let stage = Stage::new(
        "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=30/1 ! tee name=t \
         t. ! queue ! i.sink_0 t. ! queue ! vp8enc deadline=1 ! i.sink_1 \
         input-selector name=i sync-streams=false ! rtcsink name=s on-demand=true video-caps=video/x-vp8",
    );
    let selector = stage.sink.get("i");
    let viewer = stage.viewer("VP8");
    for (pad, encoders) in [("sink_0", 1), ("sink_1", 0), ("sink_0", 1)] {
        let pad = selector.static_pad(pad).unwrap();
        selector.set_property("active-pad", &pad);
        until("the other chain", || stage.encoders().len() == encoders);
        viewer.sees(5);
    }
}
