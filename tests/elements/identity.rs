// SPDX-License-Identifier: MPL-2.0
//! Who a peer is: vouched for by an identity provider, by HTTPS and by an application.
use crate::kit::{Pipe, init, loopback, until};
use gst::glib;
use gst::prelude::*;
use rtc_tests::idp::IdentityServer;

const ALICE: &str = "alice@localhost";

fn server() -> Option<IdentityServer> {
    IdentityServer::start(ALICE, Some("sesame"))
        .inspect_err(|why| println!("skipped: {why}"))
        .ok()
}

fn object(name: &str) -> glib::Object {
    init();
    // The plugin registers its types when it is loaded.
    drop(gst::ElementFactory::make("rtcsink").build().unwrap());
    let type_ = glib::Type::from_name(name).unwrap_or_else(|| panic!("no type {name}"));
    glib::Object::with_type(type_)
}

fn web(server: &IdentityServer, token: &str) -> glib::Object {
    let provider = object("GstRtcWebIdentityProvider");
    provider.set_property("domain", server.domain());
    provider.set_property("token", token);
    provider.set_property("tls-ca", server.ca().to_str().unwrap());
    provider
}

/// A sender and a receiver, each with its provider; the receiver demands `wanted`.
struct World {
    pipe: Pipe,
}

impl World {
    fn new(ours: &glib::Object, theirs: &glib::Object, wanted: &str) -> Self {
        let uri = loopback();
        let pipe = Pipe::new(&format!(
            "videotestsrc is-live=true ! video/x-raw,width=160,height=120 ! rtcsink name=sink uri={uri} \
             rtcsrc name=src uri={uri} ! fakesink name=out sync=false"
        ));
        pipe.get("sink").set_property("identity-provider", ours);
        pipe.get("src").set_property("identity-provider", theirs);
        pipe.get("src").set_property("peer-identity", wanted);
        pipe.play();
        Self { pipe }
    }

    /// Who the receiver is told that the sender is.
    fn identity(&self) -> String {
        let (session, told) = self.pipe.wait("peer-identity", |message| {
            let structure = message.structure()?;
            let is_it = structure.name() == "rtc-event"
                && structure.get::<&str>("event") == Ok("peer-identity")
                && message.src().is_some_and(|source| source.name() == "src");
            let text = |name| structure.get::<String>(name).unwrap();
            is_it.then(|| (text("session-id"), text("identity")))
        });
        let source = self.pipe.get("src");
        let session = source.emit_by_name::<Option<glib::Object>>("get-session", &[&session]);
        assert_eq!(session.unwrap().property::<String>("peer-identity"), told);
        told
    }

    /// Code and text of the fault that ends the session of `element`.
    fn fault(&self, element: &str) -> (String, String) {
        self.pipe.wait("rtc-session-error", |message| {
            let structure = message.structure()?;
            let is_it = structure.name() == "rtc-session-error"
                && message.src().is_some_and(|source| source.name() == element);
            let text = |name| structure.get::<String>(name).unwrap();
            is_it.then(|| (text("code"), text("text")))
        })
    }
}

#[test]
fn a_provider_asked_by_https_says_who_the_peer_is() {
    let Some(server) = server() else {
        return;
    };
    let (ours, theirs) = (web(&server, "sesame"), web(&server, ""));
    theirs.set_property("token", "sesame");
    let world = World::new(&ours, &theirs, ALICE);
    assert_eq!(world.identity(), ALICE);
    let out = world.pipe.get("out");
    until("frames", || {
        let stats = out.property::<gst::Structure>("stats");
        stats.get::<u64>("rendered").unwrap() >= 5
    });
}

#[test]
fn another_peer_than_the_wanted_one_is_refused() {
    let Some(server) = server() else {
        return;
    };
    let (ours, theirs) = (web(&server, "sesame"), web(&server, "sesame"));
    let world = World::new(&ours, &theirs, "bob@localhost");
    let (code, text) = world.fault("src");
    assert_eq!(code, "idp-token-invalid");
    assert!(
        text.contains(ALICE) && text.contains("bob@localhost"),
        "{text}"
    );
}

#[test]
fn a_provider_that_wants_a_login_ends_the_session_before_it_begins() {
    let Some(server) = server() else {
        return;
    };
    let (ours, theirs) = (web(&server, "wrong"), web(&server, "sesame"));
    let world = World::new(&ours, &theirs, ALICE);
    let (_, text) = world.fault("sink");
    assert!(text.contains("idp-need-login"), "{text}");
}

#[test]
fn an_assertion_for_another_certificate_is_refused() {
    let application = || {
        let provider = object("GstRtcApplicationIdentityProvider");
        provider.connect("generate-assertion", false, |values| {
            let answer = gst::Structure::builder("answer")
                .field("domain", "idp.example")
                .field("protocol", "default")
                .field("assertion", values[1].get::<String>().unwrap())
                .build();
            values[3].get::<gst::Promise>().unwrap().reply(Some(answer));
            None
        });
        provider
    };
    let (ours, theirs) = (application(), application());
    theirs.connect("validate-assertion", false, |values| {
        // Vouches for contents of another time.
        let contents = r#"{"fingerprint":[{"algorithm":"sha-256","digest":"AA:BB"}]}"#;
        let answer = gst::Structure::builder("answer")
            .field("identity", "alice@idp.example")
            .field("contents", contents)
            .build();
        values[3].get::<gst::Promise>().unwrap().reply(Some(answer));
        None
    });
    let world = World::new(&ours, &theirs, "alice@idp.example");
    let (code, text) = world.fault("src");
    assert_eq!(code, "idp-token-invalid");
    assert!(text.contains("fingerprints"), "{text}");
}

#[test]
fn a_wanted_identity_without_anybody_to_ask_is_an_error_that_says_what_to_set() {
    let pipe =
        Pipe::new("rtcsrc name=src uri=loopback:x peer-identity=alice@idp.example ! fakesink");
    assert!(pipe.0.set_state(gst::State::Playing).is_err());
    let text = pipe.error_text();
    assert!(text.contains("identity-provider"), "{text}");
}
