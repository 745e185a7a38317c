// SPDX-License-Identifier: MPL-2.0
//! DTLS 1.3 and 1.2 with ECDSA peers, by `dimpl`.
use super::{Engine, EngineEvent, EngineEvents};
use crate::{Certificate, SessionError};
use dimpl::{Config, Dtls, Output, ProtocolVersion};
use rtc_rtp::SrtpProfile;
use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// Which versions to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versions {
    /// As client: both in one hello.
    Both,
    /// 1.2 alone.
    V12,
    /// 1.3 alone.
    V13,
}

#[derive(Debug)]
pub(super) struct Modern {
    dtls: Dtls,
    buffer: Vec<u8>,
    deadline: Option<Instant>,
    client: bool,
}

/// First retransmission of a flight. dimpl's own 1 s would make one lost datagram cost a second;
/// libwebrtc starts with 50 ms.
const FLIGHT_RTO: Duration = Duration::from_millis(150);
/// Doubling from [`FLIGHT_RTO`], this many reach past the handshake's own deadline of 40 s.
const FLIGHT_RETRIES: usize = 8;

static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| {
    let config = Config::builder()
        .mtu(super::MTU)
        // ICE has already proven that the peer receives at its address.
        .use_server_cookie(false)
        .flight_start_rto(FLIGHT_RTO)
        .flight_retries(FLIGHT_RETRIES)
        .build();
    Arc::new(config.expect("a configuration of constants, built in every test"))
});

impl Modern {
    pub(super) fn new(
        certificate: &Certificate,
        versions: Versions,
        client: bool,
        now: Instant,
    ) -> Result<Self, SessionError> {
        let (config, certificate) = (CONFIG.clone(), certificate.as_dimpl().clone());
        let mut dtls = match versions {
            Versions::Both => Dtls::new_auto(config, certificate, now),
            Versions::V12 => Dtls::new_12(config, certificate, now),
            Versions::V13 => Dtls::new_13(config, certificate, now),
        };
        dtls.set_active(client);
        dtls.handle_timeout(now).map_err(failed)?;
        Ok(Self {
            dtls,
            buffer: vec![0; 2048],
            deadline: Some(now),
            client,
        })
    }
}

impl Engine for Modern {
    fn handle_datagram(&mut self, datagram: &[u8], now: Instant) -> Result<(), SessionError> {
        self.dtls.handle_timeout(now).map_err(failed)?;
        self.dtls.handle_packet(datagram).map_err(failed)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        self.dtls.handle_timeout(now).map_err(failed)
    }

    fn send(&mut self, data: &[u8], now: Instant) -> Result<(), SessionError> {
        self.dtls.handle_timeout(now).map_err(failed)?;
        self.dtls.send_application_data(data).map_err(failed)?;
        Ok(())
    }

    fn poll(&mut self, transmits: &mut VecDeque<Vec<u8>>, events: &mut EngineEvents) {
        loop {
            match self.dtls.poll_output(&mut self.buffer) {
                Output::Packet(packet) => transmits.push_back(packet.to_vec()),
                Output::BufferTooSmall { needed } => self.buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    self.deadline = Some(at);
                    return;
                }
                Output::PeerCert(der) => events.push_back(EngineEvent::Certificate(der.to_vec())),
                Output::KeyingMaterial(material, profile) => {
                    if let Some(profile) = srtp_profile(profile) {
                        events.push_back(EngineEvent::Keys(profile, material.to_vec()));
                    }
                }
                Output::Connected => events.push_back(EngineEvent::Connected),
                Output::CloseNotify => events.push_back(EngineEvent::Closed),
                Output::ApplicationData(data) => events.push_back(EngineEvent::Data(data.to_vec())),
                _ => {}
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn close(&mut self, now: Instant) {
        // An error means that the association is past speaking: there is nobody to tell.
        let _ = self.dtls.handle_timeout(now);
        let _ = self.dtls.close();
    }

    fn version(&self) -> Option<&'static str> {
        match self.dtls.protocol_version()? {
            ProtocolVersion::DTLS1_3 => Some("1.3"),
            ProtocolVersion::DTLS1_2 => Some("1.2"),
            _ => None,
        }
    }

    fn is_client(&self) -> bool {
        self.client
    }

    fn knows_rsa(&self) -> bool {
        false
    }
}

fn srtp_profile(profile: dimpl::SrtpProfile) -> Option<SrtpProfile> {
    match profile {
        dimpl::SrtpProfile::AEAD_AES_128_GCM => Some(SrtpProfile::AeadAes128Gcm),
        dimpl::SrtpProfile::AEAD_AES_256_GCM => Some(SrtpProfile::AeadAes256Gcm),
        dimpl::SrtpProfile::AES128_CM_SHA1_80 => Some(SrtpProfile::Aes128CmSha1_80),
        _ => None,
    }
}

fn failed(error: dimpl::Error) -> SessionError {
    SessionError::Dtls {
        reason: error.to_string(),
    }
}
