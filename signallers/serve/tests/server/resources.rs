// SPDX-License-Identifier: MPL-2.0
//! WHIP and WHEP as a client meets them.
use crate::kit::{Bench, OFFER, Script};

const FRAGMENT: &str = "a=ice-ufrag:abcd\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:7 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n";
const FRAGMENT_TYPE: (&str, &str) = ("Content-Type", "application/trickle-ice-sdpfrag");

#[test]
fn an_offer_is_answered_with_a_resource_that_lives_until_deleted() {
    for (path, wish) in [("/whep", "View"), ("/whip", "Publish")] {
        let bench = Bench::new(Script::Answer);
        let reply = bench.post(path, OFFER);
        assert_eq!((reply.status, reply.body.as_str()), (201, "v=0 answered"));
        assert_eq!(reply.header("content-type"), Some("application/sdp"));
        assert_eq!(reply.header("content-length"), Some("12"));
        assert!(reply.header("etag").unwrap().starts_with('"'));
        let location = reply.header("location").unwrap();
        assert!(location.starts_with(&format!("{path}/")), "{location}");
        assert_eq!(bench.report(), format!("requested Answer {wish}"));
        assert_eq!(bench.report(), format!("offer {}", OFFER.len()));
        assert_eq!(bench.report(), "started");
        let reply = bench.ask("DELETE", location, &[], b"");
        assert_eq!(
            (reply.status, reply.header("content-length")),
            (200, Some("0"))
        );
        assert_eq!(bench.report(), "ended bye: the peer deleted the session");
        assert_eq!(bench.ask("DELETE", location, &[], b"").status, 404);
    }
}

#[test]
fn candidates_are_patched_under_the_right_etag_only() {
    let bench = Bench::new(Script::Answer);
    let reply = bench.post("/whip", OFFER);
    let (location, etag) = (
        reply.header("location").unwrap(),
        reply.header("etag").unwrap(),
    );
    for _ in 0..3 {
        bench.report();
    }
    let patch = |path: &str, headers: &[(&str, &str)], body: &str| {
        bench.ask("PATCH", path, headers, body.as_bytes()).status
    };
    let tagged = [FRAGMENT_TYPE, ("If-Match", etag)];
    assert_eq!(patch(location, &[FRAGMENT_TYPE], FRAGMENT), 428);
    assert_eq!(
        patch(
            location,
            &[FRAGMENT_TYPE, ("If-Match", "\"old\"")],
            FRAGMENT
        ),
        412
    );
    assert_eq!(
        patch(
            location,
            &[("Content-Type", "application/sdp"), ("If-Match", etag)],
            FRAGMENT
        ),
        415
    );
    assert_eq!(patch(location, &tagged, "no fragment"), 400);
    assert_eq!(
        patch(location, &tagged, &FRAGMENT.replace("abcd", "efgh")),
        422,
        "a restart"
    );
    assert_eq!(patch("/whip/unknown", &tagged, FRAGMENT), 404);
    assert!(bench.no_report());
    assert_eq!(patch(location, &tagged, FRAGMENT), 204);
    assert_eq!(
        bench.report(),
        "candidate Some(\"candidate:7 1 udp 1 192.0.2.1 9 typ host\") Some(\"0\") -1"
    );
    assert_eq!(bench.report(), "candidate None Some(\"0\") -1");
}

#[test]
fn the_endpoint_s_refusal_becomes_a_status_with_its_reason() {
    let cases = [
        ("/whep", "not-acceptable", 406),
        ("/whip", "not-acceptable", 406),
        ("/whep", "not-found", 409),
        ("/whip", "not-found", 404),
        ("/whip", "busy", 503),
        ("/whip", "bad-request", 400),
        ("/whip", "too-large", 413),
        ("/whip", "error", 500),
        ("/whip", "bye", 503),
    ];
    for (path, code, status) in cases {
        let bench = Bench::new(Script::Refuse(code, "because of reasons"));
        let reply = bench.post(path, OFFER);
        assert_eq!(reply.status, status, "{path} {code}");
        assert!(reply.body.contains("because of reasons"), "{}", reply.body);
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(
            reply.header("retry-after").is_some(),
            matches!(status, 409 | 503),
            "{path} {code}"
        );
    }
}

