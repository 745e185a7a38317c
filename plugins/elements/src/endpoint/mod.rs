// SPDX-License-Identifier: MPL-2.0
//! Endpoint: a driver, a signaller and their sessions; elements attach to it, and share it by name.
//!
//! An endpoint lives as long as an element holds it. Two threads belong to it: `rtc-io` of the driver,
//! and `rtc-control`, which alone knows sessions, tracks and attachments, so none of them has a lock.
mod attachment;
mod channels;
mod control;
mod error;
mod identity;
mod inbox;
mod incoming;
mod keyframe;
mod layers;
mod objects;
mod opening;
mod peer;
mod route;
mod servers;
mod session;
mod signalled;
mod told;
mod tones;
mod track;

pub(crate) use attachment::{Attachment, FrameSink, IncomingMedia, Listening, SessionFault};
pub(crate) use error::EndpointError;
pub(crate) use identity::IdentitySettings;
pub(crate) use told::post;
pub(crate) use track::Encoding;

use crate::connect::IceSettings;
use crate::data::{Hub, Lane, Timeline};
use crate::object::SessionList;
use crate::tones::ToneRequest;
use bytes::Bytes;
use gst::prelude::*;
use inbox::{Inbox, Message};
use rtc_driver::{Driver, DriverConfig, Handle, JoinGuard};
use rtc_payload::{Codec, MediaKind, Mid, SessionId, TrackId};
use rtc_rtp::Ladder;
use rtc_session::{Certificate, ChannelInit, ChannelKey, CodecOffer, DtlsVersion, SessionStats};
use rtc_signaller::{Signaller, SignallerExt};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// What an endpoint is made with. The element that makes it decides; those that join it later by its name
/// take what is there.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The name to share it by; empty for an endpoint of one's own.
    pub(crate) name: String,
    /// Carries the descriptions; not started yet.
    pub(crate) signaller: Signaller,
    /// Sockets.
    pub(crate) driver: DriverConfig,
    /// What sessions are made with.
    pub(crate) sessions: SessionSettings,
    /// The sessions' certificate; `None` for a new one.
    pub(crate) certificate: Option<Arc<Certificate>>,
}

/// What the sessions of an endpoint are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionSettings {
    /// Bit/s to start with.
    pub(crate) start_bitrate: u64,
    /// Never estimate below, bit/s.
    pub(crate) min_bitrate: u64,
    /// Never estimate above, bit/s.
    pub(crate) max_bitrate: u64,
    /// Whether the estimator is on.
    pub(crate) congestion_control: bool,
    /// Whether lost packets are sent again (RTX).
    pub(crate) retransmission: bool,
    /// DTLS versions.
    pub(crate) dtls_version: DtlsVersion,
    /// Sessions that may run at a time; 0 for no limit.
    pub(crate) max_sessions: u32,
    /// The longest a receiver waits for a missing packet, milliseconds.
    pub(crate) max_latency_ms: u32,
    /// How far behind live viewers are asked to play video, milliseconds; 0: they are not asked.
    pub(crate) playout_delay_ms: u32,
    /// Whether applications make and apply descriptions.
    pub(crate) manual: bool,
    /// Which side gives way; `None`: what signalling says.
    pub(crate) polite: Option<bool>,
    /// Servers, and which candidates.
    pub(crate) ice: IceSettings,
    /// Who vouches for us, and who the peer must be.
    pub(crate) identity: IdentitySettings,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            start_bitrate: 2_048_000,
            min_bitrate: 50_000,
            max_bitrate: 8_192_000,
            congestion_control: true,
            retransmission: true,
            dtls_version: DtlsVersion::Auto,
            max_sessions: 0,
            max_latency_ms: 500,
            playout_delay_ms: 0,
            manual: false,
            polite: None,
            ice: IceSettings::default(),
            identity: IdentitySettings::default(),
        }
    }
}

/// Names an attachment to its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AttachmentId(u32);

/// See the module.
pub(crate) struct Endpoint {
    inbox: Inbox,
    control: Option<JoinHandle<()>>,
    handle: Handle,
    hub: Hub,
    sessions: SessionList,
    /// Joins the io thread when dropped; after `control`, which still says goodbye.
    _driver: JoinGuard,
}

