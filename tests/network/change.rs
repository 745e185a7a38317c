// SPDX-License-Identifier: MPL-2.0
//! The network changes during a call: the call goes on.
use crate::call::{Call, Setup};
use crate::net::{Host, Nat, Net};
use rtc_session::{Command, DtlsState, IceServer};
use std::net::IpAddr;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(10);
/// Media is back after a change by then.
const BACK: Duration = Duration::from_secs(5);
const NOTHING: &str = "table ip nothing {
 chain inp {
 type filter hook input priority 0
 drop
 }
 chain out {
 type filter hook output priority 0
 drop
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

/// How long until so much media has come that it is none from before.
fn back(call: &mut Call) -> Duration {
    let begin = Instant::now();
    call.frames(10);
    begin.elapsed()
}

/// Neither end was closed, none did another handshake.
fn is_the_same(call: &Call) {
    for end in [0, 1] {
        let seen = call.seen(end);
        assert!(!seen.closed, "{seen:#?}");
        assert_eq!(seen.dtls, [DtlsState::Connecting, DtlsState::Connected]);
    }
}

#[test]
fn when_a_host_gets_another_address_media_is_back_at_once() {
    for end in [0, 1] {
        let Some((_net, _, mut hosts)) = hosts([Nat::None, Nat::None]) else {
            return;
        };
        let mut call = Call::new([Setup::new(&hosts[0]), Setup::new(&hosts[1])]);
        assert!(call.connects(LIMIT));
        call.frames(5);
        hosts[end].moves();
        let back = back(&mut call);
        println!("host {end} moved: media after {back:?}");
        assert!(back < BACK, "{back:?}");
        is_the_same(&call);
        let path = call.stats(end).pair.unwrap();
        assert_eq!(path.local.ip(), hosts[end].address);
    }
}

#[test]
fn when_a_nat_moves_a_host_media_is_back_within_five_seconds() {
    for end in [0, 1] {
        let mut nats = [Nat::None, Nat::None];
        nats[end] = Nat::PortCone;
        let Some((_net, _, mut hosts)) = hosts(nats) else {
            return;
        };
        let mut call = Call::new([Setup::new(&hosts[0]), Setup::new(&hosts[1])]);
        assert!(call.connects(LIMIT));
        call.frames(5);
        hosts[end].moves();
        let back = back(&mut call);
        println!("the NAT of host {end} moved: media after {back:?}");
        assert!(back < BACK, "{back:?}");
        is_the_same(&call);
        // The other end has followed, too.
        let begin = Instant::now();
        while call.stats(1 - end).pair.unwrap().remote.ip() != hosts[end].public {
            assert!(begin.elapsed() < BACK);
            call.frames(3);
        }
    }
}

#[test]
fn after_five_seconds_without_a_network_media_is_back_within_one() {
    let Some((_net, _, hosts)) = hosts([Nat::None, Nat::None]) else {
        return;
    };
    let mut call = Call::new([Setup::new(&hosts[0]), Setup::new(&hosts[1])]);
    assert!(call.connects(LIMIT));
    call.frames(5);
    hosts[1].rules(NOTHING);
    let before = call.seen(1).frames;
    call.sends_for(Duration::from_secs(5));
    assert!(call.seen(1).frames <= before + 2);
    hosts[1].line("nft delete table ip nothing");
    let back = back(&mut call);
    println!("after a blackout: media after {back:?}");
    assert!(back < Duration::from_secs(1), "{back:?}");
    is_the_same(&call);
}

#[test]
fn an_address_that_comes_later_is_told_and_used_when_the_other_goes() {
    let Some((_net, _, hosts)) = hosts([Nat::None, Nat::None]) else {
        return;
    };
    let mut call = Call::new([Setup::new(&hosts[0]), Setup::new(&hosts[1])]);
    assert!(call.connects(LIMIT));
    let IpAddr::V4(old) = hosts[0].address else {
        unreachable!("it is of IPv4");
    };
    let [a, b, n, _] = old.octets();
    let further = format!("{a}.{b}.{n}.77");
    hosts[0].line(&format!("ip addr add {further}/24 dev wan"));
    let told = |call: &Call| {
        let told = call.seen(0).candidates.iter().flatten();
        told.filter(|candidate| candidate.contains(&further))
            .count()
            > 0
    };
    assert!(call.until(LIMIT, told), "{:#?}", call.seen(0));
    call.frames(5);
    is_the_same(&call);
}

#[test]
fn a_relayed_call_outlives_a_change_of_address() {
    use crate::net::SERVER;
    use crate::turn::{Coturn, PASSWORD, USER};
    let Some((_net, server, mut hosts)) = hosts([Nat::None, Nat::None]) else {
        return;
    };
    let _turn = match Coturn::start(&server, &[]) {
        Ok(turn) => turn,
        Err(why) => return println!("skipped: {why}"),
    };
    let given = IceServer::new(&[format!("turn:{SERVER}")], Some(USER), Some(PASSWORD)).unwrap();
    let mut ours = Setup::new(&hosts[0]);
    ours.options.ice_servers = vec![given];
    ours.options.ice_transport_policy = rtc_session::IceTransportPolicy::Relay;
    let mut call = Call::new([ours, Setup::new(&hosts[1])]);
    assert!(call.connects(LIMIT));
    call.frames(5);
    hosts[0].moves();
    let back = back(&mut call);
    println!("a relayed host moved: media after {back:?}");
    assert!(back < BACK, "{back:?}");
    is_the_same(&call);
    call.command(0, Command::Close);
}
