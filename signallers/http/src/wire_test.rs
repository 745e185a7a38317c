// SPDX-License-Identifier: MPL-2.0
//! Tables of what is written and read.
use super::*;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 v1\r\na=ice-options:trickle\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v1\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n";

fn candidate(text: &str, mid: Option<&str>) -> Candidate {
    Candidate {
        candidate: Some(text.to_owned()).filter(|text| !text.is_empty()),
        mid: mid.map(str::to_owned),
    }
}

#[test]
fn candidates_are_put_into_their_m_lines_once() {
    let list = [
        candidate("candidate:1 1 udp 1 192.0.2.1 5 typ host", Some("0")),
        candidate("candidate:2 1 udp 1 192.0.2.1 6 typ host", Some("v1")),
        candidate("candidate:3 1 udp 1 192.0.2.1 7 typ host", None),
        candidate("candidate:4 1 udp 1 192.0.2.1 8 typ host", Some("nowhere")),
        candidate("", Some("0")),
    ];
    let whole = with_candidates(OFFER, &list);
    assert!(!is_complete(OFFER) && is_complete(&whole));
    let video = whole.find("m=video").unwrap();
    let at = |text: &str| whole.find(text);
    assert!(at("a=candidate:1 ").unwrap() < video);
    assert!(at("a=candidate:2 ").unwrap() > video);
    assert!(at("a=candidate:3 ").unwrap() < video);
    assert_eq!(at("a=candidate:4 "), None);
    assert_eq!(with_candidates(&whole, &list), whole);
    assert_eq!(with_candidates(OFFER, &[]), OFFER);
}

#[test]
fn a_fragment_has_the_lines_of_rfc_8840() {
    let list = [
        candidate("candidate:1 1 udp 1 192.0.2.1 5 typ host", Some("v1")),
        candidate("", Some("v1")),
    ];
    assert_eq!(
        fragment(OFFER, &list),
        "a=ice-options:trickle\r\na=group:BUNDLE 0 v1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v1\r\n\
         a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
         a=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\na=end-of-candidates\r\n"
    );
}

#[test]
fn broken_descriptions_do_no_harm() {
    for sdp in [
        "",
        "m=",
        "\nm=",
        "garbage\nm=\nm=\n",
        "v=0\r\nm=video\r\na=mid:\r\n",
    ] {
        let list = [candidate("candidate:1", None), candidate("", Some(""))];
        let _ = with_candidates(sdp, &list);
        let _ = fragment(sdp, &list);
    }
}

#[test]
fn ice_servers_are_read_from_links() {
    let server = |url: &str, username: &str, credential: &str| IceServer {
        url: url.to_owned(),
        username: username.to_owned(),
        credential: credential.to_owned(),
    };
    for (value, wanted) in [
        (
            "<stun:stun.example.net>; rel=\"ice-server\"",
            vec![server("stun:stun.example.net", "", "")],
        ),
        (
            "<turn:t.example?transport=udp>; rel=\"ice-server\"; username=\"a,b;c\"; credential=\"p\\\"w\"; \
             credential-type=\"password\", <stun:s>; rel=ice-server",
            vec![
                server("turn:t.example?transport=udp", "a,b;c", "p\"w"),
                server("stun:s", "", ""),
            ],
        ),
        (
            "<https://h/sse>; rel=\"urn:ietf:params:whep:ext:core:server-sent-events\"",
            vec![],
        ),
        ("<http://h/>; rel=\"ice-server\"", vec![]),
        ("<turn:h>; rel=\"next\"", vec![]),
        ("", vec![]),
        ("<turn:h", vec![]),
        ("turn:h; rel=\"ice-server\"", vec![]),
    ] {
        assert_eq!(ice_servers([value].into_iter()), wanted, "{value}");
    }
    let flood = "<stun:h>; rel=ice-server,".repeat(1000);
    assert_eq!(
        ice_servers([flood.as_str()].into_iter()).len(),
        MAX_ICE_SERVERS
    );
}

#[test]
fn retry_after_is_seconds_and_bounded() {
    let seconds = Duration::from_secs;
    for (value, wanted) in [
        ("2", Some(seconds(2))),
        (" 30 ", Some(seconds(30))),
        ("0", Some(seconds(0))),
        ("999999999", Some(MAX_RETRY_AFTER)),
        ("-1", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("", None),
    ] {
        assert_eq!(retry_after(value), wanted, "{value}");
    }
}

#[test]
fn reasons_are_one_line_of_words() {
    for (kind, body, wanted) in [
        ("text/plain", "no such\r\nroom\n", "no such room"),
        (
            "application/problem+json",
            r#"{"title":"Not Found","detail":"no room 7"}"#,
            "no room 7",
        ),
        ("application/json", r#"{"error":"bad token"}"#, "bad token"),
        ("application/json", "{broken", "{broken"),
        ("text/html", "<html><body>404</body></html>", ""),
        ("text/plain", "a\u{1b}[31mb", "a [31mb"),
        ("", "", ""),
    ] {
        assert_eq!(reason(kind, body.as_bytes()), wanted, "{body}");
    }
    assert_eq!(reason("text/plain", b"a\xff"), "a\u{fffd}");
}

#[test]
fn statuses_say_whether_to_try_again() {
    for status in [408, 409, 425, 429, 500, 502, 503, 504] {
        assert!(may_pass(status), "{status}");
    }
    for status in [200, 302, 400, 401, 403, 404, 405, 406, 413, 415, 422, 501] {
        assert!(!may_pass(status), "{status}");
    }
    assert_eq!(end_code(404), EndCode::NotFound);
    assert_eq!(end_code(503), EndCode::Busy);
    assert_eq!(end_code(401), EndCode::Error);
}
