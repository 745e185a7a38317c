// SPDX-License-Identifier: MPL-2.0
//! The way from an application's objects to their session, and the promises that wait for an answer.
use super::error::{RtcError, failure};
use rtc_driver::Handle;
use rtc_payload::{MediaKind, SessionId};
use rtc_session::{ChannelInit, Command, Direction, Request, RequestId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Something the control thread does for an application.
#[derive(Debug)]
pub(crate) enum Ask {
    /// W3C's addTransceiver.
    AddTransceiver {
        request: RequestId,
        kind: MediaKind,
        direction: Direction,
        stream: String,
    },
    /// W3C's createDataChannel.
    OpenChannel {
        request: RequestId,
        init: ChannelInit,
    },
    /// W3C's getStats.
    Stats {
        request: RequestId,
        selected: Selected,
        json: bool,
    },
}

/// The m-lines whose figures are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selected {
    /// All.
    All,
    /// What is sent of that m-line.
    Sent(String),
    /// What is received on that m-line.
    Received(String),
}

type Send = dyn Fn(Ask) + std::marker::Send + Sync;

/// Held by every object of a session. Not the endpoint: objects outlive it, and must not keep it.
pub(crate) struct Link {
    id: SessionId,
    handle: Handle,
    send: Box<Send>,
    promises: Mutex<Promises>,
}

#[derive(Default)]
struct Promises {
    next: u64,
    closed: bool,
    waiting: HashMap<RequestId, gst::Promise>,
}

impl Link {
    pub(crate) fn new(
        id: SessionId,
        handle: Handle,
        send: impl Fn(Ask) + std::marker::Send + Sync + 'static,
    ) -> Self {
        Self {
            id,
            handle,
            send: Box::new(send),
            promises: Mutex::default(),
        }
    }

    /// Asks something of the session; nothing happens once it is over.
    pub(crate) fn command(&self, command: Command) {
        self.handle.command(self.id, command);
    }

    /// Asks something of the session that answers the promise.
    pub(crate) fn request(&self, request: Request, promise: Option<gst::Promise>) {
        if let Some(id) = self.expect(promise) {
            self.command(Command::Request(id, request));
        }
    }

    /// Asks something of the control thread that answers the promise.
    pub(crate) fn ask(&self, promise: Option<gst::Promise>, ask: impl FnOnce(RequestId) -> Ask) {
        if let Some(id) = self.expect(promise) {
            (self.send)(ask(id));
        }
    }

    /// Keeps a promise until its answer. `None`: it was answered at once, for there will be none.
    fn expect(&self, promise: Option<gst::Promise>) -> Option<RequestId> {
        let refused = {
            let mut promises = self.promises();
            match (promises.closed, promises.waiting.len() < MAX_WAITING) {
                (false, true) => {
                    promises.next += 1;
                    let id = RequestId(promises.next);
                    if let Some(promise) = promise {
                        promises.waiting.insert(id, promise);
                    }
                    return Some(id);
                }
                (true, _) => failure(RtcError::InvalidStateError, CLOSED),
                (false, false) => failure(RtcError::OperationError, "too many requests wait"),
            }
        };
        if let Some(promise) = promise {
            promise.reply(Some(refused));
        }
        None
    }

    /// Answers a promise. On the control thread: its handlers are the application's.
    pub(crate) fn answer(&self, id: RequestId, answer: gst::Structure) {
        let promise = self.promises().waiting.remove(&id);
        if let Some(promise) = promise {
            promise.reply(Some(answer));
        }
    }

    /// The session is over: nothing is answered any more but by that.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut promises = self.promises();
            promises.closed = true;
            std::mem::take(&mut promises.waiting)
        };
        for promise in waiting.into_values() {
            promise.reply(Some(failure(RtcError::InvalidStateError, CLOSED)));
        }
    }

    fn promises(&self) -> MutexGuard<'_, Promises> {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({})", self.id)
    }
}

pub(crate) const CLOSED: &str = "the session is closed";

/// Requests of one session that wait for their answers.
const MAX_WAITING: usize = 1024;
