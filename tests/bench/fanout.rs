// SPDX-License-Identifier: MPL-2.0
//! What one packet costs for one more viewer: sessions alone, with sockets, and the floor of both.
//!
//! `cargo bench -p rtc-driver --bench fanout`; CPU time, so that other work on the machine matters
//! little. A stream of 2 Mbit/s, 30 frames a second, seven packets a frame.
// What fails in a test shall fail it.
#![allow(clippy::unwrap_used)]
#[path = "../driver/world.rs"]
#[allow(dead_code)]
mod world;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rtc_payload::SessionId;
use rtc_rtp::WallClock;
use rtc_session::{
    Certificate, Command, ConnectionState, Datagram, DtlsVersion, Event, HostAddresses, Output,
    Session, SessionConfig,
};
use rustix::time::{ClockId, clock_gettime};
use std::io::IoSliceMut;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use world::World;

const VIEWERS: [usize; 3] = [1, 10, 100];
const FRAME: Duration = Duration::from_micros(33_333);
const FRAME_BYTES: usize = 8_000;
/// A packet of the floor.
const PACKET: usize = 1_200;
const TRAIN: usize = 7;
const SECONDS: u64 = 5;

fn main() {
    let seal = seal_ns();
    let send = send_ns();
    println!("\n| a packet for a viewer, ns of CPU | viewers | cost | floor |\n|---|---|---|---|");
    for viewers in VIEWERS {
        let cost = sans_io_ns(viewers);
        println!(
            "| session alone: header, seal, history, pacing | {viewers} | {cost:.0} | {seal:.0} (AES-128-GCM) |"
        );
    }
    for viewers in VIEWERS {
        let (cost, lost) = sockets_ns(viewers);
        let floor = seal + send;
        println!(
            "| io thread, all it does, over loopback | {viewers} | {cost:.0} | {floor:.0} (the same and its part of a GSO send) |"
        );
        if lost > 0 {
            println!("| (blocks dropped) | {viewers} | {lost} | 0 |");
        }
    }
}

/// CPU time of this thread, ns.
fn cpu() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}

/// Sealing one packet.
fn seal_ns() -> f64 {
    const ROUNDS: u64 = 200_000;
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).unwrap());
    let mut packet = vec![0; PACKET];
    let begin = cpu();
    for round in 0..ROUNDS {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&round.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let (header, body) = packet.split_at_mut(12);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(header), body)
            .unwrap();
        let _ = std::hint::black_box(tag);
    }
    (cpu() - begin) as f64 / ROUNDS as f64
}

/// One packet's part of a train sent to a socket of this machine that reads trains too.
fn send_ns() -> f64 {
    const ROUNDS: usize = 20_000;
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let state = UdpSocketState::new((&sender).into()).unwrap();
    let sink = UdpSocketState::new((&receiver).into()).unwrap();
    let contents = vec![0; TRAIN * PACKET];
    let mut buffer = vec![0; 65_535];
    let mut spent = 0;
    for _ in 0..ROUNDS {
        let transmit = Transmit {
            destination: receiver.local_addr().unwrap(),
            ecn: None,
            contents: &contents,
            segment_size: Some(PACKET),
            src_ip: Some(Ipv4Addr::LOCALHOST.into()),
        };
        let begin = cpu();
        state.try_send((&sender).into(), &transmit).unwrap();
        spent += cpu() - begin;
        let mut meta = [RecvMeta::default()];
        while sink
            .recv(
                (&receiver).into(),
                &mut [IoSliceMut::new(&mut buffer)],
                &mut meta,
            )
            .is_ok()
        {}
    }
    (spent - ROUNDS as u64 * clock_ns()) as f64 / (ROUNDS * TRAIN) as f64
}

/// What reading the clock adds to what is measured by it.
fn clock_ns() -> u64 {
    const ROUNDS: u64 = 10_000;
    let mut spent = 0;
    for _ in 0..ROUNDS {
        let begin = cpu();
        spent += cpu() - begin;
    }
    spent / ROUNDS
}

