// SPDX-License-Identifier: MPL-2.0
//! A call between two hosts of the test network: video from the first to the second.
use crate::net::Host;
use bytes::Bytes;
use rtc_driver::{Driver, DriverConfig, Handle, JoinGuard, SessionOptions};
use rtc_payload::{Codec, EncodedFrame, FrameInfo, MediaKind, SessionId, TrackId};
use rtc_rtp::{MediaEvent, Packetizer};
use rtc_session::{
    CandidateError, Certificate, CodecOffer, Command, ConnectionState, Direction, DtlsState, Event,
    GatheringState, LoginWanted, SessionStats, TransceiverInit,
};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

const TRACK: TrackId = TrackId(1);

/// What a session told of itself.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connection: ConnectionState,
    pub(crate) descriptions: Vec<String>,
    pub(crate) candidates: Vec<Option<String>>,
    pub(crate) errors: Vec<CandidateError>,
    pub(crate) logins: Vec<LoginWanted>,
    pub(crate) gathering: Vec<GatheringState>,
    pub(crate) dtls: Vec<DtlsState>,
    pub(crate) frames: usize,
    pub(crate) closed: bool,
}

impl Seen {
    /// Every candidate it told, wherever.
    pub(crate) fn told(&self) -> Vec<String> {
        let lines = self.descriptions.iter().flat_map(|sdp| sdp.lines());
        let described = lines.filter_map(|line| line.strip_prefix("a=candidate:"));
        let trickled = self.candidates.iter().flatten();
        let trickled = trickled.filter_map(|text| text.strip_prefix("candidate:"));
        described.chain(trickled).map(str::to_owned).collect()
    }
}

struct End {
    handle: Handle,
    _guard: JoinGuard,
    session: SessionId,
    seen: Seen,
}

/// How one end is made.
pub(crate) struct Setup<'a> {
    pub(crate) host: &'a Host,
    pub(crate) config: DriverConfig,
    pub(crate) options: SessionOptions,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(host: &'a Host) -> Self {
        let certificate = Arc::new(Certificate::generate().unwrap());
        Self {
            host,
            config: DriverConfig::default(),
            options: SessionOptions::new(certificate),
        }
    }
}

pub(crate) struct Call {
    ends: [End; 2],
    told: Receiver<(usize, Event)>,
    packetizer: Packetizer,
    sent: u32,
}

impl Call {
    /// The first end offers.
    pub(crate) fn new(setups: [Setup<'_>; 2]) -> Self {
        let (tell, told) = channel();
        let mut number = 0;
        let ends = setups.map(|setup| {
            let end = open(setup, number, tell.clone());
            number += 1;
            end
        });
        let first = &ends[0];
        first.handle.command(
            first.session,
            Command::AddTransceiver(TransceiverInit {
                kind: MediaKind::Video,
                direction: Direction::SendOnly,
                track: Some(TRACK),
                codecs: vec![CodecOffer {
                    codec: Codec::Vp8,
                    fmtp: String::new(),
                }],
                stream: "stream".into(),
            }),
        );
        first.handle.command(first.session, Command::Negotiate);
        Self {
            ends,
            told,
            packetizer: Packetizer::new(TRACK, Codec::Vp8, 1200),
            sent: 0,
        }
    }

    pub(crate) fn seen(&self, end: usize) -> &Seen {
        &self.ends[end].seen
    }

    /// Carries signalling until `done`; false if that is not so in time.
    pub(crate) fn until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(left) {
                Ok((end, event)) => self.take(end, event),
                Err(_) => return false,
            }
        }
        true
    }

    /// Whether both are connected in time.
    pub(crate) fn connects(&mut self, limit: Duration) -> bool {
        self.until(limit, |call| {
            let connected = |end: &End| end.seen.connection == ConnectionState::Connected;
            call.ends.iter().all(connected)
        })
    }

    /// Sends frames until the second end has got so many more.
    pub(crate) fn frames(&mut self, count: usize) {
        let wanted = self.seen(1).frames + count;
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.seen(1).frames < wanted {
            assert!(Instant::now() < deadline, "no frames: {:#?}", self.seen(1));
            self.frame();
        }
    }

    /// Sends frames for so long.
    pub(crate) fn sends_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.frame();
        }
    }

    fn frame(&mut self) {
        self.sent += 1;
        // A train of nine packets.
        let mut data = vec![0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0];
        data.resize(10_000, self.sent as u8);
        let frame = EncodedFrame {
            codec: Codec::Vp8,
            data: Bytes::from(data),
            rtp_time: self.sent.wrapping_mul(3000),
            info: FrameInfo {
                keyframe: true,
                ..FrameInfo::default()
            },
        };
        let block = self.packetizer.block(&frame, Instant::now()).unwrap();
        self.ends[0].handle.media(Arc::new(block));
        self.until(Duration::from_millis(33), |_| false);
    }

    pub(crate) fn stats(&self, end: usize) -> SessionStats {
        let (tell, told) = channel();
        let End {
            handle, session, ..
        } = &self.ends[end];
        handle.stats(*session, move |stats| tell.send(stats).unwrap());
        told.recv_timeout(Duration::from_secs(5)).unwrap()
    }

    pub(crate) fn command(&self, end: usize, command: Command) {
        let end = &self.ends[end];
        end.handle.command(end.session, command);
    }

    fn take(&mut self, at: usize, event: Event) {
        let seen = &mut self.ends[at].seen;
        let answer = match event {
            Event::LocalDescription { kind, sdp } => {
                seen.descriptions.push(sdp.clone());
                Some(Command::RemoteDescription { kind, sdp })
            }
            Event::LocalCandidate {
                candidate,
                mid,
                index,
            } => {
                seen.candidates.push(candidate.clone());
                Some(Command::RemoteCandidate {
                    candidate: candidate.unwrap_or_default(),
                    mid: Some(mid),
                    index: Some(index),
                })
            }
            Event::Gathering(state) => {
                seen.gathering.push(state);
                None
            }
            // The first offer was asked for.
            Event::NegotiationNeeded => {
                if !seen.dtls.is_empty() {
                    self.command(at, Command::Negotiate);
                }
                None
            }
            Event::Dtls { state, .. } => {
                seen.dtls.push(state);
                None
            }
            Event::CandidateError(error) => {
                seen.errors.push(error);
                None
            }
            Event::LoginWanted(wanted) => {
                seen.logins.push(wanted);
                None
            }
            Event::Connection(state) => {
                seen.connection = state;
                None
            }
            Event::Rtp(MediaEvent::Frame(_)) => {
                seen.frames += 1;
                None
            }
            Event::Closed(_) => {
                seen.closed = true;
                None
            }
            _ => None,
        };
        if let Some(command) = answer {
            self.command(1 - at, command);
        }
    }
}

fn open(setup: Setup<'_>, number: usize, tell: Sender<(usize, Event)>) -> End {
    let Setup {
        host,
        config,
        options,
    } = setup;
    host.run(move || {
        let outlet = move |_, event| {
            let _ = tell.send((number, event));
        };
        let (handle, guard) = Driver::start(config, Box::new(outlet)).unwrap();
        let session = handle.open(options);
        End {
            handle,
            _guard: guard,
            session,
            seen: Seen::default(),
        }
    })
}
