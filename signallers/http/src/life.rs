// SPDX-License-Identifier: MPL-2.0
//! The task of a started signaller: one session after another, with a pause between them.
use crate::HttpSignaller;
use crate::address::{Address, shown};
use crate::backoff::Backoff;
use crate::client::Client;
use crate::imp::CAT;
use crate::session::{End, Session};
use gst::glib;
use rtc_signaller::SignallerExt;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// What the endpoint says; sessions are named as we named them.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    Description {
        session: String,
        sdp: String,
    },
    Candidate {
        session: String,
        candidate: crate::wire::Candidate,
    },
    End {
        session: String,
        text: String,
        for_good: bool,
    },
}

/// The other end of the task.
#[derive(Debug)]
pub(crate) struct Life {
    orders: mpsc::Sender<Order>,
    stop: watch::Sender<bool>,
    stopped: std::sync::mpsc::Receiver<()>,
}

impl Life {
    pub(crate) fn start(
        signaller: glib::WeakRef<HttpSignaller>,
        client: Client,
        address: Address,
        reconnect: bool,
    ) -> Self {
        let (orders, receiver) = mpsc::channel(MAX_ORDERS);
        let (stop, stopping) = watch::channel(false);
        let (stopped_tell, stopped) = std::sync::mpsc::channel();
        let task = Task {
            reports: Reports(signaller),
            client,
            address,
            reconnect,
            orders: receiver,
            stopping,
        };
        rtc_signaller::runtime::handle().spawn(async move {
            task.run().await;
            // Nobody waits if the signaller was dropped.
            let _dropped = stopped_tell.send(());
        });
        Self {
            orders,
            stop,
            stopped,
        }
    }

    pub(crate) fn order(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            gst::warning!(
                CAT,
                "the endpoint says more than can be sent; a message is dropped"
            );
        }
    }

    /// Ends the session on the server, and waits a little for it: a program that ends would take the
    /// request along, and the server would keep a dead session until its own timers notice.
    pub(crate) fn stop(self) {
        self.stop.send_replace(true);
        // On the runtime's own thread (a signal handler) waiting would keep the task from ending.
        if tokio::runtime::Handle::try_current().is_err() {
            let _late = self.stopped.recv_timeout(STOP_TIMEOUT);
        }
    }
}

/// What is told to the endpoint, as long as the signaller lives.
#[derive(Clone)]
pub(crate) struct Reports(glib::WeakRef<HttpSignaller>);

impl Reports {
    pub(crate) fn tell(&self, tell: impl FnOnce(&HttpSignaller)) {
        if let Some(signaller) = self.0.upgrade() {
            tell(&signaller);
        }
    }
}

struct Task {
    reports: Reports,
    client: Client,
    address: Address,
    reconnect: bool,
    orders: mpsc::Receiver<Order>,
    stopping: watch::Receiver<bool>,
}

impl Task {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut ever_up = false;
        let mut said = String::new();
        loop {
            let session = Session {
                reports: &self.reports,
                client: &self.client,
                address: &self.address,
                orders: &mut self.orders,
                stopping: self.stopping.clone(),
                up_since: None,
            };
            let (end, up_since) = session.run().await;
            ever_up |= up_since.is_some();
            if up_since.is_some_and(|since: Instant| since.elapsed() >= GOOD_SESSION) {
                backoff.reset();
            }
            let (text, may_pass, retry_after) = match end {
                End::Stopped => return,
                End::Renew => (String::new(), true, Some(Duration::ZERO)),
                End::Over { text } => (text, true, None),
                End::Failed(failure) => (failure.text, failure.may_pass, failure.retry_after),
            };
            if !self.reconnect || !(may_pass || ever_up) {
                self.reports
                    .tell(|signaller| signaller.report_closed(&text));
                return;
            }
            let pause = backoff.next(retry_after);
            gst::info!(
                CAT,
                "{}: {text}; again in {pause:?}",
                shown(&self.address.url)
            );
            if up_since.is_some() {
                said.clear();
            } else if said != text {
                let more = format!("{text}; trying again until it goes");
                self.reports.tell(|signaller| signaller.report_error(&more));
                said = text;
            }
            if self.pause(pause).await.is_stopping() {
                return;
            }
        }
    }

    /// Waits; what the endpoint says meanwhile is of sessions that are over.
    async fn pause(&mut self, pause: Duration) -> Pause {
        let end = tokio::time::sleep(pause);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return Pause::Over,
                () = until_stopped(&mut self.stopping) => return Pause::Stopping,
                _old = self.orders.recv(), if !self.orders.is_closed() => {}
            }
        }
    }
}

enum Pause {
    Over,
    Stopping,
}

impl Pause {
    fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping)
    }
}

/// Returns when the signaller is stopped or gone.
pub(crate) async fn until_stopped(stopping: &mut watch::Receiver<bool>) {
    // An error says that the other end is gone.
    let _gone = stopping.wait_for(|stop| *stop).await;
}

/// An offer and the candidates of many interfaces, while a request is under way.
const MAX_ORDERS: usize = 256;

/// A session that held so long was no failure.
const GOOD_SESSION: Duration = Duration::from_secs(10);

/// Longer than [`crate::session::FAREWELL`].
const STOP_TIMEOUT: Duration = Duration::from_millis(1500);
