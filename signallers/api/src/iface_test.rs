// SPDX-License-Identifier: MPL-2.0
//! The interface as other languages see it: by signal names alone, and as Rust implements it.
use crate::{ApplicationSignaller, EndCode, Role, Signaller, SignallerExt, SignallerImpl, Wish};
use gst::glib::subclass::prelude::*;
use gst::glib::{self, prelude::*};
use std::sync::{Arc, Mutex};

type Log = Arc<Mutex<Vec<String>>>;

fn logging(object: &Signaller, log: &Log, signal: &str) {
    let (log, name) = (log.clone(), signal.to_owned());
    object.connect(signal, false, move |values| {
        let texts: Vec<String> = values[1..].iter().map(plain).collect();
        log.lock()
            .unwrap()
            .push(format!("{name} {}", texts.join(" ")));
        None
    });
}

fn plain(value: &glib::Value) -> String {
    match value.get::<Option<String>>() {
        Ok(text) => text.unwrap_or_else(|| "-".to_owned()),
        Err(_) => value.get::<i32>().unwrap().to_string(),
    }
}

fn application() -> Signaller {
    gst::init().unwrap();
    ApplicationSignaller::default().upcast()
}

#[test]
fn the_interface_has_its_public_name() {
    application();
    assert_eq!(Signaller::static_type().name(), "GstRtcSignaller");
    assert_eq!(
        ApplicationSignaller::static_type().name(),
        "GstRtcApplicationSignaller"
    );
}

#[test]
fn a_vfunc_left_out_emits_the_signal_of_its_name() {
    let object = application();
    let log = Log::default();
    for signal in ["stop", "send-description", "send-candidate", "end-session"] {
        logging(&object, &log, signal);
    }
    object.start().unwrap();
    object.send_description("s", "offer", "v=0");
    object.send_candidate("s", Some("candidate:1"), Some("0"), 0);
    object.send_candidate("s", None, None, -1);
    object.end_session("s", EndCode::Busy.as_str(), "full");
    object.stop();
    let expected = [
        "send-description s offer v=0",
        "send-candidate s candidate:1 0 0",
        "send-candidate s - - -1",
        "end-session s busy full",
        "stop ",
    ];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn a_start_handler_s_text_is_the_error() {
    let object = application();
    let id = object.connect("start", false, |_| Some(None::<String>.to_value()));
    assert_eq!(object.start(), Ok(()));
    object.disconnect(id);
    object.connect("start", false, |_| Some("port taken".to_value()));
    assert_eq!(object.start(), Err("port taken".to_owned()));
}

#[test]
fn reports_arrive_as_they_were_made() {
    let object = application();
    let log = Log::default();
    let to = log.clone();
    object.connect_session_requested(move |_, id, peer, role, wish| {
        to.lock()
            .unwrap()
            .push(format!("requested {id} {peer} {role:?} {wish:?}"));
    });
    let to = log.clone();
    object.connect_description(move |_, id, kind, sdp| {
        to.lock()
            .unwrap()
            .push(format!("description {id} {kind} {sdp}"));
    });
    let to = log.clone();
    object.connect_candidate(move |_, id, candidate, mid, index| {
        to.lock()
            .unwrap()
            .push(format!("candidate {id} {candidate:?} {mid:?} {index}"));
    });
    let to = log.clone();
    object.connect_session_ended(move |_, id, code, text| {
        to.lock().unwrap().push(format!("ended {id} {code} {text}"));
    });
    object.report_session_requested("s", "10.0.0.1", Role::Answer, Wish::Publish);
    object.report_description("s", "offer", "v=0");
    object.report_candidate("s", Some("candidate:1"), None, -1);
    object.report_candidate("s", None, Some("0"), 0);
    object.report_session_ended("s", "bye", "");
    let expected = [
        "requested s 10.0.0.1 Answer Publish",
        "description s offer v=0",
        "candidate s Some(\"candidate:1\") None -1",
        "candidate s None Some(\"0\") 0",
        "ended s bye ",
    ];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn meta_and_ice_servers_cross_as_structures() {
    let object = application();
    assert!(object.request_meta().is_none());
    object.connect_request_meta(|_| {
        Some(gst::Structure::builder("meta").field("name", "cam").build())
    });
    assert_eq!(
        object
            .request_meta()
            .unwrap()
            .get::<String>("name")
            .unwrap(),
        "cam"
    );
    let seen = Arc::new(Mutex::new(String::new()));
    let to = seen.clone();
    object.connect_ice_servers(move |_, id, servers| {
        *to.lock().unwrap() = format!("{id} {}", servers.name());
    });
    object.report_ice_servers("s", &gst::Structure::new_empty("turn"));
    assert_eq!(*seen.lock().unwrap(), "s turn");
}

mod counting {
    use super::*;

    #[derive(Debug, Default)]
    pub struct Counting(pub Mutex<Vec<String>>);

    #[glib::object_subclass]
    impl ObjectSubclass for Counting {
        const NAME: &'static str = "TestCountingSignaller";
        type Type = CountingSignaller;
        type Interfaces = (Signaller,);
    }

    impl ObjectImpl for Counting {}

    impl SignallerImpl for Counting {
        fn start(&self) -> Result<(), String> {
            Err("never".to_owned())
        }
        fn send_description(&self, session_id: &str, kind: &str, _sdp: &str) {
            self.0.lock().unwrap().push(format!("{session_id} {kind}"));
        }
    }
}

glib::wrapper! {
    pub struct CountingSignaller(ObjectSubclass<counting::Counting>) @implements Signaller;
}

#[test]
fn a_rust_type_s_vfuncs_are_called_and_the_rest_stay_signals() {
    gst::init().unwrap();
    let object: CountingSignaller = glib::Object::new();
    let log = Log::default();
    logging(object.upcast_ref(), &log, "end-session");
    logging(object.upcast_ref(), &log, "send-description");
    assert_eq!(object.start(), Err("never".to_owned()));
    object.send_description("s", "answer", "");
    object.end_session("s", "bye", "");
    assert_eq!(*object.imp().0.lock().unwrap(), ["s answer"]);
    assert_eq!(*log.lock().unwrap(), ["end-session s bye "]);
}
