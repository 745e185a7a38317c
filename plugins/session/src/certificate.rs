// SPDX-License-Identifier: MPL-2.0
//! The certificate of an endpoint: made, kept, told by its fingerprint.
use crate::SessionError;
use aws_lc_rs::digest;
use dimpl::DtlsCertificate;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use std::fmt::{self, Write as _};
use std::time::{Duration, SystemTime};
use x509_cert::der::Decode;

/// No certificate is made for longer (W3C webrtc-pc §4.9.1).
pub const MAX_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// By how much clocks of peers may be slow.
const SKEW: Duration = Duration::from_secs(24 * 3600);

/// A self-signed certificate with its private key (P-256, W3C webrtc-pc §4.9).
#[derive(Clone)]
pub struct Certificate {
    inner: DtlsCertificate,
}

impl Certificate {
    /// Makes a new key pair and certificate: P-256, ECDSA with SHA-256, random serial number, a
    /// subject that names nobody, valid for a year.
    pub fn generate() -> Result<Self, SessionError> {
        dimpl::certificate::generate_self_signed_certificate()
            .map(|inner| Self { inner })
            .map_err(|error| refused(error.to_string()))
    }

    /// The same, valid for so long from `now` on, at most [`MAX_LIFETIME`]; from a day before, for peers
    /// whose clock is slow.
    pub fn generate_for(lifetime: Duration, now: SystemTime) -> Result<Self, SessionError> {
        let failed = |error: rcgen::Error| refused(error.to_string());
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "WebRTC");
        params.not_before = (now - SKEW).into();
        params.not_after = (now + lifetime.min(MAX_LIFETIME)).into();
        params.serial_number = Some(rand::random::<[u8; 16]>().to_vec().into());
        let certificate = params.self_signed(&key).map_err(failed)?;
        let inner = DtlsCertificate {
            certificate: certificate.der().to_vec(),
            private_key: key.serialize_der(),
        };
        Ok(Self { inner })
    }

    /// When it ceases to be valid.
    pub fn expires(&self) -> Result<SystemTime, SessionError> {
        let parsed = x509_cert::Certificate::from_der(self.der())
            .map_err(|error| refused(format!("it is no X.509 certificate: {error}")))?;
        let until = parsed.tbs_certificate().validity().not_after;
        Ok(SystemTime::UNIX_EPOCH + until.to_unix_duration())
    }

    /// From DER: an X.509 certificate and its PKCS #8 private key.
    pub fn from_der(certificate: Vec<u8>, private_key: Vec<u8>) -> Result<Self, SessionError> {
        aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            &private_key,
        )
        .map_err(|_| refused("its key is not an unencrypted P-256 key in PKCS #8".into()))?;
        Ok(Self {
            inner: DtlsCertificate {
                certificate,
                private_key,
            },
        })
    }

    /// From PEM text with one `CERTIFICATE` and one `PRIVATE KEY` section (RFC 7468), in any order.
    pub fn from_pem(text: &str) -> Result<Self, SessionError> {
        let sections =
            pem::parse_many(text).map_err(|error| refused(format!("it is not PEM: {error}")))?;
        let section = |tag: &str| {
            sections
                .iter()
                .find(|section| section.tag() == tag)
                .map(|section| section.contents().to_vec())
                .ok_or_else(|| refused(format!("the PEM text has no {tag} section")))
        };
        Self::from_der(section("CERTIFICATE")?, section("PRIVATE KEY")?)
    }

    /// Certificate and private key as PEM text. To be kept as secret as any private key.
    pub fn to_pem(&self) -> String {
        let encode = |tag: &str, contents: &[u8]| {
            let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
            pem::encode_config(&pem::Pem::new(tag, contents), config)
        };
        encode("PRIVATE KEY", &self.inner.private_key)
            + &encode("CERTIFICATE", &self.inner.certificate)
    }

    /// The certificate, DER.
    pub fn der(&self) -> &[u8] {
        &self.inner.certificate
    }

    /// What `a=fingerprint` says of it (RFC 8122 §5): `sha-256 AB:CD:…`.
    pub fn fingerprint(&self) -> String {
        format!(
            "sha-256 {}",
            hex(digest::digest(&digest::SHA256, self.der()).as_ref())
        )
    }

    /// A certificate whose key is not at hand.
    #[cfg(test)]
    pub(crate) fn from_parts(certificate: Vec<u8>) -> Self {
        let private_key = Vec::new();
        let inner = DtlsCertificate {
            certificate,
            private_key,
        };
        Self { inner }
    }

    pub(crate) fn as_dimpl(&self) -> &DtlsCertificate {
        &self.inner
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint())
    }
}

