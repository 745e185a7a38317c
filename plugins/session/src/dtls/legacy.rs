// SPDX-License-Identifier: MPL-2.0
//! DTLS 1.2 with peers that have RSA certificates (GStreamer's `webrtcbin`), by `rtc-dtls`.
use super::hello::{HANDSHAKE_HEADER, RECORD_HEADER, records};
use super::{Engine, EngineEvent, EngineEvents};
use crate::{Certificate, SessionError};
use bytes::BytesMut;
use rtc_crypto::SignatureScheme;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_rtp::SrtpProfile;
use rtc_shared::TransportProtocol;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One association, whatever path ICE uses: rtc-dtls wants an address to know it by.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const LAST_CONTENT_TYPE: u8 = 23;
/// Handshake records taken after the handshake, each of which rtc-dtls keeps: it answers seven
/// repetitions of the peer's last flight, of some ten records each.
const MAX_LATE_HANDSHAKES: usize = 128;
/// Fragments remembered; a handshake of one of ours has some ten, of the largest chains some fifty.
const MAX_SEEN: usize = 512;
/// rtc-dtls gives up after seven retransmissions at this interval.
const FLIGHT_INTERVAL: Duration = Duration::from_millis(800);
/// Datagrams a handshake may take. rtc-dtls keeps records of a coming epoch without a bound of its
/// own, so the bound is here.
const MAX_HANDSHAKE_DATAGRAMS: usize = 256;

pub(super) struct Legacy {
    endpoint: Endpoint,
    events: EngineEvents,
    phase: Phase,
    client: bool,
    datagrams: usize,
    record: BytesMut,
    seen: Seen,
    late_handshakes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Connected,
    Closed,
}

impl Legacy {
    pub(super) fn new(
        certificate: &Certificate,
        client: bool,
        now: Instant,
    ) -> Result<Self, SessionError> {
        let config = config(certificate, client)?;
        let server_config = (!client).then(|| config.clone());
        let mut endpoint = Endpoint::new(PEER, TransportProtocol::UDP, server_config);
        if client {
            endpoint.connect(now, PEER, config, None).map_err(failed)?;
        }
        Ok(Self {
            endpoint,
            events: VecDeque::new(),
            phase: Phase::Handshake,
            client,
            datagrams: 0,
            record: BytesMut::new(),
            seen: Seen::default(),
            late_handshakes: 0,
        })
    }

    fn is_wanted(&mut self, record: &[u8]) -> bool {
        if self.phase == Phase::Handshake {
            return !self.seen.is_repetition(record);
        }
        if record[0] == HANDSHAKE {
            self.late_handshakes += 1;
        }
        record[0] != HANDSHAKE || self.late_handshakes <= MAX_LATE_HANDSHAKES
    }

