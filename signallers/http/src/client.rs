// SPDX-License-Identifier: MPL-2.0
//! The requests of WHIP and WHEP: POST an offer, PATCH candidates, DELETE the session.
use crate::address::shown;
use crate::wire::{self, IceServer, MAX_ANSWER, MAX_REASON};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, RequestBuilder, Response, StatusCode, Url, redirect};
use rtc_signaller::EndCode;
use std::error::Error;
use std::time::Duration;

/// What the signaller's properties say of requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) auth_token: String,
    /// Path of a PEM file; empty for the system's certificates alone.
    pub(crate) tls_ca: String,
    pub(crate) tls_insecure: bool,
    /// For one request, its body included.
    pub(crate) timeout: Duration,
}

/// A session on the server.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// Its URL; `None` where the server named none, so that it can't be ended or told anything.
    url: Option<Url>,
    etag: Option<HeaderValue>,
    /// Whether it takes candidates.
    pub(crate) trickles: bool,
}

/// What a POST brought.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) sdp: String,
    /// The server takes no offer but makes one: `sdp` is that (draft-ietf-wish-whep-03 §4.2).
    pub(crate) is_offer: bool,
    pub(crate) resource: Resource,
    pub(crate) ice_servers: Vec<IceServer>,
}

/// Why a request brought nothing.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: EndCode,
    pub(crate) text: String,
    /// Whether it may go better later.
    pub(crate) may_pass: bool,
    /// What the server asked to wait.
    pub(crate) retry_after: Option<Duration>,
}

/// What became of a PATCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patched {
    Done,
    /// The server takes no candidates: the offer's must do (RFC 9725 §4.3.1).
    Unsupported,
    /// The server knows the session no more.
    Gone,
}

/// Sends the requests of one signaller.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    token: Option<HeaderValue>,
    timeout: Duration,
}

impl Client {
    /// The error is for the user.
    pub(crate) fn new(settings: &Settings, url: &Url) -> Result<Self, String> {
        let token = match settings.auth_token.as_str() {
            "" => None,
            token => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| "auth-token holds characters that no HTTP header may have")?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let own = match settings.tls_ca.as_str() {
            "" => Vec::new(),
            path => certificates(path)?,
        };
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("gst-plugin-rtc/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .pool_max_idle_per_host(1)
                .tls_danger_accept_invalid_certs(settings.tls_insecure)
        };
        let http = match builder().tls_certs_merge(own.clone()).build() {
            Ok(http) => http,
            // A machine without certificates can speak plain HTTP all the same.
            Err(_) if url.scheme() == "http" || !own.is_empty() => builder()
                .tls_certs_only(own)
                .build()
                .map_err(|error| error.to_string())?,
            Err(error) => {
                return Err(format!(
                    "no certificates to verify servers with: {}; install ca-certificates, or name a CA by \
                     signaller::tls-ca=FILE",
                    deepest(&error)
                ));
            }
        };
        Ok(Self {
            http,
            token,
            timeout: settings.timeout,
        })
    }

