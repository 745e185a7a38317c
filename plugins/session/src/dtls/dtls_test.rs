// SPDX-License-Identifier: MPL-2.0
//! Handshakes on simulated time: both implementations, both roles, honest and dishonest peers.
use super::*;
use bytes::BytesMut;
use rtc_crypto::{CryptoError, PublicKey, SignatureScheme, SigningKey};
use rtc_dtls::config::{ClientAuthType, ConfigBuilder};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use std::net::SocketAddr;

const STEP: Duration = Duration::from_millis(20);
const PEER: &str = "127.0.0.1:9";

/// A side of a handshake.
trait Side {
    fn take(&mut self, datagram: &[u8], now: Instant);
    fn tick(&mut self, now: Instant);
    fn give(&mut self) -> Vec<Vec<u8>>;
}

impl Side for Dtls {
    fn take(&mut self, datagram: &[u8], now: Instant) {
        self.handle_datagram(datagram, now);
    }

    fn tick(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn give(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.poll_transmit()).collect()
    }
}

/// A peer on rtc-dtls with a certificate of its own kind.
struct Foreign {
    endpoint: Endpoint,
    der: Vec<u8>,
    connected: bool,
    closed: bool,
    error: Option<String>,
}

impl Foreign {
    fn new(
        key: &rcgen::KeyPair,
        scheme: SignatureScheme,
        client: bool,
        lies: bool,
        now: Instant,
    ) -> Self {
        let certificate = rcgen::CertificateParams::default()
            .self_signed(key)
            .unwrap();
        let provider = rtc_crypto::default_provider().unwrap();
        let mut signer = provider
            .crypto()
            .import_signing_key(scheme, &key.serialize_der())
            .unwrap();
        if lies {
            signer = Arc::new(Liar(signer));
        }
        let chain = vec![certificate.der().clone()];
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![rtc_dtls::crypto::Certificate::from_signing_key(
                chain, signer,
            )])
            .with_insecure_skip_verify(true)
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80])
            .build(client, None)
            .unwrap();
        let config = Arc::new(config);
        let peer: SocketAddr = PEER.parse().unwrap();
        let server = (!client).then(|| config.clone());
        let mut endpoint = Endpoint::new(peer, rtc_shared::TransportProtocol::UDP, server);
        if client {
            endpoint.connect(now, peer, config, None).unwrap();
        }
        let der = certificate.der().to_vec();
        Self {
            endpoint,
            der,
            connected: false,
            closed: false,
            error: None,
        }
    }

    fn rsa(client: bool, lies: bool, now: Instant) -> Self {
        let (algorithm, size) = (&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
        let key = rcgen::KeyPair::generate_rsa_for(algorithm, size).unwrap();
        Self::new(&key, SignatureScheme::RsaPkcs1Sha256, client, lies, now)
    }

    fn ecdsa(client: bool, lies: bool, now: Instant) -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self::new(&key, SignatureScheme::EcdsaP256Sha256, client, lies, now)
    }

    fn fingerprints(&self) -> Vec<(String, String)> {
        let certificate = Certificate::from_parts(self.der.clone());
        fingerprints(&certificate)
    }

    fn keying_material(&self, length: usize) -> Vec<u8> {
        let state = self
            .endpoint
            .get_connection_state(PEER.parse().unwrap())
            .unwrap();
        let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], length);
        material.unwrap().as_ref().to_vec()
    }
}

impl Side for Foreign {
    fn take(&mut self, datagram: &[u8], now: Instant) {
        match self
            .endpoint
            .read(now, PEER.parse().unwrap(), None, BytesMut::from(datagram))
        {
            Ok(events) => events.iter().for_each(|event| match event {
                EndpointEvent::HandshakeComplete => self.connected = true,
                EndpointEvent::PeerClosed => self.closed = true,
                _ => {}
            }),
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    fn tick(&mut self, now: Instant) {
        let peer = PEER.parse().unwrap();
        if self.endpoint.poll_timeout(&peer).is_some() {
            let _ = self.endpoint.handle_timeout(peer, now);
        }
    }

    fn give(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.endpoint.poll_transmit())
            .map(|t| t.message.to_vec())
            .collect()
    }
}

/// Signs, and then changes a bit.
struct Liar(Arc<dyn SigningKey>);

impl SigningKey for Liar {
    fn supports(&self, scheme: SignatureScheme) -> bool {
        self.0.supports(scheme)
    }

