// SPDX-License-Identifier: MPL-2.0
//! The routes, and what every request passes: the Host check, CORS for WHIP and WHEP, safe headers.
use crate::hub::Hub;
use crate::problem::Problem;
use crate::{own, pages, resource, ws};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use std::sync::Arc;

/// Which of the two protocols a request speaks; they differ in direction alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// RFC 9725: the peer publishes.
    Whip,
    /// draft-ietf-wish-whep-03: the peer views.
    Whep,
}

impl Protocol {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Whip => "/whip",
            Self::Whep => "/whep",
        }
    }
}

pub(crate) fn router(hub: Arc<Hub>) -> Router {
    Router::new()
        .merge(resources(&hub, Protocol::Whep))
        .merge(resources(&hub, Protocol::Whip))
        .route("/ws", any(ws::upgrade))
        .route("/healthz", get(|| async { "ok\n" }))
        .route(
            "/",
            get(|state, headers| own::first("index.html", state, headers)),
        )
        .route(
            "/publish",
            get(|headers| async { pages::page("publish.html", headers) }),
        )
        .route("/static/{name}", get(pages::file))
        .fallback(own::file)
        .layer(from_fn_with_state(hub.clone(), guard))
        .with_state(hub)
}

fn resources(hub: &Arc<Hub>, protocol: Protocol) -> Router<Arc<Hub>> {
    let offered = move |state, peer, request| resource::offer(protocol, state, peer, request);
    Router::new()
        .route(
            protocol.path(),
            post(offered).get(probe).head(probe).options(preflight),
        )
        .route(
            &format!("{}/{{id}}", protocol.path()),
            delete(resource::end)
                .patch(resource::trickle)
                .get(probe)
                .options(preflight),
        )
        .layer(from_fn_with_state(hub.clone(), cors))
}

/// GET and HEAD of an endpoint say that it is one (RFC 9725 §4.1; draft-ietf-wish-whep-03 §4).
async fn probe(method: Method) -> Response {
    let status = if method == Method::HEAD {
        StatusCode::OK
    } else {
        StatusCode::NO_CONTENT
    };
    (status, [(header::CONTENT_TYPE, "application/sdp")]).into_response()
}

async fn preflight() -> Response {
    let headers = [
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "GET, HEAD, POST, PATCH, DELETE, OPTIONS",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, if-match",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
        (HeaderName::from_static("accept-post"), "application/sdp"),
        (
            HeaderName::from_static("accept-patch"),
            "application/trickle-ice-sdpfrag",
        ),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Refuses requests that name another host, and gives every answer its safe headers.
async fn guard(State(hub): State<Arc<Hub>>, request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .map(|host| host.to_str().unwrap_or("?"));
    let mut response = if hub.gate.host_allowed(host) {
        next.run(request).await
    } else {
        let detail = "this server answers to localhost and 127.0.0.1 only; set web-address=0.0.0.0:PORT for the network";
        Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    // The token may stand in the page's address.
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

/// Cross-origin rules of WHIP and WHEP (RFC 9725 §4.1 and §4.7 ask for CORS).
async fn cors(State(hub): State<Arc<Hub>>, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    let host = text(request.headers(), header::HOST).map(str::to_owned);
    if !hub
        .gate
        .http_origin_allowed(origin.to_str().ok(), host.as_deref())
    {
        let detail = "pages of this origin may not use this server; add it to allowed-origins";
        return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("location, etag, link, retry-after, accept-patch"),
    );
    response
}

/// A header's value, if it is one of plain characters.
pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
