// SPDX-License-Identifier: MPL-2.0
//! The one door in: a handle with a control lane, never full, and a media lane, never waited for.
use crate::announced::Announced;
use crate::conceal::new_name;
use crate::config::Places;
use crate::counters::{Counters, count};
use crate::interfaces::host_addresses;
use crate::ports::{Family, bind_own};
use crate::roots::client_config;
use crate::slots::Feed;
use crate::{DriverConfig, DriverCounters, IpHandling, SessionOptions};
use bytes::Bytes;
use mio::Waker;
use rtc_payload::{Codec, SessionId, TrackId};
use rtc_rtp::{PacketBlock, WallClock};
use rtc_session::{
    ChannelKey, Command, HostAddresses, ServerTransport, ServerUrl, SessionConfig, SessionStats,
};
use rustls::ClientConfig;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel,
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fmt, io};

/// How long dropping the guard waits for the io thread: it gives its sessions half a second.
const JOIN_DEADLINE: Duration = Duration::from_secs(2);

/// What a driver is asked for; called on the io thread, must not block.
pub(crate) type StatsReply = Box<dyn FnOnce(SessionStats) + Send>;

/// What goes through the control lane, in the order asked.
pub(crate) enum Control {
    /// A session.
    Open(Box<Opening>),
    /// Addresses of a server's name.
    Addresses(SessionId, String, Vec<IpAddr>),
    /// Addresses of a name that is announced.
    Announced(String, Vec<IpAddr>),
    Command(SessionId, Command),
    /// A message for every session that has the channel.
    Message(ChannelKey, Bytes, bool),
    /// Whether the frames since the last keyframe are kept of a feed.
    Keep((TrackId, Codec), bool),
    Stats(SessionId, StatsReply),
    Panic(SessionId),
}

/// A session to be opened, with what is its own.
pub(crate) struct Opening {
    pub(crate) config: SessionConfig,
    pub(crate) own_ports: Vec<u16>,
    /// The one of these that TURN servers are asked from.
    pub(crate) relay_port: Option<u16>,
    /// Of its own ports.
    pub(crate) sockets: Family,
    /// The port it is reached at by UDP.
    pub(crate) port: u16,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// A running driver, as all others see it. Clones are cheap and equal.
///
/// When the last one or the [`JoinGuard`] is dropped every session is closed (RTCP BYE, DTLS
/// close_notify) and the io thread ends.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// The UDP port of all sessions.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Opens a session with the machine's present addresses. Its events carry the identifier.
    ///
    /// Reads the list of network interfaces, so this may take a moment.
    pub fn open(&self, options: SessionOptions) -> SessionId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = SessionId(NEXT.fetch_add(1, Ordering::Relaxed));
        // RFC 7022 §4.2: 96 random bits, new for each session, so that sessions cannot be linked.
        let cname = format!("{:024x}", rand::random::<u128>() >> 32);
        let (port, mut sockets) = match options.own_port {
            true => self.0.own_port(),
            false => (self.0.port, Family::new()),
        };
        let mut own_ports = match sockets.is_empty() {
            true => Vec::new(),
            false => vec![port],
        };
        let by = |transport| move |url: &ServerUrl| url.relays() && url.transport() == transport;
        let mut relay_port = None;
        if options.uses(by(ServerTransport::Udp)) {
            // An allocation belongs to one pair of addresses, so the port of all won't do.
            let (port, family) = self.0.own_port();
            if !family.is_empty() {
                sockets.extend(family);
                own_ports.push(port);
                relay_port = Some(port);
            }
        }
        let tls = options
            .uses(by(ServerTransport::Tls))
            .then(|| self.0.tls())
            .flatten();
        let places = Places {
            hosts: self.0.hosts(port),
            relay_port: relay_port.unwrap_or(0),
        };
        let opening = Opening {
            config: options.into_config(id, places, cname, self.0.wall),
            own_ports,
            relay_port,
            sockets,
            port,
            tls,
        };
        self.0.control(Control::Open(Box::new(opening)));
        id
    }

    /// Asks something of a session. Nothing happens if it is over.
    pub fn command(&self, session: SessionId, command: Command) {
        self.0.control(Control::Command(session, command));
    }

    /// Hands a frame to every session that negotiated its track and codec. Never waits: when the io
    /// thread cannot keep up the block is dropped and counted, as is what depends on it up to the
    /// next keyframe, and a keyframe is asked for through the outlet. `false`: it was dropped.
    pub fn media(&self, block: Arc<PacketBlock>) -> bool {
        let key = ((block.track, block.codec), block.layer);
        let keyframe = block.info.keyframe;
        if self.0.gaps.exist() && !keyframe && self.0.gaps.contain(key) {
            count(&self.0.counters.blocks_dropped);
            return false;
        }
        let discardable = block.info.discardable;
        let taken = match self.0.media.try_send(block) {
            Ok(()) => {
                if keyframe && self.0.gaps.exist() {
                    self.0.gaps.close(key);
                }
                true
            }
            Err(TrySendError::Full(_)) => {
                count(&self.0.counters.blocks_dropped);
                if !discardable {
                    self.0.gaps.open(key);
                }
                false
            }
            Err(TrySendError::Disconnected(_)) => false,
        };
        self.0.alarm.ring();
        taken
    }

    /// Keeps the frames of a track and codec since their last keyframe, up to 16 MiB, 20 s and 1,000 frames, or
    /// lets them go. A session that waits for a keyframe gets them at once.
    pub fn keep_frames(&self, track: TrackId, codec: Codec, keep: bool) {
        self.0.control(Control::Keep((track, codec), keep));
    }

    /// Sends a message on the data channel with this key in every session that has one. It waits in one
    /// copy for all of them, and a session that is slow holds back no other. Where it can't be sent,
    /// [`rtc_session::ChannelEvent::Refused`] tells so.
    pub fn message(&self, channel: ChannelKey, data: Bytes, text: bool) {
        self.0.control(Control::Message(channel, data, text));
    }

    /// Asks for a snapshot of a session. `reply` is called on the io thread, so it must not block; if
    /// the session is over it is dropped without a call.
    pub fn stats(&self, session: SessionId, reply: impl FnOnce(SessionStats) + Send + 'static) {
        self.0.control(Control::Stats(session, Box::new(reply)));
    }

    /// What the driver counted.
    pub fn counters(&self) -> DriverCounters {
        self.0.counters.snapshot()
    }

    /// Makes the session panic, so that a test can see that nothing else does.
    #[doc(hidden)]
    pub fn inject_panic(&self, session: SessionId) {
        self.0.control(Control::Panic(session));
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("port", &self.0.port)
            .finish_non_exhaustive()
    }
}

