// SPDX-License-Identifier: MPL-2.0
//! Where no UDP gets through: ICE-TCP, and TURN over TCP.
use crate::call::{Call, Setup};
use crate::net::{Host, Nat, Net, SERVER};
use crate::turn::{Coturn, PASSWORD, USER};
use rtc_session::IceServer;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);
const NO_UDP: &str = "table ip noudp {
 chain inp {
 type filter hook input priority 0
 meta l4proto udp drop
 }
 chain out {
 type filter hook output priority 0
 meta l4proto udp drop
 }
}
";

fn hosts(nats: [Nat; 2]) -> Option<(Net, Host, [Host; 2])> {
    let mut net = Net::new()
        .inspect_err(|why| println!("skipped: {why}"))
        .ok()?;
    let server = net.server();
    let hosts = [net.host("a", nats[0]), net.host("b", nats[1])];
    Some((net, server, hosts))
}

#[test]
fn without_udp_two_hosts_connect_by_tcp() {
    let Some((_net, _, hosts)) = hosts([Nat::None, Nat::None]) else {
        return;
    };
    hosts[0].rules(NO_UDP);
    let mut call = Call::new([Setup::new(&hosts[0]), Setup::new(&hosts[1])]);
    assert!(call.connects(LIMIT), "{:#?}", call.seen(0));
    call.frames(30);
    let offer = &call.seen(0).descriptions[0];
    assert!(offer.contains("typ host tcptype passive"), "{offer}");
    assert!(!offer.contains("tcptype active"), "{offer}");
}

#[test]
fn behind_a_nat_we_connect_to_a_peer_that_takes_tcp() {
    for nats in [[Nat::PortCone, Nat::None], [Nat::None, Nat::PortCone]] {
        let Some((_net, _, hosts)) = hosts(nats) else {
            return;
        };
        hosts[1].rules(NO_UDP);
        let mut call = Call::new([Setup::new(&hosts[0]), Setup::new(&hosts[1])]);
        assert!(call.connects(LIMIT), "{nats:?} {:#?}", call.seen(0));
        call.frames(10);
    }
}

#[test]
fn without_tcp_and_udp_there_is_no_way() {
    let Some((_net, _, hosts)) = hosts([Nat::None, Nat::None]) else {
        return;
    };
    hosts[0].rules(NO_UDP);
    let mut ours = Setup::new(&hosts[0]);
    ours.config.ice_tcp = false;
    let mut theirs = Setup::new(&hosts[1]);
    theirs.config.ice_tcp = false;
    let mut call = Call::new([ours, theirs]);
    assert!(!call.connects(Duration::from_secs(2)));
    assert!(!call.seen(0).descriptions[0].contains("tcptype"));
}

#[test]
fn without_udp_symmetric_nats_connect_by_turn_over_tls() {
    let Some((_net, server, hosts)) = hosts([Nat::Symmetric, Nat::Symmetric]) else {
        return;
    };
    let turn = match Coturn::start(&server, &[]) {
        Ok(turn) => turn,
        Err(why) => return println!("skipped: {why}"),
    };
    let url = format!("turns:{SERVER}");
    let given = IceServer::new(&[url], Some(USER), Some(PASSWORD)).unwrap();
    let setups = hosts.each_ref().map(|host| {
        host.rules(NO_UDP);
        let mut setup = Setup::new(host);
        setup.config.tls_ca = Some(turn.ca());
        setup.options.ice_servers = vec![given.clone()];
        setup
    });
    let mut call = Call::new(setups);
    assert!(call.connects(LIMIT), "{:#?}", call.seen(0));
    call.frames(30);
}

/// Lets nothing out but what goes to port 443 by TCP.
const WEB_ALONE: &str = "table ip web {
 chain out {
 type filter hook output priority 0
 ct state established,related accept
 tcp dport 443 accept
 drop
 }
}
";

#[test]
fn where_port_443_alone_is_open_turn_over_tls_connects() {
    let Some((_net, server, hosts)) = hosts([Nat::Symmetric, Nat::Symmetric]) else {
        return;
    };
    let turn = match Coturn::start(&server, &["--tls-listening-port=443"]) {
        Ok(turn) => turn,
        Err(why) => return println!("skipped: {why}"),
    };
    let given = IceServer::new(&[format!("turns:{SERVER}:443")], Some(USER), Some(PASSWORD));
    let given = given.unwrap();
    let setups = hosts.each_ref().map(|host| {
        host.rules(WEB_ALONE);
        let mut setup = Setup::new(host);
        setup.config.tls_ca = Some(turn.ca());
        setup.options.ice_servers = vec![given.clone()];
        setup
    });
    let mut call = Call::new(setups);
    assert!(call.connects(LIMIT), "{:#?}", call.seen(0));
    call.frames(30);
}

#[test]
fn where_port_443_alone_is_open_a_peer_that_listens_there_is_reached() {
    let Some((_net, _, hosts)) = hosts([Nat::PortCone, Nat::None]) else {
        return;
    };
    hosts[0].rules(WEB_ALONE);
    let mut there = Setup::new(&hosts[1]);
    there.config.udp_port = 443;
    let mut call = Call::new([Setup::new(&hosts[0]), there]);
    assert!(call.connects(LIMIT), "{:#?}", call.seen(0));
    call.frames(30);
}

#[test]
fn a_stranger_on_the_tcp_port_is_shown_the_door() {
    let Some((_net, _, hosts)) = hosts([Nat::None, Nat::None]) else {
        return;
    };
    let mut call = Call::new([Setup::new(&hosts[0]), Setup::new(&hosts[1])]);
    assert!(call.connects(LIMIT));
    let offer = &call.seen(0).descriptions[0];
    let line = offer
        .lines()
        .find(|line| line.contains("tcptype passive"))
        .unwrap();
    let fields: Vec<&str> = line.split(' ').collect();
    let address: SocketAddr = format!("{}:{}", fields[4], fields[5]).parse().unwrap();
    let mut unknown = vec![0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    unknown.resize(22, 7);
    let greetings: [&[u8]; 3] = [b"GET / HTTP/1.1\r\n\r\n", &unknown, &[0xff; 4000]];
    for greeting in greetings {
        hosts[1].run(|| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            stream.write_all(greeting).unwrap();
            let mut answer = Vec::new();
            // Closed, by a reset where not all was read; and nothing was said.
            let _ = stream.read_to_end(&mut answer);
            assert!(answer.is_empty(), "{answer:?}");
        });
    }
    call.frames(5);
}
