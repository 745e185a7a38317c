// SPDX-License-Identifier: MPL-2.0
//! The signals of the interface, and the vfuncs' default implementations, which emit those of their names.
use crate::Signaller;
use gst::glib::subclass::Signal;
use gst::glib::subclass::SignalType;
use gst::glib::{self, prelude::*};

/// `start` of a type that implements none: a handler returns `NULL` for success, else the reason.
pub(crate) fn start(object: &Signaller) -> Result<(), String> {
    match object.emit_by_name::<Option<String>>("start", &[]) {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

pub(crate) fn stop(object: &Signaller) {
    object.emit_by_name::<()>("stop", &[]);
}

pub(crate) fn send_description(object: &Signaller, session_id: &str, kind: &str, sdp: &str) {
    object.emit_by_name::<()>("send-description", &[&session_id, &kind, &sdp]);
}

pub(crate) fn send_candidate(
    object: &Signaller,
    session_id: &str,
    candidate: Option<&str>,
    mid: Option<&str>,
    index: i32,
) {
    object.emit_by_name::<()>("send-candidate", &[&session_id, &candidate, &mid, &index]);
}

pub(crate) fn end_session(object: &Signaller, session_id: &str, code: &str, text: &str) {
    object.emit_by_name::<()>("end-session", &[&session_id, &code, &text]);
}

/// Name and number of string arguments, of the signals that have nothing else.
const TEXT_SIGNALS: [(&str, usize); 10] = [
    // What the endpoint asks of the signaller.
    ("stop", 0),
    ("send-description", 3), // session-id, kind, sdp
    ("end-session", 3),      // session-id, code, text
    // What the signaller reports to the endpoint.
    ("session-requested", 4), // session-id, peer, role, wish
    ("session-started", 1),   // session-id
    ("session-ended", 3),     // session-id, code, text
    ("description", 3),       // session-id, kind, sdp
    ("error", 1),             // text
    ("closed", 1),            // text
    ("listening", 2),         // web-uri, text
];

pub(crate) fn signals() -> Vec<Signal> {
    let text = String::static_type();
    let structure = gst::Structure::static_type();
    let candidate: [SignalType; 4] = [
        text.into(),
        text.into(),
        text.into(),
        i32::static_type().into(),
    ];
    let mut signals: Vec<Signal> = TEXT_SIGNALS
        .iter()
        .map(|(name, arity)| signal(name, &vec![text.into(); *arity], None))
        .collect();
    signals.extend([
        signal("start", &[], Some(text)),
        signal("send-candidate", &candidate, None),
        signal("candidate", &candidate, None),
        signal("ice-servers", &[text.into(), structure.into()], None),
        signal("request-meta", &[], Some(structure)),
    ]);
    signals
}

fn signal(name: &'static str, arguments: &[SignalType], answer: Option<glib::Type>) -> Signal {
    let builder = Signal::builder(name)
        .param_types(arguments.iter().copied())
        .run_last()
        .action();
    match answer {
        Some(answer) => builder.return_type_from(answer).build(),
        None => builder.build(),
    }
}
