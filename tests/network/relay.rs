// SPDX-License-Identifier: MPL-2.0
//! Relay-only sessions, over every transport; what servers refuse; what can't be reached.
use crate::call::{Call, Setup};
use crate::net::{Host, Nat, Net, SERVER};
use crate::turn::{Coturn, PASSWORD, USER};
use crate::watch::Watch;
use rtc_session::{Command, GatheringState, IceServer, IceTransportPolicy, rest_credential};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

const LIMIT: Duration = Duration::from_secs(10);

struct World {
    _net: Net,
    turn: Coturn,
    hosts: [Host; 2],
}

fn world(more: &[&str]) -> Option<World> {
    let mut net = Net::new()
        .inspect_err(|why| println!("skipped: {why}"))
        .ok()?;
    let server = net.server();
    let turn = Coturn::start(&server, more);
    let turn = turn.inspect_err(|why| println!("skipped: {why}")).ok()?;
    let hosts = ["a", "b"].map(|name| net.host(name, Nat::None));
    Some(World {
        _net: net,
        turn,
        hosts,
    })
}

fn relay_only<'a>(host: &'a Host, server: &IceServer) -> Setup<'a> {
    let mut setup = Setup::new(host);
    setup.options.ice_servers = vec![server.clone()];
    setup.options.ice_transport_policy = IceTransportPolicy::Relay;
    setup
}

fn server(url: &str) -> IceServer {
    IceServer::new(&[url], Some(USER), Some(PASSWORD)).unwrap()
}

#[test]
fn a_relay_only_session_shows_nobody_but_the_server_where_it_is() {
    let Some(world) = world(&[]) else {
        return;
    };
    for url in [
        format!("turn:{SERVER}"),
        format!("turn:{SERVER}?transport=tcp"),
        format!("turns:{SERVER}"),
    ] {
        let [one, other] = &world.hosts;
        let watch = Watch::start(one);
        let mut ours = relay_only(one, &server(&url));
        ours.config.tls_ca = Some(world.turn.ca());
        // The other end has no secrets, and would be glad to be reached directly.
        let mut call = Call::new([ours, Setup::new(other)]);
        assert!(call.connects(LIMIT), "{url} {:#?}", call.seen(0));
        call.frames(30);
        let pair = call.stats(0).pair.unwrap();
        assert_eq!(pair.local.ip().to_string(), SERVER);
        call.command(0, Command::Close);
        assert!(call.until(LIMIT, |call| call.seen(0).closed && call.seen(1).closed));

        let told = call.seen(0).told();
        assert!(!told.is_empty());
        for candidate in &told {
            assert!(candidate.contains(&format!(" {SERVER} ")), "{candidate}");
            assert!(
                candidate.contains("typ relay raddr 0.0.0.0 rport 0"),
                "{candidate}"
            );
        }
        for sdp in &call.seen(0).descriptions {
            assert!(!sdp.contains(&one.address.to_string()), "{sdp}");
        }
        let mut seen: Vec<IpAddr> = watch.stop().into_iter().map(IpAddr::from).collect();
        seen.retain(|ip| *ip != IpAddr::from(Ipv4Addr::LOCALHOST));
        let mut expected = [one.address, SERVER.parse().unwrap()];
        expected.sort();
        assert_eq!(seen, expected, "{url}");
        drop(call);
        // Refreshed with a lifetime of none: given back.
        let given_back = || !world.turn.lines("lifetime=0").is_empty();
        let end = std::time::Instant::now() + LIMIT;
        while !given_back() {
            assert!(
                std::time::Instant::now() < end,
                "{:#?}",
                world.turn.lines("session")
            );
            std::thread::yield_now();
        }
    }
}

#[test]
fn both_ends_may_be_relayed() {
    let Some(world) = world(&[]) else {
        return;
    };
    let server = server(&format!("turn:{SERVER}"));
    let setups = world.hosts.each_ref().map(|host| relay_only(host, &server));
    let mut call = Call::new(setups);
    assert!(call.connects(LIMIT));
    call.frames(30);
}

