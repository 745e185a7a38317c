// SPDX-License-Identifier: MPL-2.0
//! A one-way network path on simulated time: delay, jitter, loss, reordering, or nothing at all.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How a path treats datagrams.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// One-way delay.
    pub delay: Duration,
    /// Up to this much more, evenly spread; reorders where it exceeds the spacing of datagrams.
    pub jitter: Duration,
    /// Part of the datagrams that is lost, 0-1.
    pub loss: f64,
    /// Longer datagrams are lost, bytes.
    pub mtu: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0.0,
            mtu: 1472,
        }
    }
}

/// A datagram under way.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Who sent it.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Its bytes.
    pub contents: Vec<u8>,
}

/// A one-way path.
#[derive(Debug)]
pub struct Link {
    /// How it treats datagrams; may be changed at any time.
    pub config: LinkConfig,
    /// Whether anything gets through.
    pub up: bool,
    /// Datagrams that got through.
    pub carried: u64,
    /// Datagrams that were lost.
    pub lost: u64,
    queue: BTreeMap<(Instant, u64), Packet>,
    random: Random,
    count: u64,
}

impl Link {
    /// A path whose fate follows from `seed`.
    pub fn new(config: LinkConfig, seed: u64) -> Self {
        Self {
            config,
            up: true,
            carried: 0,
            lost: 0,
            queue: BTreeMap::new(),
            random: Random::new(seed),
            count: 0,
        }
    }

    /// Puts a datagram on the path.
    pub fn send(&mut self, packet: Packet, now: Instant) {
        self.count += 1;
        let lost = self.random.unit() < self.config.loss;
        if lost || !self.up || packet.contents.len() > self.config.mtu {
            self.lost += 1;
            return;
        }
        let jitter = self.config.jitter.mul_f64(self.random.unit());
        let at = now + self.config.delay + jitter;
        self.queue.insert((at, self.count), packet);
    }

    /// Takes the next datagram that has arrived by now.
    pub fn receive(&mut self, now: Instant) -> Option<Packet> {
        let entry = self.queue.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        self.carried += 1;
        Some(entry.remove())
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.queue.keys().next().map(|(at, _)| *at)
    }
}

/// A small generator of the same numbers for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 up to but not including 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// 0 up to but not including `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit.max(1) as u64) as usize
    }
}