/// Whether a certificate has one of the fingerprints a description announced (hash function and
/// value, RFC 8122 §5): the strongest known function decides, SHA-256 is the least.
pub(crate) fn matches_any(der: &[u8], announced: &[(String, String)]) -> bool {
    let functions: [(&str, &'static digest::Algorithm); 3] = [
        ("sha-512", &digest::SHA512),
        ("sha-384", &digest::SHA384),
        ("sha-256", &digest::SHA256),
    ];
    for (name, algorithm) in functions {
        let mut values = announced
            .iter()
            .filter(|(function, _)| function.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .peekable();
        if values.peek().is_some() {
            let own = hex(digest::digest(algorithm, der).as_ref());
            return values.any(|value| value.eq_ignore_ascii_case(&own));
        }
    }
    false
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        let separator = if text.is_empty() { "" } else { ":" };
        write!(text, "{separator}{byte:02X}").expect("writing to a String cannot fail");
    }
    text
}

fn refused(reason: String) -> SessionError {
    SessionError::Certificate { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_round_trip_keeps_the_fingerprint() {
        let made = Certificate::generate().unwrap();
        let read = Certificate::from_pem(&made.to_pem()).unwrap();
        assert_eq!(made.fingerprint(), read.fingerprint());
        assert_eq!(made.to_pem(), read.to_pem());
    }

    #[test]
    fn a_certificate_lasts_as_long_as_asked_but_a_year_at_most() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (asked, given) in [
            (Duration::from_secs(3600), Duration::from_secs(3600)),
            (MAX_LIFETIME * 2, MAX_LIFETIME),
        ] {
            let made = Certificate::generate_for(asked, now).unwrap();
            assert_eq!(made.expires().unwrap(), now + given);
            let read = Certificate::from_pem(&made.to_pem()).unwrap();
            assert_eq!(read.expires().unwrap(), now + given);
        }
        assert!(Certificate::from_parts(vec![1, 2, 3]).expires().is_err());
    }

    #[test]
    fn two_certificates_differ() {
        let (a, b) = (
            Certificate::generate().unwrap(),
            Certificate::generate().unwrap(),
        );
        assert_ne!(a.fingerprint(), b.fingerprint());
    }

    #[test]
    fn text_that_is_no_certificate_is_refused_with_a_reason() {
        let made = Certificate::generate().unwrap().to_pem();
        let only_key = made.split("-----BEGIN CERTIFICATE").next().unwrap();
        for (text, reason) in [
            ("", "CERTIFICATE"),
            ("x", "CERTIFICATE"),
            (only_key, "CERTIFICATE"),
        ] {
            let error = Certificate::from_pem(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        let swapped = made
            .replace("PRIVATE KEY", "X")
            .replace("CERTIFICATE", "PRIVATE KEY")
            .replace("X", "CERTIFICATE");
        assert!(Certificate::from_pem(&swapped).is_err());
    }

    #[test]
    fn only_the_strongest_announced_function_counts() {
        let certificate = Certificate::generate().unwrap();
        let der = certificate.der();
        let own = certificate.fingerprint().replace("sha-256 ", "");
        let pair = |f: &str, v: &str| (f.to_owned(), v.to_owned());
        assert!(matches_any(der, &[pair("SHA-256", &own.to_lowercase())]));
        assert!(matches_any(
            der,
            &[
                pair("sha-1", "00:11"),
                pair("sha-256", "AA"),
                pair("sha-256", &own)
            ]
        ));
        assert!(!matches_any(
            der,
            &[pair("sha-512", "00:11"), pair("sha-256", &own)]
        ));
        assert!(!matches_any(der, &[pair("sha-256", "")]));
        assert!(!matches_any(der, &[pair("md5", &own)]));
        assert!(!matches_any(der, &[]));
    }
}
