// SPDX-License-Identifier: MPL-2.0
//! DTLS of a session: which implementation speaks, who the peer is, and the SRTP keys.
//!
//! Keys leave this module only after the peer's certificate was found to have a fingerprint that its
//! description announced; a mismatch ends the session (RFC 8827 §6.5).
#[cfg(test)]
mod dtls_test;
mod hello;
mod legacy;
mod modern;

use crate::certificate::matches_any;
use crate::{Certificate, DtlsState, DtlsStats, DtlsVersion, SessionError};
use hello::{Hello, Offer};
use legacy::Legacy;
use modern::{Modern, Versions};
use rtc_rtp::SrtpProfile;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The largest DTLS datagram sent, bytes.
const MTU: usize = 1200;
/// Datagrams kept that came before the peer's description or before there was a path; two of a
/// hello, and their retransmissions while signalling takes its time.
const MAX_EARLY: usize = 16;
/// Longer ones are nobody's: handshakes are cut to a path's MTU, bytes.
const MAX_DATAGRAM: usize = 4096;
/// Records of application data that wait to be taken; a datagram holds some ten.
const MAX_DATA: usize = 64;
/// Datagrams sent by one call, fewer than the 64 that Linux takes.
const MAX_TRAIN: usize = 32;
/// From path to keys.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(40);
const SRTP_AES128_CM_SHA1_80: u16 = 1;
const SRTP_AEAD_AES_128_GCM: u16 = 7;
const SRTP_AEAD_AES_256_GCM: u16 = 8;

/// What the handshake gives to SRTP.
pub(crate) struct Keys {
    pub(crate) profile: SrtpProfile,
    /// In the order of RFC 5764 §4.2.
    pub(crate) material: Vec<u8>,
    /// Whether we were the DTLS client.
    pub(crate) client: bool,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({:?})", self.profile)
    }
}

#[derive(Debug)]
pub(crate) enum DtlsEvent {
    /// Connected to the right peer.
    Ready(Keys),
    /// The peer said `close_notify`.
    Closed,
    /// The handshake or the verification failed.
    Failed(SessionError),
}

/// What an implementation reports.
#[derive(Debug)]
enum EngineEvent {
    Certificate(Vec<u8>),
    Keys(SrtpProfile, Vec<u8>),
    Connected,
    /// Application data: an SCTP packet.
    Data(Vec<u8>),
    Closed,
}

type EngineEvents = VecDeque<EngineEvent>;

/// The face of a DTLS implementation. Every error is the end of its association.
trait Engine: fmt::Debug + Send {
    fn handle_datagram(&mut self, datagram: &[u8], now: Instant) -> Result<(), SessionError>;
    fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError>;
    /// Encrypts application data, to be polled before more is sent.
    fn send(&mut self, data: &[u8], now: Instant) -> Result<(), SessionError>;
    fn poll(&mut self, transmits: &mut VecDeque<Vec<u8>>, events: &mut EngineEvents);
    fn deadline(&self) -> Option<Instant>;
    fn close(&mut self, now: Instant);
    fn version(&self) -> Option<&'static str>;
    fn is_client(&self) -> bool;
    fn knows_rsa(&self) -> bool;
}

#[derive(Debug)]
enum Stage {
    /// Role or path are not known yet.
    Idle,
    /// As server: the peer's hello decides who answers it.
    Listening(Hello),
    Running(Box<dyn Engine>),
    /// No implementation speaks any more; keys, if there are any, stay good.
    Over,
}

#[derive(Debug)]
pub(crate) struct Dtls {
    certificate: Arc<Certificate>,
    version: DtlsVersion,
    stage: Stage,
    state: DtlsState,
    client: Option<bool>,
    /// The peer's, from its description.
    fingerprints: Vec<(String, String)>,
    peer_certificate: Option<Vec<u8>>,
    keys: Option<(SrtpProfile, Vec<u8>)>,
    /// The implementation says that the handshake is done.
    established: bool,
    early: VecDeque<Vec<u8>>,
    handshake_deadline: Option<Instant>,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<DtlsEvent>,
    data: VecDeque<Vec<u8>>,
    engine_events: EngineEvents,
    negotiated_version: Option<&'static str>,
    negotiated_profile: Option<SrtpProfile>,
}

