// SPDX-License-Identifier: MPL-2.0
//! The session: one peer connection, driven by the loop the crate's documentation shows.
use crate::candidates::Candidates;
use crate::channels::Channels;
use crate::datagram::Protocol;
use crate::dtls::{Dtls, DtlsEvent, Keys};
use crate::gather::Gatherer;
use crate::ice::{Ice, Path};
use crate::local::LocalAddresses;
use crate::network::{Outgoing, own_addresses};
use crate::outage::Outage;
use crate::requested::ByHand;
use crate::state::aggregate;
use crate::told::Told;
use crate::{
    ChannelKey, Command, ConnectionState, Datagram, Event, IceConnectionState, Output,
    SessionConfig, SessionError, SessionStats, Transmit,
};
use rtc_jsep::{JsepConfig, Negotiator, SignalingState};
use rtc_payload::SessionId;
use rtc_rtp::{Media, MediaConfig};
use rtc_rtp::{PacketBlock, PlayoutDelay, RecvParams, SendParams};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A deadline for a session that waits for nothing.
const IDLE: Duration = Duration::from_secs(3600);
/// The largest RTP packet sent, SRTP included, bytes: with UDP and IPv6 below any tunnel's MTU.
const MAX_PACKET: usize = 1200;

/// One WebRTC peer connection.
#[derive(Debug)]
pub struct Session {
    pub(crate) config: SessionConfig,
    pub(crate) ice: Ice,
    pub(crate) gatherer: Gatherer,
    pub(crate) dtls: Dtls,
    pub(crate) jsep: Negotiator,
    pub(crate) media: Media,
    pub(crate) candidates: Candidates,
    pub(crate) channels: Channels,
    pub(crate) events: VecDeque<Event>,
    /// What was reported last.
    pub(crate) signaling: SignalingState,
    ice_state: IceConnectionState,
    connection: ConnectionState,
    pub(crate) told: Told,
    pub(crate) by_hand: ByHand,
    /// The state of W3C's negotiation-needed flag, and whether it must be looked at again.
    pub(crate) needed: bool,
    pub(crate) needs_checking: bool,
    /// An offer was asked for while another was under way.
    pub(crate) offer_wanted: bool,
    pub(crate) restart_wanted: bool,
    /// The offer under way restarts ICE.
    pub(crate) restart_offered: bool,
    pub(crate) ignores_offer: bool,
    pub(crate) answered: bool,
    /// Negotiated, and held until there are keys.
    pub(crate) negotiated: Option<(Vec<SendParams>, Vec<RecvParams>)>,
    pub(crate) playout_delay: Option<PlayoutDelay>,
    has_keys: bool,
    was_connected: bool,
    path: Option<Path>,
    pub(crate) outage: Outage,
    closing: bool,
    /// Data of channels came in either direction and was not carried on yet.
    stale: bool,
    dropped: u64,
}