#[test]
fn what_is_no_offer_is_refused_before_the_endpoint_hears_of_it() {
    let bench = Bench::new(Script::Answer);
    let cases: [(&str, &[u8], u16); 7] = [
        ("application/json", OFFER.as_bytes(), 415),
        ("", OFFER.as_bytes(), 415),
        ("application/sdp", b"", 400),
        ("application/sdp", b"garbage", 400),
        ("application/sdp", b"\xff\xfe\x00\x01", 400),
        ("application/sdp", b"v=0\r\ns=-\r\n", 400),
        ("Application/SDP; charset=utf-8", OFFER.as_bytes(), 201),
    ];
    for (content_type, body, status) in cases {
        let reply = bench.ask("POST", "/whip", &[("Content-Type", content_type)], body);
        assert_eq!(
            reply.status, status,
            "{content_type} {body:?}: {}",
            reply.body
        );
        if status != 201 {
            assert!(reply.body.contains("detail"), "{}", reply.body);
            assert!(bench.no_report());
        }
    }
}

#[test]
fn browsers_of_this_machine_may_use_it_across_origins_and_others_not() {
    let bench = Bench::new(Script::Answer);
    let own = ("Origin", "http://localhost:3000");
    for path in ["/whep", "/whip", "/whep/some-id"] {
        let reply = bench.ask(
            "OPTIONS",
            path,
            &[own, ("Access-Control-Request-Method", "POST")],
            b"",
        );
        assert_eq!(reply.status, 204);
        assert_eq!(
            reply.header("access-control-allow-origin"),
            Some("http://localhost:3000")
        );
        assert!(
            reply
                .header("access-control-allow-methods")
                .unwrap()
                .contains("PATCH")
        );
        assert!(
            reply
                .header("access-control-allow-headers")
                .unwrap()
                .contains("if-match")
        );
        assert_eq!(reply.header("accept-post"), Some("application/sdp"));
    }
    let reply = bench.ask(
        "POST",
        "/whep",
        &[own, ("Content-Type", "application/sdp")],
        OFFER.as_bytes(),
    );
    assert_eq!(reply.status, 201);
    assert!(
        reply
            .header("access-control-expose-headers")
            .unwrap()
            .contains("location")
    );
    let foreign = ("Origin", "https://evil.example");
    let reply = bench.ask(
        "POST",
        "/whep",
        &[foreign, ("Content-Type", "application/sdp")],
        OFFER.as_bytes(),
    );
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (403, None)
    );
    let rebound = ("Host", "evil.example");
    assert_eq!(bench.ask("GET", "/", &[rebound], b"").status, 421);
}

#[test]
fn an_endpoint_can_be_found_by_get_and_head() {
    let bench = Bench::new(Script::Silent);
    assert_eq!(bench.ask("GET", "/whip", &[], b"").status, 204);
    let reply = bench.ask("HEAD", "/whep", &[], b"");
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("application/sdp"))
    );
    assert_eq!(bench.ask("PUT", "/whep", &[], b"").status, 405);
    assert_eq!(bench.ask("GET", "/nothing", &[], b"").status, 404);
    assert_eq!(bench.ask("GET", "/healthz", &[], b"").body, "ok\n");
}

#[test]
fn pages_come_with_a_strict_policy() {
    let bench = Bench::new(Script::Silent);
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/publish?start=camera", "text/html; charset=utf-8"),
        ("/static/player.js", "text/javascript; charset=utf-8"),
        ("/static/style.css", "text/css; charset=utf-8"),
    ] {
        let reply = bench.ask("GET", path, &[], b"");
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some(content_type)),
            "{path}"
        );
        let policy = reply.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(reply.header("content-length").is_some());
    }
    for path in [
        "/static/../src/lib.rs",
        "/static/%2e%2e%2fCargo.toml",
        "/static/nothing.js",
    ] {
        assert_eq!(bench.ask("GET", path, &[], b"").status, 404, "{path}");
    }
}
