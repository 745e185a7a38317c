// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for STUN and TURN servers: those that signalling names, and logins that a
//! server takes no more.
use super::control::{CAT, Control};
use rtc_payload::SessionId;
use rtc_session::{Command, IceServer, Login, LoginWanted};
use std::time::{Duration, Instant, SystemTime};

impl Control {
    /// Signalling names servers for a session.
    pub(super) fn on_ice_servers(&mut self, session: &str, servers: Vec<IceServer>) {
        if let Some(pending) = self.pending.iter_mut().find(|p| p.session == session) {
            pending.servers = servers;
        } else if let Some(id) = self.names.get(session) {
            self.setup
                .handle
                .command(*id, Command::AddIceServers(servers));
        }
    }

    /// A TURN server takes a session's login not, or no more.
    pub(super) fn on_login_wanted(&mut self, id: SessionId, wanted: LoginWanted, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        // A login that was refused as soon as it came is not asked for again.
        let last = peer.logins.insert(wanted.url.clone(), now);
        if last.is_some_and(|last| now.saturating_duration_since(last) < LOGIN_PAUSE) {
            return;
        }
        let session = peer.session.clone();
        let shared = self
            .setup
            .sessions
            .ice
            .login(&wanted.url, SystemTime::now());
        if let Some(login) = shared.or_else(|| self.ask_for_login(&session, &wanted)) {
            let url = wanted.url;
            self.setup
                .handle
                .command(id, Command::SetLogin { url, login });
        }
    }

    fn ask_for_login(&self, session: &str, wanted: &LoginWanted) -> Option<Login> {
        let attachments = self.attachments.values();
        attachments.into_iter().find_map(|attached| {
            match attached.attachment.ice_login(session, wanted) {
                Ok(login) => login,
                Err(what) => {
                    gst::warning!(CAT, "session {session}: {what}");
                    None
                }
            }
        })
    }
}

/// Of one server and session; an allocation lasts longer.
const LOGIN_PAUSE: Duration = Duration::from_secs(10);
