// SPDX-License-Identifier: MPL-2.0
//! Tests of name resolution: what is asked, for how long, and what remains.
use super::*;

const SESSION: SessionId = SessionId(1);

#[test]
fn only_names_a_browser_makes_are_asked_for() {
    let long = format!("{}.local", "a".repeat(64));
    for name in [
        "",
        ".local",
        "local",
        "a.b.local",
        "example.org",
        "a b.local",
        "ä.local",
        &long,
    ] {
        assert_eq!(host(name), None, "{name}");
    }
    let uuid = "1F4712DB-EA17-4BCF-A596-105139DFD8BF.local";
    assert_eq!(host(uuid), Some(format!("{}.", uuid.to_lowercase())));
}

#[test]
fn a_name_nobody_has_is_given_up_at_the_deadline() {
    let start = Instant::now();
    let mut resolver = resolver();
    assert!(resolver.ask(SESSION, "nobody.local", start));
    assert!(resolver.wake_at().is_some());
    assert_eq!(resolver.poll(start), []);
    let answer = Answer {
        session: SESSION,
        name: "nobody.local".into(),
        addresses: Vec::new(),
    };
    assert_eq!(resolver.poll(start + DEADLINE), [answer]);
    assert!(resolver.queries.is_empty());
}

#[test]
fn the_daemon_lives_only_while_it_is_needed() {
    let start = Instant::now();
    let mut resolver = resolver();
    assert_eq!(resolver.wake_at(), None);
    assert!(resolver.daemon.is_none());
    resolver.ask(SESSION, "nobody.local", start);
    assert!(resolver.daemon.is_some());
    resolver.poll(start + DEADLINE);
    let idle = resolver.wake_at().unwrap();
    assert_eq!(idle, start + DEADLINE + IDLE);
    resolver.poll(idle);
    assert!(resolver.daemon.is_none());
    assert_eq!(resolver.wake_at(), None);
}

#[test]
fn questions_are_bounded_by_session_and_in_all() {
    let start = Instant::now();
    let mut resolver = resolver();
    for session in 0..100 {
        for n in 0..100 {
            resolver.ask(SessionId(session), &format!("s{session}-{n}.local"), start);
        }
    }
    assert_eq!(resolver.queries.len(), MAX_QUERIES);
    let of_one = resolver
        .queries
        .keys()
        .filter(|host| host.starts_with("s0-"))
        .count();
    assert_eq!(of_one, MAX_PER_SESSION);
}

#[test]
fn sessions_that_ask_for_one_name_share_the_question() {
    let start = Instant::now();
    let mut resolver = resolver();
    resolver.ask(SessionId(1), "shared.local", start);
    resolver.ask(SessionId(2), "SHARED.local", start);
    resolver.ask(SessionId(3), "shared.local", start);
    resolver.forget(SessionId(3));
    assert_eq!(resolver.queries.len(), 1);
    let askers: Vec<_> = resolver
        .poll(start + DEADLINE)
        .into_iter()
        .map(|answer| (answer.session.0, answer.name))
        .collect();
    assert_eq!(
        askers,
        [(1, "shared.local".into()), (2, "SHARED.local".into())]
    );
}

#[test]
fn a_name_of_this_machine_is_found() {
    let port = free_port();
    let mut resolver = resolver_on(port);
    let browser = ServiceDaemon::new_with_port(port).unwrap();
    let addresses: Vec<IpAddr> = vec!["192.0.2.7".parse().unwrap()];
    let service = mdns_sd::ServiceInfo::new(
        "_rtc._udp.local.",
        "test",
        "6f1d2f5e-0000-4bcf-a596-105139dfd8bf.local.",
        &addresses[..],
        9,
        None,
    );
    browser.register(service.unwrap()).unwrap();
    let name = "6F1D2F5E-0000-4bcf-a596-105139dfd8bf.local";
    assert!(resolver.ask(SESSION, name, Instant::now()));
    let answer = loop {
        if let Some(answer) = resolver.poll(Instant::now()).pop() {
            break answer;
        }
        std::thread::park_timeout(INTERVAL);
    };
    browser.shutdown().unwrap();
    assert_eq!(answer.name, name);
    assert_eq!(answer.addresses, addresses);
}

/// One that asks on a port of its own, lest other machines be asked.
fn resolver() -> Resolver {
    resolver_on(free_port())
}

fn resolver_on(port: u16) -> Resolver {
    let mut resolver = Resolver::default();
    resolver.port = Some(port);
    resolver
}

fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.local_addr().unwrap().port()
}