    fn take(&mut self, event: EndpointEvent) -> Result<(), SessionError> {
        match event {
            EndpointEvent::HandshakeComplete => {
                self.phase = Phase::Connected;
                let state = self.endpoint.get_connection_state(PEER);
                let state = state.ok_or_else(|| failed("the association is gone"))?;
                let certificate = state.peer_certificates.first();
                let certificate =
                    certificate.ok_or_else(|| failed("the peer sent no certificate"))?;
                self.events
                    .push_back(EngineEvent::Certificate(certificate.clone()));
                let profile = srtp_profile(state.srtp_protection_profile());
                let profile = profile.ok_or_else(|| failed("no SRTP profile was agreed on"))?;
                let material = state
                    .export_keying_material(
                        "EXTRACTOR-dtls_srtp",
                        &[],
                        profile.keying_material_len(),
                    )
                    .map_err(failed)?;
                self.events
                    .push_back(EngineEvent::Keys(profile, material.as_ref().to_vec()));
                self.events.push_back(EngineEvent::Connected);
            }
            EndpointEvent::PeerClosed => {
                self.phase = Phase::Closed;
                self.events.push_back(EngineEvent::Closed);
            }
            EndpointEvent::ApplicationData(data) => {
                self.events.push_back(EngineEvent::Data(data.to_vec()));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Engine for Legacy {
    fn handle_datagram(&mut self, datagram: &[u8], now: Instant) -> Result<(), SessionError> {
        if self.phase == Phase::Closed {
            // rtc-dtls would take it for the first of a new association.
            return Ok(());
        }
        self.record.clear();
        let phase = self.phase;
        for record in records(datagram).filter(|record| is_welcome(record, phase)) {
            if self.is_wanted(record) {
                self.record.extend_from_slice(record);
            }
        }
        if self.record.is_empty() {
            return Ok(());
        }
        if self.phase == Phase::Handshake {
            self.datagrams += 1;
            if self.datagrams > MAX_HANDSHAKE_DATAGRAMS {
                return Err(failed("the handshake takes too many datagrams"));
            }
        }
        let read = self.endpoint.read(now, PEER, None, self.record.split());
        match read {
            Ok(events) => events.into_iter().try_for_each(|event| self.take(event)),
            // Once connected, all that can err is forged or stale; SRTP has its keys.
            Err(_) if self.phase == Phase::Connected => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        if self.phase == Phase::Handshake && self.endpoint.poll_timeout(&PEER).is_some() {
            self.endpoint.handle_timeout(PEER, now).map_err(failed)?;
        }
        Ok(())
    }

    fn send(&mut self, data: &[u8], now: Instant) -> Result<(), SessionError> {
        self.endpoint.write(now, PEER, data).map_err(failed)
    }

    fn poll(&mut self, transmits: &mut VecDeque<Vec<u8>>, events: &mut EngineEvents) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            transmits.push_back(transmit.message.to_vec());
        }
        events.append(&mut self.events);
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Handshake => self.endpoint.poll_timeout(&PEER),
            Phase::Connected | Phase::Closed => None,
        }
    }

    fn close(&mut self, now: Instant) {
        self.phase = Phase::Closed;
        self.endpoint.stop(now, PEER);
    }

    fn version(&self) -> Option<&'static str> {
        Some("1.2")
    }

    fn is_client(&self) -> bool {
        self.client
    }

    fn knows_rsa(&self) -> bool {
        true
    }
}

impl fmt::Debug for Legacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Legacy")
            .field("phase", &self.phase)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// The handshake fragments that rtc-dtls was given: message number and offset.
///
/// While it waits for the peer's flight, rtc-dtls takes any handshake record, even one it has had,
/// for a sign of life and stops repeating its own flight. If that flight was lost, both sides wait
/// for each other for ever. So repetitions are kept from it, until it is connected and has its last
/// flight to repeat on them.
#[derive(Debug, Default)]
struct Seen(HashSet<(u16, [u8; 3])>);

impl Seen {
    /// Whether all that a record holds was seen before; notes it.
    fn is_repetition(&mut self, record: &[u8]) -> bool {
        // Type, and epoch 0: later ones are encrypted.
        if record[0] != HANDSHAKE || record[3..5] != [0, 0] {
            return false;
        }
        let mut rest = &record[RECORD_HEADER..];
        let mut all = true;
        while let Some(header) = rest.get(..HANDSHAKE_HEADER) {
            let number = u16::from_be_bytes([header[4], header[5]]);
            let new = self.0.len() < MAX_SEEN
                && self.0.insert((number, [header[6], header[7], header[8]]));
            // A lost HelloVerifyRequest is made again for each repetition of the first hello.
            all &= !new && number > 0;
            let length = u32::from_be_bytes([0, header[9], header[10], header[11]]) as usize;
            rest = rest.get(HANDSHAKE_HEADER + length..).unwrap_or_default();
        }
        all
    }
}

/// Whether rtc-dtls may see a record. It accepts ChangeCipherSpec at any epoch, so that one forged
/// datagram would end a connected association: once connected none reaches it.
fn is_welcome(record: &[u8], phase: Phase) -> bool {
    let known = (CHANGE_CIPHER_SPEC..=LAST_CONTENT_TYPE).contains(&record[0]) && record[1] == 0xfe;
    known && (phase == Phase::Handshake || record[0] != CHANGE_CIPHER_SPEC)
}

fn config(certificate: &Certificate, client: bool) -> Result<Arc<HandshakeConfig>, SessionError> {
    let provider = rtc_crypto::default_provider().map_err(failed)?;
    let dimpl::DtlsCertificate {
        certificate,
        private_key,
    } = certificate.as_dimpl();
    let key = provider
        .crypto()
        .import_signing_key(SignatureScheme::EcdsaP256Sha256, private_key)
        .map_err(failed)?;
    let chain = vec![certificate.clone().into()];
    ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![rtc_dtls::crypto::Certificate::from_signing_key(
            chain, key,
        )])
        // There is no chain to verify: the session compares the fingerprint (RFC 8827 §6.5), and
        // handshake signatures are checked whatever this says (proven by a test).
        .with_insecure_skip_verify(true)
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_srtp_protection_profiles(vec![
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        ])
        .with_extended_master_secret(ExtendedMasterSecretType::Request)
        .with_flight_interval(FLIGHT_INTERVAL)
        .with_mtu(super::MTU)
        .build(client, None)
        .map(Arc::new)
        .map_err(failed)
}

fn srtp_profile(profile: SrtpProtectionProfile) -> Option<SrtpProfile> {
    match profile {
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Some(SrtpProfile::AeadAes128Gcm),
        SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Some(SrtpProfile::AeadAes256Gcm),
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Some(SrtpProfile::Aes128CmSha1_80),
        _ => None,
    }
}

fn failed(reason: impl fmt::Display) -> SessionError {
    SessionError::Dtls {
        reason: reason.to_string(),
    }
}
