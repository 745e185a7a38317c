// SPDX-License-Identifier: MPL-2.0
//! Sessions that go well: asked for, answered, told of candidates, ended, begun anew.
use crate::kit::{ANSWER, Endpoint, Heard, OFFER, PATIENCE, Reply, Server, accept, reply};
use rtc_signaller::{Role, SignallerExt, Wish};
use std::time::{Duration, Instant};

#[test]
fn the_offer_is_posted_and_the_answer_reported() {
    for (scheme, wish, doing) in [
        ("whip", Wish::View, "publishes"),
        ("whep", Wish::Publish, "views"),
    ] {
        let server = Server::new(|seen| match seen.method.as_str() {
            "POST" => {
                let headers = [
                    ("content-type", "application/sdp; charset=utf-8"),
                    ("location", "/s/1"),
                    ("link", "<stun:s.example>; rel=\"ice-server\""),
                    (
                        "link",
                        "<turn:t.example>; rel=\"ice-server\"; username=\"u\"; credential=\"c\"",
                    ),
                ];
                reply(201, &headers, ANSWER)
            }
            _ => reply(200, &[], ""),
        });
        let uri = format!("{}?a=b", server.uri(scheme));
        let endpoint = Endpoint::started(&uri, &[("auth-token", "sesame")]);
        let place = format!("http://{}/room", server.address);
        let Heard::Requested(id, peer, role, wanted) = endpoint.next() else {
            panic!("a session is asked for first");
        };
        assert_eq!((peer, role, wanted), (place.clone(), Role::Offer, wish));
        endpoint.signaller.send_description(&id, "offer", OFFER);
        let seen = server.expect("POST");
        assert_eq!(
            (seen.path.as_str(), seen.body.as_str()),
            ("/room?a=b", OFFER)
        );
        assert_eq!(seen.header("content-type"), "application/sdp");
        assert_eq!(seen.header("authorization"), "Bearer sesame");
        let Heard::IceServers(servers) = endpoint.next() else {
            panic!("the servers come before the answer");
        };
        assert!(
            servers.contains("turn:t.example") && servers.contains("stun:s.example"),
            "{servers}"
        );
        assert_eq!(
            endpoint.next(),
            Heard::Description(id.clone(), "answer".into(), ANSWER.into())
        );
        assert_eq!(endpoint.next(), Heard::Started(id));
        assert_eq!(
            endpoint.next(),
            Heard::Listening(format!("{doing} at {place}"))
        );
        endpoint.signaller.stop();
        let seen = server.expect("DELETE");
        assert_eq!(
            (seen.path.as_str(), seen.header("authorization")),
            ("/s/1", "Bearer sesame")
        );
        assert_eq!(seen.header("if-match"), "");
    }
}

#[test]
fn redirections_by_307_and_308_are_followed() {
    let server = Server::new(|seen| match seen.path.as_str() {
        "/room" => reply(307, &[("location", "/elsewhere")], ""),
        "/elsewhere" => reply(308, &[("location", "far/room?x=1")], ""),
        _ => accept(seen),
    });
    let endpoint = Endpoint::started(&server.uri("whip"), &[("auth-token", "t")]);
    endpoint.session();
    for path in ["/room", "/elsewhere", "/far/room?x=1"] {
        let seen = server.expect("POST");
        assert_eq!((seen.path.as_str(), seen.body.as_str()), (path, OFFER));
        assert_eq!(
            seen.header("authorization"),
            "Bearer t",
            "{path}: the same host"
        );
    }
}

#[test]
fn the_token_crosses_to_no_other_host_in_clear_text() {
    let other = Server::new(accept);
    // Another name of this machine is another host.
    let location = format!("http://localhost:{}/room", other.address.port());
    let server = Server::new(move |_| reply(307, &[("location", &location)], ""));
    let endpoint = Endpoint::started(&server.uri("whep"), &[("auth-token", "t")]);
    endpoint.session();
    assert_eq!(server.expect("POST").header("authorization"), "Bearer t");
    assert_eq!(other.expect("POST").header("authorization"), "");
}

