// SPDX-License-Identifier: MPL-2.0
//! WHIP and WHEP sessions as HTTP resources: POST makes one, PATCH trickles, DELETE ends it.
//!
//! A session's URL is unguessable and so needs no token of its own.
use crate::held::TICK;
use crate::http::{Protocol, text};
use crate::hub::{Hub, Peer};
use crate::problem::Problem;
use crate::sdpfrag;
use crate::sessions::{Answer, Resource};
use crate::wire::MAX_BYTES;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use rtc_signaller::{EndCode, Role, SignallerExt, Wish, new_session_id};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the endpoint may take to answer an offer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Of a body that is too large so much is read and thrown away, so that the peer reads why it is refused
/// rather than meet a broken connection; bytes.
const MAX_DRAINED: usize = 64 * 1024 * 1024;

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// `POST /whip`, `POST /whep`
pub(crate) async fn offer(
    protocol: Protocol,
    State(hub): State<Arc<Hub>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let authorization = text(&head.headers, header::AUTHORIZATION);
    if !hub.gate.token_allowed(authorization, head.uri.query()) {
        let detail = "a token is needed: Authorization: Bearer TOKEN, or ?token=TOKEN";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    }
    expect_type(&head.headers, SDP)?;
    let sdp = read(body).await?;
    if !sdp.starts_with("v=") || !sdp.contains("\nm=") {
        let detail = "the body is no offer: an SDP begins with v=0 and has m= lines";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let resource = Resource {
        etag: format!("\"{}\"", new_session_id()),
        ufrag: sdpfrag::ufrag_of(&sdp).map(str::to_owned),
    };
    let etag = resource.etag.clone();
    let Some((id, answer)) = hub.sessions.open_http(resource) else {
        let detail = "no room for another session now";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(5));
    };
    let mut pending = Pending {
        hub: &hub,
        id: &id,
        answered: false,
    };
    let wish = match protocol {
        Protocol::Whip => Wish::Publish,
        Protocol::Whep => Wish::View,
    };
    hub.report(|signaller| {
        signaller.report_session_requested(&id, &peer.address.to_string(), Role::Answer, wish);
        signaller.report_description(&id, "offer", &sdp);
    });
    let sdp = match wait_patiently(&hub, &id, protocol, answer).await {
        Ok(sdp) => sdp,
        Err(problem) => {
            // Silent if it was the endpoint that ended the session.
            hub.peer_ended(&id, EndCode::Error, &problem.detail);
            return Err(problem);
        }
    };
    pending.answered = true;
    drop(pending);
    hub.report(|signaller| signaller.report_session_started(&id));
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, format!("{}/{id}", protocol.path())),
        (header::ETAG, etag),
        (HeaderName::from_static("accept-patch"), FRAGMENT.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, sdp).into_response())
}