impl Session {
    /// A new session; nothing is sent before a description was applied.
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let jsep = Negotiator::new(JsepConfig {
            receive_codecs: config.receive_codecs.clone(),
            retransmission: config.retransmission,
            cname: config.cname.clone(),
        });
        let held = Duration::from_millis(config.playout_delay_ms.into());
        let delay = PlayoutDelay::exactly(held);
        let media = Media::new(
            MediaConfig {
                start_bitrate: config.start_bitrate,
                min_bitrate: config.min_bitrate,
                max_bitrate: config.max_bitrate,
                congestion_control: config.congestion_control,
                max_latency: Duration::from_millis(config.max_latency_ms.into()),
                wall: config.wall,
                cname: config.cname.clone(),
                max_packet: MAX_PACKET,
            },
            now,
        );
        Self {
            ice: Ice::new(
                LocalAddresses::new(own_addresses(config.ice_transport_policy, &config.hosts)),
                now,
            ),
            gatherer: Gatherer::new(
                &config.ice_servers,
                config.ice_transport_policy,
                &config.hosts.udp,
                config.relay_port,
            ),
            dtls: Dtls::new(config.certificate.clone(), config.dtls_version),
            jsep,
            media,
            channels: Channels::new(),
            config,
            candidates: Candidates::default(),
            events: VecDeque::new(),
            signaling: SignalingState::Stable,
            ice_state: IceConnectionState::New,
            connection: ConnectionState::New,
            told: Told::default(),
            by_hand: ByHand::default(),
            needed: false,
            needs_checking: false,
            offer_wanted: false,
            restart_wanted: false,
            restart_offered: false,
            ignores_offer: false,
            answered: false,
            negotiated: None,
            playout_delay: Some(delay).filter(|_| !held.is_zero()),
            has_keys: false,
            was_connected: false,
            path: None,
            outage: Outage::default(),
            closing: false,
            stale: false,
            dropped: 0,
        }
    }

    /// Does, or queues behind what is being done, what the application asks.
    pub fn handle_command(&mut self, command: Command, now: Instant) {
        if self.closing {
            tracing::debug!(session = %self.config.id, ?command, "a command for a closed session");
            return;
        }
        let message = matches!(command, Command::SendMessage { .. });
        self.command(command, now);
        match message {
            // Several are carried together.
            true => self.stale = true,
            false => self.update(now),
        }
    }

    /// Takes a datagram of any kind; what is not for this session is dropped and counted.
    pub fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        if self.closing {
            return;
        }
        let taken = self.take_from_network(&datagram, now);
        self.dropped += u64::from(!taken);
    }

    /// The same of a datagram that the system received `late` ago.
    pub fn handle_late_datagram(&mut self, datagram: Datagram<'_>, late: Duration, now: Instant) {
        self.media.set_late(late);
        self.handle_datagram(datagram, now);
        self.media.set_late(Duration::ZERO);
    }

    /// Takes a datagram of the peer, or of somebody who would be; whether it was of use.
    pub(crate) fn take_datagram(&mut self, datagram: &Datagram<'_>, now: Instant) -> bool {
        let validated = self.ice.is_validated(datagram);
        match Protocol::of(datagram.contents) {
            Protocol::Rtp if self.has_keys && validated => {
                self.media.handle_packet(datagram.contents, now).is_ok()
            }
            Protocol::Stun => {
                let taken = self.ice.handle_datagram(datagram, now);
                self.update(now);
                taken
            }
            Protocol::Dtls if validated => {
                self.dtls.handle_datagram(datagram.contents, now);
                if self.has_keys {
                    self.take_data(now);
                    self.stale = true;
                } else {
                    self.update(now);
                }
                true
            }
            _ => false,
        }
    }

    /// To be called when the deadline of [`Output::Timeout`] has passed; earlier does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closing {
            return;
        }
        self.ice.handle_timeout(now);
        self.gatherer.handle_timeout(self.path.is_some(), now);
        self.dtls.handle_timeout(now);
        self.media.handle_timeout(now);
        self.channels.handle_timeout(now);
        self.update(now);
    }

    /// The answer to [`Event::Resolve`]; no addresses if the name is unknown.
    pub fn handle_resolved(&mut self, name: &str, addresses: &[IpAddr], now: Instant) {
        if self.closing {
            return;
        }
        self.resolved(name, addresses, now);
        self.update(now);
    }

    /// Whether a frame is for any sender; without a call to [`Self::send_block`] if not, nothing is missed.
    pub fn takes(&self, block: &PacketBlock) -> bool {
        self.media.takes(block)
    }

    /// Sends a frame on every sender that was negotiated for its track and codec; dropped before
    /// [`ConnectionState::Connected`] and after consent is lost.
    pub fn send_block(&mut self, block: &Arc<PacketBlock>, now: Instant) {
        if self.has_keys && self.path.is_some() && !self.closing {
            self.media.send_block(block, now);
        }
    }

    /// Sends a keyframe and all frames since then on the senders that wait for one, see
    /// [`rtc_rtp::Media::catch_up`]. `false` if none does.
    pub fn catch_up(&mut self, blocks: &[Arc<PacketBlock>], now: Instant) -> bool {
        let may_send = self.has_keys && self.path.is_some() && !self.closing;
        may_send && self.media.catch_up(blocks, now)
    }

    /// What to do next; to be called until it yields [`Output::Timeout`].
    pub fn poll_output(&mut self, now: Instant) -> Output {
        if std::mem::take(&mut self.stale) {
            self.update(now);
        }
        if let Some(output) = self.poll_network(now) {
            return output;
        }
        while let Some(event) = self.media.poll_event() {
            self.events.push_back(Event::Rtp(event));
        }
        if self.events.is_empty() {
            self.check_negotiation_needed();
        }
        match self.events.pop_front() {
            Some(event) => Output::Event(event),
            None => Output::Timeout(self.deadline(now)),
        }
    }

    /// Gives the buffer of a [`Transmit`] back for reuse.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.media.recycle(buffer);
    }

    /// Whether a datagram from an address not seen before is for this session: a STUN binding
    /// request whose USERNAME starts with one of the session's username fragments (RFC 8445 §7.2.2).
    pub fn accepts(&self, datagram: &Datagram<'_>) -> bool {
        Protocol::of(datagram.contents) == Protocol::Stun && self.ice.accepts(datagram.contents)
    }

    /// The newest local ICE username fragment.
    pub fn local_ufrag(&self) -> &str {
        self.ice.local_ufrag()
    }

    /// Whether it has a data channel with this key that is not closed.
    pub fn has_channel(&self, key: ChannelKey) -> bool {
        self.channels.contains(key)
    }

    /// Its identifier.
    pub fn id(&self) -> SessionId {
        self.config.id
    }

    /// State of negotiation.
    pub fn signaling_state(&self) -> SignalingState {
        match self.closing {
            true => SignalingState::Closed,
            false => self.signaling,
        }
    }

    /// State of ICE.
    pub fn ice_state(&self) -> IceConnectionState {
        self.ice_state
    }

    /// State of the whole.
    pub fn connection_state(&self) -> ConnectionState {
        self.connection
    }

    /// Whether [`Event::Closed`] was queued: the session may be dropped once it was polled.
    pub fn is_closed(&self) -> bool {
        self.closing
    }

    /// Counters and what was negotiated, as of now.
    pub fn stats(&self) -> SessionStats {
        SessionStats {
            connection: self.connection,
            ice: self.ice_state,
            pair: self.ice.stats(),
            dtls: self.dtls.stats(),
            sctp: self.channels.stats(),
            media: self.media.stats(),
            dropped_datagrams: self.dropped,
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Says goodbye on all floors and ends the session.
    pub(crate) fn close(&mut self, error: Option<SessionError>, now: Instant) {
        if self.closing {
            return;
        }
        // Before the streams go (webrtc-pc §8: statistics outlive the connection).
        let mut last = Box::new(self.stats());
        if self.has_keys {
            self.media.close(now);
        }
        self.channels.close(error.as_ref(), now);
        self.carry_channels(now);
        self.dtls.close(now);
        self.tell_dtls(error.as_ref());
        last.dtls.state = self.dtls.state();
        last.ice = IceConnectionState::Closed;
        last.connection = ConnectionState::Closed;
        self.events.push_back(Event::LastStats(last));
        self.closing = true;
        self.ice_state = IceConnectionState::Closed;
        self.connection = ConnectionState::Closed;
        self.events.push_back(Event::Ice(self.ice_state));
        self.events.push_back(Event::Connection(self.connection));
        self.events.push_back(Event::Closed(error));
    }

    /// Hands what was negotiated to the media part once there are keys: earlier a sender would ask for
    /// its first keyframe in vain.
    pub(crate) fn configure_media(&mut self, now: Instant) {
        if self.has_keys
            && let Some((send, recv)) = self.negotiated.take()
        {
            self.media.configure(send, recv, now);
        }
    }

    /// Carries what ICE found to DTLS, what DTLS found to SRTP, and states to the application.
    pub(crate) fn update(&mut self, now: Instant) {
        if self.closing {
            return;
        }
        self.carry_found(now);
        let path = self.ice.path(now);
        if self.path.is_some() && path.is_some() && path != self.path {
            self.channels.path_changed();
        }
        self.path = path;
        if self.path.is_some() {
            self.dtls.start(now);
        }
        while let Some(event) = self.dtls.poll_event() {
            match event {
                DtlsEvent::Ready(keys) => self.take_keys(&keys, now),
                DtlsEvent::Closed => return self.close(Some(SessionError::PeerClosed), now),
                DtlsEvent::Failed(error) => return self.close(Some(error), now),
            }
        }
        self.drive_channels(now);
        self.report_states(now);
        if self.outage.tries(now) {
            // Told as a need for negotiation: whoever negotiates knows whether we may offer.
            self.restart_wanted |= self.has_told_credentials();
            self.needs_checking = true;
        }
        if self.outage.is_over(now) {
            let error = match self.was_connected {
                true => SessionError::Vanished,
                false => SessionError::Unreachable,
            };
            self.close(Some(error), now);
        }
    }

    /// Gives SCTP what DTLS decrypted.
    fn take_data(&mut self, now: Instant) {
        while let Some(packet) = self.dtls.poll_data() {
            if self.has_keys {
                self.channels.handle_packet(&packet, now);
            }
        }
    }

    /// Carries packets between DTLS and SCTP.
    fn drive_channels(&mut self, now: Instant) {
        self.take_data(now);
        self.channels.pump(now);
        self.carry_channels(now);
        if self.has_keys && !self.dtls.is_open() {
            self.channels.dtls_lost(now);
            self.carry_channels(now);
        }
    }

    fn carry_channels(&mut self, now: Instant) {
        while let Some(packet) = self.channels.poll_packet() {
            self.dtls.send(&packet, now);
        }
        while let Some(event) = self.channels.poll_event() {
            self.events.push_back(event);
        }
    }

    fn take_keys(&mut self, keys: &Keys, now: Instant) {
        match self
            .media
            .set_keys(keys.profile, &keys.material, keys.client)
        {
            Ok(()) => {
                self.has_keys = true;
                self.channels.dtls_ready(now);
                self.configure_media(now);
            }
            Err(error) => self.close(
                Some(SessionError::Dtls {
                    reason: error.to_string(),
                }),
                now,
            ),
        }
    }

    fn report_states(&mut self, now: Instant) {
        if self.closing {
            return;
        }
        self.tell_ice();
        let ice = match self.ice.state(now) {
            // More may come (W3C webrtc-pc §5.6.4).
            IceConnectionState::Completed if !self.gatherer.is_done() => {
                IceConnectionState::Connected
            }
            state => state,
        };
        if ice != self.ice_state {
            self.ice_state = ice;
            self.events.push_back(Event::Ice(ice));
            self.was_connected |= self.path.is_some();
            let waits = self.was_connected && self.config.restarts;
            self.outage.on_ice(ice, waits, now);
        }
        self.tell_dtls(None);
        let connection = aggregate(ice, self.dtls.state());
        if connection != self.connection {
            self.connection = connection;
            self.events.push_back(Event::Connection(connection));
        }
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant) -> Option<Outgoing> {
        if !self.closing
            && let Some((path, contents)) = self.ice.poll_transmit()
        {
            return Some((transmit(path, contents, None), false));
        }
        let path = self.path?;
        if let Some((contents, segment_size)) = self.dtls.poll_train() {
            return Some((transmit(path, contents, segment_size), true));
        }
        if !self.has_keys {
            return None;
        }
        let train = self.media.poll_transmit(now)?;
        Some((transmit(path, train.contents, train.segment_size), true))
    }

    fn deadline(&mut self, now: Instant) -> Instant {
        let idle = now + IDLE;
        if self.closing {
            return idle;
        }
        let failed = self.outage.deadline();
        // Without a path nothing of it can be sent, so it is never done with what is due.
        let sends = self.has_keys && self.path.is_some();
        let media = self.media.poll_timeout().filter(|_| sends);
        let channels = self.channels.deadline(now).filter(|_| sends);
        [
            channels,
            self.ice.poll_timeout(now),
            self.gatherer.poll_timeout(),
            self.dtls.deadline(),
            media,
            failed,
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(idle)
    }
}

fn transmit(path: Path, contents: Vec<u8>, segment_size: Option<usize>) -> Transmit {
    Transmit {
        transport: path.transport,
        source: path.local,
        destination: path.remote,
        contents,
        segment_size,
    }
}