#[test]
fn candidates_that_come_with_the_offer_go_in_it_and_later_ones_are_patched() {
    let server = Server::new(accept);
    let endpoint = Endpoint::started(&server.uri("whip"), &[]);
    let Heard::Requested(id, ..) = endpoint.next() else {
        panic!("a session is asked for");
    };
    let incomplete = OFFER.replace("a=end-of-candidates\r\n", "");
    let tell = |text| {
        endpoint.signaller.send_candidate(&id, text, Some("0"), 0);
    };
    endpoint
        .signaller
        .send_description(&id, "offer", &incomplete);
    tell(Some("candidate:2 1 udp 1 192.0.2.1 6 typ host"));
    let seen = server.expect("POST");
    assert!(seen.body.contains("a=candidate:2 1 udp"), "{}", seen.body);
    endpoint.until_started();
    tell(Some(
        "candidate:3 1 udp 1 192.0.2.1 7 typ srflx raddr 0.0.0.0 rport 0",
    ));
    tell(None);
    let seen = server.expect("PATCH");
    assert_eq!(seen.path, "/session/0");
    assert_eq!(
        seen.header("content-type"),
        "application/trickle-ice-sdpfrag"
    );
    assert_eq!(seen.header("if-match"), "\"e1\"");
    assert!(seen.body.contains("a=ice-ufrag:EsAw\r\n"), "{}", seen.body);
    assert!(seen.body.contains("a=candidate:3 "), "{}", seen.body);
    assert!(
        seen.body.ends_with("a=end-of-candidates\r\n"),
        "{}",
        seen.body
    );
}

#[test]
fn a_server_that_takes_no_candidates_is_told_none() {
    let refuses = Server::new(|seen| match seen.method.as_str() {
        "PATCH" => reply(405, &[], ""),
        _ => accept(seen),
    });
    let silent = Server::new(|seen| match seen.method.as_str() {
        "POST" => reply(201, &[("location", "/s")], ANSWER),
        _ => reply(200, &[], ""),
    });
    for (server, asked) in [(refuses, true), (silent, false)] {
        let endpoint = Endpoint::started(&server.uri("whip"), &[]);
        let id = endpoint.session();
        server.expect("POST");
        let tell = |number: usize| {
            let text = format!("candidate:{number} 1 udp 1 192.0.2.1 7 typ host");
            endpoint
                .signaller
                .send_candidate(&id, Some(&text), Some("0"), 0);
        };
        tell(3);
        if asked {
            server.expect("PATCH");
        }
        tell(4);
        endpoint.signaller.end_session(&id, "bye", "");
        server.expect("DELETE");
    }
}

#[test]
fn a_session_that_ends_is_deleted_and_begun_anew() {
    let server = Server::new(accept);
    let endpoint = Endpoint::started(&server.uri("whep"), &[]);
    let first = endpoint.session();
    server.expect("POST");
    endpoint
        .signaller
        .end_session(&first, "error", "ice failed");
    assert_eq!(server.expect("DELETE").path, "/session/0");
    let second = endpoint.session();
    assert_ne!(first, second);
    server.expect("POST");
    endpoint.signaller.end_session(&first, "error", "too late");
    endpoint.signaller.stop();
    assert_eq!(server.expect("DELETE").path, "/session/2");
}

#[test]
fn a_server_that_makes_the_offer_itself_is_answered() {
    let server = Server::new(|seen| match seen.method.as_str() {
        "POST" => {
            let kind = ("content-type", "application/sdp; valid-until=30");
            reply(406, &[kind, ("location", "/s/7")], ANSWER)
        }
        "PATCH" => reply(204, &[], ""),
        _ => reply(200, &[], ""),
    });
    let endpoint = Endpoint::started(&server.uri("whep"), &[]);
    let first = endpoint.offer();
    assert_eq!(endpoint.until_ended().0, "bye");
    let Heard::Requested(id, _, Role::Answer, Wish::Publish) = endpoint.next() else {
        panic!("a session is asked for that answers");
    };
    assert_ne!(id, first);
    let offered = Heard::Description(id.clone(), "offer".into(), ANSWER.into());
    assert_eq!(endpoint.next(), offered);
    endpoint.signaller.send_description(&id, "answer", OFFER);
    assert_eq!(endpoint.next(), Heard::Started(id));
    server.expect("POST");
    let seen = server.expect("PATCH");
    assert_eq!((seen.path.as_str(), seen.body.as_str()), ("/s/7", OFFER));
    assert_eq!(seen.header("content-type"), "application/sdp");
    endpoint.signaller.stop();
    assert_eq!(server.expect("DELETE").path, "/s/7");
}

