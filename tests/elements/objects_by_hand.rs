// SPDX-License-Identifier: MPL-2.0
//! Negotiation by the application: offers and answers by action signals, and what is refused.
use crate::kit::{PATIENCE, Pipe, loopback, until};
use crate::objects::{first, nick};
use gst::glib;
use gst::prelude::*;
use std::sync::{Arc, Mutex, mpsc};

/// The answer to an action signal with a promise.
pub fn ask(object: &gst::Object, action: &str, arguments: &[&dyn ToValue]) -> gst::Structure {
    let (tell, wait) = mpsc::channel();
    let promise = gst::Promise::with_change_func(move |reply| {
        let reply = reply.map(|reply| reply.map(ToOwned::to_owned));
        let _ = tell.send(reply);
    });
    let mut values: Vec<&dyn ToValue> = arguments.to_vec();
    values.push(&promise);
    object.emit_by_name::<()>(action, &values);
    match wait.recv_timeout(PATIENCE) {
        Ok(Ok(Some(reply))) => reply,
        other => panic!("{action}: {other:?}"),
    }
}

fn error(reply: &gst::Structure) -> String {
    if !reply.has_field("error") {
        return format!("none, but {reply}");
    }
    let error: glib::Error = reply.get("error").unwrap();
    assert_eq!(error.domain(), glib::Quark::from_str("rtc-error-quark"));
    reply.get("error-name").unwrap()
}

fn none() -> Option<gst::Structure> {
    None
}

const NO_TEXT: Option<&str> = None;

/// The two sessions of a call that nobody negotiates but the test.
struct ByHand {
    _pipes: [Pipe; 2],
    sink: gst::Object,
    src: gst::Object,
}

impl ByHand {
    fn new() -> Self {
        let uri = loopback();
        let sink = Pipe::new(&format!(
            "videotestsrc is-live=true ! video/x-raw,width=64,height=48 ! rtcsink name=s uri={uri} \
             udp-port=0 quiet=true video-caps=video/x-vp8 manual-negotiation=true"
        ));
        let src = Pipe::new(&format!(
            "rtcsrc name=s uri={uri} udp-port=0 quiet=true manual-negotiation=true ! fakesink"
        ));
        let sessions = [&sink, &src].map(|pipe| {
            let sessions: Arc<Mutex<Vec<gst::Object>>> = Arc::default();
            let seen = Arc::clone(&sessions);
            pipe.get("s")
                .connect("session-added", false, move |values| {
                    seen.lock().unwrap().push(values[1].get().unwrap());
                    None
                });
            sessions
        });
        src.play();
        sink.play();
        let [of_sink, of_src] = sessions.map(|sessions| first(&sessions));
        Self {
            _pipes: [sink, src],
            sink: of_sink,
            src: of_src,
        }
    }

    fn state(&self) -> [String; 2] {
        [&self.sink, &self.src].map(|session| nick(session, "signaling-state"))
    }

    /// An offer of the sender, set on both sides.
    fn offer(&self) -> String {
        let sdp = self.make("create-offer", &self.sink);
        assert_eq!(
            done(&ask(&self.sink, "set-local-description", &[&"offer", &sdp])),
            ""
        );
        assert_eq!(
            done(&ask(&self.src, "set-remote-description", &[&"offer", &sdp])),
            ""
        );
        sdp
    }

    fn make(&self, action: &str, session: &gst::Object) -> String {
        let reply = ask(session, action, &[&none()]);
        reply.get("sdp").unwrap_or_else(|_| panic!("{reply}"))
    }

    fn answer(&self) {
        let sdp = self.make("create-answer", &self.src);
        assert_eq!(
            done(&ask(&self.src, "set-local-description", &[&"answer", &sdp])),
            ""
        );
        assert_eq!(
            done(&ask(
                &self.sink,
                "set-remote-description",
                &[&"answer", &sdp]
            )),
            ""
        );
    }
}

/// Empty for a promise that was kept.
fn done(reply: &gst::Structure) -> String {
    match reply.has_field("error") {
        true => error(reply),
        false => String::new(),
    }
}

