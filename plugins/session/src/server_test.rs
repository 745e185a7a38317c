// SPDX-License-Identifier: MPL-2.0
//! URIs, credentials.
use super::*;

#[test]
fn well_formed_uris_are_taken_apart() {
    use ServerTransport::{Tcp, Tls, Udp};
    for (text, host, port, relays, transport) in [
        ("stun:example.org", "example.org", 3478, false, Udp),
        ("stun:example.org:19302", "example.org", 19302, false, Udp),
        ("STUN:192.0.2.1:1", "192.0.2.1", 1, false, Udp),
        ("stun:[2001:db8::1]", "2001:db8::1", 3478, false, Udp),
        ("stun:[2001:db8::1]:5000", "2001:db8::1", 5000, false, Udp),
        ("turn:example.org", "example.org", 3478, true, Udp),
        (
            "turn:example.org?transport=udp",
            "example.org",
            3478,
            true,
            Udp,
        ),
        (
            "turn:example.org?transport=tcp",
            "example.org",
            3478,
            true,
            Tcp,
        ),
        (
            "turn:example.org:80?transport=tcp",
            "example.org",
            80,
            true,
            Tcp,
        ),
        ("turns:example.org", "example.org", 5349, true, Tls),
        (
            "turns:example.org:443?transport=tcp",
            "example.org",
            443,
            true,
            Tls,
        ),
    ] {
        let url: ServerUrl = text.parse().unwrap();
        let parts = (url.host(), url.port(), url.relays(), url.transport());
        assert_eq!(parts, (host, port, relays, transport), "{text}");
        assert_eq!(url.to_string(), text);
    }
}

#[test]
fn malformed_uris_are_refused_with_what_is_wrong() {
    for text in [
        "",
        "stun",
        "stun:",
        "stun::3478",
        "stun:example.org:",
        "stun:example.org:0",
        "stun:example.org:65536",
        "stun:example.org:+80",
        "stun:example.org:80:90",
        "stun:2001:db8::1",
        "stun:[2001:db8::1",
        "stun:[2001:db8::1]5000",
        "stun:[example.org]",
        "stun:exa mple.org",
        "stun:user@example.org",
        "stun:example.org/path",
        "stun:example.org#fragment",
        "stun:example.org?transport=udp",
        "stun://example.org",
        "turn:example.org?transport=tls",
        "turn:example.org?transport=TCP",
        "turn:example.org?transport=tcp&x=1",
        "turn:example.org?",
        "http://example.org",
        "relay:example.org",
    ] {
        let error = text.parse::<ServerUrl>().unwrap_err();
        assert!(
            matches!(error, ServerError::Syntax { .. }),
            "{text}: {error}"
        );
        assert!(error.to_string().contains(text));
    }
    for text in ["stuns:example.org", "turns:example.org?transport=udp"] {
        let error = text.parse::<ServerUrl>().unwrap_err();
        assert!(
            matches!(error, ServerError::Unsupported { .. }),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_relay_needs_both_parts_of_its_credential() {
    let urls = ["stun:a", "turn:b"];
    for (username, credential) in [(None, None), (Some("u"), None), (Some(""), Some("p"))] {
        let error = IceServer::new(&urls, username, credential).unwrap_err();
        assert_eq!(
            error,
            ServerError::Credential {
                url: "turn:b".into()
            }
        );
    }
    let server = IceServer::new(&urls, Some("u"), Some("hidden")).unwrap();
    assert!(!format!("{server:?}").contains("hidden"));
    assert!(IceServer::new(&["stun:a"], None, None).is_ok());
    assert_eq!(
        IceServer::new::<&str>(&[], None, None),
        Err(ServerError::NoUrl)
    );
}

#[test]
fn a_shared_secret_makes_the_credential_that_openssl_makes() {
    // printf %s 1700000000:u1 | openssl dgst -sha1 -hmac s3cret -binary | base64
    let (username, credential) = rest_credential("s3cret", "u1", 1_700_000_000);
    assert_eq!(username, "1700000000:u1");
    assert_eq!(credential, EXPECTED);
    assert_eq!(rest_credential("s3cret", "", 7).0, "7");
}

const EXPECTED: &str = "4UcptkFZVgURM7k6kAX3uCsw7gE=";
