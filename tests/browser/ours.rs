// SPDX-License-Identifier: MPL-2.0
//! Our side of a call, in this process: `rtcsink` and `rtcsrc` of one endpoint, inputs that come and go, and
//! what comes of the peer's.
#![allow(clippy::unwrap_used)]

use crate::publish::SIDE;
use gst::prelude::*;
use rtc_tests::browser::Browser;
use rtc_tests::lab::Lab;
use rtc_tests::page::Page;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

/// More than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What one pad of `rtcsrc` gave.
#[derive(Default)]
pub(crate) struct Output {
    pub(crate) mid: String,
    pub(crate) video: bool,
    buffers: AtomicUsize,
    /// The bytes of the last picture, or of the last seconds of sound.
    last: Mutex<Vec<u8>>,
}

impl Output {
    pub(crate) fn buffers(&self) -> usize {
        self.buffers.load(Ordering::Relaxed)
    }

    pub(crate) fn last(&self) -> Vec<u8> {
        self.last.lock().unwrap().clone()
    }

    fn take(&self, sample: &gst::Sample) {
        let map = sample.buffer().unwrap().map_readable().unwrap();
        let mut last = self.last.lock().unwrap();
        if self.video {
            last.clear();
        }
        last.extend_from_slice(&map);
        let surplus = last.len().saturating_sub(SOUND);
        last.drain(..surplus);
        self.buffers.fetch_add(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mid {}: {} buffers", self.mid, self.buffers())
    }
}

type Outputs = Arc<Mutex<BTreeMap<String, (Arc<Output>, gst::Element)>>>;

/// What would grow if something were never given back.
#[derive(Debug)]
pub(crate) struct Holds {
    threads: usize,
    descriptors: usize,
    elements: usize,
    pads: usize,
}

impl Holds {
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.threads <= other.threads
            && self.descriptors <= other.descriptors
            && self.elements <= other.elements
            && self.pads <= other.pads
    }
}

/// See the module.
pub(crate) struct Ours {
    pub(crate) pipeline: gst::Pipeline,
    sink: gst::Element,
    outputs: Outputs,
    /// Inputs by the names of their pads.
    inputs: BTreeMap<String, (gst::Pad, gst::Element)>,
    faults: Arc<Mutex<Vec<String>>>,
    /// Changes of state as the bus told them: whose, and to what.
    trace: Mutex<Vec<(String, String)>>,
    pub(crate) base: String,
}

impl Ours {
    /// Starts; it listens at `base`. `polite` is for collisions of offers.
    pub(crate) fn start(lab: &Lab, polite: bool) -> Self {
        lab.enter();
        init();
        let pipeline = gst::Pipeline::new();
        let make = |factory: &str| {
            let make = gst::ElementFactory::make(factory);
            let element = make.property("endpoint", "call").property("quiet", true);
            element.property("web-address", "127.0.0.1:0").build()
        };
        let sink = make("rtcsink").unwrap();
        sink.set_property("udp-port", 0_u32);
        // A path that is cut shall not be found again by TCP.
        sink.set_property("ice-tcp", false);
        sink.set_property_from_str("polite", if polite { "true" } else { "false" });
        let src = make("rtcsrc").unwrap();
        src.set_property("udp-port", 0_u32);
        let outputs = Outputs::default();
        show(&src, &pipeline, &outputs);
        // The sink makes the endpoint, and so has the signaller.
        pipeline.add_many([&sink, &src]).unwrap();
        let faults = watch_log();
        for element in [&sink, &src] {
            element.set_state(gst::State::Ready).unwrap();
        }
        pipeline.set_state(gst::State::Playing).unwrap();
        let mut ours = Self {
            pipeline,
            sink,
            outputs,
            inputs: BTreeMap::new(),
            faults,
            trace: Mutex::default(),
            base: String::new(),
        };
        let listening = ours.message("rtc-listening");
        let uri: String = listening.get("uri").unwrap();
        ours.base = uri.trim_end_matches('/').to_owned();
        ours
    }

    /// One more input; the name of its pad.
    pub(crate) fn add(&mut self, line: &str) -> String {
        let whole = format!("{line} ! identity silent=true");
        let source = gst::parse::bin_from_description(&whole, true).unwrap();
        let source: gst::Element = source.upcast();
        let template = match line {
            line if line.contains("octet-stream") => "data_%u",
            line if line.contains("audio") => "audio_%u",
            _ => "video_%u",
        };
        let pad = self.sink.request_pad_simple(template).unwrap();
        self.pipeline.add(&source).unwrap();
        source.static_pad("src").unwrap().link(&pad).unwrap();
        source.sync_state_with_parent().unwrap();
        let name = pad.name().to_string();
        self.inputs.insert(name.clone(), (pad, source));
        name
    }