    fn public_key(&self) -> PublicKey<'_> {
        self.0.public_key()
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut changed = message.to_vec();
        changed[0] ^= 1;
        self.0.sign(scheme, &changed)
    }
}

fn fingerprints(certificate: &Certificate) -> Vec<(String, String)> {
    let text = certificate.fingerprint();
    let (function, value) = text.split_once(' ').unwrap();
    vec![(function.to_owned(), value.to_owned())]
}

fn ours(version: DtlsVersion) -> (Dtls, Arc<Certificate>) {
    let certificate = Arc::new(Certificate::generate().unwrap());
    (Dtls::new(certificate.clone(), version), certificate)
}

/// Lets both sides talk for `seconds`; `lost` says which datagrams get lost, counted over both sides.
fn talk(
    a: &mut dyn Side,
    b: &mut dyn Side,
    now: &mut Instant,
    seconds: u64,
    lost: &dyn Fn(u32) -> bool,
) {
    let end = *now + Duration::from_secs(seconds);
    let mut count = 0;
    while *now < end {
        let (from_a, from_b) = (a.give(), b.give());
        let mut deliver = |side: &mut dyn Side, datagrams: Vec<Vec<u8>>| {
            for datagram in datagrams {
                count += 1;
                if !lost(count) {
                    side.take(&datagram, *now);
                }
            }
        };
        deliver(b, from_a);
        deliver(a, from_b);
        *now += STEP;
        a.tick(*now);
        b.tick(*now);
    }
}