/// `PATCH /whip/ID`, `PATCH /whep/ID` (RFC 9725 §4.3)
pub(crate) async fn trickle(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (head, body) = request.into_parts();
    let resource = hub.sessions.resource(&id).ok_or_else(unknown_session)?;
    expect_type(&head.headers, FRAGMENT)?;
    let Some(etag) = text(&head.headers, header::IF_MATCH) else {
        let detail = "If-Match is missing; send the ETag of the answer to the offer";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, detail));
    };
    let body = read(body).await?;
    let fragment = sdpfrag::parse(&body)
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "the body is no SDP fragment"))?;
    // `"*"` is what RFC 9725's example of a restart has, `*` is HTTP's own wildcard.
    let any = matches!(etag, "*" | "\"*\"");
    if fragment.ufrag.is_some() && fragment.ufrag != resource.ufrag {
        let detail =
            "ICE restarts are not supported by this server; DELETE the session and POST anew";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    if !any && etag != resource.etag {
        let detail = "If-Match is not the ETag of this session";
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail));
    }
    hub.report(|signaller| {
        for line in &fragment.lines {
            signaller.report_candidate(&id, line.candidate.as_deref(), line.mid.as_deref(), -1);
        }
    });
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /whip/ID`, `DELETE /whep/ID`
pub(crate) async fn end(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    hub.sessions.resource(&id).ok_or_else(unknown_session)?;
    hub.peer_ended(&id, EndCode::Bye, "the peer deleted the session");
    Ok(StatusCode::OK)
}

/// A session that waits for its answer: ended if the request is given up before.
struct Pending<'a> {
    hub: &'a Hub,
    id: &'a str,
    answered: bool,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.hub.peer_ended(
                self.id,
                EndCode::Bye,
                "the peer did not wait for the answer",
            );
        }
    }
}

/// The answer, with the candidates that came with it or soon after.
async fn wait_patiently(
    hub: &Hub,
    id: &str,
    protocol: Protocol,
    answer: oneshot::Receiver<Answer>,
) -> Result<String, Problem> {
    let ticks = async {
        loop {
            tokio::time::sleep(TICK).await;
            hub.sessions.tick(id);
        }
    };
    tokio::select! {
        answered = wait_for(protocol, answer) => answered,
        never = ticks => never,
    }
}

async fn wait_for(
    protocol: Protocol,
    answer: oneshot::Receiver<Answer>,
) -> Result<String, Problem> {
    match timeout(ANSWER_TIMEOUT, answer).await {
        Ok(Ok(Ok(sdp))) => Ok(sdp),
        // A stream that is not live yet (draft-ietf-wish-whep-03 §4.4): to be tried again.
        Ok(Ok(Err(end))) if end.code == EndCode::NotFound && protocol == Protocol::Whep => {
            let problem = Problem::from(end);
            Err(Problem {
                status: StatusCode::CONFLICT,
                ..problem
            }
            .retry_after(2))
        }
        Ok(Ok(Err(end))) => Err(end.into()),
        Ok(Err(_)) => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the session is gone",
        )),
        Err(_) => {
            let detail = format!("no answer within {} s", ANSWER_TIMEOUT.as_secs());
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail))
        }
    }
}

fn expect_type(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let given = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let detail = format!("Content-Type is `{essence}`; this takes {expected}");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

async fn read(mut body: Body) -> Result<String, Problem> {
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long");
    match timeout(BODY_TIMEOUT, take(&mut body, MAX_BYTES))
        .await
        .map_err(late)?
    {
        Ok(bytes) => String::from_utf8(bytes)
            .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body is not UTF-8")),
        Err(Unread::TooLarge) => {
            // Whatever stays unread only costs the peer its reason.
            let _left = timeout(BODY_TIMEOUT, drain(body)).await;
            let detail = format!("the body is larger than {MAX_BYTES} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Err(Unread::Broken) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body broke off")),
    }
}

/// Why a body was not read to its end.
enum Unread {
    TooLarge,
    Broken,
}

async fn take(body: &mut Body, limit: usize) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::Broken)?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        if bytes.len() + data.len() > limit {
            return Err(Unread::TooLarge);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

async fn drain(mut body: Body) {
    let mut left = MAX_DRAINED;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, |data| data.len());
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn unknown_session() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no such session, or it is over")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use futures_util::stream::{self, StreamExt};
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_a_gateway_timeout() {
        let (never_used, answer) = oneshot::channel();
        let asked = Instant::now();
        let problem = wait_for(Protocol::Whep, answer).await.unwrap_err();
        assert_eq!(problem.status, StatusCode::GATEWAY_TIMEOUT);
        assert!(asked.elapsed() >= ANSWER_TIMEOUT && asked.elapsed() < 2 * ANSWER_TIMEOUT);
        drop(never_used);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up() {
        let drip = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((
                Ok::<_, std::convert::Infallible>(Bytes::from_static(b"v")),
                (),
            ))
        });
        let asked = Instant::now();
        let problem = read(Body::from_stream(drip.boxed())).await.unwrap_err();
        assert_eq!(problem.status, StatusCode::REQUEST_TIMEOUT);
        assert!(asked.elapsed() < 2 * BODY_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_body_is_refused_after_a_bounded_part_of_it() {
        const CHUNK: usize = 1024 * 1024;
        let taken = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = taken.clone();
        let flood = stream::repeat_with(move || {
            counter.fetch_add(CHUNK, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; CHUNK]))
        });
        let problem = read(Body::from_stream(flood)).await.unwrap_err();
        assert_eq!(problem.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(taken.load(std::sync::atomic::Ordering::Relaxed) <= MAX_DRAINED + 3 * CHUNK);
    }
}