impl Dtls {
    pub(crate) fn new(certificate: Arc<Certificate>, version: DtlsVersion) -> Self {
        Self {
            certificate,
            version,
            stage: Stage::Idle,
            state: DtlsState::New,
            client: None,
            fingerprints: Vec::new(),
            peer_certificate: None,
            keys: None,
            established: false,
            early: VecDeque::new(),
            handshake_deadline: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            data: VecDeque::new(),
            engine_events: VecDeque::new(),
            negotiated_version: None,
            negotiated_profile: None,
        }
    }

    /// Sets the peer's fingerprints and, the first time, our role. Once the peer is known, its
    /// certificate must have one of the new fingerprints too.
    pub(crate) fn set_peer(
        &mut self,
        fingerprints: Vec<(String, String)>,
        client: bool,
    ) -> Result<(), SessionError> {
        if let Some(der) = &self.peer_certificate
            && !matches_any(der, &fingerprints)
        {
            return Err(SessionError::Fingerprint);
        }
        self.fingerprints = fingerprints;
        self.client.get_or_insert(client);
        Ok(())
    }

    /// Our role, once decided; it stays for the session's life.
    pub(crate) fn client(&self) -> Option<bool> {
        self.client
    }

    /// To be called when there is a path to the peer: starts the handshake if the role is known.
    pub(crate) fn start(&mut self, now: Instant) {
        let (Stage::Idle, Some(client)) = (&self.stage, self.client) else {
            return;
        };
        self.state = DtlsState::Connecting;
        self.handshake_deadline = Some(now + HANDSHAKE_TIMEOUT);
        if client {
            match self.version {
                DtlsVersion::Auto => {
                    self.run(
                        Modern::new(&self.certificate, Versions::Both, true, now),
                        now,
                    );
                }
                DtlsVersion::V12 => self.run(Legacy::new(&self.certificate, true, now), now),
            }
        } else {
            self.stage = Stage::Listening(Hello::default());
        }
        for datagram in std::mem::take(&mut self.early) {
            self.handle_datagram(&datagram, now);
        }
        self.pump(now);
    }

