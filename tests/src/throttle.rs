// SPDX-License-Identifier: MPL-2.0
//! Narrow paths in a lab: what is sent to some UDP ports, or all UDP, at no more than some bit/s.
use crate::lab::Lab;

/// A bottleneck holds what comes in so many milliseconds.
const QUEUE_MS: u64 = 400;
/// Bytes a bottleneck lets pass at once: larger sends (GSO) are cut to packets by it.
const BURST: u64 = 3000;

/// The bottlenecks of a lab. Needs the kernel's `htb`, `tbf` and `u32`.
#[derive(Debug)]
pub struct Throttle<'a> {
    lab: &'a Lab,
    next: u16,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Bottleneck(u16);

impl<'a> Throttle<'a> {
    /// A lab without bottlenecks yet.
    ///
    /// # Errors
    /// Where the kernel has no such queues.
    pub fn new(lab: &'a Lab) -> Result<Self, String> {
        let throttle = Self { lab, next: 2 };
        throttle.tc("qdisc add dev lo root handle 1: htb default 1 r2q 1000")?;
        throttle.tc("class add dev lo parent 1: classid 1:1 htb rate 10gbit")?;
        Ok(throttle)
    }

    /// Makes the way to a UDP port narrow, or that of all UDP that goes nowhere else yet.
    ///
    /// # Errors
    /// What `tc` says.
    pub fn narrow(
        &mut self,
        port: Option<u16>,
        bits_per_second: u64,
    ) -> Result<Bottleneck, String> {
        let number = self.next;
        self.next += 1;
        self.tc(&format!(
            "class add dev lo parent 1: classid 1:{number} htb rate 10gbit"
        ))?;
        self.set("add", number, bits_per_second)?;
        for (protocol, word, family) in [("ip", "ip", 0), ("ipv6", "ip6", 10)] {
            let port = port.map_or_else(String::new, |port| {
                format!("match {word} dport {port} 0xffff")
            });
            // Ports of their own before all the rest.
            let priority = family + if port.is_empty() { 2 } else { 1 };
            self.tc(&format!(
                "filter add dev lo protocol {protocol} parent 1: prio {priority} u32 \
                 match {word} protocol 17 0xff {port} flowid 1:{number}"
            ))?;
        }
        Ok(Bottleneck(number))
    }

    /// Makes a bottleneck narrower or wider.
    ///
    /// # Errors
    /// What `tc` says.
    pub fn change(&self, bottleneck: Bottleneck, bits_per_second: u64) -> Result<(), String> {
        self.set("change", bottleneck.0, bits_per_second)
    }

    fn set(&self, verb: &str, number: u16, bits_per_second: u64) -> Result<(), String> {
        let limit = (bits_per_second / 8 * QUEUE_MS / 1000).max(4 * BURST);
        self.tc(&format!(
            "qdisc {verb} dev lo parent 1:{number} handle {number}0: tbf rate {bits_per_second}bit \
             burst {BURST} limit {limit}"
        ))
    }

    fn tc(&self, line: &str) -> Result<(), String> {
        let mut command = self.lab.command("tc");
        let output = command
            .args(line.split_whitespace())
            .output()
            .map_err(|error| format!("tc: {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "tc {line}: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }
}
