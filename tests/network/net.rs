// SPDX-License-Identifier: MPL-2.0
//! A closed test network of namespaces: hosts, some behind NATs, a router between them, a server.
//!
//! ```text
//!   host ── [NAT] ── core ── server
//! ```
//!
//! Nothing here has a route to the machine's own network. Needs root and nftables.
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// The server's address.
pub(crate) const SERVER: &str = "198.18.0.2";

/// What stands between a host and the world (the terms of RFC 3489 §5 and RFC 4787).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nat {
    /// Nothing: the host's address is public.
    None,
    /// One mapping for all, open to all.
    FullCone,
    /// One mapping for all, open to addresses that were sent to.
    AddressCone,
    /// One mapping for all, open to addresses and ports that were sent to.
    PortCone,
    /// A mapping for each destination, open to it.
    Symmetric,
}

impl Nat {
    pub(crate) const ALL: [Self; 5] = [
        Self::None,
        Self::FullCone,
        Self::AddressCone,
        Self::PortCone,
        Self::Symmetric,
    ];
}

/// A host of the network.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// Its namespace.
    pub(crate) name: String,
    /// That of its NAT, or its own.
    edge: String,
    /// Its own address.
    pub(crate) address: IpAddr,
    /// How the world sees it.
    pub(crate) public: IpAddr,
}

impl Host {
    /// Runs something with the host's network as its own; threads it starts stay there.
    pub(crate) fn run<R: Send>(&self, what: impl FnOnce() -> R + Send) -> R {
        thread::scope(|scope| {
            let entered = scope.spawn(|| {
                let file = File::open(format!("/run/netns/{}", self.name)).unwrap();
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                what()
            });
            entered.join().unwrap()
        })
    }

    /// A program that will run in the host's network.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Gives the host, or the NAT before it, another public address; a NAT forgets its mappings.
    pub(crate) fn moves(&mut self) {
        let IpAddr::V4(old) = self.public else {
            unreachable!("it is of IPv4");
        };
        let [a, b, n, host] = old.octets();
        let new = Ipv4Addr::new(a, b, n, host + 1);
        inside(&self.edge, &format!("ip addr del {old}/24 dev wan"));
        inside(&self.edge, &format!("ip addr add {new}/24 dev wan"));
        let gateway = Ipv4Addr::new(a, b, n, 1);
        inside(&self.edge, &format!("ip route add default via {gateway}"));
        if self.address == self.public {
            self.address = new.into();
        }
        self.public = new.into();
    }

    /// One command line in its network.
    pub(crate) fn line(&self, line: &str) {
        inside(&self.name, line);
    }

    /// Loads nftables rules.
    pub(crate) fn rules(&self, rules: &str) {
        nft(&self.name, rules);
    }
}

/// The network; deleted with all that runs in it on drop.
#[derive(Debug)]
pub(crate) struct Net {
    prefix: String,
    namespaces: Vec<String>,
    links: u8,
}