    /// Asks for a session, following the redirections that RFC 9725 §4.5 knows.
    pub(crate) async fn post(&self, endpoint: &Url, offer: &str) -> Result<Answer, Failure> {
        let mut url = endpoint.clone();
        for _ in 0..=MAX_REDIRECTS {
            let request = self
                .http
                .post(url.clone())
                .timeout(self.timeout)
                .header(header::CONTENT_TYPE, SDP)
                .header(header::ACCEPT, SDP)
                .body(offer.to_owned());
            let with_token = may_know_token(endpoint, &url);
            let response = self.send(request, &url, with_token).await?;
            match response.status() {
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
                    url = redirected(&url, &response)?;
                }
                StatusCode::CREATED => return created(&url, response).await,
                StatusCode::NOT_ACCEPTABLE if essence(response.headers()) == SDP => {
                    return created(&url, response).await;
                }
                _ => return Err(refusal("POST", &url, response).await),
            }
        }
        let text = format!(
            "{}: redirects more than {MAX_REDIRECTS} times",
            shown(endpoint)
        );
        Err(Failure::last(EndCode::Error, text))
    }

    /// Tells a session of further candidates (RFC 9725 §4.3).
    pub(crate) async fn patch(
        &self,
        resource: &Resource,
        fragment: String,
    ) -> Result<Patched, Failure> {
        let Some(url) = &resource.url else {
            return Ok(Patched::Unsupported);
        };
        let mut request = self
            .http
            .patch(url.clone())
            .timeout(self.timeout)
            .header(header::CONTENT_TYPE, FRAGMENT)
            .body(fragment);
        if let Some(etag) = &resource.etag {
            request = request.header(header::IF_MATCH, etag);
        }
        let response = self.send(request, url, true).await?;
        match response.status().as_u16() {
            200..=299 => Ok(Patched::Done),
            404 | 410 => Ok(Patched::Gone),
            405 | 501 => Ok(Patched::Unsupported),
            _ => Err(refusal("PATCH", url, response).await),
        }
    }

    /// Answers an offer of the server's.
    pub(crate) async fn answer(&self, resource: &Resource, sdp: String) -> Result<(), Failure> {
        let Some(url) = &resource.url else {
            let text = "the server made an offer and named no place for the answer (Location)";
            return Err(Failure::last(EndCode::BadRequest, text.to_owned()));
        };
        let request = self.http.patch(url.clone()).timeout(self.timeout);
        let request = request.header(header::CONTENT_TYPE, SDP).body(sdp);
        let response = self.send(request, url, true).await?;
        match response.status().as_u16() {
            200..=299 => Ok(()),
            _ => Err(refusal("PATCH", url, response).await),
        }
    }

    /// Ends a session; a server that does not know it any more has ended it.
    pub(crate) async fn delete(&self, resource: &Resource, limit: Duration) -> Result<(), Failure> {
        let Some(url) = &resource.url else {
            return Ok(());
        };
        let request = self.http.delete(url.clone()).timeout(limit);
        let response = self.send(request, url, true).await?;
        match response.status().as_u16() {
            200..=299 | 404 | 410 => Ok(()),
            _ => Err(refusal("DELETE", url, response).await),
        }
    }

    async fn send(
        &self,
        request: RequestBuilder,
        url: &Url,
        with_token: bool,
    ) -> Result<Response, Failure> {
        let request = match &self.token {
            Some(token) if with_token => request.header(header::AUTHORIZATION, token),
            _ => request,
        };
        request.send().await.map_err(|error| unsent(url, &error))
    }
}

impl Failure {
    /// One that would come again.
    pub(crate) fn last(code: EndCode, text: String) -> Self {
        Self {
            code,
            text,
            may_pass: false,
            retry_after: None,
        }
    }

    /// One that may not come again.
    pub(crate) fn passing(code: EndCode, text: String) -> Self {
        Self {
            may_pass: true,
            ..Self::last(code, text)
        }
    }
}

fn certificates(path: &str) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("tls-ca={path}: {error}"))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err(format!(
            "tls-ca={path} holds no certificate; it must be a PEM file with BEGIN CERTIFICATE lines"
        )),
    }
}

/// Whether a place that the endpoint redirects to may see the token: the same host, or whoever the
/// endpoint names over TLS. It never crosses to another host in clear text.
fn may_know_token(endpoint: &Url, url: &Url) -> bool {
    endpoint.host() == url.host() || url.scheme() == "https"
}

fn redirected(from: &Url, response: &Response) -> Result<Url, Failure> {
    let wrong = |why: &str| {
        let text = format!("{}: redirects {why}", shown(from));
        Failure::last(EndCode::Error, text)
    };
    let to = header_text(response.headers(), header::LOCATION)
        .and_then(|location| from.join(location).ok())
        .ok_or_else(|| wrong("without a valid Location"))?;
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        ("https", "http") => Err(wrong("from https to http, which is not followed")),
        (_, other) => Err(wrong(&format!("to {other}:, which is not HTTP"))),
    }
}

