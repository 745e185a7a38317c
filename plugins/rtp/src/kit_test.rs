// SPDX-License-Identifier: MPL-2.0
//! For tests: two sides on simulated time, and between them a link that loses, delays and queues.
use crate::{
    CodecParams, ExtensionIds, Media, MediaConfig, MediaEvent, PacketBlock, Packetizer,
    ReceivedFrame, RecvParams, SendParams, SrtpProfile, WallClock,
};
use bytes::Bytes;
use rtc_payload::{Codec, EncodedFrame, FrameInfo, Mid, Pt, Ssrc, TrackId};
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A small seeded generator (xorshift64*).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }

    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One direction of a path: a bottleneck, then delay, jitter (with reordering) and loss.
pub(crate) struct Link {
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
    pub(crate) loss: f64,
    /// Bits per second, if there is a bottleneck.
    pub(crate) capacity: Option<f64>,
    /// What its queue holds at most, in time; the newest are dropped.
    pub(crate) queue: Duration,
    /// Not a queue but a bucket of so many bytes: what exceeds the rate is dropped at once.
    pub(crate) policer: Option<f64>,
    /// Wireless: packets arrive in clumps, in order, mostly within a few milliseconds of each other.
    pub(crate) clumps: bool,
    /// Several paths may share one bottleneck.
    pub(crate) bottleneck: Rc<Cell<Option<Instant>>>,
    bucket: (f64, Option<Instant>),
    clump_ends: Option<Instant>,
    flying: Vec<(Instant, u64, Vec<u8>)>,
    order: u64,
    pub(crate) dropped: u64,
    pub(crate) sent: u64,
    /// Queueing delay of each packet, with when it was sent.
    pub(crate) queued: Vec<(Instant, f64)>,
}

