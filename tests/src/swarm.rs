// SPDX-License-Identifier: MPL-2.0
//! Many light viewers of one WHEP address: decode nothing, count frames and gaps.
use crate::usage::Usage;
use rtc_driver::{Driver, DriverConfig, Handle, JoinGuard, SessionOptions};
use rtc_payload::{MediaKind, SessionId};
use rtc_rtp::MediaEvent;
use rtc_session::{
    Certificate, Command, ConnectionState, DescriptionKind, Direction, Event, TransceiverInit,
};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long all viewers of a round may take to their first frame.
const PATIENCE: Duration = Duration::from_secs(60);

/// More frames of a viewer than these are not noted.
const MAX_SEEN: usize = 100_000;

/// More delays than these are not noted.
const MAX_DELAYS: usize = 4_000_000;

struct Viewer {
    asked: Instant,
    first_frame: Option<Duration>,
    frames: u64,
    /// Of [`Self::frames`], those before the present watch.
    earlier: u64,
    gaps: u64,
    /// Of the present watch.
    keyframes: u64,
    bytes: u64,
    /// RTP time and arrival of each frame of the present watch.
    seen: Vec<(u32, Instant)>,
    /// The sizes of its pictures, each change noted.
    sizes: Vec<(u16, u16)>,
    /// The UDP port it receives at.
    port: Option<u16>,
    resource: Option<String>,
    connected: bool,
    closed: bool,
}

enum Heard {
    Event(SessionId, Event),
    Answer(SessionId, Result<(String, Option<String>), String>),
}

/// Viewers of one address, all on one UDP port and one thread.
pub struct Swarm {
    url: String,
    handle: Handle,
    // Ends the io thread with the swarm.
    _guard: JoinGuard,
    heard: Receiver<Heard>,
    tell: Sender<Heard>,
    viewers: HashMap<SessionId, Viewer>,
    certificate: Arc<Certificate>,
    /// Microseconds from a frame's time on the sender's clock to its arrival; filled while watching.
    delays: Option<Vec<u32>>,
    /// This machine's wall clock at one moment.
    wall: (Instant, SystemTime),
    /// What went wrong with signalling.
    pub errors: Vec<String>,
}

