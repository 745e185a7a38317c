// SPDX-License-Identifier: MPL-2.0
//! A provider that is asked by HTTPS: `POST https://DOMAIN/.well-known/idp-proxy/PROTOCOL`, the place where
//! browsers get the provider's script from (W3C webrtc-identity §4), so that one address serves both.
//!
//! The request is JSON, `{"method": "generate", "contents", "options"}` or
//! `{"method": "validate", "assertion"}`; the answer is what the script's functions give:
//! `{"idp": {"domain", "protocol"}, "assertion"}` or `{"identity", "contents"}`. 401 and 403 mean that the
//! provider wants a login (`idp-need-login`), 400 and 422 that the assertion is none of its own
//! (`idp-token-invalid`), 410 that it has run out (`idp-token-expired`).
use crate::{
    IdentityFault, IdentityProvider, IdentityProviderImpl, Vouched, asserted_answer, fault_answer,
    vouched_answer,
};
use gst::glib;
use gst::glib::prelude::*;
use gst::glib::subclass::prelude::*;
use reqwest::{StatusCode, redirect};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

glib::wrapper! {
    /// The GObject `GstRtcWebIdentityProvider`.
    pub struct WebIdentityProvider(ObjectSubclass<imp::Web>) @implements IdentityProvider;
}

impl WebIdentityProvider {
    /// Asks the provider of a domain.
    pub fn new(domain: &str) -> Self {
        glib::Object::builder().property("domain", domain).build()
    }
}

/// W3C webrtc-identity §5: a provider that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Answers are not read further.
const MAX_ANSWER: usize = 64 * 1024;

#[derive(Clone, Debug, Default)]
struct Settings {
    domain: String,
    protocol: String,
    token: String,
    tls_ca: String,
    trusted_domains: String,
}

impl Settings {
    /// Where a provider is asked; a peer may name none but those that are trusted.
    fn url(&self, domain: &str, protocol: &str) -> Result<String, IdentityFault> {
        let mut trusted = self.trusted_domains.split(',').map(str::trim);
        if domain.is_empty() || domain != self.domain && !trusted.any(|trusted| trusted == domain) {
            return Err(IdentityFault::new(
                "idp-load-failure",
                format!(
                    "the peer's identity provider is {domain}, which is neither domain nor among \
                     trusted-domains"
                ),
            ));
        }
        Ok(format!("https://{domain}/.well-known/idp-proxy/{protocol}"))
    }

    fn client(&self) -> Result<reqwest::Client, IdentityFault> {
        let fault = |text: String| IdentityFault::new("idp-tls-failure", text);
        // What is asked with a token goes nowhere else, and never in the clear.
        let builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .https_only(true)
            .timeout(TIMEOUT);
        let builder = match self.tls_ca.as_str() {
            "" => builder,
            path => {
                let pem = std::fs::read(path)
                    .map_err(|error| fault(format!("tls-ca={path}: {error}")))?;
                let own = reqwest::Certificate::from_pem_bundle(&pem)
                    .map_err(|error| fault(format!("tls-ca={path}: {error}")))?;
                builder.tls_certs_only(own)
            }
        };
        builder.build().map_err(|error| fault(error.to_string()))
    }
}

async fn ask(settings: Settings, url: String, question: Value) -> Result<Value, IdentityFault> {
    let mut request = settings
        .client()?
        .post(&url)
        .header("content-type", "application/json")
        .body(question.to_string());
    if !settings.token.is_empty() {
        request = request.bearer_auth(&settings.token);
    }
    let mut response = request.send().await.map_err(|error| unreachable(&error))?;
    let detail = match response.status() {
        status if status.is_success() => None,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some("idp-need-login"),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Some("idp-token-invalid"),
        StatusCode::GONE => Some("idp-token-expired"),
        _ => Some("idp-load-failure"),
    };
    if let Some(detail) = detail {
        let text = format!("{url} answers {}", response.status());
        return Err(IdentityFault::new(detail, text));
    }
    let mut body = Vec::new();
    while let Some(part) = response
        .chunk()
        .await
        .map_err(|error| unreachable(&error))?
    {
        body.extend_from_slice(&part);
        if body.len() > MAX_ANSWER {
            let text = format!("{url} answers with more than {MAX_ANSWER} bytes");
            return Err(IdentityFault::new("idp-load-failure", text));
        }
    }
    serde_json::from_slice(&body).map_err(|error| {
        IdentityFault::new("idp-bad-script-failure", format!("{url}: no JSON: {error}"))
    })
}

fn unreachable(error: &reqwest::Error) -> IdentityFault {
    let detail = match (error.is_timeout(), is_of_tls(error)) {
        (true, _) => "idp-timeout",
        (_, true) => "idp-tls-failure",
        _ => "idp-load-failure",
    };
    let mut deepest: &dyn Error = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    // The URL stands in the outer error, the reason in the innermost.
    IdentityFault::new(detail, format!("{error}: {deepest}"))
}

fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    // An io::Error hides what it holds from `source`.
    let held = error.downcast_ref().and_then(std::io::Error::get_ref);
    let inner = held.map(|held| held as &(dyn Error + 'static));
    error.is::<rustls::Error>() || inner.or_else(|| error.source()).is_some_and(is_of_tls)
}

fn answer(
    promise: &gst::Promise,
    question: Result<(Settings, String, Value), IdentityFault>,
    read: fn(&Value) -> Option<gst::Structure>,
) {
    let (settings, url, question) = match question {
        Ok(question) => question,
        Err(fault) => return promise.reply(Some(fault_answer(&fault))),
    };
    let promise = promise.clone();
    rtc_signaller::runtime::handle().spawn(async move {
        let answer = ask(settings, url, question).await;
        let answer = answer.map(|value| read(&value).unwrap_or_else(|| incomplete(&value)));
        promise.reply(Some(answer.unwrap_or_else(|fault| fault_answer(&fault))));
    });
}

/// The names are told, the values are nobody's business.
fn incomplete(value: &Value) -> gst::Structure {
    let names: Vec<&String> = value
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys())
        .collect();
    fault_answer(&IdentityFault::new(
        "idp-bad-script-failure",
        format!("the provider's answer lacks something; it has {names:?}"),
    ))
}

fn asserted(value: &Value) -> Option<gst::Structure> {
    Some(asserted_answer(
        value["idp"]["domain"].as_str()?,
        value["idp"]["protocol"].as_str().unwrap_or("default"),
        value["assertion"].as_str()?,
    ))
}

fn vouched(value: &Value) -> Option<gst::Structure> {
    Some(vouched_answer(&Vouched {
        identity: value["identity"].as_str()?.to_owned(),
        contents: value["contents"].as_str()?.to_owned(),
    }))
}

mod imp {
    use super::*;

    #[derive(Default, glib::Properties)]
    #[properties(wrapper_type = WebIdentityProvider)]
    #[allow(missing_debug_implementations)] // One of them is a secret.
    pub struct Web {
        #[property(name = "domain", get, set, type = String, member = domain,
            blurb = "Domain of the identity provider, with :PORT where that is not 443 (text; default \
                     empty = none, for nobody is asked unasked; changeable at any time)")]
        #[property(name = "protocol", get = Self::protocol, set, type = String, member = protocol,
            default = Some("default"),
            blurb = "The provider's protocol (text without slashes; default `default`, as browsers ask; \
                     changeable at any time)")]
        #[property(name = "token", set, type = String, member = token,
            blurb = "Bearer token that tells the provider who we are (text, write-only; default empty; \
                     changeable at any time)")]
        #[property(name = "tls-ca", get, set, type = String, member = tls_ca,
            blurb = "Certificate authorities that the provider is verified with (path of a PEM file; \
                     default empty = those of the system; changeable at any time)")]
        #[property(name = "trusted-domains", get, set, type = String, member = trusted_domains,
            blurb = "Further providers that may be asked about peers (domains separated by commas; \
                     default empty = none but domain, as a peer must not choose whom we ask; changeable \
                     at any time)")]
        settings: Mutex<Settings>,
    }

    impl Web {
        fn settings(&self) -> Settings {
            let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
            settings.clone()
        }

        fn protocol(&self) -> String {
            match self.settings().protocol {
                empty if empty.is_empty() => "default".into(),
                protocol => protocol,
            }
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Web {
        const NAME: &'static str = "GstRtcWebIdentityProvider";
        type Type = WebIdentityProvider;
        type Interfaces = (IdentityProvider,);
    }

    #[glib::derived_properties]
    impl ObjectImpl for Web {}

    impl IdentityProviderImpl for Web {
        fn generate(&self, contents: &str, options: &gst::StructureRef, promise: &gst::Promise) {
            let settings = self.settings();
            let text = |name: &str| options.get::<String>(name).ok();
            let question = json!({
                "method": "generate",
                "contents": contents,
                "options": {
                    "usernameHint": text("username-hint"),
                    "peerIdentity": text("peer-identity"),
                },
            });
            let url = settings.url(&settings.domain, &self.protocol());
            let question = url.map(|url| (settings, url, question));
            answer(promise, question, asserted);
        }

        fn validate(&self, assertion: &str, origin: &gst::StructureRef, promise: &gst::Promise) {
            let settings = self.settings();
            let text = |name: &str| origin.get::<String>(name).unwrap_or_default();
            let question = json!({ "method": "validate", "assertion": assertion });
            let url = settings.url(&text("domain"), &text("protocol"));
            answer(promise, url.map(|url| (settings, url, question)), vouched);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_does_not_choose_whom_we_ask() {
        let settings = Settings {
            domain: "idp.example".into(),
            trusted_domains: "one.example, two.example:8443".into(),
            ..Settings::default()
        };
        let url = |domain: &str| settings.url(domain, "default");
        for domain in ["idp.example", "one.example", "two.example:8443"] {
            let expected = format!("https://{domain}/.well-known/idp-proxy/default");
            assert_eq!(url(domain), Ok(expected));
        }
        for domain in ["other.example", "two.example", "", "169.254.169.254"] {
            assert_eq!(url(domain).unwrap_err().detail, "idp-load-failure");
        }
    }

    #[test]
    fn answers_without_what_is_asked_for_are_faults() {
        gst::init().expect("GStreamer starts");
        assert!(asserted(&json!({"idp": {"domain": "d"}, "assertion": "a"})).is_some());
        assert!(asserted(&json!({"assertion": "a"})).is_none());
        assert!(vouched(&json!({"identity": "a@d", "contents": "c"})).is_some());
        assert!(vouched(&json!(["identity"])).is_none());
        let fault = incomplete(&json!({"identity": "secret"}));
        let text = fault.get::<String>("text").expect("a text");
        assert!(
            text.contains("identity") && !text.contains("secret"),
            "{text}"
        );
    }
}
