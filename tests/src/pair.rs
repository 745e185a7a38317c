// SPDX-License-Identifier: MPL-2.0
//! Two sessions on simulated time with a path in each direction and signalling between them.
use crate::link::{Link, LinkConfig, Packet};
use bytes::Bytes;
use rtc_payload::{Codec, EncodedFrame, FrameInfo, MediaKind, SessionId, TrackId};
use rtc_rtp::{MediaEvent, Packetizer, ReceivedFrame, ReceivedTone, WallClock};
use rtc_session::{
    Certificate, ChannelEvent, Command, ConnectionState, Datagram, DescriptionKind, Direction,
    DtlsVersion, Event, HostAddresses, IceConnectionState, MediaState, Output, SctpState, Session,
    SessionConfig, SessionError, TransceiverInit, Transmit,
};
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The largest RTP packet the frames of the kit are cut into, bytes.
const MAX_PACKET: usize = 1200;
/// Between two frames of [`Pair::stream`].
const FRAME: Duration = Duration::from_micros(33_333);
/// More inputs than this at one instant are a loop.
const MAX_TURNS: u32 = 100_000;
/// A driver would spin as long as a deadline stays where it is.
const MAX_SPINS: u32 = 20;

/// What a pair is made of.
#[derive(Clone, Debug)]
pub struct PairConfig {
    /// Both paths.
    pub link: LinkConfig,
    /// How long a description takes.
    pub signalling: Duration,
    /// The DTLS versions of each side.
    pub versions: [DtlsVersion; 2],
    /// Whether descriptions carry candidates; without them each comes by itself, later.
    pub candidates_in_descriptions: bool,
    /// Decides what gets lost.
    pub seed: u64,
    /// Addresses of each side.
    pub homes: u8,
}

impl Default for PairConfig {
    fn default() -> Self {
        Self {
            link: LinkConfig::default(),
            signalling: Duration::from_millis(5),
            versions: [DtlsVersion::Auto; 2],
            candidates_in_descriptions: true,
            seed: 1,
            homes: 1,
        }
    }
}

/// One side, with all that it told.
pub struct Peer {
    /// The session.
    pub session: Session,
    /// Its first address.
    pub address: SocketAddr,
    /// All its addresses.
    pub addresses: Vec<SocketAddr>,
    /// Whether [`Event::NegotiationNeeded`] is answered at once.
    pub negotiates: bool,
    /// Connection states in the order told.
    pub connection: Vec<(Instant, ConnectionState)>,
    /// ICE states in the order told.
    pub ice: Vec<(Instant, IceConnectionState)>,
    /// The m-lines of each negotiation.
    pub media: Vec<Vec<MediaState>>,
    /// Frames received.
    pub frames: Vec<ReceivedFrame>,
    /// Tones received.
    pub tones: Vec<ReceivedTone>,
    /// What tonechange told, when.
    pub tone_changes: Vec<(Instant, String)>,
    /// Keyframes asked for, by track.
    pub keyframes_wanted: HashMap<TrackId, u32>,
    /// What happened to data channels.
    pub channels: Vec<(Instant, ChannelEvent)>,
    /// States of SCTP in the order told.
    pub sctp: Vec<SctpState>,
    /// What was refused.
    pub refused: Vec<SessionError>,
    /// Names to resolve.
    pub names: Vec<String>,
    /// How often negotiation was needed.
    pub needed: u32,
    /// How and when the session ended.
    pub closed: Option<(Instant, Option<SessionError>)>,
    /// Descriptions made.
    pub descriptions: Vec<(DescriptionKind, String)>,
    /// How often a deadline passed.
    pub wakeups: u64,
    packetizers: HashMap<TrackId, Packetizer>,
    deadline: Instant,
    /// Deadlines in a row that did not move on.
    spins: u32,
}

/// Changes a datagram under way (the sender's index and its bytes).
pub type Meddler = Box<dyn FnMut(usize, &mut Vec<u8>)>;
/// Changes a description under way (the sender's index and its text).
pub type Munger = Box<dyn FnMut(usize, &mut String)>;

/// Two sessions.
pub struct Pair {
    /// The time.
    pub now: Instant,
    /// Both sides; the first is impolite.
    pub peers: [Peer; 2],
    /// The path from each side to the other.
    pub links: [Link; 2],
    /// Addresses that are cut off.
    pub dead: Vec<SocketAddr>,
    /// Changes datagrams under way.
    pub meddler: Option<Meddler>,
    /// Changes descriptions under way.
    pub munger: Option<Munger>,
    config: PairConfig,
    signals: Vec<(Instant, usize, Command)>,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("connection", &self.connection)
            .field("ice", &self.ice)
            .field("refused", &self.refused)
            .field("closed", &self.closed)
            .field("frames", &self.frames.len())
            .finish_non_exhaustive()
    }
}