    /// Takes an input away, and its pad.
    pub(crate) fn remove(&mut self, name: &str) {
        let (pad, source) = self.inputs.remove(name).expect("an input of that name");
        source.set_locked_state(true);
        source.set_state(gst::State::Null).unwrap();
        source.static_pad("src").unwrap().unlink(&pad).unwrap();
        self.sink.release_request_pad(&pad);
        self.pipeline.remove(&source).unwrap();
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// The pads of `rtcsrc` at this moment.
    pub(crate) fn outputs(&self) -> Vec<Arc<Output>> {
        let outputs = self.outputs.lock().unwrap();
        outputs.values().map(|(output, _)| output.clone()).collect()
    }

    /// What it costs at this moment.
    pub(crate) fn holds(&self) -> Holds {
        let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
        // Messages hold their elements.
        self.read_bus();
        Holds {
            threads: count("/proc/self/task"),
            descriptors: count("/proc/self/fd"),
            elements: self.pipeline.iterate_recurse().into_iter().count(),
            pads: self.sink.pads().len(),
        }
    }

    /// Every session's statistics.
    pub(crate) fn stats(&self) -> gst::Structure {
        self.sink.property("stats")
    }

    /// Warnings and errors of all sessions up to now: from the plugin's own log, and from the bus.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.read_bus();
        self.faults.lock().unwrap().clone()
    }

    /// The changes of state since the last look, `signaling`, `dtls` and so on first: as the page names them.
    pub(crate) fn told(&self) -> Vec<(String, String)> {
        self.read_bus();
        std::mem::take(&mut *self.trace.lock().unwrap())
    }

    /// The session there is, as an object.
    pub(crate) fn session(&self) -> gst::glib::Object {
        let id = self.stats().fields().next().map(ToString::to_string);
        self.sink
            .emit_by_name::<Option<gst::glib::Object>>("get-session", &[&id])
            .expect("a session runs")
    }

    fn note(&self, event: &gst::StructureRef) {
        let field = |name: &str| event.get::<String>(name).unwrap_or_default();
        let name = match (field("object").as_str(), field("event").as_str()) {
            ("session", "signaling-state-change") => "signaling",
            ("session", "ice-gathering-state-change") => "iceGathering",
            ("session", "ice-connection-state-change") => "iceConnection",
            ("session", "connection-state-change") => "connection",
            ("dtls-transport", "state-change") => "dtls",
            ("sctp-transport", "state-change") => "sctp",
            _ => return,
        };
        self.trace
            .lock()
            .unwrap()
            .push((name.to_owned(), field("new")));
    }

    fn read_bus(&self) {
        let bus = self.pipeline.bus().unwrap();
        let posted = std::iter::from_fn(|| bus.pop()).filter_map(|message| match message.view() {
            gst::MessageView::Error(error) => Some(error.to_string()),
            gst::MessageView::Warning(warning) => Some(warning.to_string()),
            gst::MessageView::Element(element) => {
                let structure = element.structure()?;
                if structure.name() == "rtc-event" && message.src() == Some(self.sink.upcast_ref())
                {
                    self.note(structure);
                }
                (structure.name() == "rtc-session-error").then(|| structure.to_string())
            }
            _ => None,
        });
        let posted: Vec<_> = posted.collect();
        self.faults.lock().unwrap().extend(posted);
    }

    fn message(&self, name: &str) -> gst::Structure {
        let bus = self.pipeline.bus().unwrap();
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = bus.timed_pop(gst::ClockTime::try_from(left).unwrap());
            let message = message.unwrap_or_else(|| panic!("no {name}"));
            if let gst::MessageView::Error(error) = message.view() {
                panic!("{error}");
            }
            match message.structure() {
                Some(structure) if structure.name() == name => return structure.to_owned(),
                _ => {}
            }
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Shows every pad of `rtcsrc` for as long as it is there.
fn show(src: &gst::Element, pipeline: &gst::Pipeline, outputs: &Outputs) {
    let (into, shown) = (pipeline.downgrade(), outputs.clone());
    src.connect_pad_added(move |_, pad| {
        let Some(pipeline) = into.upgrade() else {
            return;
        };
        let video = pad.name().starts_with("video");
        let line = if video {
            format!(
                "videoconvert ! videoscale ! video/x-raw,format=RGB,width={SIDE},height={SIDE} ! \
                 appsink name=a sync=false async=false"
            )
        } else {
            "audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! \
             appsink name=a sync=false async=false"
                .to_owned()
        };
        let output = Arc::new(Output {
            mid: pad.property("mid"),
            video,
            ..Output::default()
        });
        let bin = gst::parse::bin_from_description(&line, true).unwrap();
        let taken = output.clone();
        let appsink: gst_app::AppSink = bin.by_name("a").unwrap().downcast().unwrap();
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |appsink| {
            taken.take(&appsink.pull_sample().map_err(|_| gst::FlowError::Eos)?);
            Ok(gst::FlowSuccess::Ok)
        });
        appsink.set_callbacks(callbacks.build());
        let bin: gst::Element = bin.upcast();
        pipeline.add(&bin).unwrap();
        bin.sync_state_with_parent().unwrap();
        pad.link(&bin.static_pad("sink").unwrap()).unwrap();
        let name = pad.name().to_string();
        shown.lock().unwrap().insert(name, (output, bin));
    });
    let (from, shown) = (pipeline.downgrade(), outputs.clone());
    src.connect_pad_removed(move |_, pad| {
        let gone = shown.lock().unwrap().remove(pad.name().as_str());
        if let (Some((_, bin)), Some(pipeline)) = (gone, from.upgrade()) {
            bin.set_locked_state(true);
            let _ = bin.set_state(gst::State::Null);
            let _ = pipeline.remove(&bin);
        }
    });
}

/// Warnings of the plugin's log categories from now on.
fn watch_log() -> Arc<Mutex<Vec<String>>> {
    let faults = Arc::new(Mutex::new(Vec::new()));
    let told = faults.clone();
    gst::log::set_threshold_from_string("rtc*:WARNING", false);
    gst::log::add_log_function(move |category, level, _, _, _, _, message| {
        if level <= gst::DebugLevel::Warning && category.name().starts_with("rtc") {
            let text = message.get().map_or(String::new(), |text| text.to_string());
            told.lock()
                .unwrap()
                .push(format!("{}: {text}", category.name()));
        }
    });
    faults
}

fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstrtc::plugin_register_static().unwrap();
    });
}