async fn created(url: &Url, mut response: Response) -> Result<Answer, Failure> {
    let headers = response.headers().clone();
    let resource = resource(url, &headers);
    let wrong = |why: &str| {
        let text = format!("{}: the answer {why}", shown(url));
        Failure::last(EndCode::BadRequest, text)
    };
    let kind = essence(&headers);
    if !kind.is_empty() && !kind.eq_ignore_ascii_case(SDP) {
        return Err(wrong(&format!("is `{kind}`, not {SDP}")));
    }
    let body = read(&mut response, MAX_ANSWER)
        .await
        .map_err(|error| unsent(url, &error))?
        .ok_or_else(|| wrong(&format!("is larger than {MAX_ANSWER} bytes")))?;
    let sdp = String::from_utf8(body).map_err(|_| wrong("is not UTF-8"))?;
    if !sdp.starts_with("v=") {
        return Err(wrong(
            "is no session description: it does not begin with v=",
        ));
    }
    let links = headers.get_all(header::LINK).iter();
    Ok(Answer {
        sdp,
        is_offer: response.status() == StatusCode::NOT_ACCEPTABLE,
        resource,
        ice_servers: wire::ice_servers(links.filter_map(|value| value.to_str().ok())),
    })
}

fn resource(url: &Url, headers: &HeaderMap) -> Resource {
    let location = header_text(headers, header::LOCATION).and_then(|text| url.join(text).ok());
    let url = location.filter(|to| matches!(to.scheme(), "http" | "https"));
    let patches = header_text(headers, HeaderName::from_static("accept-patch"));
    let etag = headers.get(header::ETAG).cloned();
    // Those that do not say what they take say by an ETag that they take something (RFC 9725 §4.3).
    let trickles = patches.map_or_else(|| etag.is_some(), |kinds| kinds.contains(FRAGMENT));
    Resource {
        trickles: trickles && url.is_some(),
        etag,
        url,
    }
}

async fn refusal(method: &str, url: &Url, mut response: Response) -> Failure {
    let status = response.status();
    let kind = essence(response.headers());
    let mut reason = Vec::new();
    // What breaks off was still said.
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_REASON - reason.len();
        reason.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if reason.len() == MAX_REASON {
            break;
        }
    }
    let mut text = format!("{method} {}: {status}", shown(url));
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "set auth-token",
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "is the path right?",
        status if status.is_redirection() => "only 307 and 308 are followed",
        _ => "",
    };
    let reason = wire::reason(&kind, &reason);
    for more in [reason.as_str(), hint] {
        if !more.is_empty() {
            text = format!("{text}: {more}");
        }
    }
    Failure {
        code: wire::end_code(status.as_u16()),
        text,
        may_pass: wire::may_pass(status.as_u16()),
        retry_after: header_text(response.headers(), header::RETRY_AFTER)
            .and_then(wire::retry_after),
    }
}

/// A body of at most `limit` bytes; `None` if it is larger.
async fn read(response: &mut Response, limit: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// A request that got no response, or a broken one.
fn unsent(url: &Url, error: &reqwest::Error) -> Failure {
    let place = shown(url);
    if let Some(certificate) = distrust(error) {
        let text = format!(
            "{place}: the server's certificate is not trusted: {certificate}; name its CA by \
             signaller::tls-ca=FILE"
        );
        return Failure::last(EndCode::Error, text);
    }
    let text = if error.is_timeout() {
        format!("{place}: no answer in time (signaller::timeout)")
    } else {
        format!("{place}: {}", deepest(error))
    };
    Failure::passing(EndCode::Error, text)
}

/// What is wrong with a server's certificate, if that is the error.
fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
        return Some(why.to_string());
    }
    // An io::Error hides what it holds from `source`.
    let held = error.downcast_ref().and_then(std::io::Error::get_ref);
    match held {
        Some(held) => distrust(held),
        None => error.source().and_then(distrust),
    }
}

/// The cause of causes: what those above it say is that something failed.
fn deepest(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

fn essence(headers: &HeaderMap) -> String {
    let kind = header_text(headers, header::CONTENT_TYPE).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_owned()
}

fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Enough for any load balancer, few enough to end a circle soon.
const MAX_REDIRECTS: usize = 5;
