// SPDX-License-Identifier: MPL-2.0
//! A server that answers as a test's script says, and the endpoint's side of the signaller.
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use gst::prelude::*;
use rtc_signaller::{Role, SignallerExt, Wish, runtime};
use rtc_signaller_http::HttpSignaller;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
    a=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\na=end-of-candidates\r\n";
pub(crate) const ANSWER: &str =
    "v=0\r\no=- 2 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";

/// A request that the server got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// Counts from 0.
    pub(crate) number: usize,
    pub(crate) at: Instant,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

/// What the server does with a request.
pub(crate) enum Reply {
    Now(Response),
    Never,
}

pub(crate) type Script = dyn Fn(&Seen) -> Reply + Send + Sync;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Receiver<Seen>,
}

struct Shared {
    script: Box<Script>,
    tell: Sender<Seen>,
    count: AtomicUsize,
}

impl Server {
    pub(crate) fn new(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", script)
    }

    pub(crate) fn at(
        address: &str,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (router, seen) = router(script);
        runtime::handle().spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        Self { address, seen }
    }

    /// The next request.
    pub(crate) fn next(&self) -> Seen {
        self.seen.recv_timeout(PATIENCE).expect("a request comes")
    }

    /// The next request, which must be of that method.
    pub(crate) fn expect(&self, method: &str) -> Seen {
        let seen = self.next();
        assert_eq!(seen.method, method, "{seen:?}");
        seen
    }

    pub(crate) fn uri(&self, scheme: &str) -> String {
        format!("{scheme}://{}/room", self.address)
    }
}

/// A router for [`Server`] or a server of another kind.
pub(crate) fn router(
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Router, Receiver<Seen>) {
    let (tell, seen) = channel();
    let shared = Shared {
        script: Box::new(script),
        tell,
        count: AtomicUsize::new(0),
    };
    let router = Router::new().fallback(handle).with_state(Arc::new(shared));
    (router, seen)
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        number: shared.count.fetch_add(1, Ordering::SeqCst),
        at,
    };
    let _ = shared.tell.send(seen.clone());
    match (shared.script)(&seen) {
        Reply::Now(response) => response,
        Reply::Never => std::future::pending().await,
    }
}

pub(crate) fn reply(
    status: u16,
    headers: &[(&'static str, &str)],
    body: impl Into<String>,
) -> Reply {
    let mut response = (StatusCode::from_u16(status).unwrap(), body.into()).into_response();
    response.headers_mut().remove("content-type");
    for (name, value) in headers {
        response.headers_mut().append(*name, value.parse().unwrap());
    }
    Reply::Now(response)
}

/// 201 as servers that trickle give it, and 200 for everything but POST.
pub(crate) fn accept(seen: &Seen) -> Reply {
    match seen.method.as_str() {
        "POST" => {
            let location = format!("/session/{}", seen.number);
            let headers = [
                ("content-type", "application/sdp"),
                ("location", location.as_str()),
                ("etag", "\"e1\""),
                ("accept-patch", "application/trickle-ice-sdpfrag"),
            ];
            reply(201, &headers, ANSWER)
        }
        _ => reply(200, &[], ""),
    }
}

/// What the signaller reports.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Requested(String, String, Role, Wish),
    Description(String, String, String),
    Started(String),
    Ended(String, String, String),
    Listening(String),
    IceServers(String),
    Error(String),
    Closed(String),
}

/// The endpoint's side.
pub(crate) struct Endpoint {
    pub(crate) signaller: HttpSignaller,
    heard: Receiver<Heard>,
}

impl Endpoint {
    pub(crate) fn new(uri: &str) -> Self {
        gst::init().unwrap();
        let signaller = HttpSignaller::new(uri);
        let (tell, heard) = channel();
        listen(&signaller, &tell);
        Self { signaller, heard }
    }

    /// With these properties, and started.
    pub(crate) fn started(uri: &str, properties: &[(&str, &str)]) -> Self {
        let endpoint = Self::new(uri);
        for (name, value) in properties {
            endpoint.signaller.set_property_from_str(name, value);
        }
        endpoint.signaller.start().unwrap();
        endpoint
    }

    pub(crate) fn next(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).expect("a report comes")
    }

    /// Waits for the wish for a session, and offers.
    pub(crate) fn offer(&self) -> String {
        loop {
            if let Heard::Requested(id, ..) = self.next() {
                self.signaller.send_description(&id, "offer", OFFER);
                return id;
            }
        }
    }

    /// Waits for the session to be answered.
    pub(crate) fn until_started(&self) {
        while !matches!(self.next(), Heard::Started(_)) {}
    }

    /// A running session.
    pub(crate) fn session(&self) -> String {
        let id = self.offer();
        self.until_started();
        id
    }

    /// Waits for the signaller to give up; why.
    pub(crate) fn until_closed(&self) -> String {
        loop {
            if let Heard::Closed(text) = self.next() {
                return text;
            }
        }
    }

    /// Waits for a failed try; its code and text.
    pub(crate) fn until_ended(&self) -> (String, String) {
        loop {
            if let Heard::Ended(_, code, text) = self.next() {
                return (code, text);
            }
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.signaller.stop();
    }
}

fn listen(signaller: &HttpSignaller, tell: &Sender<Heard>) {
    let own = || tell.clone();
    let tell = own();
    signaller.connect_session_requested(move |_, id, peer, role, wish| {
        let _ = tell.send(Heard::Requested(id.into(), peer.into(), role, wish));
    });
    let tell = own();
    signaller.connect_description(move |_, id, kind, sdp| {
        let _ = tell.send(Heard::Description(id.into(), kind.into(), sdp.into()));
    });
    let tell = own();
    signaller.connect_session_started(move |_, id| {
        let _ = tell.send(Heard::Started(id.into()));
    });
    let tell = own();
    signaller.connect_session_ended(move |_, id, code, text| {
        let _ = tell.send(Heard::Ended(id.into(), code.into(), text.into()));
    });
    let tell = own();
    signaller.connect_listening(move |_, _, text| {
        let _ = tell.send(Heard::Listening(text.into()));
    });
    let tell = own();
    signaller.connect_ice_servers(move |_, _, servers| {
        let _ = tell.send(Heard::IceServers(servers.to_string()));
    });
    let tell = own();
    signaller.connect_error(move |_, text| {
        let _ = tell.send(Heard::Error(text.into()));
    });
    let tell = own();
    signaller.connect_closed(move |_, text| {
        let _ = tell.send(Heard::Closed(text.into()));
    });
}