#[test]
fn another_offer_takes_another_session_at_once() {
    let server = Server::new(accept);
    let endpoint = Endpoint::started(&server.uri("whip"), &[]);
    let first = endpoint.session();
    server.expect("POST");
    endpoint.signaller.send_description(&first, "offer", OFFER);
    let (code, _) = endpoint.until_ended();
    assert_eq!(code, "bye");
    server.expect("DELETE");
    endpoint.session();
    server.expect("POST");
}

#[test]
fn the_server_s_end_of_a_session_is_noticed_by_a_patch() {
    let server = Server::new(|seen| match seen.method.as_str() {
        "PATCH" => reply(404, &[], ""),
        _ => accept(seen),
    });
    let endpoint = Endpoint::started(&server.uri("whip"), &[]);
    let id = endpoint.session();
    endpoint.signaller.send_candidate(&id, None, Some("0"), 0);
    let (code, text) = endpoint.until_ended();
    assert_eq!(code, "bye");
    assert!(text.contains("ended the session"), "{text}");
    assert_ne!(endpoint.session(), id);
}

#[test]
fn a_stop_does_not_wait_for_a_server_that_says_nothing() {
    let dumb = Server::new(|_| Reply::Never);
    let deaf = Server::new(|seen| match seen.method.as_str() {
        "POST" => accept(seen),
        _ => Reply::Never,
    });
    for (server, runs) in [(dumb, false), (deaf, true)] {
        let endpoint = Endpoint::started(&server.uri("whip"), &[]);
        match runs {
            true => drop(endpoint.session()),
            false => drop(endpoint.offer()),
        }
        server.expect("POST");
        let asked = Instant::now();
        endpoint.signaller.stop();
        assert!(
            asked.elapsed() < Duration::from_secs(4),
            "{:?}",
            asked.elapsed()
        );
    }
}

/// A server whose first answer waits for a word.
fn hesitant() -> (Server, std::sync::mpsc::Sender<()>) {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let server = Server::new(move |seen| {
        if seen.number == 0 {
            // On the runtime's one thread: the client, too, stands still.
            let _ = wait.lock().unwrap().recv_timeout(PATIENCE);
        }
        accept(seen)
    });
    (server, go)
}

#[test]
fn a_session_that_was_made_as_we_stopped_is_deleted() {
    let (server, go) = hesitant();
    let endpoint = Endpoint::started(&server.uri("whip"), &[]);
    endpoint.offer();
    server.expect("POST");
    std::thread::scope(|scope| {
        scope.spawn(|| endpoint.signaller.stop());
        go.send(()).unwrap();
    });
    assert_eq!(server.expect("DELETE").path, "/session/0");
}

#[test]
fn a_session_that_ends_before_its_answer_is_deleted_all_the_same() {
    let (server, go) = hesitant();
    let endpoint = Endpoint::started(&server.uri("whep"), &[]);
    let id = endpoint.offer();
    server.expect("POST");
    endpoint
        .signaller
        .end_session(&id, "error", "changed our mind");
    go.send(()).unwrap();
    assert_eq!(server.expect("DELETE").path, "/session/0");
    endpoint.session();
    server.expect("POST");
}

#[test]
fn a_client_may_stop_and_start_again() {
    let server = Server::new(accept);
    let endpoint = Endpoint::started(&server.uri("whip"), &[]);
    endpoint.session();
    let error = endpoint.signaller.start().unwrap_err();
    assert!(error.contains("already"), "{error}");
    endpoint.signaller.stop();
    endpoint.signaller.start().unwrap();
    endpoint.session();
    let methods: Vec<_> = (0..3).map(|_| server.next().method).collect();
    assert_eq!(methods, ["POST", "DELETE", "POST"]);
}