/// A transceiver that sends a track of VP8 or, for audio, Opus.
pub fn sending(track: u32, kind: MediaKind, direction: Direction) -> Command {
    Command::AddTransceiver(TransceiverInit {
        kind,
        direction,
        track: direction.sends().then_some(TrackId(track)),
        codecs: vec![rtc_session::CodecOffer {
            codec: codec_of(kind),
            fmtp: String::new(),
        }],
        stream: "s".into(),
    })
}

/// A frame of the kit: its number stands in its bytes.
pub fn frame(kind: MediaKind, number: u32, keyframe: bool) -> EncodedFrame {
    let size = match kind {
        MediaKind::Video => 3000,
        MediaKind::Audio => 200,
    };
    let mut data = vec![0u8; size];
    if kind == MediaKind::Video {
        // RFC 6386 §9.1: bit 0 clear in a keyframe, then start code and size.
        data[0] = if keyframe { 0x10 } else { 0x11 };
        data[3..10].copy_from_slice(&[0x9d, 0x01, 0x2a, 64, 0, 48, 0]);
    }
    data[10..14].copy_from_slice(&number.to_be_bytes());
    for (at, byte) in data.iter_mut().enumerate().skip(14) {
        *byte = (at as u32 ^ number) as u8;
    }
    let codec = codec_of(kind);
    EncodedFrame {
        codec,
        data: Bytes::from(data),
        rtp_time: number.wrapping_mul(codec.clock_rate() / 30),
        info: FrameInfo {
            keyframe: keyframe || kind == MediaKind::Audio,
            ..FrameInfo::default()
        },
    }
}

/// The number in a frame of the kit.
pub fn number(received: &ReceivedFrame) -> u32 {
    received.data[10..14]
        .iter()
        .fold(0, |n, b| n << 8 | u32::from(*b))
}

fn codec_of(kind: MediaKind) -> Codec {
    match kind {
        MediaKind::Video => Codec::Vp8,
        MediaKind::Audio => Codec::Opus,
    }
}

impl Pair {
    /// Two sessions that know nothing of each other yet.
    pub fn new(config: PairConfig) -> Self {
        // Not the epoch of the monotonic clock, which may be this machine's start.
        let now = Instant::now() + Duration::from_secs(1000);
        let link = |at: u64| Link::new(config.link, config.seed * 2 + at);
        Self {
            now,
            peers: [Peer::new(0, &config, now), Peer::new(1, &config, now)],
            links: [link(0), link(1)],
            dead: Vec::new(),
            meddler: None,
            munger: None,
            config,
            signals: Vec::new(),
        }
    }

    /// Gives a command to a side.
    pub fn command(&mut self, side: usize, command: Command) {
        self.peers[side].session.handle_command(command, self.now);
        self.drain(side);
    }

    /// The first side offers a video track, the second receives; returns once both are connected.
    ///
    /// # Panics
    /// If they don't connect.
    pub fn connected(config: PairConfig) -> Self {
        let mut pair = Self::new(config);
        pair.command(0, sending(1, MediaKind::Video, Direction::SendRecv));
        pair.run_until_connected(Duration::from_secs(10));
        pair
    }

    /// Runs until both sides are connected.
    ///
    /// # Panics
    /// If that does not happen within `limit`.
    pub fn run_until_connected(&mut self, limit: Duration) {
        self.run_until(limit, |pair| {
            let connected = |peer: &Peer| peer.state() == ConnectionState::Connected;
            pair.peers.iter().all(connected)
        });
    }

    /// Runs until something holds.
    ///
    /// # Panics
    /// If it does not within `limit`.
    pub fn run_until(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !holds(self) {
            assert!(self.step(end), "not within {limit:?}: {:#?}", self.peers);
        }
    }

