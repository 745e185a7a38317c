// SPDX-License-Identifier: MPL-2.0
//! Which local addresses become host candidates.
use crate::{DriverConfig, IpFamilies, IpHandling};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// More addresses than this only make pairs to check: RFC 8445 §6.1.2.5 limits those to 100.
const MAX_ADDRESSES: usize = 16;

/// One address of one interface.
#[derive(Clone, Debug)]
struct Address {
    interface: String,
    ip: IpAddr,
    up: bool,
}

/// The machine's addresses that may be used.
pub(crate) fn host_addresses(config: &DriverConfig) -> io::Result<Vec<IpAddr>> {
    let found = if_addrs::get_if_addrs()?
        .into_iter()
        .map(|interface| Address {
            ip: interface.ip(),
            up: interface.is_oper_up() || interface.is_loopback(),
            interface: interface.name,
        })
        .collect::<Vec<_>>();
    let mut chosen = choose(&found, &config.interfaces, config.ip_families);
    if config.ip_handling != IpHandling::AllInterfaces {
        chosen.retain(|ip| default_source(ip.is_ipv4()) == Some(*ip));
    }
    Ok(chosen)
}

/// The address that the default route of a family starts from. Nothing is sent.
fn default_source(v4: bool) -> Option<IpAddr> {
    // Addresses for documentation (RFC 5737, RFC 3849): nobody has a route of their own to them.
    let (any, far) = match v4 {
        true => (
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::from([192, 0, 2, 1]),
        ),
        false => (
            IpAddr::from(Ipv6Addr::UNSPECIFIED),
            IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
        ),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(far, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// What there would have to be for an address, for the user.
pub(crate) fn wanted(config: &DriverConfig) -> String {
    match config.interfaces.as_slice() {
        [] => format!("none that is up has an address of {:?}", config.ip_families),
        names => format!(
            "none of {} is up with an address of {:?}",
            names.join(", "),
            config.ip_families
        ),
    }
}

/// Per family: the ordinary addresses; failing these link-local ones of IPv4, failing these loopback.
/// Link-local ones of IPv6 mean nothing without a scope, which no candidate can carry (RFC 8839 §5.1).
/// (RFC 8445 §5.1.1.1 leaves out loopback; without it a machine off the network could not even show
/// its own page.)
fn choose(found: &[Address], names: &[String], families: IpFamilies) -> Vec<IpAddr> {
    let usable = |address: &&Address| {
        (address.up || is_loopback(address.ip))
            && !address.ip.is_unspecified()
            && !is_scoped(address.ip)
            && families.contains(address.ip)
            && (names.is_empty() || names.contains(&address.interface))
    };
    let usable: Vec<IpAddr> = found
        .iter()
        .filter(usable)
        .map(|address| address.ip)
        .collect();
    let mut chosen = Vec::new();
    for v4 in [true, false] {
        let family: Vec<IpAddr> = usable
            .iter()
            .copied()
            .filter(|ip| ip.is_ipv4() == v4)
            .collect();
        let rank = family.iter().map(|ip| rank(*ip)).min();
        chosen.extend(
            family
                .into_iter()
                .filter(|ip| Some(self::rank(*ip)) == rank),
        );
    }
    chosen.sort_by_key(|ip| rank(*ip));
    let mut seen = Vec::new();
    chosen.retain(|ip| {
        let new = !seen.contains(ip);
        seen.push(*ip);
        new
    });
    chosen.truncate(MAX_ADDRESSES);
    chosen
}

/// 0 ordinary, 1 link-local, 2 loopback.
fn rank(ip: IpAddr) -> u8 {
    match ip {
        ip if is_loopback(ip) => 2,
        IpAddr::V4(ip) if ip.is_link_local() => 1,
        _ => 0,
    }
}

fn is_scoped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        found: &'static [(&'static str, &'static str)],
        names: &'static [&'static str],
        families: IpFamilies,
        chosen: &'static [&'static str],
    }

    const CASES: &[Case] = &[
        Case {
            name: "loopback alone is used",
            found: &[("lo", "127.0.0.1"), ("lo", "::1")],
            names: &[],
            families: IpFamilies::Both,
            chosen: &["127.0.0.1", "::1"],
        },
        Case {
            name: "loopback is left out family by family",
            found: &[("lo", "127.0.0.1"), ("lo", "::1"), ("eth0", "192.0.2.2")],
            names: &[],
            families: IpFamilies::Both,
            chosen: &["192.0.2.2", "::1"],
        },
        Case {
            name: "link-local only if there is nothing else",
            found: &[
                ("eth0", "192.0.2.2"),
                ("eth0", "169.254.0.7"),
                ("eth0", "fe80::1"),
                ("eth0", "2001:db8::1"),
            ],
            names: &[],
            families: IpFamilies::Both,
            chosen: &["192.0.2.2", "2001:db8::1"],
        },
        Case {
            name: "link-local before loopback, but not without a scope",
            found: &[
                ("lo", "127.0.0.1"),
                ("lo", "::1"),
                ("eth0", "169.254.0.7"),
                ("eth0", "fe80::1"),
            ],
            names: &[],
            families: IpFamilies::Both,
            chosen: &["169.254.0.7", "::1"],
        },
        Case {
            name: "one family",
            found: &[("eth0", "192.0.2.2"), ("eth0", "2001:db8::1")],
            names: &[],
            families: IpFamilies::V6,
            chosen: &["2001:db8::1"],
        },
        Case {
            name: "named interfaces only, loopback too if named",
            found: &[
                ("lo", "127.0.0.1"),
                ("eth0", "192.0.2.2"),
                ("eth1", "198.51.100.7"),
            ],
            names: &["lo"],
            families: IpFamilies::Both,
            chosen: &["127.0.0.1"],
        },
        Case {
            name: "an address of two interfaces counts once",
            found: &[("eth0", "192.0.2.2"), ("br0", "192.0.2.2")],
            names: &[],
            families: IpFamilies::Both,
            chosen: &["192.0.2.2"],
        },
    ];

    #[test]
    fn every_case_chooses_what_it_says() {
        for case in CASES {
            let found: Vec<Address> = case
                .found
                .iter()
                .map(|(interface, ip)| Address {
                    interface: (*interface).into(),
                    ip: ip.parse().unwrap(),
                    up: true,
                })
                .collect();
            let names: Vec<String> = case.names.iter().map(|name| (*name).into()).collect();
            let chosen: Vec<String> = choose(&found, &names, case.families)
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(chosen, case.chosen, "{}", case.name);
        }
    }

    #[test]
    fn an_interface_that_is_down_is_left_out() {
        let down = Address {
            interface: "eth0".into(),
            ip: "192.0.2.2".parse().unwrap(),
            up: false,
        };
        assert!(choose(&[down], &[], IpFamilies::Both).is_empty());
    }

    #[test]
    fn this_machine_has_an_address() {
        assert!(!host_addresses(&DriverConfig::default()).unwrap().is_empty());
    }
}