impl std::fmt::Debug for Swarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swarm")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Swarm {
    /// A swarm without viewers yet.
    ///
    /// # Errors
    /// If there is no socket or no certificate to be had.
    pub fn new(url: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let (tell, heard) = channel();
        let events = tell.clone();
        let outlet = move |session: SessionId, event: Event| {
            let _ = events.send(Heard::Event(session, event));
        };
        // Light, and the same towards every sender: what UDP reaches needs no connections beside it.
        let config = DriverConfig {
            ice_tcp: false,
            ..DriverConfig::default()
        };
        let (handle, guard) = Driver::start(config, Box::new(outlet))?;
        Ok(Self {
            url: url.to_owned(),
            handle,
            _guard: guard,
            heard,
            tell,
            viewers: HashMap::new(),
            certificate: Arc::new(Certificate::generate()?),
            delays: None,
            wall: (Instant::now(), SystemTime::now()),
            errors: vec![],
        })
    }

    /// Lets `viewers` come, one each `pace`, and waits until each has a frame (60 s at the most).
    pub fn come(&mut self, viewers: usize, pace: Duration) {
        for _ in 0..viewers {
            self.open();
            if !pace.is_zero() {
                self.hear_until(pace, |_| false);
            }
        }
        self.hear_until(PATIENCE, |swarm| {
            swarm.viewers.values().all(|v| v.frames > 0 || v.closed)
        });
    }

    /// Watches for `time`; what was seen, frames per second, delays and CPU time those of this time alone.
    ///
    /// Delays are from the frame's time on the sender's clock (its sender reports) to its first packet's
    /// arrival: of use where the sender runs on this machine and means the time of capture.
    pub fn watch(&mut self, time: Duration) -> serde_json::Value {
        // What came before is not of this watch.
        while let Ok(heard) = self.heard.try_recv() {
            self.hear(heard);
        }
        for viewer in self.viewers.values_mut() {
            viewer.earlier = viewer.frames;
            viewer.bytes = 0;
            viewer.keyframes = 0;
            viewer.seen.clear();
        }
        self.delays = Some(vec![]);
        let before = Usage::of(std::process::id()).map_or(0.0, |usage| usage.cpu_seconds);
        self.hear_until(time, |_| false);
        let after = Usage::of(std::process::id()).map_or(0.0, |usage| usage.cpu_seconds);
        let mut delays = self.delays.take().unwrap_or_default();
        delays.sort_unstable();
        let delay = |hundredth: usize| delays.get(delays.len() * hundredth / 100);
        let mut report = self.report(time.as_secs_f64());
        report["swarm_cpu"] = json!((after - before) / time.as_secs_f64());
        report["delay_us_median"] = json!(delay(50));
        report["delay_us_p99"] = json!(delay(99));
        report["delay_us_most"] = json!(delays.last());
        report
    }

    fn open(&mut self) {
        let mut options = SessionOptions::new(self.certificate.clone());
        // All viewers have one server: nothing but the port tells their datagrams apart.
        options.own_port = true;
        let session = self.handle.open(options);
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let init = TransceiverInit {
                kind,
                direction: Direction::RecvOnly,
                track: None,
                codecs: vec![],
                stream: String::new(),
            };
            self.handle.command(session, Command::AddTransceiver(init));
        }
        self.handle.command(session, Command::Negotiate);
        let viewer = Viewer {
            asked: Instant::now(),
            first_frame: None,
            frames: 0,
            earlier: 0,
            gaps: 0,
            keyframes: 0,
            bytes: 0,
            seen: vec![],
            sizes: vec![],
            port: None,
            resource: None,
            connected: false,
            closed: false,
        };
        self.viewers.insert(session, viewer);
    }

    /// The UDP ports of the viewers, of those that have made their offer.
    pub fn ports(&self) -> Vec<u16> {
        self.viewers.values().filter_map(|v| v.port).collect()
    }

    /// The size of each viewer's newest pictures.
    pub fn sizes(&self) -> Vec<Option<(u16, u16)>> {
        let sizes = self.viewers.values().map(|v| v.sizes.last().copied());
        sizes.collect()
    }

    /// Lets time pass until what is asked of the swarm holds; whether it did within `limit`.
    pub fn until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        self.hear_until(limit, &done);
        done(self)
    }

    /// Frames of the present watch that one viewer had and another, between its first and last, had not.
    fn missed(&self) -> u64 {
        let mut viewers = self.viewers.values();
        let first = viewers.find_map(|v| v.seen.first()).map_or(0, |(t, _)| *t);
        let base = first.wrapping_sub(1 << 31);
        let viewers = self.viewers.values();
        let all: BTreeSet<u32> = viewers.flat_map(|v| v.times(base)).collect();
        let missed = |viewer: &Viewer| {
            let own: BTreeSet<u32> = viewer.times(base).collect();
            match (own.first(), own.last()) {
                (Some(first), Some(last)) => all.range(first..=last).count() - own.len(),
                _ => all.len(),
            }
        };
        self.viewers.values().map(missed).sum::<usize>() as u64
    }

    /// Every viewer says goodbye.
    pub fn go(&mut self) {
        let viewers: Vec<(SessionId, Option<String>)> = self
            .viewers
            .iter()
            .map(|(id, viewer)| (*id, viewer.resource.clone()))
            .collect();
        for (session, resource) in viewers {
            self.handle.command(session, Command::Close);
            if let Some(resource) = resource
                && let Err(error) = ureq::delete(&resource).call()
            {
                self.errors.push(format!("DELETE {resource}: {error}"));
            }
        }
        self.hear_until(Duration::from_secs(5), |swarm| {
            swarm.viewers.values().all(|v| v.closed)
        });
        self.viewers.clear();
    }

    fn hear_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + limit;
        while !done(self) {
            match self
                .heard
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(heard) => self.hear(heard),
                Err(_) => return,
            }
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Event(session, Event::LocalDescription { sdp, .. }) => {
                if let Some(viewer) = self.viewers.get_mut(&session) {
                    viewer.port = port_of(&sdp);
                }
                self.post(session, sdp);
            }
            Heard::Event(session, event) => {
                self.note_delay(&event);
                if let Some(viewer) = self.viewers.get_mut(&session) {
                    viewer.hear(event);
                }
            }
            Heard::Answer(session, Ok((sdp, resource))) => {
                if let Some(viewer) = self.viewers.get_mut(&session) {
                    viewer.resource = resource;
                }
                let kind = DescriptionKind::Answer;
                self.handle
                    .command(session, Command::RemoteDescription { kind, sdp });
            }
            Heard::Answer(session, Err(error)) => {
                self.errors.push(error);
                if let Some(viewer) = self.viewers.get_mut(&session) {
                    viewer.closed = true;
                }
            }
        }
    }

    fn note_delay(&mut self, event: &Event) {
        if let (Some(delays), Event::Rtp(MediaEvent::Frame(frame))) = (&mut self.delays, event)
            && delays.len() < MAX_DELAYS
            && frame.codec.kind() == MediaKind::Video
            && let Some(ntp) = frame.ntp
        {
            let arrived = self.wall.1 + frame.arrived.saturating_duration_since(self.wall.0);
            let delay = arrived.duration_since(unix(ntp)).unwrap_or_default();
            delays.push(u32::try_from(delay.as_micros()).unwrap_or(u32::MAX));
        }
    }

    fn post(&self, session: SessionId, sdp: String) {
        let (url, tell) = (self.url.clone(), self.tell.clone());
        std::thread::spawn(move || {
            let _ = tell.send(Heard::Answer(session, answer_of(&url, &sdp)));
        });
    }

    fn report(&self, seconds: f64) -> serde_json::Value {
        let mut first: Vec<u64> = self
            .viewers
            .values()
            .filter_map(|viewer| viewer.first_frame)
            .map(|time| time.as_millis() as u64)
            .collect();
        first.sort_unstable();
        let sum = |of: fn(&Viewer) -> u64| self.viewers.values().map(of).sum::<u64>();
        json!({
            "viewers": self.viewers.len(),
            "connected": self.viewers.values().filter(|v| v.connected).count(),
            "with_frames": first.len(),
            "frames": sum(|v| v.frames),
            "frames_per_second": sum(Viewer::watched) as f64 / seconds,
            "least_frames": self.viewers.values().map(Viewer::watched).min(),
            "most_frames": self.viewers.values().map(Viewer::watched).max(),
            "gaps": sum(|v| v.gaps),
            "bits_per_second": sum(|v| v.bytes) as f64 * 8.0 / seconds,
            "first_frame_ms_median": first.get(first.len() / 2),
            "first_frame_ms_last": first.last(),
            "keyframes": self.viewers.values().map(|v| v.keyframes).max(),
            "missed": self.missed(),
            "longest_gap_ms": self.viewers.values().map(Viewer::longest_gap).max().unwrap_or_default().as_millis() as u64,
            "sizes": self.viewers.values().map(|v| &v.sizes).collect::<Vec<_>>(),
        })
    }
}

