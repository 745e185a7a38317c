// SPDX-License-Identifier: MPL-2.0
//! What the tasks of one running server share: settings, sessions, and the way to the signaller.
use crate::ServeSignaller;
use crate::gate::Gate;
use crate::sessions::Sessions;
use gst::glib;
use rtc_signaller::{EndCode, SignallerExt};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) gate: Gate,
    pub(crate) sessions: Sessions,
    /// Whether ours is the polite side, and so the page's not.
    pub(crate) polite: bool,
    /// The application's own pages.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) signaller: glib::WeakRef<ServeSignaller>,
    /// Becomes true when the server stops.
    pub(crate) stopped: watch::Receiver<bool>,
}

/// Who is at the other end of a connection; counts as one while a copy lives.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) _permit: Arc<OwnedSemaphorePermit>,
}

impl Hub {
    /// Reports to the endpoint, if the signaller still exists.
    pub(crate) fn report(&self, tell: impl FnOnce(&ServeSignaller)) {
        if let Some(signaller) = self.signaller.upgrade() {
            tell(&signaller);
        }
    }

    /// The peer's end of a session: out of the table, and reported if it was in.
    pub(crate) fn peer_ended(&self, id: &str, code: EndCode, text: &str) {
        if self.sessions.close(id) {
            self.report(|signaller| signaller.report_session_ended(id, code.as_str(), text));
        }
    }

    /// Comes back when the server stops.
    pub(crate) async fn until_stopped(&self) {
        // An error means that the server is gone, too.
        let mut stopped = self.stopped.clone();
        let _gone = stopped.wait_for(|stopped| *stopped).await;
    }
}
