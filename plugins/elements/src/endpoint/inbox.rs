// SPDX-License-Identifier: MPL-2.0
//! The control thread's inbox: everything that happens to an endpoint, one behind another.
use super::AttachmentId;
use super::attachment::Attachment;
use super::track::Track;
use crate::object::{Ask, Selected};
use crate::tones::ToneRequest;
use rtc_identity::{IdentityFault, Vouched};
use rtc_payload::{Codec, SessionId, TrackId};
use rtc_rtp::Ladder;
use rtc_session::{
    ChannelInit, ChannelKey, CodecOffer, Event, IceServer, IdentityAssertion, RequestId,
    SessionStats,
};
use rtc_signaller::{Role, Wish};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::Duration;

/// Something for the control thread.
pub(super) enum Message {
    Attach {
        id: AttachmentId,
        attachment: Arc<dyn Attachment>,
        receive: Vec<Codec>,
    },
    Detach {
        id: AttachmentId,
        done: SyncSender<()>,
    },
    AddTrack(Track),
    TrackCodecs(TrackId, Vec<CodecOffer>),
    TrackLadder(TrackId, Codec, Arc<Ladder>),
    RemoveTrack(TrackId),
    Tones(TrackId, ToneRequest),
    /// A channel that every session shall have.
    AddChannel(AttachmentId, ChannelInit),
    RemoveChannel(ChannelKey),
    /// A channel of one session.
    OpenChannel(SessionId, ChannelInit),
    Signalled(Signalled),
    Session(SessionId, Event),
    /// What our identity provider says of us, for a session that is to begin.
    Asserted(String, Result<IdentityAssertion, IdentityFault>),
    /// What a peer's identity provider says of it.
    Vouched(SessionId, Result<Vouched, IdentityFault>),
    Stats(Sender<(String, String, SessionStats)>),
    /// An application asks something of a session.
    Asked(SessionId, Ask),
    /// The figures that it asked for.
    Figures(SessionId, RequestId, Selected, bool, Box<SessionStats>),
    Stop,
}

/// Something from the signaller; sessions are named as it names them.
pub(super) enum Signalled {
    Requested {
        session: String,
        peer: String,
        role: Role,
        wish: Wish,
    },
    Description {
        session: String,
        kind: String,
        sdp: String,
    },
    Candidate {
        session: String,
        candidate: Option<String>,
        mid: Option<String>,
        index: i32,
    },
    IceServers {
        session: String,
        servers: Vec<IceServer>,
    },
    Ended {
        session: String,
        code: String,
        text: String,
    },
    Listening {
        web_uri: String,
        text: String,
    },
    Failed(String),
    Closed(String),
}

/// The sending end.
#[derive(Clone)]
pub(super) struct Inbox {
    sender: Sender<Message>,
    /// Messages of the signaller that wait. What elements and the driver send is bounded by what they
    /// are; what comes from a network is not.
    signalled: Arc<AtomicUsize>,
}

/// The receiving end.
pub(super) struct Messages {
    receiver: Receiver<Message>,
    signalled: Arc<AtomicUsize>,
}

pub(super) fn channel() -> (Inbox, Messages) {
    let (sender, receiver) = mpsc::channel();
    let signalled = Arc::new(AtomicUsize::new(0));
    let inbox = Inbox {
        sender,
        signalled: Arc::clone(&signalled),
    };
    (
        inbox,
        Messages {
            receiver,
            signalled,
        },
    )
}

impl Inbox {
    /// Never blocks; a message to an endpoint that has stopped is lost, as it should be.
    pub(super) fn send(&self, message: Message) {
        let _ = self.sender.send(message);
    }

    /// As [`Self::send`], for what a peer's messages cause: dropped when too many wait.
    pub(super) fn send_signalled(&self, signalled: Signalled) {
        if self.signalled.load(Ordering::Relaxed) >= MAX_SIGNALLED {
            gst::warning!(
                super::control::CAT,
                "signalling is too fast, a message is dropped"
            );
            return;
        }
        self.signalled.fetch_add(1, Ordering::Relaxed);
        self.send(Message::Signalled(signalled));
    }
}

impl Messages {
    /// The next message, or `None` after `timeout`; without one it waits as long as it takes.
    pub(super) fn next(&self, timeout: Option<Duration>) -> Option<Message> {
        let message = match timeout {
            Some(timeout) => match self.receiver.recv_timeout(timeout) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => Message::Stop,
            },
            None => self.receiver.recv().unwrap_or(Message::Stop),
        };
        if matches!(message, Message::Signalled(_)) {
            self.signalled.fetch_sub(1, Ordering::Relaxed);
        }
        Some(message)
    }
}

/// A session needs some 20 messages to start: enough for 200 that start at once.
const MAX_SIGNALLED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_signalling_is_cut_and_elements_still_get_through() {
        gst::init().expect("GStreamer starts");
        let (inbox, messages) = channel();
        for _ in 0..MAX_SIGNALLED + 5 {
            inbox.send_signalled(Signalled::Failed(String::new()));
        }
        inbox.send(Message::RemoveTrack(TrackId(7)));
        let mut signalled = 0;
        while let Some(Message::Signalled(_)) = messages.next(Some(Duration::ZERO)) {
            signalled += 1;
        }
        assert_eq!(signalled, MAX_SIGNALLED);
        inbox.send_signalled(Signalled::Failed(String::new()));
        assert!(matches!(
            messages.next(Some(Duration::ZERO)),
            Some(Message::Signalled(_))
        ));
    }
}