impl Viewer {
    /// RTP times of the frames of the present watch, all less `base`, so that none wraps.
    fn times(&self, base: u32) -> impl Iterator<Item = u32> {
        let times = self.seen.iter().map(|(time, _)| *time);
        times.map(move |time| time.wrapping_sub(base))
    }

    /// The longest time between two frames of the present watch.
    fn longest_gap(&self) -> Duration {
        let arrivals = self.seen.windows(2);
        let gaps = arrivals.map(|two| two[1].1.saturating_duration_since(two[0].1));
        gaps.max().unwrap_or_default()
    }

    /// Frames of the present watch.
    fn watched(&self) -> u64 {
        self.frames - self.earlier
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Connection(ConnectionState::Connected) => self.connected = true,
            Event::Rtp(MediaEvent::Frame(frame)) if frame.codec.kind() == MediaKind::Video => {
                self.frames += 1;
                self.bytes += frame.data.len() as u64;
                self.keyframes += u64::from(frame.info.keyframe);
                if self.seen.len() < MAX_SEEN {
                    self.seen.push((frame.rtp_time as u32, frame.arrived));
                }
                let size = frame.info.width.zip(frame.info.height);
                if let Some(size) = size.filter(|size| self.sizes.last() != Some(size)) {
                    self.sizes.push(size);
                }
                if self.first_frame.is_none() {
                    self.first_frame = Some(self.asked.elapsed());
                } else if frame.discontinuity {
                    self.gaps += 1;
                }
            }
            Event::Closed(_) => self.closed = true,
            _ => {}
        }
    }
}

/// The port of the first host candidate of a description.
fn port_of(sdp: &str) -> Option<u16> {
    let candidate = sdp.lines().find(|line| line.starts_with("a=candidate:"))?;
    candidate.split(' ').nth(5)?.parse().ok()
}

/// NTP seconds in 32.32 fixed point as the system's time; they count from 1900 (RFC 5905 §6).
fn unix(ntp: u64) -> SystemTime {
    let seconds = (ntp >> 32).saturating_sub(2_208_988_800);
    let fraction = ((ntp & 0xffff_ffff) * 1_000_000_000) >> 32;
    UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(fraction)
}

/// The answer and the resource's address of a WHEP POST.
fn answer_of(url: &str, offer: &str) -> Result<(String, Option<String>), String> {
    let mut response = ureq::post(url)
        .header("Content-Type", "application/sdp")
        .send(offer)
        .map_err(|error| format!("POST {url}: {error}"))?;
    let origin = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let resource = response
        .headers()
        .get("location")
        .and_then(|value| value.to_str().ok())
        .map(|location| match location.starts_with('/') {
            true => format!("{origin}{location}"),
            false => location.to_owned(),
        });
    let sdp = response
        .body_mut()
        .read_to_string()
        .map_err(|error| error.to_string())?;
    Ok((sdp, resource))
}