fn connected(session: &gst::Object) -> bool {
    nick(session, "connection-state") == "connected"
}

#[test]
fn an_application_makes_the_call_step_by_step() {
    let call = ByHand::new();
    let offer = call.offer();
    assert_eq!(call.state(), ["have-local-offer", "have-remote-offer"]);
    let pending = call
        .sink
        .property::<Option<String>>("pending-local-description");
    assert!(
        pending
            .unwrap()
            .starts_with(offer.split("a=end-of").next().unwrap())
    );
    call.answer();
    assert_eq!(call.state(), ["stable", "stable"]);
    until("a connection", || {
        connected(&call.sink) && connected(&call.src)
    });
    // What comes and goes later takes an offer of the application, too.
    let options = gst::Structure::builder("options")
        .field("direction", "recvonly")
        .build();
    let reply = ask(&call.src, "add-transceiver", &[&"audio", &Some(options)]);
    let transceiver: gst::Object = reply.get("transceiver").unwrap();
    assert_eq!(nick(&transceiver, "direction"), "recvonly");
    assert_eq!(nick(&transceiver, "current-direction"), "null");
    assert_eq!(call.state(), ["stable", "stable"]);
}

#[test]
fn a_rollback_leads_back_and_the_next_offer_succeeds() {
    let call = ByHand::new();
    call.offer();
    for session in [&call.sink, &call.src] {
        let reply = ask(session, "set-local-description", &[&"rollback", &NO_TEXT]);
        assert_eq!(done(&reply), "");
        for which in ["local", "remote"] {
            let name = format!("pending-{which}-description");
            assert_eq!(session.property::<Option<String>>(&name), None);
        }
    }
    assert_eq!(call.state(), ["stable", "stable"]);
    let again = ask(
        &call.sink,
        "set-local-description",
        &[&"rollback", &NO_TEXT],
    );
    assert_eq!(error(&again), "InvalidStateError");
    call.offer();
    call.answer();
    until("a connection", || {
        connected(&call.sink) && connected(&call.src)
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "one step behind another")]
fn set_local_description_without_arguments_does_what_the_state_calls_for() {
    let call = ByHand::new();
    assert_eq!(
        done(&ask(
            &call.sink,
            "set-local-description",
            &[&NO_TEXT, &NO_TEXT]
        )),
        ""
    );
    let offer = call
        .sink
        .property::<Option<String>>("local-description")
        .unwrap();
    assert_eq!(
        done(&ask(
            &call.src,
            "set-remote-description",
            &[&"offer", &offer]
        )),
        ""
    );
    assert_eq!(
        done(&ask(
            &call.src,
            "set-local-description",
            &[&"pranswer", &NO_TEXT]
        )),
        ""
    );
    assert_eq!(call.state(), ["have-local-offer", "have-local-pranswer"]);
    assert_eq!(
        done(&ask(
            &call.src,
            "set-local-description",
            &[&NO_TEXT, &NO_TEXT]
        )),
        ""
    );
    let answer = call
        .src
        .property::<Option<String>>("local-description")
        .unwrap();
    assert_eq!(
        done(&ask(
            &call.sink,
            "set-remote-description",
            &[&"pranswer", &answer]
        )),
        ""
    );
    assert_eq!(call.state(), ["have-remote-pranswer", "stable"]);
    assert_eq!(
        done(&ask(
            &call.sink,
            "set-remote-description",
            &[&"answer", &answer]
        )),
        ""
    );
    until("a connection", || {
        connected(&call.sink) && connected(&call.src)
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "one step behind another")]
fn what_the_state_forbids_is_refused_by_name() {
    let call = ByHand::new();
    let sink = &call.sink;
    let refused = |session: &gst::Object, action: &str, arguments: &[&dyn ToValue]| {
        error(&ask(session, action, arguments))
    };
    let candidate = |mid: Option<&str>, text: &str| {
        let mut made = gst::Structure::builder("c")
            .field("candidate", text)
            .build();
        made.set_if_some("sdp-mid", mid);
        Some(made)
    };
    const HOST: &str = "candidate:1 1 udp 2113937151 10.0.0.9 5000 typ host";
    // stable
    assert_eq!(
        refused(sink, "create-answer", &[&none()]),
        "InvalidStateError"
    );
    assert_eq!(
        refused(sink, "set-local-description", &[&"answer", &"v=0"]),
        "InvalidStateError"
    );
    assert_eq!(
        refused(sink, "set-remote-description", &[&"answer", &"v=0"]),
        "InvalidStateError"
    );
    assert_eq!(
        refused(sink, "set-local-description", &[&"offer", &"v=0"]),
        "InvalidModificationError"
    );
    assert_eq!(
        refused(sink, "set-local-description", &[&"nonsense", &""]),
        "TypeError"
    );
    assert_eq!(
        refused(sink, "add-ice-candidate", &[&candidate(Some("0"), HOST)]),
        "InvalidStateError"
    );
    let broken = ask(
        sink,
        "set-remote-description",
        &[&"offer", &"v=0\r\nnonsense\r\n"],
    );
    assert_eq!(error(&broken), "OperationError");
    let details: gst::Structure = broken.get("details").unwrap();
    assert_eq!(details.get::<&str>("error-detail"), Ok("sdp-syntax-error"));
    assert!(
        details.get::<u32>("sdp-line-number").unwrap() >= 1,
        "{details}"
    );
    // have-local-offer and have-remote-offer
    let offer = call.offer();
    let unmuxed = offer.replace("a=rtcp-mux\r\n", "");
    assert_eq!(
        refused(&call.src, "set-remote-description", &[&"offer", &unmuxed]),
        "InvalidAccessError"
    );
    assert_eq!(call.state(), ["have-local-offer", "have-remote-offer"]);
    assert_eq!(
        refused(sink, "create-answer", &[&none()]),
        "InvalidStateError"
    );
    assert_eq!(
        refused(&call.src, "create-offer", &[&none()]),
        "InvalidStateError"
    );
    assert_eq!(
        refused(&call.src, "set-local-description", &[&"offer", &""]),
        "InvalidStateError"
    );
    let src = &call.src;
    assert_eq!(
        refused(src, "add-ice-candidate", &[&candidate(None, HOST)]),
        "TypeError"
    );
    assert_eq!(
        refused(src, "add-ice-candidate", &[&candidate(Some("nope"), HOST)]),
        "OperationError"
    );
    let of_another = format!("{HOST} ufrag nope");
    assert_eq!(
        refused(
            src,
            "add-ice-candidate",
            &[&candidate(Some("0"), &of_another)]
        ),
        "OperationError"
    );
    assert_eq!(
        done(&ask(
            src,
            "add-ice-candidate",
            &[&candidate(Some("0"), HOST)]
        )),
        ""
    );
    assert_eq!(done(&ask(src, "add-ice-candidate", &[&none()])), "");
    // closed
    sink.emit_by_name::<()>("close", &[]);
    for action in ["create-offer", "create-answer", "add-ice-candidate"] {
        assert_eq!(refused(sink, action, &[&none()]), "InvalidStateError");
    }
}

#[test]
fn a_session_that_negotiates_by_itself_lets_nobody_interfere() {
    let (sink, src) = crate::objects::pipes();
    let (_, sessions) = crate::objects::trace(&sink.get("s"));
    src.play();
    sink.play();
    let session = first(&sessions);
    let reply = ask(&session, "create-offer", &[&none()]);
    assert_eq!(error(&reply), "InvalidStateError");
    let error: glib::Error = reply.get("error").unwrap();
    assert!(error.message().contains("manual-negotiation"), "{error}");
    until("a connection", || connected(&session));
    let pair = |session: &gst::Object| {
        let ice: gst::Object = session.property("ice-transport");
        let parameters = ice.emit_by_name::<Option<gst::Structure>>("get-local-parameters", &[]);
        parameters
            .unwrap()
            .get::<String>("username-fragment")
            .unwrap()
    };
    let before = pair(&session);
    session.emit_by_name::<()>("restart-ice", &[]);
    until("other credentials", || pair(&session) != before);
    until("peace", || nick(&session, "signaling-state") == "stable");
}
