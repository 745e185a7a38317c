// SPDX-License-Identifier: MPL-2.0
//! Messages through `rtcsink.data_0` and `rtcdatasrc`: pushed, pulled and told apart.
use crate::kit::{Pipe, loopback, until};
use gst::prelude::*;
use std::sync::{Arc, Mutex};

/// One message as it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub data: Vec<u8>,
    pub text: bool,
    pub label: String,
    pub session: String,
    pub caps: String,
}

/// A sending and a receiving pipeline that meet by `loopback:`.
pub struct Wire {
    pub sender: Pipe,
    pub receiver: Pipe,
    pub input: gst_app::AppSrc,
    pub output: gst_app::AppSink,
}

impl Wire {
    /// `pad` are properties of the data pad, `source` those of rtcdatasrc.
    pub fn new(caps: &str, pad: &str, source: &str) -> Self {
        let uri = loopback();
        let sender = Pipe::new(&format!(
            "rtcsink name=s uri={uri} udp-port=0 {pad} \
             appsrc name=in caps={caps} format=bytes max-bytes=0 ! s.data_0"
        ));
        let receiver = Pipe::new(&format!(
            "rtcdatasrc name=r uri={uri} udp-port=0 {source} ! \
             appsink name=out sync=false async=false max-buffers=1"
        ));
        sender.play();
        receiver.play();
        let input = sender.get("in").downcast().unwrap();
        let output = receiver.get("out").downcast().unwrap();
        Self {
            sender,
            receiver,
            input,
            output,
        }
    }

    pub fn push(&self, data: Vec<u8>) {
        let buffer = match data.is_empty() {
            true => gst::Buffer::new(),
            false => gst::Buffer::from_mut_slice(data),
        };
        self.input.push_buffer(buffer).unwrap();
    }

    pub fn pull(&self) -> Got {
        self.try_pull().expect("a message comes")
    }

    pub fn try_pull(&self) -> Option<Got> {
        let sample = self
            .output
            .try_pull_sample(gst::ClockTime::from_seconds(20))?;
        Some(got(&sample))
    }

    /// Waits until the pad waits for its peers, and gives the bytes that have not yet got in.
    pub fn until_blocked(&self) -> u64 {
        let mut before = u64::MAX;
        let mut same = 0;
        until("a pad that waits", || {
            let level = self.input.current_level_bytes();
            same = if level == before && level > 0 {
                same + 1
            } else {
                0
            };
            before = level;
            same > 100
        });
        before
    }
}

/// What a sample says of its message.
pub fn got(sample: &gst::Sample) -> Got {
    let buffer = sample.buffer().unwrap();
    let meta = gst::meta::CustomMeta::from_buffer(buffer, "GstRtcMessageMeta").unwrap();
    let fields = meta.structure();
    assert!(buffer.pts().is_some());
    Got {
        data: buffer.map_readable().unwrap().to_vec(),
        text: fields.get("text").unwrap(),
        label: fields.get("label").unwrap(),
        session: fields.get("session").unwrap(),
        caps: sample
            .caps()
            .unwrap()
            .structure(0)
            .unwrap()
            .name()
            .to_string(),
    }
}

/// Bytes that differ from message to message.
pub fn bytes(size: usize, seed: usize) -> Vec<u8> {
    (0..size)
        .map(|at| ((at * 31 + seed * 17) % 251) as u8)
        .collect()
}

/// A list that signal handlers fill.
pub type Shared<T> = Arc<Mutex<Vec<T>>>;

/// Notes the data channels an element hands out, and what happens to them.
pub fn watch(element: &gst::Element) -> (Shared<gst::Object>, Shared<String>) {
    let (objects, trace) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(Mutex::new(Vec::new())),
    );
    let (list, events) = (Arc::clone(&objects), Arc::clone(&trace));
    element.connect("on-data-channel", false, move |values| {
        let channel = values[2].get::<gst::Object>().unwrap();
        let state = state_of(&channel);
        let note = |text: String| events.lock().unwrap().push(text);
        note(format!("data-channel {state}"));
        for signal in [
            "on-open",
            "on-closing",
            "on-close",
            "on-error",
            "on-buffered-amount-low",
        ] {
            let events = Arc::clone(&events);
            channel.connect(signal, false, move |values| {
                let channel = values[0].get::<gst::Object>().unwrap();
                let state = state_of(&channel);
                events.lock().unwrap().push(format!("{signal} {state}"));
                None
            });
        }
        let strings = Arc::clone(&events);
        channel.connect("on-message-string", false, move |values| {
            let text = values[1].get::<String>().unwrap();
            strings.lock().unwrap().push(format!("string {text}"));
            None
        });
        list.lock().unwrap().push(channel);
        None
    });
    (objects, trace)
}

/// The nick of `ready-state`.
pub fn state_of(channel: &gst::Object) -> String {
    let value = channel.property_value("ready-state");
    let (_, value) = gst::glib::EnumValue::from_value(&value).unwrap();
    value.nick().to_owned()
}
