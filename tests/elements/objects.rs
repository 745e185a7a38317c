// SPDX-License-Identifier: MPL-2.0
//! Sessions as objects: states, their order, the bus's copy, and the silence of `close`.
use crate::kit::{Pipe, loopback, until};
use gst::glib;
use gst::prelude::*;
use std::sync::{Arc, Mutex};

/// What was told, in order.
pub type Trace = Arc<Mutex<Vec<String>>>;

/// A sender and a receiver that are not started yet.
pub fn pipes() -> (Pipe, Pipe) {
    let uri = loopback();
    let sink = format!(
        "videotestsrc is-live=true ! video/x-raw,width=64,height=48 ! rtcsink name=s uri={uri} udp-port=0 \
         quiet=true video-caps=video/x-vp8"
    );
    let src = format!("rtcsrc name=s uri={uri} udp-port=0 quiet=true ! fakesink");
    (Pipe::new(&sink), Pipe::new(&src))
}

/// The nick of an enum property.
pub fn nick(object: &impl IsA<glib::Object>, name: &str) -> String {
    let value = object.property_value(name);
    let (_, value) = glib::EnumValue::from_value(&value).unwrap();
    value.nick().to_owned()
}

fn object(of: &impl IsA<glib::Object>, name: &str) -> gst::Object {
    of.property::<Option<gst::Object>>(name)
        .unwrap_or_else(|| panic!("no {name}"))
}

fn watch(trace: &Trace, object: &gst::Object, prefix: &str, name: &'static str) {
    let (trace, prefix) = (Arc::clone(trace), prefix.to_owned());
    object.connect_notify(Some(name), move |object, _| {
        let line = format!("{prefix}.{name} {}", nick(object, name));
        trace.lock().unwrap().push(line);
    });
}

/// Notes every change of state of an element's first session.
pub fn trace(element: &gst::Element) -> (Trace, Arc<Mutex<Vec<gst::Object>>>) {
    let trace = Trace::default();
    let sessions: Arc<Mutex<Vec<gst::Object>>> = Arc::default();
    let (told, seen) = (Arc::clone(&trace), Arc::clone(&sessions));
    element.connect("session-added", false, move |values| {
        let session: gst::Object = values[1].get().unwrap();
        for name in [
            "signaling-state",
            "ice-gathering-state",
            "ice-connection-state",
            "connection-state",
        ] {
            watch(&told, &session, "session", name);
        }
        let ice = object(&session, "ice-transport");
        watch(&told, &ice, "ice", "state");
        watch(&told, &ice, "ice", "gathering-state");
        watch(&told, &object(&session, "dtls-transport"), "dtls", "state");
        seen.lock().unwrap().push(session);
        None
    });
    (trace, sessions)
}

pub fn first(sessions: &Arc<Mutex<Vec<gst::Object>>>) -> gst::Object {
    until("a session", || !sessions.lock().unwrap().is_empty());
    sessions.lock().unwrap()[0].clone()
}

/// Without ICE's `completed`, which may come early or late.
fn lines(trace: &Trace) -> Vec<String> {
    let trace = trace.lock().unwrap();
    trace
        .iter()
        .filter(|line| !line.ends_with("completed"))
        .cloned()
        .collect()
}

const CONNECTING: [&str; 8] = [
    "ice.state checking",
    "session.ice-connection-state checking",
    "session.connection-state connecting",
    "ice.state connected",
    "session.ice-connection-state connected",
    "dtls.state connecting",
    "dtls.state connected",
    "session.connection-state connected",
];