impl Link {
    pub(crate) fn new(delay: Duration) -> Self {
        Self {
            delay,
            jitter: Duration::ZERO,
            loss: 0.0,
            capacity: None,
            queue: ms(250),
            policer: None,
            clumps: false,
            bottleneck: Rc::default(),
            bucket: (0.0, None),
            clump_ends: None,
            flying: Vec::new(),
            order: 0,
            dropped: 0,
            sent: 0,
            queued: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, packet: &[u8], rng: &mut Rng, now: Instant) {
        self.sent += 1;
        let Some(leaves) = self.leaves(packet.len() + 28, now) else {
            self.dropped += 1;
            return;
        };
        if rng.unit() < self.loss {
            self.dropped += 1;
            return;
        }
        let mut at = leaves + self.delay + self.jitter.mul_f64(rng.unit());
        if self.clumps {
            at = at.max(self.clump(at, rng));
        }
        self.order += 1;
        self.flying.push((at, self.order, packet.to_vec()));
    }

    /// When a packet has passed the bottleneck; `None` if it is dropped there.
    fn leaves(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        let Some(capacity) = self.capacity else {
            return Some(now);
        };
        if let Some(depth) = self.policer {
            let since = self.bucket.1.map_or(0.0, |at| (now - at).as_secs_f64());
            let level = (self.bucket.0 - since * capacity / 8.0).max(0.0) + bytes as f64;
            let fits = level <= depth;
            let kept = if fits { level } else { level - bytes as f64 };
            self.bucket = (kept, Some(now));
            return fits.then_some(now);
        }
        let free = self.bottleneck.get().map_or(now, |at| at.max(now));
        let wait = free - now;
        if wait > self.queue {
            return None;
        }
        self.queued.push((now, wait.as_secs_f64()));
        let leaves = free + Duration::from_secs_f64(bytes as f64 * 8.0 / capacity);
        self.bottleneck.set(Some(leaves));
        Some(leaves)
    }

    /// When the clump that a packet belongs to is handed over.
    fn clump(&mut self, at: Instant, rng: &mut Rng) -> Instant {
        match self.clump_ends {
            Some(end) if at <= end => end,
            _ => {
                let longest = if rng.below(40) == 0 { 60.0 } else { 12.0 };
                let end = at + Duration::from_secs_f64(longest * rng.unit() / 1e3);
                self.clump_ends = Some(end);
                end
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        self.flying.iter().map(|(at, ..)| *at).min()
    }

    fn take(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let (mut due, later): (Vec<_>, Vec<_>) =
            self.flying.drain(..).partition(|(at, ..)| *at <= now);
        self.flying = later;
        due.sort_by_key(|(at, order, _)| (*at, *order));
        due.into_iter().map(|(.., packet)| packet).collect()
    }
}

/// A thread that does not always get the processor: it runs for a while, then stands still for a while.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Starved {
    /// How long it may run, and how long it then stands still, at most.
    pub(crate) runs: Duration,
    pub(crate) stands: Duration,
    until: Option<(Instant, Instant)>,
}

impl Starved {
    pub(crate) fn new(runs: Duration, stands: Duration) -> Self {
        Self {
            runs,
            stands,
            until: None,
        }
    }

    /// When a thread that wants to run at `at` does.
    fn wakes(&mut self, at: Instant, rng: &mut Rng) -> Instant {
        if self.stands.is_zero() {
            return at;
        }
        loop {
            match self.until {
                Some((stops, _)) if at < stops => return at,
                Some((_, wakes)) if at < wakes => return wakes,
                _ => {
                    let from = self.until.map_or(at, |(_, wakes)| wakes);
                    let stops = from + self.runs.mul_f64(rng.unit());
                    self.until = Some((stops, stops + self.stands.mul_f64(rng.unit())));
                }
            }
        }
    }
}

pub(crate) const START_NTP: u64 = 3_900_000_000 << 32;

pub(crate) fn config(now: Instant) -> MediaConfig {
    MediaConfig {
        start_bitrate: 300_000,
        min_bitrate: 50_000,
        max_bitrate: 20_000_000,
        congestion_control: true,
        max_latency: ms(1000),
        wall: WallClock {
            at: now,
            ntp: START_NTP,
        },
        cname: "test".into(),
        max_packet: 1200,
    }
}

pub(crate) fn codec(codec: Codec, pt: u8, rtx: bool) -> CodecParams {
    CodecParams {
        codec,
        pt: Pt(pt),
        rtx_pt: rtx.then_some(Pt(pt + 1)),
        fmtp: String::new(),
        nack: true,
        pli: true,
        fir: true,
        transport_cc: true,
        remb: false,
    }
}

pub(crate) fn extensions() -> ExtensionIds {
    ExtensionIds {
        mid: Some(4),
        transport_cc: Some(3),
        abs_send_time: Some(2),
        ..ExtensionIds::default()
    }
}

pub(crate) fn sender(mid: &str, track: u32, codec: CodecParams) -> SendParams {
    SendParams {
        mid: Mid::from(mid),
        kind: codec.codec.kind(),
        track: TrackId(track),
        ssrc: Ssrc(1000 + track),
        rtx_ssrc: Ssrc(2000 + track),
        codec,
        tone: None,
        extensions: extensions(),
        playout_delay: None,
        active: true,
    }
}

pub(crate) fn receiver(mid: &str, codec: CodecParams) -> RecvParams {
    RecvParams {
        mid: Mid::from(mid),
        kind: codec.codec.kind(),
        codecs: vec![codec],
        tones: Vec::new(),
        ssrcs: Vec::new(),
        rids: Vec::new(),
        extensions: extensions(),
        feedback_ssrc: Ssrc(1),
        active: true,
    }
}

/// A VP8 frame of `len` bytes with a true frame tag; the number stands behind it.
pub(crate) fn vp8(number: u32, keyframe: bool, len: usize) -> EncodedFrame {
    let mut data = vec![number as u8; len.max(16)];
    data[..10].copy_from_slice(&[0x10, 0, 0, 0x9d, 1, 0x2a, 64, 0, 64, 0]);
    if !keyframe {
        data[0] |= 1;
    }
    data[10..14].copy_from_slice(&number.to_be_bytes());
    EncodedFrame {
        codec: Codec::Vp8,
        data: Bytes::from(data),
        rtp_time: number.wrapping_mul(3000),
        info: FrameInfo {
            keyframe,
            ..FrameInfo::default()
        },
    }
}

pub(crate) fn number(frame: &ReceivedFrame) -> u32 {
    u32::from_be_bytes(frame.data[10..14].try_into().unwrap())
}

/// A sending side `a`, a receiving side `b`, a link each way.
pub(crate) struct Pair {
    pub(crate) a: Media,
    pub(crate) b: Media,
    pub(crate) ab: Link,
    pub(crate) ba: Link,
    pub(crate) rng: Rng,
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) frames: Vec<(Instant, ReceivedFrame)>,
    pub(crate) a_events: VecDeque<MediaEvent>,
    pub(crate) b_events: VecDeque<MediaEvent>,
    pub(crate) packetizer: Packetizer,
    /// Every packet `a` sent, if wanted.
    pub(crate) tape: Option<Vec<Vec<u8>>>,
    pub(crate) trains: usize,
    /// How `a`'s thread gets the processor; not to be driven by `send` then.
    pub(crate) starved: Starved,
    inbox: VecDeque<Arc<PacketBlock>>,
}

impl Pair {
    pub(crate) fn new(profile: SrtpProfile, delay: Duration, seed: u64, rtx: bool) -> Self {
        let mut pair = Self::bare(profile, delay, seed);
        let now = pair.now;
        let vp8 = codec(Codec::Vp8, 96, rtx);
        pair.a
            .configure(vec![sender("0", 1, vp8.clone())], vec![], now);
        pair.b.configure(vec![], vec![receiver("0", vp8)], now);
        pair.drain();
        pair
    }