impl Endpoint {
    /// The endpoint of that name if there is one, else a new one.
    pub(crate) fn acquire(options: Options) -> Result<Arc<Self>, EndpointError> {
        if options.name.is_empty() {
            return Self::start(options).map(Arc::new);
        }
        // Held while the endpoint starts, so that two elements don't start it twice.
        let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = registry.get(&options.name).and_then(Weak::upgrade) {
            return Ok(running);
        }
        registry.retain(|_, endpoint| endpoint.strong_count() > 0);
        let name = options.name.clone();
        let endpoint = Arc::new(Self::start(options)?);
        registry.insert(name, Arc::downgrade(&endpoint));
        Ok(endpoint)
    }

    fn start(options: Options) -> Result<Self, EndpointError> {
        if let Some(polite) = options.sessions.polite {
            // One that can tells the peer, who must do the opposite.
            let signaller = &options.signaller;
            if signaller.has_property_with_type("polite", bool::static_type()) {
                signaller.set_property("polite", polite);
            }
        }
        let certificate = match options.certificate {
            Some(certificate) => certificate,
            None => Certificate::generate()
                .map(Arc::new)
                .map_err(EndpointError::Certificate)?,
        };
        let routes = route::Routes::default();
        let (inbox, messages) = inbox::channel();
        let hub = Hub::default();
        let sessions = SessionList::default();
        let outlet = route::Route::new(inbox.clone(), routes.clone(), hub.clone());
        let (handle, driver) = Driver::start(options.driver, Box::new(outlet))?;
        let control = control::start(control::Setup {
            messages,
            inbox: inbox.clone(),
            routes,
            handle: handle.clone(),
            hub: hub.clone(),
            list: sessions.clone(),
            signaller: options.signaller,
            certificate,
            sessions: options.sessions,
        })?;
        Ok(Self {
            inbox,
            control: Some(control),
            handle,
            hub,
            sessions,
            _driver: driver,
        })
    }

    /// Attaches an element that can receive these codecs, most wanted first; none if it only sends.
    pub(crate) fn attach(
        &self,
        attachment: Arc<dyn Attachment>,
        receive: Vec<Codec>,
    ) -> AttachmentId {
        let id = AttachmentId(NEXT_ATTACHMENT.fetch_add(1, Ordering::Relaxed));
        self.inbox.send(Message::Attach {
            id,
            attachment,
            receive,
        });
        id
    }

    /// Detaches an element with its tracks; returns when no call to it is under way or will come.
    pub(crate) fn detach(&self, id: AttachmentId) {
        let (done, wait) = mpsc::sync_channel(1);
        self.inbox.send(Message::Detach { id, done });
        if !self.on_control_thread() {
            // A control thread that is stuck in application code must not stop the element.
            let _ = wait.recv_timeout(DETACH_DEADLINE);
        }
    }

    /// A new track fed by an attached element; sessions offer it once its codecs are known.
    pub(crate) fn add_track(&self, owner: AttachmentId, kind: MediaKind, stream: &str) -> TrackId {
        let track = TrackId(NEXT_TRACK.fetch_add(1, Ordering::Relaxed));
        self.inbox.send(Message::AddTrack(track::Track {
            id: track,
            owner,
            kind,
            codecs: Vec::new(),
            stream: stream.to_owned(),
        }));
        track
    }

    /// What a track can be sent as, most wanted first. May be called again when it changes.
    pub(crate) fn set_track_codecs(&self, track: TrackId, codecs: Vec<CodecOffer>) {
        self.inbox.send(Message::TrackCodecs(track, codecs));
    }

    /// What the encodings of a track in a codec cost; the figures in it may change at any time.
    pub(crate) fn set_track_ladder(&self, track: TrackId, codec: Codec, ladder: Arc<Ladder>) {
        self.inbox.send(Message::TrackLadder(track, codec, ladder));
    }

    /// Ends a track; sessions stop sending it.
    pub(crate) fn remove_track(&self, track: TrackId) {
        self.inbox.send(Message::RemoveTrack(track));
    }

