// SPDX-License-Identifier: MPL-2.0
//! Two ends and what they hear of each other. Every test has a room of its own.
use crate::LoopbackSignaller;
use rtc_signaller::SignallerExt;
use std::sync::{Arc, Mutex};

/// One end, with everything it was told.
struct Ear {
    signaller: LoopbackSignaller,
    heard: Arc<Mutex<Vec<String>>>,
    session: Arc<Mutex<String>>,
}

impl Ear {
    fn new(room: &str, role: &str) -> Self {
        gst::init().unwrap();
        let signaller = LoopbackSignaller::new(room);
        signaller.set_role(role);
        let ear = Self {
            signaller,
            heard: Arc::default(),
            session: Arc::default(),
        };
        ear.listen();
        ear
    }

    fn listen(&self) {
        let (heard, session) = (self.heard.clone(), self.session.clone());
        self.signaller
            .connect_session_requested(move |_, id, peer, role, wish| {
                *session.lock().unwrap() = id.to_owned();
                heard
                    .lock()
                    .unwrap()
                    .push(format!("requested {peer} {role:?} {wish:?}"));
            });
        let heard = self.heard.clone();
        self.signaller.connect_description(move |_, _, kind, sdp| {
            heard.lock().unwrap().push(format!("{kind} {sdp}"));
        });
        let heard = self.heard.clone();
        self.signaller
            .connect_candidate(move |_, _, candidate, mid, index| {
                heard
                    .lock()
                    .unwrap()
                    .push(format!("{candidate:?} {mid:?} {index}"));
            });
        let heard = self.heard.clone();
        self.signaller
            .connect_session_ended(move |_, _, code, text| {
                heard.lock().unwrap().push(format!("ended {code} {text}"));
            });
    }

    fn session(&self) -> String {
        self.session.lock().unwrap().clone()
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

fn forget_all(ears: [&Ear; 2]) {
    for ear in ears {
        ear.heard();
    }
}

#[test]
fn a_sink_offers_to_a_source_whichever_starts_first() {
    for (room, sink_first) in [("order-1", true), ("order-2", false)] {
        let (sink, source) = (Ear::new(room, "sink"), Ear::new(room, "source"));
        let (first, second) = if sink_first {
            (&sink, &source)
        } else {
            (&source, &sink)
        };
        first.signaller.start().unwrap();
        assert!(first.heard().is_empty(), "the first waits");
        second.signaller.start().unwrap();
        assert_eq!(
            sink.heard(),
            [format!("requested loopback:{room} Offer View")]
        );
        assert_eq!(
            source.heard(),
            [format!("requested loopback:{room} Answer Publish")]
        );
        assert_ne!(sink.session(), source.session());
    }
}

#[test]
fn of_equal_roles_the_first_offers() {
    for (room, role) in [("equal-1", ""), ("equal-2", "sink"), ("equal-3", "source")] {
        let (first, second) = (Ear::new(room, role), Ear::new(room, role));
        first.signaller.start().unwrap();
        second.signaller.start().unwrap();
        assert_eq!(
            first.heard(),
            [format!("requested loopback:{room} Offer Any")]
        );
        assert_eq!(
            second.heard(),
            [format!("requested loopback:{room} Answer Any")]
        );
    }
}

#[test]
fn messages_cross_both_ways_in_order_and_unknown_sessions_are_ignored() {
    let (sink, source) = (Ear::new("cross", "sink"), Ear::new("cross", "source"));
    sink.signaller.start().unwrap();
    source.signaller.start().unwrap();
    forget_all([&sink, &source]);
    sink.signaller
        .send_description(&sink.session(), "offer", "v=0");
    sink.signaller
        .send_candidate(&sink.session(), Some("candidate:1"), Some("a"), 0);
    sink.signaller
        .send_candidate(&sink.session(), None, None, -1);
    sink.signaller
        .send_description(&source.session(), "offer", "not its own id");
    source
        .signaller
        .send_description(&source.session(), "answer", "v=1");
    assert_eq!(
        source.heard(),
        [
            "offer v=0",
            "Some(\"candidate:1\") Some(\"a\") 0",
            "None None -1"
        ]
    );
    assert_eq!(sink.heard(), ["answer v=1"]);
}

#[test]
fn an_end_tells_the_other_and_a_new_start_makes_a_new_session() {
    let (sink, source) = (Ear::new("again", "sink"), Ear::new("again", "source"));
    sink.signaller.start().unwrap();
    source.signaller.start().unwrap();
    let old = sink.session();
    forget_all([&sink, &source]);
    source
        .signaller
        .end_session(&source.session(), "not-acceptable", "no codec");
    assert_eq!(sink.heard(), ["ended not-acceptable no codec"]);
    sink.signaller.send_description(&old, "offer", "too late");
    assert!(source.heard().is_empty());
    source.signaller.stop();
    source.signaller.start().unwrap();
    assert_ne!(sink.session(), old);
    sink.heard();
    source.signaller.stop();
    assert_eq!(sink.heard(), ["ended bye the other end stopped"]);
}

#[test]
fn a_third_end_is_refused_and_one_dropped_makes_room() {
    let (first, second) = (Ear::new("three", ""), Ear::new("three", ""));
    first.signaller.start().unwrap();
    assert!(
        first
            .signaller
            .start()
            .unwrap_err()
            .contains("already started")
    );
    second.signaller.start().unwrap();
    let third = Ear::new("three", "");
    let error = third.signaller.start().unwrap_err();
    assert!(error.contains("loopback:three2"), "{error}");
    drop(second);
    third.signaller.start().unwrap();
    assert!(!third.session().is_empty());
}

#[test]
fn the_uri_names_the_room() {
    crate::register();
    gst::init().unwrap();
    for uri in ["loopback:studio", "loopback://studio"] {
        let signaller = rtc_signaller::registry::from_uri(uri).unwrap();
        let signaller: LoopbackSignaller = gst::glib::object::Cast::downcast(signaller).unwrap();
        assert_eq!(signaller.room(), "studio");
    }
    let error = rtc_signaller::registry::from_uri("loopback:").unwrap_err();
    assert!(error.contains("write loopback:NAME"), "{error}");
}