#[test]
fn a_wrong_password_is_told_with_the_servers_code() {
    let Some(world) = world(&[]) else {
        return;
    };
    for url in [
        format!("turn:{SERVER}"),
        format!("turn:{SERVER}?transport=tcp"),
    ] {
        let wrong = IceServer::new(&[&url], Some(USER), Some("wrong")).unwrap();
        let [one, other] = &world.hosts;
        let mut ours = Setup::new(one);
        ours.options.ice_servers = vec![wrong];
        let mut call = Call::new([ours, Setup::new(other)]);
        assert!(call.until(LIMIT, complete));
        let errors = &call.seen(0).errors;
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!((errors[0].code, &*errors[0].text), (401, "Unauthorized"));
        assert_eq!(errors[0].url, url);
        assert_eq!(errors[0].address, Some(one.address));
        // It is of no use for that alone.
        assert!(call.connects(LIMIT));
    }
}

#[test]
fn servers_that_cannot_be_reached_are_told_once_each() {
    let Some(world) = world(&[]) else {
        return;
    };
    // Nobody is there, nobody listens, nobody knows the name, and nobody vouches for it.
    let urls = [
        "stun:198.18.0.77".to_owned(),
        format!("turn:{SERVER}:9?transport=tcp"),
        "turn:nosuch.invalid".to_owned(),
        format!("turns:{SERVER}"),
    ];
    let [one, other] = &world.hosts;
    let mut ours = Setup::new(one);
    ours.options.ice_servers = vec![IceServer::new(&urls, Some(USER), Some(PASSWORD)).unwrap()];
    let mut call = Call::new([ours, Setup::new(other)]);
    assert!(
        call.until(Duration::from_secs(15), complete),
        "{:#?}",
        call.seen(0)
    );
    let mut told: Vec<&str> = call
        .seen(0)
        .errors
        .iter()
        .map(|error| &*error.url)
        .collect();
    told.sort_unstable();
    let mut expected: Vec<&str> = urls.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(told, expected, "{:#?}", call.seen(0).errors);
    assert!(call.seen(0).errors.iter().all(|error| error.code == 701));
    assert_eq!(call.seen(0).candidates.last(), Some(&None));
}

#[test]
fn a_credential_made_of_the_shared_secret_opens_the_server() {
    let Some(world) = world(&["--use-auth-secret", "--static-auth-secret", "s3cret"]) else {
        return;
    };
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let (username, credential) = rest_credential("s3cret", "u1", now.as_secs() + 600);
    let url = format!("turn:{SERVER}");
    let server = IceServer::new(&[url], Some(&username), Some(&credential)).unwrap();
    let [one, other] = &world.hosts;
    let mut call = Call::new([relay_only(one, &server), Setup::new(other)]);
    assert!(call.connects(LIMIT), "{:#?}", call.seen(0));
}

#[test]
fn without_servers_a_relay_only_session_says_nothing_and_connects_to_nobody() {
    let mut net = match Net::new() {
        Ok(net) => net,
        Err(why) => return println!("skipped: {why}"),
    };
    let hosts = ["a", "b"].map(|name| net.host(name, Nat::None));
    let mut ours = Setup::new(&hosts[0]);
    ours.options.ice_transport_policy = IceTransportPolicy::Relay;
    let watch = Watch::start(&hosts[0]);
    let mut call = Call::new([ours, Setup::new(&hosts[1])]);
    assert!(!call.connects(Duration::from_secs(2)));
    assert_eq!(call.seen(0).told(), Vec::<String>::new());
    assert_eq!(watch.stop().len(), 0);
}

fn complete(call: &Call) -> bool {
    call.seen(0).gathering.last() == Some(&GatheringState::Complete)
}