    /// Runs for a time.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
    }

    /// Sends `count` frames of a track at 30 per second from one side while time goes on; keyframes
    /// where the session wants one, as an encoder would make them. Returns the number after the last.
    pub fn stream(
        &mut self,
        side: usize,
        track: u32,
        kind: MediaKind,
        from: u32,
        count: u32,
    ) -> u32 {
        for at in from..from + count {
            let wanted = self.peers[side].keyframes_wanted.remove(&TrackId(track));
            self.send_frame(side, track, &frame(kind, at, wanted.is_some()));
            self.run(FRAME);
        }
        from + count
    }

    /// Sends one frame.
    pub fn send_frame(&mut self, side: usize, track: u32, frame: &EncodedFrame) {
        let peer = &mut self.peers[side];
        let track = TrackId(track);
        let packetizer = peer
            .packetizers
            .entry(track)
            .or_insert_with(|| Packetizer::new(track, frame.codec, MAX_PACKET));
        let block = packetizer
            .block(frame, self.now)
            .expect("the kit's frames are sound");
        peer.session.send_block(&Arc::new(block), self.now);
        self.drain(side);
    }

    /// Lets a side receive a datagram as from the network.
    pub fn inject(&mut self, side: usize, packet: &Packet) {
        let datagram = Datagram {
            transport: rtc_session::Transport::Udp,
            source: packet.source,
            destination: packet.destination,
            contents: &packet.contents,
        };
        self.peers[side].session.handle_datagram(datagram, self.now);
        self.drain(side);
    }

    /// Does all that is due, or moves the time on to what comes next; false at `end`.
    fn step(&mut self, end: Instant) -> bool {
        let arrivals = self.links.iter().filter_map(Link::next_arrival);
        let signals = self.signals.iter().map(|(at, ..)| *at);
        let deadlines = self.peers.iter().map(|peer| peer.deadline);
        let next = arrivals
            .chain(signals)
            .chain(deadlines)
            .min()
            .unwrap_or(end);
        if next > end {
            self.now = end;
            return false;
        }
        self.now = self.now.max(next);
        for side in 0..2 {
            while let Some(packet) = self.links[1 - side].receive(self.now) {
                self.inject(side, &packet);
            }
        }
        let due = self.signals.extract_if(.., |(at, ..)| *at <= self.now);
        for (_, side, command) in due.collect::<Vec<_>>() {
            self.command(side, command);
        }
        for side in 0..2 {
            if self.peers[side].deadline <= self.now {
                self.peers[side].wakeups += 1;
                self.peers[side].session.handle_timeout(self.now);
                self.drain(side);
                let peer = &mut self.peers[side];
                let moved = peer.deadline > self.now;
                peer.spins = if moved { 0 } else { peer.spins + 1 };
                assert!(
                    peer.spins < MAX_SPINS,
                    "side {side}: its deadline does not move on"
                );
            }
        }
        true
    }

    fn drain(&mut self, side: usize) {
        for _ in 0..MAX_TURNS {
            match self.peers[side].session.poll_output(self.now) {
                Output::Transmit(transmit) => self.transmit(side, transmit),
                Output::Stream(_) => {}
                Output::Event(event) => self.event(side, event),
                Output::Timeout(at) => {
                    self.peers[side].deadline = at;
                    return;
                }
            }
        }
        panic!("side {side} has no end of outputs");
    }

    fn transmit(&mut self, side: usize, transmit: Transmit) {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len());
        for segment in transmit.contents.chunks(size.max(1)) {
            let mut contents = segment.to_vec();
            if let Some(meddler) = &mut self.meddler {
                meddler(side, &mut contents);
            }
            let packet = Packet {
                source: transmit.source,
                destination: transmit.destination,
                contents,
            };
            let exists = self.peers[1 - side].addresses.contains(&packet.destination);
            let dead = [packet.source, packet.destination]
                .iter()
                .any(|a| self.dead.contains(a));
            if exists && !dead {
                self.links[side].send(packet, self.now);
            }
        }
        self.peers[side].session.recycle(transmit.contents);
    }

    fn event(&mut self, side: usize, event: Event) {
        let peer = &mut self.peers[side];
        let now = self.now;
        match event {
            Event::LocalDescription { kind, sdp } => {
                peer.descriptions.push((kind, sdp.clone()));
                self.signal(side, kind, sdp);
            }
            Event::Resolve { name } => peer.names.push(name),
            Event::NegotiationNeeded => {
                peer.needed += 1;
                if peer.negotiates {
                    peer.session.handle_command(Command::Negotiate, now);
                }
            }
            Event::Ice(state) => peer.ice.push((now, state)),
            Event::Connection(state) => peer.connection.push((now, state)),
            Event::Media(media) => peer.media.push(media),
            Event::Rtp(MediaEvent::Frame(frame)) => peer.frames.push(frame),
            Event::Rtp(MediaEvent::Tone(tone)) => peer.tones.push(tone),
            Event::Rtp(MediaEvent::ToneChange { tone, .. }) => {
                peer.tone_changes.push((now, tone));
            }
            Event::Rtp(MediaEvent::KeyframeWanted { track, .. }) => {
                *peer.keyframes_wanted.entry(track).or_default() += 1;
            }
            Event::Channel(event) => {
                assert!(peer.closed.is_none(), "an event after the end");
                peer.channels.push((now, event));
            }
            Event::Sctp(state) => peer.sctp.push(state),
            Event::Refused(error) => peer.refused.push(error),
            Event::Closed(error) => {
                assert!(peer.closed.is_none(), "closed twice");
                peer.closed = Some((now, error));
            }
            _ => assert!(peer.closed.is_none(), "an event after the end"),
        }
    }

    fn signal(&mut self, side: usize, kind: DescriptionKind, mut sdp: String) {
        if let Some(munger) = &mut self.munger {
            munger(side, &mut sdp);
        }
        let at = self.now + self.config.signalling;
        let mut later = Vec::new();
        if !self.config.candidates_in_descriptions {
            let is_candidate =
                |line: &&str| line.starts_with("a=candidate") || line.starts_with("a=end-of");
            later = sdp
                .lines()
                .filter(|line| line.starts_with("a=candidate"))
                .map(str::to_owned)
                .collect();
            let kept: Vec<&str> = sdp.lines().filter(|line| !is_candidate(line)).collect();
            sdp = kept.join("\r\n") + "\r\n";
        }
        self.signals
            .push((at, 1 - side, Command::RemoteDescription { kind, sdp }));
        for candidate in later {
            let command = Command::RemoteCandidate {
                candidate,
                mid: None,
                index: Some(0),
            };
            self.signals
                .push((at + Duration::from_millis(50), 1 - side, command));
        }
    }
}

