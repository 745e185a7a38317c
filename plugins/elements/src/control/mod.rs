// SPDX-License-Identifier: MPL-2.0
//! Pages that steer the pipeline: what they say on a control channel becomes events that go upstream.
//!
//! Two channels, as webrtcsink has them and `gstwebrtc-api` speaks them: on `control` each message is a request
//! that is answered, on `input` it is a navigation event alone. Nothing of this is there unless asked for.
mod event;
mod request;

use crate::data::{self, Channel, Item, Lane, Next, Queue};
use crate::endpoint::{AttachmentId, Endpoint};
use bytes::Bytes;
use gst::glib;
use gst::prelude::*;
use request::Request;
use rtc_session::ChannelInit;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Which of the two channels sessions have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enabled {
    /// `control`: requests and answers.
    pub(crate) control: bool,
    /// `input`: navigation events alone.
    pub(crate) input: bool,
}

impl Enabled {
    /// Whether a channel with this label is one of them.
    fn takes(self, label: &str) -> bool {
        match label {
            CONTROL => self.control,
            INPUT => self.input,
            _ => false,
        }
    }
}

/// While the element is at least READY; ends with it.
pub(crate) struct Steering {
    enabled: Enabled,
    queue: Arc<Queue>,
}

impl Steering {
    /// Its thread holds the element weakly, and ends with this. `None` if nothing is enabled.
    pub(crate) fn new(enabled: Enabled, element: &impl IsA<gst::Element>) -> Option<Arc<Self>> {
        if enabled == Enabled::default() {
            return None;
        }
        let queue = Arc::new(Queue::new(MAX_BYTES, false, false));
        let (incoming, weak) = (Arc::clone(&queue), element.upcast_ref().downgrade());
        let thread = std::thread::Builder::new().name("rtc-steer".into());
        if let Err(error) = thread.spawn(move || run(&incoming, &weak)) {
            gst::error!(
                CAT,
                obj = element.as_ref(),
                "no thread for control channels: {error}"
            );
            return None;
        }
        Some(Arc::new(Self { enabled, queue }))
    }

    /// Every session shall have the channels.
    pub(crate) fn open(&self, endpoint: &Endpoint, attachment: AttachmentId) {
        for label in [CONTROL, INPUT] {
            if self.enabled.takes(label) {
                let init = ChannelInit::new(data::new_key(), label.to_owned());
                endpoint.add_channel(attachment, init, Arc::<Lane>::default());
            }
        }
    }

    /// A channel is open: ours, or one that a peer opened with such a label.
    pub(crate) fn opened(&self, channel: &Arc<Channel>) {
        if self.enabled.takes(&channel.init.label) {
            self.queue.opened();
            channel.add_sink(self.queue.clone());
        }
    }
}

impl Drop for Steering {
    fn drop(&mut self) {
        self.queue.end();
    }
}

/// Pushes what comes, in order, until the end.
fn run(queue: &Queue, element: &glib::WeakRef<gst::Element>) {
    loop {
        match queue.next(PATIENCE) {
            Next::Message(item) => {
                let Some(element) = element.upgrade() else {
                    return;
                };
                handle(&element, &item);
            }
            Next::Idle => {}
            Next::Flushing | Next::Ended => return,
        }
    }
}

fn handle(element: &gst::Element, item: &Item) {
    let Item { channel, message } = item;
    let refuse = |why: &str| {
        let session = &channel.session_name;
        gst::warning!(CAT, obj = element, "{session}: {why}");
    };
    if message.data.len() > LONGEST {
        return refuse("a control message of more than 64 KiB is dropped");
    }
    let Ok(text) = std::str::from_utf8(&message.data) else {
        return refuse("a control message that is no text is dropped");
    };
    if channel.init.label == INPUT {
        match Request::event_alone(text).and_then(|request| push(element, &request)) {
            Ok(()) => {}
            Err(why) => refuse(&why),
        }
        return;
    }
    let (id, request) = match Request::parse(text) {
        Ok(parsed) => parsed,
        Err(why) => return refuse(&why),
    };
    let outcome = request.and_then(|request| push(element, &request));
    if let Err(why) = &outcome {
        refuse(why);
    }
    let answer = request::answer(id, outcome.err());
    // A peer that reads no answers does not need them.
    if channel.outbox().buffered() < MAX_BYTES {
        let _ = channel.send(Bytes::from(answer), true);
    }
}

/// Hands an event to every input it is for; the error is for the page.
fn push(element: &gst::Element, request: &Request) -> Result<(), String> {
    let mut taken = false;
    for pad in element.sink_pads() {
        let name = pad.name();
        let is_video = name.starts_with("video_");
        if is_video || (name.starts_with("audio_") && !request.is_navigation()) {
            let event = request.event(size(&pad));
            if let Some(structure) = event.structure() {
                gst::log!(CAT, obj = pad, "{structure}");
            }
            taken |= pad.push_event(event);
        }
    }
    match taken {
        true => Ok(()),
        false => Err("no input could handle the request".to_owned()),
    }
}

/// The picture's size on a pad.
fn size(pad: &gst::Pad) -> Option<(f64, f64)> {
    let caps = pad.current_caps()?;
    let fields = caps.structure(0)?;
    let number = |name| fields.get::<i32>(name).ok().map(f64::from);
    Some((number("width")?, number("height")?))
}

/// As webrtcsink labels them.
const CONTROL: &str = "control";
const INPUT: &str = "input";

/// Bytes of messages that may wait for a pipeline that takes none; then the peer waits.
const MAX_BYTES: u64 = 256 * 1024;
/// A message; the longest of a page has some 200 bytes.
const LONGEST: usize = 64 * 1024;
/// One wait; then it is looked again.
const PATIENCE: Duration = Duration::from_secs(3600);

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtccontrol",
        gst::DebugColorFlags::empty(),
        Some("What pages ask of the pipeline of rtcsink"),
    )
});
