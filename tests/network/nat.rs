// SPDX-License-Identifier: MPL-2.0
//! Which NATs let which through: with STUN as theory says, with TURN all.
use crate::call::{Call, Setup};
use crate::net::{Host, Nat, Net, SERVER};
use crate::turn::{Coturn, PASSWORD, USER};
use rtc_session::{GatheringState, IceServer};
use std::time::Duration;

/// A network with two hosts behind every kind of NAT.
fn table() -> Option<(Net, Coturn, Vec<[Host; 2]>)> {
    let mut net = Net::new()
        .inspect_err(|why| println!("skipped: {why}"))
        .ok()?;
    let server = net.server();
    let turn = Coturn::start(&server, &[]);
    let turn = turn.inspect_err(|why| println!("skipped: {why}")).ok()?;
    let mut hosts = Vec::new();
    for (at, nat) in Nat::ALL.into_iter().enumerate() {
        hosts.push([
            net.host(&format!("a{at}"), nat),
            net.host(&format!("b{at}"), nat),
        ]);
    }
    Some((net, turn, hosts))
}

/// A hole can be punched unless one side's port can't be known and the other insists on it.
fn theory(one: Nat, other: Nat) -> bool {
    !matches!(
        (one, other),
        (Nat::Symmetric, Nat::Symmetric | Nat::PortCone) | (Nat::PortCone, Nat::Symmetric)
    )
}

fn setup<'a>(host: &'a Host, server: &IceServer) -> Setup<'a> {
    let mut setup = Setup::new(host);
    setup.options.ice_servers = vec![server.clone()];
    setup
}

#[test]
fn with_stun_those_nats_connect_that_can() {
    let Some((_net, _turn, hosts)) = table() else {
        return;
    };
    let server = IceServer::new(&[format!("stun:{SERVER}")], None, None).unwrap();
    for (at, one) in Nat::ALL.into_iter().enumerate() {
        for (other_at, other) in Nat::ALL.into_iter().enumerate() {
            let ends = [&hosts[at][0], &hosts[other_at][1]];
            let mut call = Call::new(ends.map(|host| setup(host, &server)));
            // Theory gets ten times as long as practice takes.
            let limit = Duration::from_secs(if theory(one, other) { 10 } else { 4 });
            let connects = call.connects(limit);
            assert_eq!(connects, theory(one, other), "{one:?} {other:?}");
            if connects {
                call.frames(2);
            }
            for (end, host) in ends.into_iter().enumerate() {
                let seen = call.seen(end);
                assert_eq!(seen.errors, []);
                assert_eq!(
                    seen.gathering,
                    [GatheringState::Gathering, GatheringState::Complete]
                );
                let expected = format!(" {} ", host.public);
                let reflexive = seen.told().into_iter().any(|candidate| {
                    candidate.contains("typ srflx raddr 0.0.0.0 rport 0")
                        && candidate.contains(&expected)
                });
                // Without a NAT it is the host candidate again.
                assert_eq!(reflexive, host.public != host.address, "{:#?}", seen.told());
            }
        }
    }
}

#[test]
fn with_turn_all_nats_connect() {
    let Some((_net, _turn, hosts)) = table() else {
        return;
    };
    let url = format!("turn:{SERVER}");
    let server = IceServer::new(&[url], Some(USER), Some(PASSWORD)).unwrap();
    for (at, one) in Nat::ALL.into_iter().enumerate() {
        for (other_at, other) in Nat::ALL.into_iter().enumerate() {
            let ends = [&hosts[at][0], &hosts[other_at][1]];
            let mut call = Call::new(ends.map(|host| setup(host, &server)));
            assert!(call.connects(Duration::from_secs(10)), "{one:?} {other:?}");
            call.frames(2);
        }
    }
}
