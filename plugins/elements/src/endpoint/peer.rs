// SPDX-License-Identifier: MPL-2.0
//! What the control thread knows of one session, and of one that still waits for inputs.
use super::AttachmentId;
use super::identity::{Own, PeerIdentity};
use super::inbox::Signalled;
use crate::object::Model;
use rtc_payload::{Codec, Mid, SessionId, TrackId};
use rtc_session::IceServer;
use rtc_signaller::{Role, Wish};
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// A session that runs.
pub(super) struct Peer {
    pub(super) id: SessionId,
    /// The session's name in signalling.
    pub(super) session: String,
    /// The peer's name in signalling.
    pub(super) peer: String,
    pub(super) wish: Wish,
    /// Whether we may make offers: we began, or something was added since.
    pub(super) may_offer: bool,
    /// An offer was asked for and has not come yet: it will hold whatever is needed now.
    pub(super) offer_asked: bool,
    /// Tracks the session knows of.
    pub(super) tracks: HashSet<TrackId>,
    /// What was negotiated to be sent.
    pub(super) sending: Vec<(TrackId, Codec)>,
    /// Who takes what the peer sends.
    pub(super) receiving: HashMap<Mid, AttachmentId>,
    /// Data channels were negotiated.
    pub(super) data: bool,
    /// What the path to the peer carries, bit/s.
    pub(super) estimate: u64,
    /// Whether the signaller knows that the session is over.
    pub(super) farewell_said: bool,
    /// Who it is.
    pub(super) identity: PeerIdentity,
    /// When another login was asked for, by TURN server.
    pub(super) logins: HashMap<String, Instant>,
    /// What applications see of it.
    pub(super) model: Model,
}

impl Peer {
    /// What each of its video tracks gets of the estimate, bit/s.
    pub(super) fn video_share(&self) -> u64 {
        let (audio, video) = self.sent_kinds();
        rtc_rtp::share(self.estimate, audio, video)
    }

    /// Number of audio and video tracks that are sent.
    fn sent_kinds(&self) -> (u64, u64) {
        let audio = self
            .sending
            .iter()
            .filter(|(_, codec)| codec.kind() == rtc_payload::MediaKind::Audio)
            .count();
        (audio as u64, (self.sending.len() - audio) as u64)
    }
}

/// A session that was asked for before the inputs' caps were known.
pub(super) struct Pending {
    pub(super) session: String,
    pub(super) peer: String,
    pub(super) role: Role,
    pub(super) wish: Wish,
    /// When it starts with what there is, or is refused.
    pub(super) deadline: Instant,
    /// What vouches for us.
    pub(super) own: Own,
    /// Further STUN and TURN servers, named by signalling.
    pub(super) servers: Vec<IceServer>,
    /// What the peer has sent meanwhile.
    pub(super) early: Vec<Signalled>,
}

impl Pending {
    /// When it is to be looked at again.
    pub(super) fn due(&self) -> Instant {
        match self.own {
            Own::Asked(until) => until,
            Own::None | Own::Known(_) => self.deadline,
        }
    }

    /// Keeps a message for later; one too many is dropped.
    pub(super) fn keep(&mut self, signalled: Signalled) {
        if self.early.len() < MAX_EARLY {
            self.early.push(signalled);
        }
    }
}

/// A description and the candidates of a peer with many interfaces.
const MAX_EARLY: usize = 110;
