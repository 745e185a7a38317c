// SPDX-License-Identifier: MPL-2.0
//! Which addresses are offered: without IPv4, and by the modes of RFC 8828.
use crate::call::{Call, Setup};
use crate::net::{Host, Nat, Net};
use rtc_driver::IpHandling;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// The addresses among candidates told.
fn addresses(told: &[String]) -> Vec<String> {
    let address = |text: &String| text.split(' ').nth(4).unwrap_or_default().to_owned();
    let mut found: Vec<_> = told.iter().map(address).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn without_ipv4_two_hosts_connect() {
    let mut net = match Net::new() {
        Ok(net) => net,
        Err(why) => return println!("skipped: {why}"),
    };
    let hosts = net.neighbours(false);
    let mut call = Call::new(hosts.each_ref().map(Setup::new));
    assert!(call.connects(LIMIT), "{:#?}", call.seen(0));
    call.frames(10);
    for (end, host) in hosts.iter().enumerate() {
        // Not the link-local one, which every host with IPv6 has.
        let told = addresses(&call.seen(end).told());
        assert_eq!(told, [host.address.to_string()]);
    }
}

#[test]
fn names_in_place_of_addresses_are_looked_up_by_the_other_end() {
    let mut net = match Net::new() {
        Ok(net) => net,
        Err(why) => return println!("skipped: {why}"),
    };
    let hosts = net.neighbours(true);
    // Neither learns an address but by asking for the other's name.
    let mut call = Call::new(hosts.each_ref().map(|host| {
        let mut setup = Setup::new(host);
        setup.config.conceal = true;
        setup
    }));
    assert!(call.connects(LIMIT), "{:#?}", call.seen(0));
    call.frames(10);
    for end in [0, 1] {
        let told = addresses(&call.seen(end).told());
        let is_name = |address: &String| address.len() == 42 && address.ends_with(".local");
        assert!(told.len() == 1 && told.iter().all(is_name), "{told:?}");
    }
}

#[test]
fn each_mode_of_ip_handling_tells_what_it_may() {
    let Some((_net, hosts)) = two() else {
        return;
    };
    // A further network, to which no default route goes.
    hosts[0].line("ip addr add 10.77.0.1/32 dev lo");
    let own = hosts[0].address.to_string();
    let cases: [(IpHandling, &[&str]); 3] = [
        (IpHandling::AllInterfaces, &["10.77.0.1", &own]),
        (IpHandling::DefaultRouteWithLocal, &[&own]),
        (IpHandling::DefaultRoute, &[]),
    ];
    for (mode, expected) in cases {
        let mut setup = Setup::new(&hosts[0]);
        setup.config.ip_handling = mode;
        let mut call = Call::new([setup, Setup::new(&hosts[1])]);
        assert!(call.connects(LIMIT), "{mode:?} {:#?}", call.seen(0));
        call.frames(5);
        assert_eq!(addresses(&call.seen(0).told()), expected, "{mode:?}");
    }
}

fn two() -> Option<(Net, [Host; 2])> {
    let mut net = Net::new()
        .inspect_err(|why| println!("skipped: {why}"))
        .ok()?;
    let hosts = [net.host("a", Nat::None), net.host("b", Nat::None)];
    Some((net, hosts))
}