    /// A data channel that every session shall have, from now on; their open ends are in `lane`.
    pub(crate) fn add_channel(&self, owner: AttachmentId, init: ChannelInit, lane: Arc<Lane>) {
        self.hub.add_lane(init.key, lane);
        self.inbox.send(Message::AddChannel(owner, init));
    }

    /// Closes that data channel in every session once what was given is sent.
    pub(crate) fn remove_channel(&self, key: ChannelKey) {
        self.inbox.send(Message::RemoveChannel(key));
    }

    /// The times of a video that a session receives, for the messages that go with it.
    pub(crate) fn timeline(&self, session: SessionId, mid: &Mid) -> Option<Arc<Timeline>> {
        self.hub.timeline(session, mid)
    }

    /// Sends a message on the channels with that label, of one session or with an empty name of all. In a
    /// session that has none it is opened first. Whether any session takes it.
    pub(crate) fn send(&self, session: &str, label: &str, data: &Bytes, text: bool) -> bool {
        let channels = self.hub.by_label(session, label);
        if channels.is_empty() && !session.is_empty() {
            let Some((id, asked)) = self.hub.open_with(session, label, data.clone(), text) else {
                return false;
            };
            if let Some(init) = asked {
                self.inbox.send(Message::OpenChannel(id, init));
            }
            return true;
        }
        let mut taken = false;
        for channel in channels {
            taken |= channel.send(data.clone(), text) == Ok(true);
        }
        taken
    }

    /// Asks for tones on the audio of a track, of every session that takes them.
    pub(crate) fn send_tones(&self, track: TrackId, request: ToneRequest) {
        self.inbox.send(Message::Tones(track, request));
    }

    /// The sessions, for applications.
    pub(crate) fn sessions(&self) -> &SessionList {
        &self.sessions
    }

    /// The way into the driver: for packetised frames, and for requests to one session.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// A snapshot of every session: its name in signalling, the peer's name, the figures. Waits for the
    /// control and io threads, at most a second.
    pub(crate) fn stats(&self) -> Vec<(String, String, SessionStats)> {
        if self.on_control_thread() {
            return Vec::new();
        }
        let (reply, answers) = mpsc::channel();
        self.inbox.send(Message::Stats(reply));
        // Ends when the last session's answer dropped its sender, or at the deadline.
        std::iter::from_fn(|| answers.recv_timeout(STATS_DEADLINE).ok()).collect()
    }

    fn on_control_thread(&self) -> bool {
        self.control
            .as_ref()
            .is_some_and(|control| control.thread().id() == std::thread::current().id())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.inbox.send(Message::Stop);
        let own_thread = self.on_control_thread();
        if let Some(control) = self.control.take()
            && !own_thread
        {
            let _ = control.join();
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

/// Refuses a URI whose scheme begins with `wrong`, for it carries media the other way.
pub(crate) fn check_direction(uri: &str, wrong: &str, instead: &str) -> Result<(), String> {
    let scheme = uri.split(':').next().unwrap_or_default();
    let given = scheme.get(..wrong.len()).unwrap_or_default();
    if !given.eq_ignore_ascii_case(wrong) {
        return Ok(());
    }
    let rest = &uri[wrong.len()..];
    Err(format!("uri={uri}: {instead}{rest} instead"))
}

/// Sets a property of elements that a signaller may have as well, or not.
pub(crate) fn set_if_there(signaller: &Signaller, name: &str, value: &str) {
    if signaller.has_property(name) {
        signaller.set_property(name, value);
    }
}

/// Starts a signaller; what it says on failure is meant for the user.
fn start_signaller(signaller: &Signaller) -> Result<(), EndpointError> {
    signaller.start().map_err(EndpointError::Signaller)
}

static REGISTRY: LazyLock<Mutex<HashMap<String, Weak<Endpoint>>>> = LazyLock::new(Mutex::default);
static NEXT_ATTACHMENT: AtomicU32 = AtomicU32::new(1);
static NEXT_TRACK: AtomicU32 = AtomicU32::new(1);

/// Longer than any state change of an encoder takes.
const DETACH_DEADLINE: Duration = Duration::from_secs(10);
const STATS_DEADLINE: Duration = Duration::from_secs(1);