    /// Takes a DTLS datagram from an address that ICE has validated.
    pub(crate) fn handle_datagram(&mut self, datagram: &[u8], now: Instant) {
        if datagram.len() > MAX_DATAGRAM {
            return;
        }
        match &mut self.stage {
            Stage::Idle => {
                if self.early.len() == MAX_EARLY {
                    self.early.pop_front();
                }
                self.early.push_back(datagram.to_vec());
            }
            Stage::Listening(hello) => {
                let Some(offer) = hello.add(datagram) else {
                    return;
                };
                let datagrams = std::mem::take(hello).into_datagrams();
                self.answer(&offer, now);
                for datagram in datagrams {
                    self.handle_datagram(&datagram, now);
                }
            }
            Stage::Running(engine) => {
                let result = engine.handle_datagram(datagram, now);
                self.after(result, now);
            }
            Stage::Over => {}
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.handshake_deadline.is_some_and(|at| at <= now) {
            let reason = "the handshake took too long".into();
            return self.fail(SessionError::Dtls { reason }, now);
        }
        if let Stage::Running(engine) = &mut self.stage
            && engine.deadline().is_some_and(|at| at <= now)
        {
            let result = engine.handle_timeout(now);
            self.after(result, now);
        }
    }

    /// Says `close_notify` if there is anybody to say it to.
    pub(crate) fn close(&mut self, now: Instant) {
        self.hang_up(now);
        self.handshake_deadline = None;
        if self.state != DtlsState::Failed {
            self.state = DtlsState::Closed;
        }
    }

    #[cfg(test)]
    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// The next datagram; of application data several of one size behind another, the last of which may be
    /// shorter, with that size.
    pub(crate) fn poll_train(&mut self) -> Option<(Vec<u8>, Option<usize>)> {
        let mut contents = self.transmits.pop_front()?;
        let size = contents.len();
        let (mut count, mut last) = (1, size);
        // A handshake's flights stay as they were cut: what is lost of them is repeated so.
        while self.state == DtlsState::Connected && count < MAX_TRAIN && last == size {
            if self.transmits.front().is_none_or(|next| next.len() > size) {
                break;
            }
            let Some(next) = self.transmits.pop_front() else {
                break;
            };
            contents.extend_from_slice(&next);
            last = next.len();
            count += 1;
        }
        Some((contents, (count > 1).then_some(size)))
    }

    pub(crate) fn poll_event(&mut self) -> Option<DtlsEvent> {
        self.events.pop_front()
    }

    /// Sends application data; dropped where nothing can be sent.
    pub(crate) fn send(&mut self, data: &[u8], now: Instant) {
        if self.state != DtlsState::Connected {
            return;
        }
        if let Stage::Running(engine) = &mut self.stage {
            let result = engine.send(data, now);
            self.after(result, now);
        }
    }

    /// Application data that arrived.
    pub(crate) fn poll_data(&mut self) -> Option<Vec<u8>> {
        self.data.pop_front()
    }

    /// Whether application data can flow.
    pub(crate) fn is_open(&self) -> bool {
        self.state == DtlsState::Connected && matches!(self.stage, Stage::Running(_))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let engine = match &self.stage {
            Stage::Running(engine) => engine.deadline(),
            _ => None,
        };
        [engine, self.handshake_deadline]
            .into_iter()
            .flatten()
            .min()
    }

    pub(crate) fn state(&self) -> DtlsState {
        self.state
    }

    /// The certificate the peer showed, DER.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        self.peer_certificate.as_deref()
    }

    pub(crate) fn stats(&self) -> DtlsStats {
        DtlsStats {
            state: self.state,
            version: self.negotiated_version,
            srtp_profile: self.negotiated_profile.map(profile_name),
            client: self.client,
        }
    }

    fn hang_up(&mut self, now: Instant) {
        if let Stage::Running(engine) = &mut self.stage {
            engine.close(now);
            // What the implementation reports of its own end is no news.
            engine.poll(&mut self.transmits, &mut EngineEvents::new());
        }
        self.stage = Stage::Over;
    }

    fn answer(&mut self, offer: &Offer, now: Instant) {
        match choose(self.version, offer) {
            Choice::Legacy => self.run(Legacy::new(&self.certificate, false, now), now),
            Choice::Modern(versions) => {
                self.run(Modern::new(&self.certificate, versions, false, now), now);
            }
        }
    }