/// The same number for the same arguments (SplitMix64).
fn random(n: u32, seed: u32) -> u64 {
    let z = (u64::from(seed) << 32 | u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn none(_: u32) -> bool {
    false
}

fn ready(dtls: &mut Dtls) -> Keys {
    match dtls.poll_event() {
        Some(DtlsEvent::Ready(keys)) => keys,
        other => panic!("{other:?}"),
    }
}

fn failure(dtls: &mut Dtls) -> SessionError {
    match dtls.poll_event() {
        Some(DtlsEvent::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Two of ours, the first as client.
fn pair(versions: [DtlsVersion; 2], now: Instant) -> [Dtls; 2] {
    let (mut a, certificate_a) = ours(versions[0]);
    let (mut b, certificate_b) = ours(versions[1]);
    a.set_peer(fingerprints(&certificate_b), true).unwrap();
    b.set_peer(fingerprints(&certificate_a), false).unwrap();
    a.start(now);
    b.start(now);
    [a, b]
}

/// One of ours against a foreign one.
fn meet(foreign: &mut Foreign, client: bool, now: &mut Instant) -> Dtls {
    // As client Auto would begin with the implementation that knows no RSA.
    let (mut dtls, _) = ours(match client {
        true => DtlsVersion::V12,
        false => DtlsVersion::Auto,
    });
    dtls.set_peer(foreign.fingerprints(), client).unwrap();
    dtls.start(*now);
    talk(&mut dtls, foreign, now, 5, &none);
    dtls
}

#[test]
fn both_sides_get_the_same_keys_in_every_version() {
    use DtlsVersion::{Auto, V12};
    for (versions, spoken) in [
        ([Auto, Auto], "1.3"),
        ([Auto, V12], "1.2"),
        ([V12, Auto], "1.2"),
        ([V12, V12], "1.2"),
    ] {
        let mut now = Instant::now();
        let [mut a, mut b] = pair(versions, now);
        talk(&mut a, &mut b, &mut now, 2, &none);
        let (keys_a, keys_b) = (ready(&mut a), ready(&mut b));
        assert_eq!(keys_a.material, keys_b.material);
        assert_eq!(keys_a.profile, keys_b.profile);
        assert_ne!(keys_a.profile, SrtpProfile::Aes128CmSha1_80);
        assert!(keys_a.client && !keys_b.client);
        assert_eq!(a.stats().version, Some(spoken), "{versions:?}");
        assert_eq!(b.stats().version, Some(spoken), "{versions:?}");
        assert_eq!(a.state(), DtlsState::Connected);
    }
}

#[test]
fn a_handshake_survives_loss() {
    use DtlsVersion::{Auto, V12};
    // Both implementations as they are, each against each.
    for versions in [[Auto; 2], [Auto, V12], [V12, Auto], [V12, V12]] {
        for round in 0..20 {
            let mut now = Instant::now();
            let [mut a, mut b] = pair(versions, now);
            talk(&mut a, &mut b, &mut now, 38, &|n| {
                random(n, round).is_multiple_of(5)
            });
            assert_eq!(
                ready(&mut a).material,
                ready(&mut b).material,
                "{versions:?} {round}"
            );
        }
    }
}

#[test]
fn peers_with_rsa_certificates_connect_in_both_roles() {
    for client in [false, true] {
        for make in [Foreign::ecdsa, Foreign::rsa] {
            let mut now = Instant::now();
            let mut foreign = make(!client, false, now);
            let mut dtls = meet(&mut foreign, client, &mut now);
            let keys = ready(&mut dtls);
            assert!(foreign.connected, "{:?}", foreign.error);
            assert_eq!(keys.client, client);
            assert_eq!(keys.profile, SrtpProfile::Aes128CmSha1_80);
            assert_eq!(keys.material, foreign.keying_material(keys.material.len()));
        }
    }
}

#[test]
fn a_server_with_an_rsa_certificate_that_listens_again_is_reached_at_the_second_try() {
    let mut now = Instant::now();
    let mut foreign = Foreign::rsa(false, false, now);
    let (mut dtls, _) = ours(DtlsVersion::Auto);
    dtls.set_peer(foreign.fingerprints(), true).unwrap();
    dtls.start(now);
    for datagram in dtls.give() {
        foreign.take(&datagram, now);
    }
    assert!(foreign.error.take().is_some(), "it knows no ECDSA");
    let alerts = foreign.give();
    foreign.endpoint.stop(now, PEER.parse().unwrap());
    foreign.give();
    for datagram in alerts {
        dtls.take(&datagram, now);
    }
    talk(&mut dtls, &mut foreign, &mut now, 5, &none);
    let keys = ready(&mut dtls);
    assert_eq!(keys.material, foreign.keying_material(keys.material.len()));
}

#[test]
fn a_wrong_handshake_signature_is_refused_in_both_roles() {
    for client in [false, true] {
        for make in [Foreign::rsa, Foreign::ecdsa] {
            let mut now = Instant::now();
            let mut foreign = make(!client, true, now);
            let mut dtls = meet(&mut foreign, client, &mut now);
            assert!(
                matches!(failure(&mut dtls), SessionError::Dtls { .. }),
                "client: {client}"
            );
            assert_eq!(dtls.state(), DtlsState::Failed);
            assert!(dtls.keys.is_none());
        }
    }
}

#[test]
fn a_wrong_fingerprint_is_refused_in_both_roles_and_versions() {
    for (versions, wrong) in [
        ([DtlsVersion::Auto; 2], 0),
        ([DtlsVersion::Auto; 2], 1),
        ([DtlsVersion::V12; 2], 0),
        ([DtlsVersion::V12; 2], 1),
    ] {
        let mut now = Instant::now();
        let mut sides = pair(versions, now);
        let stranger = Certificate::generate().unwrap();
        sides[wrong]
            .set_peer(fingerprints(&stranger), wrong == 0)
            .unwrap();
        let [mut a, mut b] = sides;
        talk(&mut a, &mut b, &mut now, 5, &none);
        let mistaken = if wrong == 0 { &mut a } else { &mut b };
        assert_eq!(failure(mistaken), SessionError::Fingerprint);
        assert!(mistaken.poll_event().is_none());
    }
}

#[test]
fn a_later_description_with_another_fingerprint_is_refused() {
    let mut now = Instant::now();
    let [mut a, mut b] = pair([DtlsVersion::Auto; 2], now);
    talk(&mut a, &mut b, &mut now, 2, &none);
    let stranger = Certificate::generate().unwrap();
    assert_eq!(
        a.set_peer(fingerprints(&stranger), true),
        Err(SessionError::Fingerprint)
    );
}

#[test]
fn a_forged_change_cipher_spec_does_not_end_a_legacy_association() {
    let mut now = Instant::now();
    let mut foreign = Foreign::rsa(true, false, now);
    let mut dtls = meet(&mut foreign, false, &mut now);
    ready(&mut dtls);
    for epoch in [0, 1, 2] {
        let forged = [20, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0xff, 0xff, 0, 1, 1];
        dtls.handle_datagram(&forged, now);
    }
    foreign.endpoint.close(now).unwrap();
    talk(&mut dtls, &mut foreign, &mut now, 1, &none);
    assert!(matches!(dtls.poll_event(), Some(DtlsEvent::Closed)));
}

#[test]
fn noise_neither_panics_nor_ends_a_connected_association() {
    let mut now = Instant::now();
    let [mut a, mut b] = pair([DtlsVersion::Auto; 2], now);
    talk(&mut a, &mut b, &mut now, 2, &none);
    let mut foreign = Foreign::rsa(true, false, now);
    let legacy = meet(&mut foreign, false, &mut now);
    for mut dtls in [a, legacy] {
        ready(&mut dtls);
        let mut seed = 7u64;
        for round in 0..20_000 {
            let mut next = || {
                seed = seed
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (seed >> 33) as u8
            };
            let length = 13 + usize::from(next()) % 60;
            let mut datagram: Vec<u8> = (0..length).map(|_| next()).collect();
            if round % 2 == 0 {
                let kind = 20 + next() % 5;
                datagram[..5].copy_from_slice(&[kind, 0xfe, 0xfd, 0, next() % 3]);
                datagram[11..13].copy_from_slice(&[0, length as u8 - 13]);
            }
            dtls.handle_datagram(&datagram, now);
            now += Duration::from_millis(1);
            dtls.handle_timeout(now);
            dtls.give();
        }
        assert!(dtls.poll_event().is_none());
        assert_eq!(dtls.state(), DtlsState::Connected);
    }
}

#[test]
fn close_notify_reaches_the_peer() {
    for versions in [[DtlsVersion::Auto; 2], [DtlsVersion::V12; 2]] {
        let mut now = Instant::now();
        let [mut a, mut b] = pair(versions, now);
        talk(&mut a, &mut b, &mut now, 2, &none);
        ready(&mut b);
        a.close(now);
        talk(&mut a, &mut b, &mut now, 1, &none);
        assert!(matches!(b.poll_event(), Some(DtlsEvent::Closed)));
        assert_eq!(b.state(), DtlsState::Closed);
    }
}

#[test]
fn a_peer_that_says_nothing_fails_the_handshake_in_time() {
    for client in [false, true] {
        let start = Instant::now();
        let (mut dtls, certificate) = ours(DtlsVersion::Auto);
        dtls.set_peer(fingerprints(&certificate), client).unwrap();
        dtls.start(start);
        let mut now = start;
        while dtls.state() == DtlsState::Connecting {
            now = dtls.deadline().unwrap().max(now + Duration::from_millis(1));
            dtls.handle_timeout(now);
            dtls.give();
        }
        assert!(now <= start + HANDSHAKE_TIMEOUT);
        assert!(matches!(failure(&mut dtls), SessionError::Dtls { .. }));
    }
}

#[test]
fn the_choice_follows_the_hello() {
    use Choice::{Legacy, Modern};
    let offer = |dtls12, dtls13, profiles: &[u16]| Offer {
        dtls12,
        dtls13,
        srtp_profiles: profiles.to_vec(),
    };
    let (chromium, firefox) = ([1, 8, 7], [7, 8, 1]);
    for (version, offer, choice) in [
        (DtlsVersion::Auto, offer(true, false, &firefox), Legacy),
        (DtlsVersion::V12, offer(true, false, &firefox), Legacy),
        (
            DtlsVersion::Auto,
            offer(true, true, &firefox),
            Modern(Versions::V13),
        ),
        (
            DtlsVersion::Auto,
            offer(true, true, &chromium),
            Modern(Versions::V12),
        ),
        (
            DtlsVersion::Auto,
            offer(false, true, &chromium),
            Modern(Versions::V13),
        ),
        (
            DtlsVersion::Auto,
            offer(true, true, &[1]),
            Modern(Versions::V13),
        ),
        (
            DtlsVersion::Auto,
            offer(true, true, &[0x99, 7, 1]),
            Modern(Versions::V13),
        ),
        (
            DtlsVersion::V12,
            offer(true, true, &firefox),
            Modern(Versions::V12),
        ),
    ] {
        assert_eq!(choose(version, &offer), choice, "{version:?} {offer:?}");
    }
}
