// SPDX-License-Identifier: MPL-2.0
//! Several drivers in one process, their sessions paired, their signalling carried by a channel.
use bytes::Bytes;
use rtc_driver::{Driver, DriverConfig, Handle, JoinGuard, SessionOptions};
use rtc_payload::{Codec, EncodedFrame, FrameInfo, MediaKind, SessionId, TrackId};
use rtc_rtp::{MediaEvent, PacketBlock, Packetizer, ReceivedFrame};
use rtc_session::{
    Certificate, ChannelEvent, CodecOffer, Command, ConnectionState, Direction, Event, MediaState,
    SessionError, TransceiverInit,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Far more than anything here takes on a machine that does nothing else.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// The input every sender of these tests has.
pub(crate) const TRACK: TrackId = TrackId(7);

/// What was seen of a session.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) frames: Vec<ReceivedFrame>,
    pub(crate) descriptions: Vec<String>,
    pub(crate) keyframes_wanted: usize,
    pub(crate) connection: ConnectionState,
    pub(crate) media: Vec<MediaState>,
    pub(crate) refused: Vec<SessionError>,
    pub(crate) channels: Vec<ChannelEvent>,
    pub(crate) closed: Option<Option<SessionError>>,
}

/// A driver and what ends it.
pub(crate) struct Machine {
    pub(crate) handle: Handle,
    guard: Option<JoinGuard>,
}

impl Machine {
    pub(crate) fn stop(&mut self) {
        self.guard = None;
    }
}

pub(crate) struct World {
    pub(crate) machines: Vec<Machine>,
    certificate: Arc<Certificate>,
    tell: Sender<(SessionId, Event)>,
    told: Receiver<(SessionId, Event)>,
    /// Each session's machine and the session at the other end.
    ends: HashMap<SessionId, (usize, SessionId)>,
    seen: HashMap<SessionId, Seen>,
    packetizer: Packetizer,
    sent: u32,
}

impl World {
    pub(crate) fn new(machines: usize) -> Self {
        let (tell, told) = channel();
        let mut world = Self {
            machines: Vec::new(),
            certificate: Arc::new(Certificate::generate().unwrap()),
            tell,
            told,
            ends: HashMap::new(),
            seen: HashMap::new(),
            packetizer: Packetizer::new(TRACK, Codec::Vp8, 1200),
            sent: 0,
        };
        for _ in 0..machines {
            world.start(loopback());
        }
        world
    }

    /// Starts a driver; yields its number.
    pub(crate) fn start(&mut self, config: DriverConfig) -> usize {
        let tell = self.tell.clone();
        self.start_with(config, move |session, event| {
            let _ = tell.send((session, event));
        })
    }

    /// Starts a driver with an outlet that does more than pass on.
    pub(crate) fn start_with(
        &mut self,
        config: DriverConfig,
        outlet: impl FnMut(SessionId, Event) + Send + 'static,
    ) -> usize {
        let (handle, guard) = Driver::start(config, Box::new(outlet)).unwrap();
        let guard = Some(guard);
        self.machines.push(Machine { handle, guard });
        self.machines.len() - 1
    }

    pub(crate) fn tell(&self) -> Sender<(SessionId, Event)> {
        self.tell.clone()
    }

    pub(crate) fn handle(&self, machine: usize) -> &Handle {
        &self.machines[machine].handle
    }

    pub(crate) fn seen(&self, session: SessionId) -> &Seen {
        &self.seen[&session]
    }

    pub(crate) fn options(&self) -> SessionOptions {
        SessionOptions::new(self.certificate.clone())
    }

    /// A session from `from`, which offers to send video, to `to`.
    pub(crate) fn pair(&mut self, from: usize, to: usize) -> (SessionId, SessionId) {
        self.pair_with(from, to, self.options(), self.options())
    }

    pub(crate) fn pair_with(
        &mut self,
        from: usize,
        to: usize,
        ours: SessionOptions,
        theirs: SessionOptions,
    ) -> (SessionId, SessionId) {
        let sender = self.handle(from).open(ours);
        let receiver = self.handle(to).open(theirs);
        self.ends.insert(sender, (from, receiver));
        self.ends.insert(receiver, (to, sender));
        self.seen.insert(sender, Seen::default());
        self.seen.insert(receiver, Seen::default());
        let handle = self.handle(from);
        handle.command(sender, Command::AddTransceiver(sends_video()));
        handle.command(sender, Command::Negotiate);
        (sender, receiver)
    }

    /// Pairs two machines and waits till media can flow.
    pub(crate) fn connect(&mut self, from: usize, to: usize) -> (SessionId, SessionId) {
        let (sender, receiver) = self.pair(from, to);
        self.until_connected(&[sender, receiver]);
        (sender, receiver)
    }

    pub(crate) fn until_connected(&mut self, sessions: &[SessionId]) {
        self.until("all are connected", |world| {
            sessions.iter().all(|session| {
                let seen = world.seen(*session);
                assert_eq!(seen.closed, None);
                seen.connection == ConnectionState::Connected
            })
        });
    }

    /// Carries signalling and notes events until `done`.
    pub(crate) fn until(&mut self, what: &str, done: impl FnMut(&Self) -> bool) {
        self.until_within(DEADLINE, what, done);
    }