#[test]
fn a_call_tells_its_states_in_the_order_of_w3c() {
    let (sink, src) = pipes();
    let (sent, senders) = trace(&sink.get("s"));
    let (received, receivers) = trace(&src.get("s"));
    src.play();
    sink.play();
    for sessions in [&senders, &receivers] {
        let session = first(sessions);
        until("a connection", || {
            nick(&session, "connection-state") == "connected"
        });
    }
    let gathering = [
        "ice.gathering-state gathering",
        "session.ice-gathering-state gathering",
        "ice.gathering-state complete",
        "session.ice-gathering-state complete",
    ];
    let offerer: Vec<_> = ["session.signaling-state have-local-offer"]
        .into_iter()
        .chain(gathering)
        .chain(["session.signaling-state stable"])
        .chain(CONNECTING)
        .collect();
    let answerer: Vec<_> = [
        "session.signaling-state have-remote-offer",
        "session.signaling-state stable",
    ]
    .into_iter()
    .chain(gathering)
    .chain(CONNECTING)
    .collect();
    assert_eq!(lines(&received), answerer);
    assert_eq!(lines(&sent), offerer);
}

/// `object.event old new` of every change of state on the bus so far.
fn mirrored(pipe: &Pipe) -> Vec<String> {
    let bus = pipe.0.bus().unwrap();
    let messages = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]));
    messages
        .filter_map(|message| {
            let structure = message.structure()?.to_owned();
            let text = |name: &str| structure.get::<String>(name).ok();
            if structure.name() != "rtc-event" || text("session-id")?.is_empty() {
                return None;
            }
            let change = text("event")?;
            let change = change.strip_suffix("-change")?;
            Some(format!("{}.{change} {}", text("object")?, text("new")?))
        })
        .collect()
}

#[test]
fn the_bus_has_a_copy_of_every_change() {
    let (sink, src) = pipes();
    let (told, sessions) = trace(&sink.get("s"));
    src.play();
    sink.play();
    let session = first(&sessions);
    until("a connection", || {
        nick(&session, "connection-state") == "connected"
    });
    drop(src);
    let id: String = session.property("id");
    let listed = || {
        let found = sink.get("s");
        found.emit_by_name::<Option<gst::Object>>("get-session", &[&id])
    };
    until("the end", || listed().is_none());
    let states = mirrored(&sink);
    let told: Vec<String> = told
        .lock()
        .unwrap()
        .iter()
        .map(|line| {
            line.replace("ice.", "ice-transport.")
                .replace("dtls.", "dtls-transport.")
        })
        .collect();
    let states: Vec<&String> = states
        .iter()
        .filter(|line| !line.starts_with("sctp"))
        .collect();
    assert_eq!(states, told.iter().collect::<Vec<_>>());
    assert!(told.len() > 14, "{told:?}");
}

#[test]
fn close_is_told_to_nobody_here_and_what_is_left_may_be_read() {
    let (sink, src) = pipes();
    let (told, sessions) = trace(&sink.get("s"));
    let (_, receivers) = trace(&src.get("s"));
    src.play();
    sink.play();
    let session = first(&sessions);
    let peer = first(&receivers);
    until("a connection", || {
        nick(&session, "connection-state") == "connected"
    });
    until("a connection", || {
        nick(&peer, "connection-state") == "connected"
    });
    let before = told.lock().unwrap().len();
    let (removed, gone) = (Arc::new(Mutex::new(0)), sink.get("s"));
    let count = Arc::clone(&removed);
    gone.connect("session-removed", false, move |_| {
        *count.lock().unwrap() += 1;
        None
    });
    session.emit_by_name::<()>("close", &[]);
    for state in [
        "signaling-state",
        "ice-connection-state",
        "connection-state",
    ] {
        assert_eq!(nick(&session, state), "closed");
    }
    until("the end", || *removed.lock().unwrap() == 1);
    until("the peer's end", || {
        nick(&peer, "connection-state") == "closed"
    });
    assert_eq!(told.lock().unwrap().len(), before, "{told:?}");
    assert!(
        session
            .property::<Option<String>>("local-description")
            .is_some()
    );
    assert_eq!(nick(&object(&session, "dtls-transport"), "state"), "closed");
}