impl Net {
    /// A network with a router alone, or the reason why there can be none here.
    pub(crate) fn new() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let found = Command::new("nft").arg("--version").output();
        found.map_err(|error| format!("no nft program: {error}"))?;
        let mut net = Self {
            prefix: format!("n{}x{number}", std::process::id()),
            namespaces: Vec::new(),
            links: 0,
        };
        let core = net.namespace("core")?;
        inside(&core, "sysctl -qw net.ipv4.ip_forward=1");
        Ok(net)
    }

    /// The server; to be added first.
    pub(crate) fn server(&mut self) -> Host {
        assert_eq!(self.links, 0);
        let host = self.host("s", Nat::None);
        assert_eq!(host.address.to_string(), SERVER);
        host
    }

    /// A host, behind a NAT if one is wanted.
    pub(crate) fn host(&mut self, name: &str, nat: Nat) -> Host {
        let n = self.links;
        self.links += 1;
        let (core, inner) = (self.name("core"), self.namespace(name).unwrap());
        let (gateway, public) = (format!("198.18.{n}.1"), format!("198.18.{n}.2"));
        let edge = match nat {
            Nat::None => inner.clone(),
            _ => self.namespace(&format!("{name}n")).unwrap(),
        };
        inside(
            &core,
            &format!("ip link add c{n} type veth peer name wan netns {edge}"),
        );
        inside(&core, &format!("ip addr add {gateway}/24 dev c{n}"));
        inside(&core, &format!("ip link set c{n} up"));
        inside(&edge, &format!("ip addr add {public}/24 dev wan"));
        inside(&edge, "ip link set wan up");
        inside(&edge, &format!("ip route add default via {gateway}"));
        let mut address = public.clone();
        if nat != Nat::None {
            address = format!("10.18.{n}.2");
            inside(&edge, "sysctl -qw net.ipv4.ip_forward=1");
            inside(
                &edge,
                &format!("ip link add lan type veth peer name eth netns {inner}"),
            );
            inside(&edge, &format!("ip addr add 10.18.{n}.1/24 dev lan"));
            inside(&edge, "ip link set lan up");
            inside(&inner, &format!("ip addr add {address}/24 dev eth"));
            inside(&inner, "ip link set eth up");
            inside(&inner, &format!("ip route add default via 10.18.{n}.1"));
            nft(&edge, &nat_rules(nat, &address, &public));
        }
        Host {
            name: inner,
            edge,
            address: address.parse().unwrap(),
            public: public.parse().unwrap(),
        }
    }

    /// Two hosts on one link, with IPv4 or IPv6 alone.
    pub(crate) fn neighbours(&mut self, v4: bool) -> [Host; 2] {
        let names = ["x", "y"].map(|name| self.namespace(name).unwrap());
        inside(
            &names[0],
            &format!("ip link add eth type veth peer name eth netns {}", names[1]),
        );
        let mut number = 0;
        let hosts = names.map(|name| {
            number += 1;
            let address = match v4 {
                true => format!("198.19.0.{number}"),
                false => format!("fd18::{number}"),
            };
            if !v4 {
                inside(&name, "sysctl -qw net.ipv6.conf.all.disable_ipv6=0");
                inside(&name, "sysctl -qw net.ipv6.conf.eth.disable_ipv6=0");
                inside(&name, "ip addr del 127.0.0.1/8 dev lo");
            }
            let rest = if v4 {
                "/24 dev eth"
            } else {
                "/64 dev eth nodad"
            };
            inside(&name, &format!("ip addr add {address}{rest}"));
            inside(&name, "ip link set eth up");
            let address: IpAddr = address.parse().unwrap();
            Host {
                edge: name.clone(),
                name,
                address,
                public: address,
            }
        });
        for host in &hosts {
            let mut shown = host.command("ip");
            shown.args(["link", "show", "up", "dev", "eth"]);
            let is_up = |out: Vec<u8>| String::from_utf8_lossy(&out).contains("state UP");
            while !is_up(shown.output().unwrap().stdout) {
                thread::yield_now();
            }
        }
        hosts
    }

    fn name(&self, of: &str) -> String {
        format!("{}{of}", self.prefix)
    }

    fn namespace(&mut self, of: &str) -> Result<String, String> {
        let name = self.name(of);
        let out = Command::new("ip").args(["netns", "add", &name]).output();
        let out = out.map_err(|error| format!("no ip program: {error}"))?;
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).trim().to_owned());
        }
        self.namespaces.push(name.clone());
        inside(&name, "ip link set lo up");
        // Addresses of IPv6 would have to be waited for, and play no part.
        inside(
            &name,
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
        );
        Ok(name)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.namespaces {
            let pids = Command::new("ip").args(["netns", "pids", name]).output();
            let pids = pids.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
            for pid in pids.unwrap_or_default().split_whitespace() {
                // Not ourselves: our threads are in these namespaces.
                if pid != std::process::id().to_string() {
                    let _ = Command::new("kill").args(["-9", pid]).status();
                }
            }
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

/// As home routers do, unasked-for packets die before a mapping is made of them: else they would take
/// the port that a later hole punch needs.
const UNASKED: &str = "table ip in {
 chain inp {
 type filter hook input priority 0
 iifname wan ct state established,related accept
 iifname wan drop
 }
}
";

fn nat_rules(nat: Nat, host: &str, public: &str) -> String {
    let snat = |how: &str, more: &str| {
        format!(
            "table ip nat {{\n chain post {{\n type nat hook postrouting priority 100\n oifname wan {how}\n }}\n{more}}}\n"
        )
    };
    let open = format!(
        " chain pre {{\n type nat hook prerouting priority -100\n iifname wan meta l4proto {{ udp, tcp }} dnat to {host}\n }}\n"
    );
    let seen = "table ip f {
 set seen {
 type ipv4_addr
 flags dynamic,timeout
 timeout 60s
 size 65535
 }
 chain flt {
 type filter hook forward priority 0
 oifname wan update @seen { ip daddr }
 iifname wan ip saddr != @seen drop
 }
}
";
    let rules = match nat {
        Nat::None => String::new(),
        Nat::FullCone => snat(&format!("snat to {public}"), &open),
        Nat::AddressCone => snat(&format!("snat to {public}"), &open) + seen,
        Nat::PortCone => snat("masquerade", ""),
        Nat::Symmetric => snat("masquerade fully-random", ""),
    };
    rules + UNASKED
}

/// One command line in a namespace.
fn inside(name: &str, line: &str) {
    let out = Command::new("ip")
        .args(["netns", "exec", name])
        .args(line.split(' '))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{line}: {error}");
}

fn nft(name: &str, rules: &str) {
    let mut child = Command::new("ip")
        .args(["netns", "exec", name, "nft", "-f", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(rules.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success(), "{rules}");
}
