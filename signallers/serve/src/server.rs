// SPDX-License-Identifier: MPL-2.0
//! The listening socket and its connections: bounded in number, and none may dawdle.
use crate::ServeSignaller;
use crate::gate::Gate;
use crate::http;
use crate::hub::{Hub, Peer};
use crate::own;
use crate::sessions::{End, Sessions};
use axum::Extension;
use gst::glib;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rtc_signaller::{EndCode, runtime};
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

/// A request's header must be there within this time; an idle connection is closed after it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// No connection that is not a WebSocket lives longer: a peer that does not read its answer goes, too.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

/// Connections beside those of running sessions.
const SPARE_CONNECTIONS: usize = 256;

/// How long `stop` waits for the port to be free again.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// What a server is started with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) web_address: String,
    pub(crate) auth_token: String,
    pub(crate) allowed_origins: String,
    pub(crate) max_sessions: u32,
    pub(crate) polite: bool,
    pub(crate) directory: String,
}

/// A running server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    hub: Arc<Hub>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    closed: mpsc::Receiver<()>,
}

impl Server {
    /// Binds and serves. The error names the address and says what to write instead.
    pub(crate) fn start(
        settings: &Settings,
        signaller: glib::WeakRef<ServeSignaller>,
    ) -> Result<Self, String> {
        let listener = bind(&settings.web_address)?;
        let no_socket = |error| format!("web-address={}: {error}", settings.web_address);
        let address = listener.local_addr().map_err(no_socket)?;
        listener.set_nonblocking(true).map_err(no_socket)?;
        let listener = {
            let _entered = runtime::handle().enter();
            tokio::net::TcpListener::from_std(listener).map_err(no_socket)?
        };
        let (stop, stopped) = watch::channel(false);
        let sessions = settings.max_sessions as usize;
        let hub = Arc::new(Hub {
            gate: Gate::new(&settings.auth_token, address, &settings.allowed_origins),
            sessions: Sessions::new(sessions),
            polite: settings.polite,
            directory: own::folder(&settings.directory)?,
            signaller,
            stopped,
        });
        let (closing, closed) = mpsc::channel();
        let connections = Arc::new(Semaphore::new(sessions + SPARE_CONNECTIONS));
        let task = accept(listener, hub.clone(), connections);
        runtime::handle().spawn(async move {
            task.await;
            // Nobody waits if the server was dropped.
            let _dropped = closing.send(());
        });
        Ok(Self {
            hub,
            address,
            stop,
            closed,
        })
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Where it listens, with the true port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says goodbye to every peer and frees the port.
    pub(crate) fn stop(self) {
        let text = "the server stopped".to_owned();
        self.hub.sessions.end_all(&End {
            code: EndCode::Bye,
            text,
        });
        self.stop.send_replace(true);
        // On the runtime's own thread (a signal handler) waiting would keep the task from ending.
        if tokio::runtime::Handle::try_current().is_err() {
            // A time-out leaves the port to the task, which frees it a little later.
            let _late = self.closed.recv_timeout(STOP_TIMEOUT);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn bind(web_address: &str) -> Result<TcpListener, String> {
    let unusable = |why: &str| {
        format!(
            "web-address={web_address}: {why}; write an address and a port, as web-address=127.0.0.1:8080, or 0.0.0.0:8080 for the LAN"
        )
    };
    let addresses: Vec<SocketAddr> = web_address
        .to_socket_addrs()
        .map_err(|error| unusable(&error.to_string()))?
        .collect();
    let port = addresses
        .first()
        .ok_or_else(|| unusable("no such host"))?
        .port();
    TcpListener::bind(addresses.as_slice()).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            let host = web_address.rsplit_once(':').map_or(web_address, |(host, _)| host);
            let next = port.checked_add(1).unwrap_or(8080);
            format!(
                "web-address={web_address} is taken by another program or element; write web-address={host}:{next}, or {host}:0 for any free port"
            )
        }
        ErrorKind::PermissionDenied => unusable("ports below 1024 need privileges"),
        ErrorKind::AddrNotAvailable => unusable("this machine has no such address"),
        _ => unusable(&error.to_string()),
    })
}

async fn accept(listener: tokio::net::TcpListener, hub: Arc<Hub>, connections: Arc<Semaphore>) {
    let router = http::router(hub.clone());
    loop {
        let accepted = tokio::select! {
            () = hub.until_stopped() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            // Out of descriptors, most likely: they come back as connections end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(permit) = connections.clone().try_acquire_owned() else {
            refuse(stream);
            continue;
        };
        let peer = Peer {
            address,
            _permit: Arc::new(permit),
        };
        tokio::spawn(serve(
            stream,
            router.clone().layer(Extension(peer)),
            hub.clone(),
        ));
    }
}

async fn serve(stream: TcpStream, router: axum::Router, hub: Arc<Hub>) {
    // Only latency is lost without it.
    let _delayed = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(64)
        .max_buf_size(32 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::select! {
        () = hub.until_stopped() => {}
        // Whatever it ended with, it ended.
        _ended = tokio::time::timeout(CONNECTION_TIMEOUT, connection) => {}
    }
}

/// Tells a connection too many so, if that can be done without waiting.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _unread = stream.write(
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n",
        );
    }
}
