// SPDX-License-Identifier: MPL-2.0
//! `a=identity` (RFC 8827 §5, §7): an assertion by an identity provider over all fingerprints of a
//! description. The description's text is all that it touches; what an assertion is worth is for others
//! to find out.
use crate::JsepError;
use crate::parse::parse;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

/// Longest assertion, bytes of JSON: those of real providers stay below 4 KiB.
const MAX_ASSERTION: usize = 32 * 1024;
/// Longest name of a provider or protocol.
const MAX_NAME: usize = 255;
const PREFIX: &str = "a=identity:";

/// What an identity provider gave out for a description (W3C webrtc-identity RTCIdentityAssertionResult).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityAssertion {
    /// The provider's domain name, with a port where that is not 443.
    pub domain: String,
    /// Its protocol, `default` if it has but one.
    pub protocol: String,
    /// The assertion, which only the provider understands.
    pub assertion: String,
}

impl IdentityAssertion {
    /// The attribute's value: Base64 of JSON (RFC 8827 §7.4.1).
    pub fn to_text(&self) -> String {
        let value = json!({
            "idp": { "domain": self.domain, "protocol": self.protocol },
            "assertion": self.assertion,
        });
        BASE64_STANDARD.encode(value.to_string())
    }

    /// From the attribute's value. Refused: what is no such JSON, a domain or protocol with a slash,
    /// backslash, space or control character (W3C webrtc-identity §4), all above 32 KiB.
    pub fn from_text(text: &str) -> Result<Self, JsepError> {
        let fault = |reason: &str| JsepError::Invalid(format!("a=identity: {reason}"));
        if text.len() > MAX_ASSERTION * 4 / 3 {
            return Err(JsepError::TooLarge {
                what: "bytes of an identity assertion",
                limit: MAX_ASSERTION,
            });
        }
        let bytes = BASE64_STANDARD
            .decode(text)
            .map_err(|_| fault("not Base64"))?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| fault("not JSON"))?;
        let word = |value: &Value| {
            value
                .as_str()
                .filter(|text| is_name(text))
                .map(str::to_owned)
        };
        let domain = word(&value["idp"]["domain"]).ok_or_else(|| fault("no provider's domain"))?;
        let protocol = match &value["idp"]["protocol"] {
            Value::Null => "default".to_owned(),
            named => word(named).ok_or_else(|| fault("a protocol that is no name"))?,
        };
        let assertion = value["assertion"].as_str().filter(|text| !text.is_empty());
        Ok(Self {
            domain,
            protocol,
            assertion: assertion.ok_or_else(|| fault("no assertion"))?.to_owned(),
        })
    }
}

/// A description's fingerprints, each once, and what vouches for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedIdentity {
    /// Hash function in lower case and digest in upper-case hexadecimal with colons.
    pub fingerprints: Vec<(String, String)>,
    /// The first `a=identity` above the m-lines.
    pub assertion: Option<IdentityAssertion>,
}

/// What a description says of who made it.
pub fn identity_of(sdp: &str) -> Result<DescribedIdentity, JsepError> {
    let description = parse(sdp)?;
    let mut fingerprints: Vec<(String, String)> = Vec::new();
    for fingerprint in description.sections.iter().flat_map(|s| &s.fingerprints) {
        if !fingerprints.contains(fingerprint) {
            fingerprints.push(fingerprint.clone());
        }
    }
    let above = sdp.lines().take_while(|line| !line.starts_with("m="));
    let value = above.filter_map(|line| line.strip_prefix(PREFIX)).next();
    let text = value.map(|value| value.split_ascii_whitespace().next().unwrap_or_default());
    Ok(DescribedIdentity {
        fingerprints,
        assertion: text.map(IdentityAssertion::from_text).transpose()?,
    })
}

/// A description of ours with `a=identity` above its m-lines.
pub fn with_identity(sdp: &str, assertion: &IdentityAssertion) -> String {
    let line = format!("{PREFIX}{}\r\n", assertion.to_text());
    match sdp.find("\r\nm=") {
        Some(at) => format!("{}{line}{}", &sdp[..at + 2], &sdp[at + 2..]),
        None => format!("{sdp}{line}"),
    }
}