struct Shared {
    control: Sender<Control>,
    media: SyncSender<Arc<PacketBlock>>,
    alarm: Arc<Alarm>,
    gaps: Arc<Gaps>,
    counters: Arc<Counters>,
    config: DriverConfig,
    announced: Announced,
    port: u16,
    /// Whether TCP is taken by IPv4, by IPv6.
    tcp: [bool; 2],
    /// Whom TLS trusts, once it was asked for.
    tls: OnceLock<Option<Arc<ClientConfig>>>,
    /// One reading for all sessions, so that their reports agree with each other.
    wall: WallClock,
}

impl Shared {
    fn control(&self, control: Control) {
        // An error means the thread has ended by a fault of its own, which it logged.
        if self.control.send(control).is_ok() {
            self.alarm.ring();
        }
    }

    /// A port for one session; the one of all if no other can be had.
    fn own_port(&self) -> (u16, Family) {
        let port = |family: &Family| family.first()?.local_addr().ok();
        match bind_own(&self.config) {
            Ok(family) => match port(&family) {
                Some(address) => (address.port(), family),
                None => (self.port, Family::new()),
            },
            Err(error) => {
                tracing::warn!(%error, "no port for a session of its own");
                (self.port, Family::new())
            }
        }
    }

    fn tls(&self) -> Option<Arc<ClientConfig>> {
        let load = || {
            client_config(self.config.tls_ca.as_deref())
                .inspect_err(|reason| tracing::warn!(reason, "TURN servers can't be verified"))
                .ok()
        };
        self.tls.get_or_init(load).clone()
    }

    /// Where a session with that UDP port is reached as things stand.
    fn hosts(&self, port: u16) -> HostAddresses {
        let own = host_addresses(&self.config).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot list the network interfaces");
            Vec::new()
        });
        let announced = self.announced.addresses();
        let ports = (port, self.port);
        reached_at(&self.config, &own, &announced, ports, self.tcp, &[])
    }
}

/// Where a session is reached: at the machine's own addresses and those announced, by UDP and TCP on
/// these `ports`, by TCP as far as it is taken by IPv4 and by IPv6. `known`: the names that stand for
/// addresses already.
pub(crate) fn reached_at(
    config: &DriverConfig,
    own: &[IpAddr],
    announced: &[IpAddr],
    ports: (u16, u16),
    tcp: [bool; 2],
    known: &[(IpAddr, Option<String>)],
) -> HostAddresses {
    let mut ips = own.to_vec();
    for ip in announced {
        if config.ip_families.contains(*ip) && !ips.contains(ip) {
            ips.push(*ip);
        }
    }
    let silent = config.ip_handling == IpHandling::DefaultRoute;
    let hides = |ip: &&IpAddr| (silent || config.conceal) && !announced.contains(ip);
    let name = |ip: &IpAddr| match known.iter().find(|(known, _)| known == ip) {
        Some((_, name)) => name.clone(),
        None => (!silent).then(new_name),
    };
    let hidden = own.iter().filter(hides);
    HostAddresses {
        udp: ips.iter().map(|ip| SocketAddr::new(*ip, ports.0)).collect(),
        tcp: ips
            .iter()
            .filter(|ip| tcp[usize::from(ip.is_ipv6())])
            .map(|ip| SocketAddr::new(*ip, ports.1))
            .collect(),
        hidden: hidden.map(|ip| (*ip, name(ip))).collect(),
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.alarm.close();
    }
}