    fn run<E: Engine + 'static>(&mut self, engine: Result<E, SessionError>, now: Instant) {
        match engine {
            Ok(engine) => self.stage = Stage::Running(Box::new(engine)),
            Err(error) => self.fail(error, now),
        }
    }

    fn after(&mut self, result: Result<(), SessionError>, now: Instant) {
        self.pump(now);
        let Err(error) = result else { return };
        if self.state != DtlsState::Connecting {
            // The keys are agreed on; only data channels need more of DTLS, and end with it. Media goes on,
            // for what upset it may be forged. If the peer is really gone, ICE will tell.
            tracing::warn!(%error, "DTLS ended after the handshake");
            self.stage = Stage::Over;
        } else if self.may_be_rsa() {
            tracing::info!(%error, "no ECDSA server it seems: starting again with DTLS 1.2 and RSA");
            self.run(Legacy::new(&self.certificate, true, now), now);
            self.pump(now);
        } else {
            self.fail(error, now);
        }
    }

    /// As client there is no hello to choose by: the modern implementation goes first, and a server
    /// without an ECDSA certificate refuses it before it shows one. Whether such a server listens
    /// again is its affair; where 1.2 alone is asked for, the legacy one goes first.
    fn may_be_rsa(&self) -> bool {
        let Stage::Running(engine) = &self.stage else {
            return false;
        };
        engine.is_client() && !engine.knows_rsa() && self.peer_certificate.is_none()
    }

    fn pump(&mut self, now: Instant) {
        let Stage::Running(engine) = &mut self.stage else {
            return;
        };
        engine.poll(&mut self.transmits, &mut self.engine_events);
        while let Some(event) = self.engine_events.pop_front() {
            match event {
                EngineEvent::Certificate(der) => {
                    if !matches_any(&der, &self.fingerprints) {
                        return self.fail(SessionError::Fingerprint, now);
                    }
                    self.peer_certificate = Some(der);
                }
                EngineEvent::Keys(profile, material) => self.keys = Some((profile, material)),
                EngineEvent::Connected => self.established = true,
                // Whoever drives the session polls after each datagram; what exceeds this is lost to SCTP
                // as if on the path.
                EngineEvent::Data(data) if self.data.len() < MAX_DATA => self.data.push_back(data),
                EngineEvent::Data(_) => {}
                EngineEvent::Closed => {
                    self.events.push_back(DtlsEvent::Closed);
                    return self.close(now);
                }
            }
        }
        // The implementations report certificate, keys and success in orders of their own.
        if self.established && self.state == DtlsState::Connecting {
            self.connected(now);
        }
    }

    fn connected(&mut self, now: Instant) {
        let (Stage::Running(engine), Some(_)) = (&self.stage, &self.peer_certificate) else {
            return self.fail(SessionError::Fingerprint, now);
        };
        let (version, client) = (engine.version(), engine.is_client());
        let Some((profile, material)) = self.keys.take() else {
            let reason = "the peer knows no SRTP profile that we know".into();
            return self.fail(SessionError::Dtls { reason }, now);
        };
        self.state = DtlsState::Connected;
        self.handshake_deadline = None;
        self.negotiated_version = version;
        self.negotiated_profile = Some(profile);
        self.events.push_back(DtlsEvent::Ready(Keys {
            profile,
            material,
            client,
        }));
    }

    /// Ends in failure. A peer that is connected on its side hears `close_notify`, lest it wait until
    /// its consent expires.
    fn fail(&mut self, error: SessionError, now: Instant) {
        self.hang_up(now);
        self.state = DtlsState::Failed;
        self.handshake_deadline = None;
        self.keys = None;
        self.data.clear();
        self.engine_events.clear();
        self.events.push_back(DtlsEvent::Failed(error));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Modern(Versions),
    Legacy,
}

/// Who answers a hello. One that offers 1.2 alone may come with an RSA certificate, which the modern
/// implementation does not know. Of those that offer both, the modern one in 1.3 takes the client's
/// first SRTP profile: if that is not an AEAD one but another is offered, 1.2 is spoken, where the
/// server's order counts, for AES-CM with HMAC-SHA1 costs 3.8 times as much for each packet sent.
fn choose(version: DtlsVersion, offer: &Offer) -> Choice {
    if !offer.dtls13 {
        return Choice::Legacy;
    }
    let is_aead = |profile: &u16| [SRTP_AEAD_AES_128_GCM, SRTP_AEAD_AES_256_GCM].contains(profile);
    let is_known = |profile: &&u16| is_aead(profile) || **profile == SRTP_AES128_CM_SHA1_80;
    let first = offer.srtp_profiles.iter().find(is_known);
    let dear = first.is_some_and(|profile| !is_aead(profile));
    let cheaper_in_12 = offer.dtls12 && dear && offer.srtp_profiles.iter().any(is_aead);
    match version {
        DtlsVersion::Auto if !cheaper_in_12 => Choice::Modern(Versions::V13),
        DtlsVersion::Auto | DtlsVersion::V12 => Choice::Modern(Versions::V12),
    }
}

fn profile_name(profile: SrtpProfile) -> &'static str {
    match profile {
        SrtpProfile::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
        SrtpProfile::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        SrtpProfile::Aes128CmSha1_80 => "SRTP_AES128_CM_HMAC_SHA1_80",
    }
}