/// Whether the page and our side agree on what is live: the page sends what our pads show, and gets as
/// many streams as there are inputs; nobody is in the middle of a negotiation.
pub(crate) fn agreed(ours: &Ours, state: &Value, page_sends: usize) -> bool {
    let lines = state["lines"].as_array().unwrap();
    let mids = |what: &str| -> BTreeSet<String> {
        let of = lines.iter().filter(|line| line[what] == true);
        of.map(|line| line["mid"].as_str().unwrap_or("none").to_owned())
            .collect()
    };
    let shown: BTreeSet<String> = ours.outputs().iter().map(|o| o.mid.clone()).collect();
    let sent = mids("sends");
    state["signaling"] == "stable"
        && sent.len() == page_sends
        && sent == shown
        && mids("receives").len() == ours.inputs()
}

/// Waits until both sides agree; the page's state.
pub(crate) fn settle(ours: &Ours, page: &mut Page, page_sends: usize) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let state = page.ask("state", Value::Null);
        if agreed(ours, &state, page_sends) {
            return state;
        }
        assert!(
            Instant::now() < end,
            "the page sends {page_sends}, we {}; shown {:?}; {:?}; {:#?}; {state:#}",
            ours.inputs(),
            ours.outputs(),
            ours.stats(),
            ours.faults()
        );
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Waits until every live stream of both directions has brought so much more.
pub(crate) fn flows(ours: &Ours, page: &mut Page, more: u64) {
    let before = page.ask("media", Value::Null);
    let shown: Vec<_> = ours
        .outputs()
        .into_iter()
        .map(|o| (o.buffers(), o))
        .collect();
    let state = page.ask("state", Value::Null);
    let received: Vec<&str> = state["lines"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["receives"] == true)
        .map(|line| line["mid"].as_str().unwrap())
        .collect();
    let end = Instant::now() + PATIENCE;
    loop {
        let now = page.ask("media", Value::Null);
        let grown = |mid: &&str| {
            let decoded = |of: &Value| of[*mid]["decoded"].as_u64().unwrap_or(0);
            decoded(&now) >= decoded(&before) + more
        };
        let arrived =
            |(count, output): &(usize, Arc<Output>)| output.buffers() >= count + more as usize;
        if received.iter().all(grown) && shown.iter().all(arrived) {
            return;
        }
        assert!(
            Instant::now() < end,
            "not all of it flows: {before:#}\n{now:#}\n{shown:#?}\n{:?}",
            ours.stats()
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// No error anywhere.
pub(crate) fn assert_faultless(ours: &Ours, page: &mut Page) {
    let state = page.ask("state", Value::Null);
    assert_eq!(state["errors"], serde_json::json!([]), "{state:#}");
    assert_eq!(state["closed"], false, "{state:#}");
    assert_eq!(ours.faults(), Vec::<String>::new());
}

/// A lab and a browser, or the reason why there are none here.
pub(crate) fn lab(browser: Browser) -> Result<Lab, String> {
    match browser.missing() {
        Some(why) => Err(why),
        None => Lab::new(),
    }
}

/// Three seconds of the sound that is kept, bytes.
const SOUND: usize = 48_000 * 2 * 4;

pub(crate) const SMALL_VIDEO: &str =
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=15/1";
pub(crate) const SOUND_LINE: &str = "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000";
