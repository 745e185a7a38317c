// SPDX-License-Identifier: MPL-2.0
//! What users write for servers.
use super::*;

fn urls(network: &Connect) -> Vec<String> {
    let servers = network.ice().unwrap().servers(SystemTime::UNIX_EPOCH);
    let urls = servers.iter().flat_map(IceServer::urls);
    urls.map(ToString::to_string).collect()
}

#[test]
fn by_default_no_server_is_asked() {
    assert_eq!(urls(&Connect::default()), Vec::<String>::new());
}

#[test]
fn servers_may_be_written_as_uris_and_as_webrtcbin_has_them() {
    let network = Connect {
        stun_server: "stun://example.org:3478".into(),
        turn_servers: "turn://u%40x:p:w@example.org:3478?transport=tcp, turns:u:p@[2001:db8::1]"
            .into(),
        ..Connect::default()
    };
    let expected = [
        "stun:example.org:3478",
        "turn:example.org:3478?transport=tcp",
        "turns:[2001:db8::1]",
    ];
    assert_eq!(urls(&network), expected);
    let (_, credential) = turn_server("turn://u%40x:p:w@example.org").unwrap();
    assert_eq!(credential, Some(("u@x".into(), "p:w".into())));
    let short = Connect {
        stun_server: "example.org".into(),
        ..Connect::default()
    };
    assert_eq!(urls(&short), ["stun:example.org"]);
}

#[test]
fn servers_may_be_given_as_structures() {
    gst::init().unwrap();
    let one = gst::Structure::builder("ice-server")
        .field("urls", "stun:example.org")
        .build();
    let other = gst::Structure::builder("ice-server")
        .field("urls", gst::Array::new(["turn:a", "turns:a"]))
        .field("username", "u")
        .field("credential", "p")
        .build();
    let network = Connect {
        ice_servers: gst::Array::new([one, other]),
        ..Connect::default()
    };
    assert_eq!(urls(&network), ["stun:example.org", "turn:a", "turns:a"]);
}

#[test]
fn a_shared_secret_makes_a_credential_for_each_session() {
    let network = Connect {
        turn_servers: "turn:example.org".into(),
        turn_secret: "s3cret".into(),
        ..Connect::default()
    };
    let settings = network.ice().unwrap();
    let early = settings.servers(SystemTime::UNIX_EPOCH);
    let late = settings.servers(SystemTime::UNIX_EPOCH + Duration::from_secs(60));
    assert_ne!(early, late);
    assert!(format!("{early:?}").contains("86400:rtc"), "{early:?}");
}

#[test]
fn mistakes_are_explained() {
    let turn = |servers: &str| Connect {
        turn_servers: servers.into(),
        ..Connect::default()
    };
    let relay = |network| Connect {
        ice_transport_policy: TransportPolicy::Relay,
        ..network
    };
    for (network, expected) in [
        (turn("turn:example.org"), "turn-secret"),
        (turn("turn://u@example.org"), "no password"),
        (
            turn("turn://u:p@example.org?transport=sctp"),
            "transport=udp",
        ),
        (turn("http://u:p@example.org"), "turn:"),
        (relay(Connect::default()), "turn-servers"),
        (
            Connect {
                stun_server: "stun:example.org?transport=udp".into(),
                ..Connect::default()
            },
            "stun-server",
        ),
    ] {
        let error = network.ice().unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
