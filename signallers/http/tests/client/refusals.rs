// SPDX-License-Identifier: MPL-2.0
//! Servers that refuse, are not there, are slow, or say what can't be.
use crate::kit::{ANSWER, Endpoint, Heard, PATIENCE, Reply, Server, accept, reply};
use rtc_signaller::SignallerExt;
use std::time::{Duration, Instant};

type Headers = &'static [(&'static str, &'static str)];

/// What a client says that is answered so: code and text, in which each of `words` stands.
fn refused(status: u16, headers: Headers, body: &str, words: &[&str]) -> String {
    let answer = body.to_owned();
    let server = Server::new(move |_| reply(status, headers, answer.clone()));
    let endpoint = Endpoint::started(&server.uri("whip"), &[]);
    endpoint.offer();
    let (code, text) = endpoint.until_ended();
    assert_eq!(text, endpoint.until_closed());
    for word in words {
        assert!(text.contains(word), "{status}: no `{word}` in {text}");
    }
    assert!(text.len() < 5000, "{status}: {} bytes", text.len());
    code
}

#[test]
fn what_will_not_pass_ends_with_status_and_reason() {
    let long = "x".repeat(1024 * 1024);
    let problem = "{\"detail\":\"bad offer\"}";
    let json: Headers = &[("content-type", "application/problem+json")];
    for (status, headers, body, code, words) in [
        (
            404,
            &[][..],
            "no such room",
            "not-found",
            &["404", "no such room", "path"][..],
        ),
        (401, &[], "", "error", &["401", "auth-token"]),
        (403, &[], "wrong token", "error", &["403", "wrong token"]),
        (406, &[], "no codec", "not-acceptable", &["406", "no codec"]),
        (400, json, problem, "bad-request", &["400", ": bad offer"]),
        (413, &[], "", "too-large", &["413"]),
        (405, &[], &long, "error", &["405", "xxx"]),
    ] {
        assert_eq!(refused(status, headers, body, words), code, "{status}");
    }
}

#[test]
fn redirections_that_lead_nowhere_end_with_a_reason() {
    for (status, headers, words) in [
        (302, &[("location", "/x")][..], &["302", "307"][..]),
        (307, &[], &["Location"]),
        (307, &[("location", "ftp://h/")], &["ftp"]),
        (308, &[("location", "/room")], &["more than 5 times"]),
    ] {
        assert_eq!(refused(status, headers, "", words), "error", "{status}");
    }
}

#[test]
fn answers_that_are_none_end_with_a_reason() {
    let long = format!("v=0\r\n{}", "a=x\r\n".repeat(40_000));
    let html: Headers = &[("content-type", "text/html")];
    for (status, headers, body, code, words) in [
        (200, &[][..], ANSWER, "error", "200"),
        (201, &[], "garbage", "bad-request", "v="),
        (201, &[], "", "bad-request", "v="),
        (201, html, "<p>", "bad-request", "text/html"),
        (201, &[], &long, "bad-request", "larger than 131072 bytes"),
    ] {
        assert_eq!(refused(status, headers, body, &[words]), code, "{words}");
    }
}

#[test]
fn what_may_pass_is_tried_again_and_said_once() {
    for status in [503, 409, 425, 429, 500] {
        let server = Server::new(move |seen| match seen.number {
            0 | 1 => reply(status, &[("retry-after", "0")], "not live yet"),
            _ => accept(seen),
        });
        let endpoint = Endpoint::started(&server.uri("whep"), &[]);
        let mut said = 0;
        loop {
            match endpoint.next() {
                Heard::Requested(id, ..) => {
                    let offer = crate::kit::OFFER;
                    endpoint.signaller.send_description(&id, "offer", offer);
                }
                Heard::Error(text) => {
                    said += 1;
                    assert!(text.contains(&status.to_string()), "{text}");
                    assert!(
                        text.contains("not live yet") && text.contains("trying again"),
                        "{text}"
                    );
                }
                Heard::Started(_) => break,
                Heard::Closed(text) => panic!("{status}: {text}"),
                _ => {}
            }
        }
        assert_eq!(said, 1, "{status}");
    }
}

#[test]
fn retry_after_is_waited_for() {
    let server = Server::new(|seen| match seen.number {
        0 => reply(503, &[("retry-after", "2")], ""),
        _ => accept(seen),
    });
    let endpoint = Endpoint::started(&server.uri("whep"), &[]);
    endpoint.offer();
    endpoint.session();
    let (first, second) = (server.next(), server.next());
    assert!(second.at - first.at >= Duration::from_secs(2));
}

#[test]
fn a_server_that_comes_later_is_found() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let endpoint = Endpoint::started(&format!("whip://{address}/room"), &[]);
    endpoint.offer();
    let (code, text) = endpoint.until_ended();
    assert_eq!(code, "error");
    assert!(text.to_lowercase().contains("refused"), "{text}");
    assert!(text.contains(&format!("http://{address}/room")), "{text}");
    let server = Server::at(&address.to_string(), accept);
    endpoint.session();
    server.expect("POST");
}

#[test]
fn a_server_that_does_not_answer_is_given_up_in_time_and_tried_again() {
    let server = Server::new(|seen| match seen.number {
        0 => Reply::Never,
        _ => accept(seen),
    });
    let endpoint = Endpoint::started(&server.uri("whep"), &[("timeout", "1")]);
    let asked = Instant::now();
    endpoint.offer();
    let (_, text) = endpoint.until_ended();
    assert!(text.contains("timeout"), "{text}");
    assert!(asked.elapsed() < PATIENCE / 2);
    endpoint.session();
}

#[test]
fn without_reconnect_the_first_failure_and_the_first_end_are_the_last() {
    let server = Server::new(|seen| match seen.number {
        0 => reply(503, &[], "full"),
        _ => accept(seen),
    });
    let endpoint = Endpoint::started(&server.uri("whep"), &[("reconnect", "false")]);
    endpoint.offer();
    assert!(endpoint.until_closed().contains("full"));
    let endpoint = Endpoint::started(&server.uri("whep"), &[("reconnect", "false")]);
    let id = endpoint.session();
    endpoint.signaller.end_session(&id, "bye", "the peer left");
    assert!(endpoint.until_closed().contains("the peer left"));
}

#[test]
fn an_endpoint_with_nothing_in_common_ends_it() {
    let server = Server::new(accept);
    let endpoint = Endpoint::started(&server.uri("whep"), &[]);
    let Heard::Requested(id, ..) = endpoint.next() else {
        panic!("a session is asked for");
    };
    endpoint
        .signaller
        .end_session(&id, "not-acceptable", "nothing here receives");
    assert!(endpoint.until_closed().contains("nothing here receives"));
}

#[test]
fn an_endpoint_that_is_not_ready_is_asked_again() {
    let server = Server::new(accept);
    let endpoint = Endpoint::started(&server.uri("whip"), &[]);
    let Heard::Requested(id, ..) = endpoint.next() else {
        panic!("a session is asked for");
    };
    endpoint
        .signaller
        .end_session(&id, "busy", "no input has begun yet");
    assert_ne!(endpoint.session(), id);
}
