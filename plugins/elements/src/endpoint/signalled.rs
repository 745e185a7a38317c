// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for what the signaller reports.
use super::attachment::SessionFault;
use super::control::{CAT, Control};
use super::inbox::Signalled;
use rtc_payload::{Mid, SessionId};
use rtc_session::{Command, DescriptionKind};
use rtc_signaller::EndCode;

impl Control {
    pub(super) fn on_signalled(&mut self, signalled: Signalled) {
        match signalled {
            Signalled::Requested {
                session,
                peer,
                role,
                wish,
            } => self.on_requested(session, peer, role, wish),
            Signalled::IceServers { session, servers } => self.on_ice_servers(&session, servers),
            Signalled::Ended {
                session,
                code,
                text,
            } => self.on_ended(&session, &code, text),
            Signalled::Listening { web_uri, text } => self.on_listening(web_uri, text),
            Signalled::Failed(text) => {
                gst::warning!(CAT, "signaller: {text}");
                self.to_all(|attachment| attachment.signaller_failed(&text));
            }
            Signalled::Closed(text) => {
                self.to_all(|attachment| attachment.signaller_closed(&text));
            }
            Signalled::Description { ref session, .. }
            | Signalled::Candidate { ref session, .. } => {
                let waiting = self.pending.iter_mut().find(|p| p.session == *session);
                match (waiting, self.names.get(session).copied()) {
                    (Some(pending), _) => pending.keep(signalled),
                    (None, Some(id)) => self.receive(id, signalled),
                    (None, None) => gst::debug!(CAT, "a message for no session: {session}"),
                }
            }
        }
    }

    /// Hands a description or candidate to its session.
    pub(super) fn pass_on(&mut self, id: SessionId, signalled: Signalled) {
        let manual = self.is_manual();
        match signalled {
            Signalled::Description { kind, sdp, session } => {
                let Some(kind) = DescriptionKind::from_text(&kind) else {
                    gst::warning!(CAT, "{session}: no such kind of description: {kind}");
                    return;
                };
                if manual {
                    self.show(id, |model, _, _| model.tell_description(kind, &sdp));
                    return;
                }
                let command = Command::RemoteDescription { kind, sdp };
                self.setup.handle.command(id, command);
            }
            Signalled::Candidate {
                candidate,
                mid,
                index,
                ..
            } => {
                let candidate = candidate.unwrap_or_default();
                let mid = mid.as_deref().map(Mid::from);
                let index = u16::try_from(index).ok();
                self.show(id, |model, _, _| match manual {
                    true => model.tell_remote_candidate(&candidate, mid.as_ref(), index),
                    false => model.on_remote_candidate(&candidate, mid.as_ref(), index),
                });
                if !manual {
                    let command = Command::RemoteCandidate {
                        candidate,
                        mid,
                        index,
                    };
                    self.setup.handle.command(id, command);
                }
            }
            _ => {}
        }
    }

    /// The peer, or signalling itself, ended a session.
    fn on_ended(&mut self, session: &str, code: &str, text: String) {
        self.pending.retain(|pending| pending.session != session);
        let id = self.names.get(session);
        let Some(peer) = id.and_then(|id| self.peers.get_mut(id)) else {
            return;
        };
        peer.farewell_said = true;
        self.setup.handle.command(peer.id, Command::Close);
        let code = EndCode::from_text(code).unwrap_or(EndCode::Error);
        if code != EndCode::Bye {
            let fault = SessionFault {
                session: session.into(),
                peer: peer.peer.clone(),
                code: code.as_str(),
                text,
            };
            self.report_fault(&fault);
        }
    }
}