/// Sessions on simulated time, their viewers too, nothing but the senders' work measured.
fn sans_io_ns(viewers: usize) -> f64 {
    let mut now = Instant::now() + Duration::from_secs(1000);
    let certificate = Arc::new(Certificate::generate().unwrap());
    let mut calls: Vec<Call> = (0..viewers)
        .map(|n| Call::new(n, &certificate, now))
        .collect();
    while !calls.iter_mut().all(|call| call.turn(now)) {
        now += Duration::from_millis(5);
    }
    let mut input = World::new(0);
    let (mut spent, mut packets) = (0, 0);
    let frames = 30 * SECONDS;
    for frame in 0..frames {
        let block = input.block_at(frame < 5, FRAME_BYTES, now);
        now += FRAME;
        let begin = cpu();
        for call in &mut calls {
            call.sender.handle_timeout(now);
            call.sender.send_block(&block, now);
            call.drain_sender(now);
        }
        let took = cpu() - begin;
        let sent: usize = calls.iter_mut().map(|call| call.deliver(now)).sum();
        // The first second: estimates and buffers grow.
        if frame >= 30 {
            spent += took.saturating_sub(clock_ns());
            packets += sent;
        }
        for call in &mut calls {
            call.turn(now);
        }
    }
    spent as f64 / packets.max(1) as f64
}

/// A sender and its viewer, joined without delay.
struct Call {
    sender: Session,
    viewer: Session,
    addresses: [SocketAddr; 2],
    trains: Vec<rtc_session::Transmit>,
    others: Vec<Event>,
    connected: [bool; 2],
}

impl Call {
    fn new(number: usize, certificate: &Arc<Certificate>, now: Instant) -> Self {
        let port = 1000 + number as u16;
        let addresses = [1, 2].map(|host| SocketAddr::from(([10, 0, 0, host], port)));
        let [mut sender, viewer] = [0, 1].map(|side| {
            Session::new(
                config(number * 2 + side, addresses[side], certificate, now),
                now,
            )
        });
        let command = Command::AddTransceiver(world::sends_video());
        sender.handle_command(command, now);
        sender.handle_command(Command::Negotiate, now);
        Self {
            sender,
            viewer,
            addresses,
            trains: Vec::new(),
            others: Vec::new(),
            connected: [false; 2],
        }
    }

    /// What is measured.
    fn drain_sender(&mut self, now: Instant) {
        loop {
            match self.sender.poll_output(now) {
                Output::Transmit(transmit) => self.trains.push(transmit),
                Output::Stream(_) => {}
                Output::Event(event) => self.others.push(event),
                Output::Timeout(_) => return,
            }
        }
    }

    /// Carries what the sender sent to the viewer; yields the number of media packets.
    fn deliver(&mut self, now: Instant) -> usize {
        let mut packets = 0;
        for train in self.trains.drain(..) {
            packets += carry(&train, self.addresses[1], &mut self.viewer, now);
            self.sender.recycle(train.contents);
        }
        packets
    }

    /// Carries everything both ways until nothing is left; whether both are connected.
    fn turn(&mut self, now: Instant) -> bool {
        self.viewer.handle_timeout(now);
        self.sender.handle_timeout(now);
        loop {
            self.drain_sender(now);
            let events: Vec<Event> = self.others.drain(..).collect();
            let mut busy = !events.is_empty() || !self.trains.is_empty();
            self.deliver(now);
            for event in events {
                take(0, event, &mut self.connected, &mut self.viewer, now);
            }
            loop {
                match self.viewer.poll_output(now) {
                    Output::Transmit(train) => {
                        carry(&train, self.addresses[0], &mut self.sender, now);
                        self.viewer.recycle(train.contents);
                    }
                    Output::Stream(_) => {}
                    Output::Event(event) => {
                        take(1, event, &mut self.connected, &mut self.sender, now)
                    }
                    Output::Timeout(_) => break,
                }
                busy = true;
            }
            if !busy {
                return self.connected == [true; 2];
            }
        }
    }
}