/// What a provider is asked to vouch for: the fingerprints as JSON (RFC 8827 §7.4).
pub fn identity_contents(fingerprints: &[(String, String)]) -> String {
    let list: Vec<Value> = fingerprints
        .iter()
        .map(|(algorithm, digest)| json!({ "algorithm": algorithm, "digest": digest }))
        .collect();
    json!({ "fingerprint": list }).to_string()
}

/// Whether contents that a provider vouches for name every one of the fingerprints (RFC 8827 §7.4).
pub fn contents_cover(contents: &str, fingerprints: &[(String, String)]) -> bool {
    let Ok(value) = serde_json::from_str::<Value>(contents) else {
        return false;
    };
    let Some(list) = value["fingerprint"].as_array() else {
        return false;
    };
    let named = |(algorithm, digest): &(String, String)| {
        let is_it = |value: &Value| {
            let text = |name: &str| value[name].as_str().unwrap_or_default();
            text("algorithm").eq_ignore_ascii_case(algorithm)
                && text("digest").eq_ignore_ascii_case(digest)
        };
        list.iter().any(is_it)
    };
    !fingerprints.is_empty() && fingerprints.iter().all(named)
}

fn is_name(text: &str) -> bool {
    let odd =
        |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '\\' | '@' | '?' | '#');
    (1..=MAX_NAME).contains(&text.len()) && !text.contains(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = include_str!("../../../tests/golden/sdp/offer-chromium156.sdp");

    fn assertion() -> IdentityAssertion {
        IdentityAssertion {
            domain: "idp.example:8443".into(),
            protocol: "default".into(),
            assertion: "opaque \"text\"".into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(identity_of(OFFER).unwrap().assertion, None);
        let text = with_identity(OFFER, &assertion());
        let identity = identity_of(&text).unwrap();
        assert_eq!(identity.assertion, Some(assertion()));
        assert_eq!(identity.fingerprints.len(), 1);
        assert!(identity.fingerprints[0].1.starts_with("72:01"));
        let added = text.lines().filter(|line| line.starts_with(PREFIX)).count();
        assert_eq!(
            (added, text.lines().count()),
            (1, OFFER.lines().count() + 1)
        );
        assert_eq!(
            text.matches("\r\nm=").count(),
            OFFER.matches("\r\nm=").count()
        );
    }

    #[test]
    fn contents_cover_only_what_they_name() {
        let print = |n: u8| ("sha-256".to_owned(), format!("AA:{n:02X}"));
        let contents = identity_contents(&[print(1), print(2)]);
        assert!(contents_cover(&contents, &[print(1)]));
        assert!(contents_cover(
            &contents.to_lowercase(),
            &[print(2), print(1)]
        ));
        assert!(!contents_cover(&contents, &[print(1), print(3)]));
        assert!(!contents_cover(&contents, &[]));
        for broken in [
            "",
            "null",
            "{}",
            "{\"fingerprint\":1}",
            "{\"fingerprint\":[1]}",
        ] {
            assert!(!contents_cover(broken, &[print(1)]), "{broken}");
        }
    }

    #[test]
    fn broken_assertions_are_refused() {
        let encoded = |json: &str| BASE64_STANDARD.encode(json);
        for text in [
            String::new(),
            "%%%".into(),
            encoded("no json"),
            encoded("{}"),
            encoded(r#"{"idp":{"domain":"a/b"},"assertion":"x"}"#),
            encoded(r#"{"idp":{"domain":"user@host"},"assertion":"x"}"#),
            encoded(r#"{"idp":{"domain":"a","protocol":"\\"},"assertion":"x"}"#),
            encoded(r#"{"idp":{"domain":"a"},"assertion":""}"#),
            encoded(r#"{"idp":{"domain":"a"},"assertion":{}}"#),
            "A".repeat(MAX_ASSERTION * 2),
        ] {
            assert!(IdentityAssertion::from_text(&text).is_err(), "{text}");
            let sdp = OFFER.replacen("m=", &format!("{PREFIX}{text}\r\nm="), 1);
            assert!(identity_of(&sdp).is_err());
        }
        let short = encoded(r#"{"idp":{"domain":"a"},"assertion":"x"}"#);
        let read = IdentityAssertion::from_text(&short).unwrap();
        assert_eq!(read.protocol, "default");
    }
}