    pub(crate) fn bare(profile: SrtpProfile, delay: Duration, seed: u64) -> Self {
        let now = Instant::now() + Duration::from_secs(1000);
        let keys: Vec<u8> = (0..profile.keying_material_len() as u8).collect();
        let mut a = Media::new(config(now), now);
        let mut b = Media::new(config(now), now);
        a.set_keys(profile, &keys, true).unwrap();
        b.set_keys(profile, &keys, false).unwrap();
        Self {
            a,
            b,
            ab: Link::new(delay),
            ba: Link::new(delay),
            rng: Rng(seed * 2 + 1),
            start: now,
            now,
            frames: Vec::new(),
            a_events: VecDeque::new(),
            b_events: VecDeque::new(),
            packetizer: Packetizer::new(TrackId(1), Codec::Vp8, 1200),
            tape: None,
            trains: 0,
            starved: Starved::default(),
            inbox: VecDeque::new(),
        }
    }

    pub(crate) fn elapsed(&self) -> f64 {
        (self.now - self.start).as_secs_f64()
    }

    pub(crate) fn block(&mut self, frame: &EncodedFrame) -> Arc<PacketBlock> {
        Arc::new(self.packetizer.block(frame, self.now).unwrap())
    }

    pub(crate) fn send(&mut self, frame: &EncodedFrame) {
        let block = self.block(frame);
        if !self.starved.stands.is_zero() {
            self.inbox.push_back(block);
            return;
        }
        self.a.send_block(&block, self.now);
        self.drain();
    }

    /// When `a` has something to do and gets to do it.
    fn a_wakes(&mut self) -> Option<Instant> {
        let inbox = (!self.inbox.is_empty()).then_some(self.now);
        let wanted = [self.a.poll_timeout(), self.ba.next(), inbox];
        let at = wanted.into_iter().flatten().min()?;
        Some(self.starved.wakes(at.max(self.now), &mut self.rng))
    }

    fn run_a(&mut self) {
        while let Some(block) = self.inbox.pop_front() {
            self.a.send_block(&block, self.now);
        }
        for packet in self.ba.take(self.now) {
            let _ = self.a.handle_packet(&packet, self.now);
        }
        self.a.handle_timeout(self.now);
    }

    /// Lets everything happen that is due until `until`.
    pub(crate) fn run_until(&mut self, until: Instant) {
        let span = (until - self.now).as_secs_f64();
        let mut turns = 0.0;
        loop {
            // A side that asked for the past again and again would hang its driver.
            turns += 1.0;
            assert!(
                turns < 1000.0 + span * 20_000.0,
                "{turns} turns in {span} s"
            );
            let a_wakes = self.a_wakes();
            let next = [a_wakes, self.b.poll_timeout(), self.ab.next()];
            let next = next.into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(next) + Duration::from_micros(1);
            for packet in self.ab.take(self.now) {
                let _ = self.b.handle_packet(&packet, self.now);
            }
            let stands = a_wakes.is_none_or(|at| at > self.now);
            if self.starved.stands.is_zero() || !stands {
                self.run_a();
            }
            self.b.handle_timeout(self.now);
            self.drain_b();
            if self.starved.stands.is_zero() || !stands {
                self.drain_a();
            }
        }
        self.now = self.now.max(until);
    }

    pub(crate) fn run(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    pub(crate) fn drain(&mut self) {
        self.drain_a();
        self.drain_b();
    }

    fn drain_a(&mut self) {
        while let Some(train) = self.a.poll_transmit(self.now) {
            self.trains += 1;
            let size = train.segment_size.unwrap_or(train.contents.len());
            for packet in train.contents.chunks(size) {
                self.ab.send(packet, &mut self.rng, self.now);
                if let Some(tape) = &mut self.tape {
                    tape.push(packet.to_vec());
                }
            }
            self.a.recycle(train.contents);
        }
        while let Some(event) = self.a.poll_event() {
            self.a_events.push_back(event);
        }
    }

    fn drain_b(&mut self) {
        while let Some(train) = self.b.poll_transmit(self.now) {
            let size = train.segment_size.unwrap_or(train.contents.len());
            for packet in train.contents.chunks(size) {
                self.ba.send(packet, &mut self.rng, self.now);
            }
            self.b.recycle(train.contents);
        }
        while let Some(event) = self.b.poll_event() {
            match event {
                MediaEvent::Frame(frame) => self.frames.push((self.now, frame)),
                other => self.b_events.push_back(other),
            }
        }
    }

    /// Whether `a` was asked for a keyframe since the last call.
    pub(crate) fn keyframe_wanted(&mut self) -> bool {
        let before = self.a_events.len();
        self.a_events
            .retain(|event| !matches!(event, MediaEvent::KeyframeWanted { .. }));
        self.a_events.len() < before
    }
}