fn carry(
    train: &rtc_session::Transmit,
    to: SocketAddr,
    session: &mut Session,
    now: Instant,
) -> usize {
    let size = train.segment_size.unwrap_or(train.contents.len()).max(1);
    let mut media = 0;
    for contents in train.contents.chunks(size) {
        // RFC 5761 §4: RTP, not RTCP.
        let is_media = contents[0] >> 6 == 2 && !(64..=95).contains(&(contents[1] & 0x7f));
        media += usize::from(is_media);
        let datagram = Datagram {
            transport: rtc_session::Transport::Udp,
            source: train.source,
            destination: to,
            contents,
        };
        session.handle_datagram(datagram, now);
    }
    media
}

fn take(side: usize, event: Event, connected: &mut [bool; 2], other: &mut Session, now: Instant) {
    match event {
        Event::LocalDescription { kind, sdp } => {
            other.handle_command(Command::RemoteDescription { kind, sdp }, now);
        }
        Event::Connection(state) => connected[side] = state == ConnectionState::Connected,
        Event::Closed(error) => panic!("closed: {error:?}"),
        _ => {}
    }
}

fn config(
    id: usize,
    address: SocketAddr,
    certificate: &Arc<Certificate>,
    now: Instant,
) -> SessionConfig {
    SessionConfig {
        id: SessionId(id as u64),
        certificate: certificate.clone(),
        hosts: HostAddresses {
            udp: vec![address],
            ..HostAddresses::default()
        },
        ice_servers: Vec::new(),
        ice_transport_policy: rtc_session::IceTransportPolicy::All,
        relay_port: 0,
        receive_codecs: vec![rtc_payload::Codec::Vp8],
        dtls_version: DtlsVersion::Auto,
        polite: true,
        retransmission: true,
        start_bitrate: 5_000_000,
        min_bitrate: 100_000,
        max_bitrate: 20_000_000,
        congestion_control: true,
        max_latency_ms: 500,
        playout_delay_ms: 0,
        restarts: true,
        cname: "bench".into(),
        wall: WallClock {
            at: now,
            ntp: 0xe000_0000_0000_0000,
        },
    }
}

/// A driver with that many viewers on the loopback interface: CPU of its io thread for a packet and
/// viewer, and the blocks it dropped.
fn sockets_ns(viewers: usize) -> (f64, u64) {
    let mut world = World::new(1);
    // It names itself when it begins to run.
    let sender_thread = loop {
        match io_threads().pop() {
            Some(thread) => break thread,
            None => std::thread::yield_now(),
        }
    };
    let receiver = world.start(world::loopback());
    let mut receivers = Vec::new();
    for _ in 0..viewers {
        let mut theirs = world.options();
        theirs.own_port = true;
        let mut ours = world.options();
        ours.start_bitrate = 5_000_000;
        receivers.push(world.pair_with(0, receiver, ours, theirs).1);
    }
    world.until_connected(&receivers);
    world.until_frames(0, &receivers);
    let begin = thread_cpu(&sender_thread);
    let start = Instant::now();
    let (mut frames, mut packets) = (0, 0);
    while start.elapsed() < Duration::from_secs(SECONDS) {
        let block = world.block(false, FRAME_BYTES);
        packets += block.payloads.len() * viewers;
        world.handle(0).media(block);
        frames += 1;
        world.hear_until(start + FRAME * frames);
        world.forget_frames();
    }
    let spent = thread_cpu(&sender_thread) - begin;
    (
        spent as f64 / packets as f64,
        world.handle(0).counters().blocks_dropped,
    )
}

/// The io threads of this process, by number.
fn io_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let tasks = tasks.map(|task| task.path().display().to_string());
    let mut tasks: Vec<String> = tasks
        .filter(|task| {
            std::fs::read_to_string(format!("{task}/comm"))
                .is_ok_and(|name| name.trim() == "rtc-io")
        })
        .collect();
    tasks.sort();
    tasks
}

fn thread_cpu(task: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("{task}/schedstat")).unwrap();
    stat.split_whitespace().next().unwrap().parse().unwrap()
}