/// Ends the driver when dropped, handles or no handles, and waits for its thread: two seconds at most,
/// and not at all on that very thread.
#[must_use = "dropping it ends the driver"]
pub struct JoinGuard {
    alarm: Arc<Alarm>,
    thread: Option<JoinHandle<()>>,
    /// Yields an error when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

impl Drop for JoinGuard {
    fn drop(&mut self) {
        self.alarm.close();
        let Some(thread) = self.thread.take() else {
            return;
        };
        if thread.thread().id() == thread::current().id() {
            return;
        }
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        match ended.recv_timeout(JOIN_DEADLINE) {
            Err(RecvTimeoutError::Timeout) => tracing::error!("the io thread does not end"),
            _ => drop(thread.join()),
        }
    }
}

impl fmt::Debug for JoinGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinGuard")
    }
}

/// What the wall clock says now (RFC 3550 §4: NTP time counts from 1900).
fn wall_clock() -> WallClock {
    const UNIX_EPOCH_NTP: u64 = 2_208_988_800;
    let at = Instant::now();
    // A machine whose clock stands before 1970 has no right time to tell.
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
    let seconds = unix.as_secs().wrapping_add(UNIX_EPOCH_NTP);
    WallClock {
        at,
        ntp: seconds.wrapping_shl(32) | fraction,
    }
}

/// The io thread's ends of the lanes.
pub(crate) struct Inbox {
    pub(crate) control: Receiver<Control>,
    /// Into the control lane, for threads of the driver's own.
    pub(crate) answers: Sender<Control>,
    pub(crate) media: Receiver<Arc<PacketBlock>>,
    pub(crate) alarm: Arc<Alarm>,
    pub(crate) gaps: Arc<Gaps>,
    pub(crate) counters: Arc<Counters>,
}

/// The lanes, before the thread that serves them exists.
pub(crate) struct Lanes {
    control: Sender<Control>,
    media: SyncSender<Arc<PacketBlock>>,
}

impl Lanes {
    pub(crate) fn new(waker: Waker, media_lane: usize) -> (Self, Inbox) {
        let (control, control_end) = channel();
        let (media, media_end) = sync_channel(media_lane.max(1));
        let inbox = Inbox {
            control: control_end,
            answers: control.clone(),
            media: media_end,
            alarm: Arc::new(Alarm {
                rung: AtomicBool::new(false),
                closed: AtomicBool::new(false),
                waker,
            }),
            gaps: Arc::default(),
            counters: Arc::default(),
        };
        (Self { control, media }, inbox)
    }

    /// Handle and guard of the thread that `spawn` makes of the inbox; `spawn` gets what to hold until the
    /// thread ends.
    pub(crate) fn into_thread(
        self,
        inbox: Inbox,
        (config, announced): (DriverConfig, Announced),
        (port, tcp): (u16, [bool; 2]),
        spawn: impl FnOnce(Inbox, SyncSender<()>) -> io::Result<JoinHandle<()>>,
    ) -> io::Result<(Handle, JoinGuard)> {
        let (alive, ended) = sync_channel(0);
        let (alarm, gaps) = (inbox.alarm.clone(), inbox.gaps.clone());
        let counters = inbox.counters.clone();
        let guard = JoinGuard {
            thread: Some(spawn(inbox, alive)?),
            ended: Mutex::new(ended),
            alarm: alarm.clone(),
        };
        let handle = Handle(Arc::new(Shared {
            control: self.control,
            media: self.media,
            alarm,
            gaps,
            counters,
            config,
            announced,
            port,
            tcp,
            tls: OnceLock::new(),
            wall: wall_clock(),
        }));
        Ok((handle, guard))
    }
}

/// Wakes the io thread, by one system call however many messages wait.
pub(crate) struct Alarm {
    rung: AtomicBool,
    closed: AtomicBool,
    waker: Waker,
}

impl Alarm {
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "cannot wake the io thread");
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.ring();
    }

    /// To be called before the lanes are emptied: what comes later rings again.
    pub(crate) fn reset(&self) {
        self.rung.swap(false, Ordering::AcqRel);
    }

    /// The last handle is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// Encodings of which a block was dropped, so that what follows is of no use before a keyframe.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    any: AtomicBool,
    /// Whether the keyframe was asked for.
    open: Mutex<HashMap<(Feed, u8), bool>>,
}

impl Gaps {
    fn exist(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    fn contain(&self, key: (Feed, u8)) -> bool {
        self.lock().contains_key(&key)
    }

    fn open(&self, key: (Feed, u8)) {
        self.lock().entry(key).or_insert(false);
        self.any.store(true, Ordering::Relaxed);
    }

    fn close(&self, key: (Feed, u8)) {
        let mut open = self.lock();
        open.remove(&key);
        self.any.store(!open.is_empty(), Ordering::Relaxed);
    }

    /// Those a keyframe is to be asked for, each once.
    pub(crate) fn take_new(&self) -> Vec<(Feed, u8)> {
        if !self.exist() {
            return Vec::new();
        }
        let mut open = self.lock();
        let new = open.iter_mut().filter(|(_, told)| !**told);
        new.map(|(key, told)| {
            *told = true;
            *key
        })
        .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Feed, u8), bool>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
