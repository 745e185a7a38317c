// SPDX-License-Identifier: MPL-2.0
//! What providers answer, as structures in promises and as Rust types.
/// Why there is no identity; the text of `detail` is W3C's RTCErrorDetailType (webrtc-identity §9).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}: {text}")]
pub struct IdentityFault {
    /// `idp-load-failure`, `idp-execution-failure`, `idp-bad-script-failure`, `idp-need-login`,
    /// `idp-timeout`, `idp-tls-failure`, `idp-token-expired` or `idp-token-invalid`.
    pub detail: String,
    /// What happened, and what to do where something can be done.
    pub text: String,
}

impl IdentityFault {
    /// A fault of one of the kinds that `detail` names.
    pub fn new(detail: &str, text: impl Into<String>) -> Self {
        Self {
            detail: detail.to_owned(),
            text: text.into(),
        }
    }
}

/// What a provider vouches for (W3C webrtc-identity §6 RTCIdentityValidationResult).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// `user@domain`
    pub identity: String,
    /// The contents that the assertion was made for.
    pub contents: String,
}

const FAULT: &str = "idp-fault";

/// The answer to `generate-assertion`: who vouches, and the assertion.
pub fn asserted_answer(domain: &str, protocol: &str, assertion: &str) -> gst::Structure {
    gst::Structure::builder("idp-assertion")
        .field("domain", domain)
        .field("protocol", protocol)
        .field("assertion", assertion)
        .build()
}

/// The answer to `validate-assertion`.
pub fn vouched_answer(vouched: &Vouched) -> gst::Structure {
    gst::Structure::builder("idp-vouched")
        .field("identity", &vouched.identity)
        .field("contents", &vouched.contents)
        .build()
}

/// The answer to either where there is none.
pub fn fault_answer(fault: &IdentityFault) -> gst::Structure {
    gst::Structure::builder(FAULT)
        .field("detail", &fault.detail)
        .field("text", &fault.text)
        .build()
}

/// The texts of those names in a promise's reply, or why there are none.
pub(crate) fn texts<const N: usize>(
    reply: Result<Option<&gst::StructureRef>, gst::PromiseError>,
    names: [&str; N],
) -> Result<[String; N], IdentityFault> {
    let no_answer = |text: &str| IdentityFault::new("idp-execution-failure", text);
    let reply = match reply {
        Ok(Some(reply)) => reply,
        Ok(None) => return Err(no_answer("the identity provider's answer is empty")),
        Err(_) => return Err(no_answer("the identity provider gave its answer up")),
    };
    let text = |name: &str| reply.get::<String>(name).ok();
    if reply.name() == FAULT {
        return Err(IdentityFault {
            detail: text("detail").unwrap_or_else(|| "idp-execution-failure".into()),
            text: text("text").unwrap_or_default(),
        });
    }
    let mut found = names.map(|_| String::new());
    for (place, name) in found.iter_mut().zip(names) {
        *place = text(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            no_answer(&format!(
                "the identity provider's answer has no text `{name}`"
            ))
        })?;
    }
    Ok(found)
}

/// The identity, if the provider of `domain` may vouch for it: `user@` and the provider's own domain
/// (RFC 8827 §8.1).
pub(crate) fn checked(vouched: Vouched, domain: &str) -> Result<Vouched, IdentityFault> {
    let host = domain.rsplit_once(':').map_or(domain, |(host, _)| host);
    match vouched.identity.rsplit_once('@') {
        Some((user, of)) if !user.is_empty() && of.eq_ignore_ascii_case(host) => Ok(vouched),
        _ => Err(IdentityFault::new(
            "idp-token-invalid",
            format!(
                "the identity provider of {domain} vouches for `{}`, which is nobody of {host}",
                vouched.identity
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_vouches_for_those_of_its_own_domain_alone() {
        let vouched = |identity: &str| Vouched {
            identity: identity.into(),
            contents: "{}".into(),
        };
        for (identity, domain) in [
            ("alice@idp.example", "idp.example"),
            ("alice@IDP.example", "idp.example:8443"),
        ] {
            assert!(checked(vouched(identity), domain).is_ok(), "{identity}");
        }
        for identity in ["alice@other.example", "alice", "@idp.example", "", "alice@"] {
            let fault = checked(vouched(identity), "idp.example").unwrap_err();
            assert_eq!(fault.detail, "idp-token-invalid");
        }
    }

    #[test]
    fn answers_are_read_or_what_is_missing_is_said() {
        gst::init().expect("GStreamer starts");
        let answer = asserted_answer("d", "p", "a");
        let names = ["domain", "protocol", "assertion"];
        assert_eq!(
            texts(Ok(Some(&answer)), names),
            Ok(["d", "p", "a"].map(str::to_owned))
        );
        let fault = IdentityFault::new("idp-need-login", "log in first");
        assert_eq!(texts(Ok(Some(&fault_answer(&fault))), names), Err(fault));
        let without = texts(Ok(Some(&answer)), ["identity"]).unwrap_err();
        assert!(without.text.contains("`identity`"), "{without}");
        assert!(texts(Ok(None), ["identity"]).is_err());
    }
}