    pub(crate) fn until_within(
        &mut self,
        limit: Duration,
        what: &str,
        mut done: impl FnMut(&Self) -> bool,
    ) {
        let deadline = Instant::now() + limit;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(left) {
                Ok((session, event)) => self.take(session, event),
                Err(RecvTimeoutError::Timeout) => panic!("not in time: {what}; {:#?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => unreachable!("the world holds a sender"),
            }
        }
    }

    /// Keyframes are sent by `machine` until every one of `receivers` has got one more.
    pub(crate) fn until_frames(&mut self, machine: usize, receivers: &[SessionId]) {
        let counts = |world: &Self| -> Vec<usize> {
            receivers
                .iter()
                .map(|id| world.seen(*id).frames.len())
                .collect()
        };
        let before = counts(self);
        let deadline = Instant::now() + DEADLINE;
        while counts(self)
            .iter()
            .zip(&before)
            .any(|(now, before)| now == before)
        {
            assert!(
                Instant::now() < deadline,
                "no frame in time: {:?}",
                counts(self)
            );
            let block = self.block(true, 3000);
            self.handle(machine).media(block);
            // As an encoder paces itself.
            self.hear_until(Instant::now() + Duration::from_millis(33));
        }
    }

    /// Carries signalling and notes events until a moment.
    pub(crate) fn hear_until(&mut self, moment: Instant) {
        let left = || moment.saturating_duration_since(Instant::now());
        while let Ok((session, event)) = self.told.recv_timeout(left()) {
            self.take(session, event);
        }
    }

    /// Lets go of the frames received so far: for the bench, which needs none.
    #[allow(dead_code)]
    pub(crate) fn forget_frames(&mut self) {
        for seen in self.seen.values_mut() {
            seen.frames.clear();
        }
    }

    /// The next frame of the input, packetised.
    pub(crate) fn block(&mut self, keyframe: bool, bytes: usize) -> Arc<PacketBlock> {
        self.block_at(keyframe, bytes, Instant::now())
    }

    pub(crate) fn block_at(
        &mut self,
        keyframe: bool,
        bytes: usize,
        captured: Instant,
    ) -> Arc<PacketBlock> {
        self.sent += 1;
        let frame = EncodedFrame {
            codec: Codec::Vp8,
            data: vp8(keyframe, self.sent, bytes),
            rtp_time: self.sent.wrapping_mul(3000),
            info: FrameInfo {
                keyframe,
                ..FrameInfo::default()
            },
        };
        Arc::new(self.packetizer.block(&frame, captured).unwrap())
    }

    fn take(&mut self, session: SessionId, event: Event) {
        let Some((machine, partner)) = self.ends.get(&session).copied() else {
            return;
        };
        let other = self.ends[&partner].0;
        let seen = self.seen.get_mut(&session).unwrap();
        assert_eq!(
            seen.closed, None,
            "nothing comes after Closed, yet {event:?}"
        );
        match event {
            Event::LocalDescription { kind, sdp } => {
                seen.descriptions.push(sdp.clone());
                let command = Command::RemoteDescription { kind, sdp };
                self.machines[other].handle.command(partner, command);
            }
            Event::LocalCandidate {
                candidate,
                mid,
                index,
            } => {
                let command = Command::RemoteCandidate {
                    candidate: candidate.unwrap_or_default(),
                    mid: Some(mid),
                    index: Some(index),
                };
                self.machines[other].handle.command(partner, command);
            }
            Event::NegotiationNeeded => {
                self.machines[machine]
                    .handle
                    .command(session, Command::Negotiate);
            }
            Event::Rtp(MediaEvent::Frame(frame)) => seen.frames.push(frame),
            Event::Rtp(MediaEvent::KeyframeWanted { .. }) => seen.keyframes_wanted += 1,
            Event::Connection(state) => seen.connection = state,
            Event::Media(media) => seen.media = media,
            Event::Channel(event) => seen.channels.push(event),
            Event::Refused(error) => seen.refused.push(error),
            Event::Closed(error) => seen.closed = Some(error),
            _ => {}
        }
    }
}

/// A transceiver that sends the input.
pub(crate) fn sends_video() -> TransceiverInit {
    TransceiverInit {
        kind: MediaKind::Video,
        direction: Direction::SendOnly,
        track: Some(TRACK),
        codecs: vec![CodecOffer {
            codec: Codec::Vp8,
            fmtp: String::new(),
        }],
        stream: "stream".into(),
    }
}

/// A driver on the loopback interface and any free port.
pub(crate) fn loopback() -> DriverConfig {
    DriverConfig {
        interfaces: vec!["lo".into()],
        ..DriverConfig::default()
    }
}

/// A frame with a header as RFC 6386 §9.1 has it, its number behind, and filling.
fn vp8(keyframe: bool, number: u32, bytes: usize) -> Bytes {
    let mut data = match keyframe {
        true => vec![0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0],
        false => vec![0x11, 0, 0],
    };
    data.extend_from_slice(&number.to_be_bytes());
    data.resize(bytes.max(data.len()), number as u8);
    data.into()
}