impl Peer {
    fn new(side: usize, config: &PairConfig, now: Instant) -> Self {
        let address = |home: u8| SocketAddr::from(([10, home, 0, side as u8 + 1], 5000));
        let addresses: Vec<SocketAddr> = (0..config.homes).map(address).collect();
        let session = Session::new(
            SessionConfig {
                id: SessionId(side as u64 + 1),
                certificate: Arc::new(Certificate::generate().expect("a certificate can be made")),
                hosts: HostAddresses {
                    udp: addresses.clone(),
                    ..HostAddresses::default()
                },
                ice_servers: Vec::new(),
                ice_transport_policy: rtc_session::IceTransportPolicy::All,
                relay_port: 0,
                receive_codecs: vec![Codec::Vp8, Codec::Opus],
                dtls_version: config.versions[side],
                polite: side == 1,
                retransmission: true,
                start_bitrate: 2_000_000,
                min_bitrate: 100_000,
                max_bitrate: 10_000_000,
                congestion_control: true,
                max_latency_ms: 500,
                playout_delay_ms: 0,
                restarts: true,
                cname: format!("side{side}"),
                wall: WallClock {
                    at: now,
                    ntp: 0xe000_0000_0000_0000,
                },
            },
            now,
        );
        Self {
            session,
            address: addresses[0],
            addresses,
            negotiates: true,
            connection: Vec::new(),
            ice: Vec::new(),
            media: Vec::new(),
            frames: Vec::new(),
            tones: Vec::new(),
            tone_changes: Vec::new(),
            keyframes_wanted: HashMap::new(),
            channels: Vec::new(),
            sctp: Vec::new(),
            refused: Vec::new(),
            names: Vec::new(),
            needed: 0,
            closed: None,
            descriptions: Vec::new(),
            wakeups: 0,
            packetizers: HashMap::new(),
            deadline: now,
            spins: 0,
        }
    }

    /// The connection state told last.
    pub fn state(&self) -> ConnectionState {
        self.connection
            .last()
            .map_or(ConnectionState::New, |(_, state)| *state)
    }

    /// When a connection state was told last.
    pub fn when(&self, state: ConnectionState) -> Option<Instant> {
        let found = self
            .connection
            .iter()
            .rev()
            .find(|(_, told)| *told == state);
        found.map(|(at, _)| *at)
    }

    /// The numbers of the frames received.
    pub fn numbers(&self) -> Vec<u32> {
        self.frames.iter().map(number).collect()
    }
}
