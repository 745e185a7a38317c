// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for identities (RFC 8827 §7): who vouches for us, and who a peer is.
//!
//! A session begins when our provider has vouched for our certificate. Where the user says who the peer
//! must be, a description of the peer waits for its provider; else it does not (W3C webrtc-identity §7).
use super::attachment::SessionFault;
use super::control::{CAT, Control};
use super::inbox::{Message, Signalled};
use super::peer::Pending;
use rtc_identity::{IdentityFault, IdentityProvider, IdentityProviderExt, Vouched};
use rtc_payload::SessionId;
use rtc_session::{
    DescribedIdentity, DescriptionKind, IdentityAssertion, contents_cover, identity_contents,
    identity_of, with_identity,
};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// `identity-provider` and `peer-identity`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdentitySettings {
    pub(crate) provider: Option<IdentityProvider>,
    /// Who the peer must be, `user@domain`; empty for whoever it is.
    pub(crate) target: String,
}

/// What vouches for us in a session that is to begin.
#[derive(Debug, Default)]
pub(super) enum Own {
    /// Nothing, for nothing is asked for.
    #[default]
    None,
    /// The provider is asked; it is given up then.
    Asked(Instant),
    /// It is known.
    Known(IdentityAssertion),
}

/// Who a peer is, and what waits for the answer.
#[derive(Default)]
pub(super) struct PeerIdentity {
    /// What vouches for us in every description.
    pub(super) own: Option<IdentityAssertion>,
    /// What a provider was asked about last.
    asked: Option<DescribedIdentity>,
    known: Option<String>,
    /// Until when the provider's answer is waited for.
    waits: Option<Instant>,
    held: VecDeque<Signalled>,
}

/// What to do with a description.
enum Verdict {
    Pass,
    Wait,
    Refuse(IdentityFault),
}

impl Control {
    /// Asks the provider, if there is one, to vouch for us in a session that is to begin.
    pub(super) fn ask_for_own_identity(&self, session: &str) -> Own {
        let Some(provider) = &self.setup.sessions.identity.provider else {
            return Own::None;
        };
        let fingerprint = self.setup.certificate.fingerprint();
        let Some((hash, digest)) = fingerprint.split_once(' ') else {
            return Own::None;
        };
        let contents = identity_contents(&[(hash.to_owned(), digest.to_owned())]);
        let mut options = gst::Structure::new_empty("idp-options");
        let target = &self.setup.sessions.identity.target;
        if !target.is_empty() {
            options.set("peer-identity", target);
        }
        let (inbox, session) = (self.setup.inbox.clone(), session.to_owned());
        provider.generate_assertion(&contents, &options, move |answer| {
            let answer = answer.map(|[domain, protocol, assertion]| IdentityAssertion {
                domain,
                protocol,
                assertion,
            });
            inbox.send(Message::Asserted(session, answer));
        });
        Own::Asked(Instant::now() + PATIENCE)
    }

    /// The provider's answer to that.
    pub(super) fn on_asserted(
        &mut self,
        session: &str,
        answer: Result<IdentityAssertion, IdentityFault>,
    ) {
        let waiting = self.pending.iter().position(|p| p.session == session);
        let Some(at) = waiting else {
            return;
        };
        match answer {
            Ok(assertion) => {
                self.pending[at].own = Own::Known(assertion);
                self.start_pending(Instant::now());
            }
            Err(fault) => {
                let pending = self.pending.remove(at);
                self.refuse_unvouched(&pending, &fault);
            }
        }
    }

    /// Our provider does not vouch for us: without that there is no session.
    pub(super) fn refuse_unvouched(&self, pending: &Pending, fault: &IdentityFault) {
        let text = format!("identity-provider: {fault}");
        let code = rtc_signaller::EndCode::Error;
        self.refuse(&pending.session, &pending.peer, code, &text);
    }

    /// A message of the peer: handed on, or held until it is known who the peer is.
    pub(super) fn receive(&mut self, id: SessionId, signalled: Signalled) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.identity.waits.is_some() {
            match peer.identity.held.len() < MAX_HELD {
                true => peer.identity.held.push_back(signalled),
                false => gst::warning!(CAT, "{}: too many messages, one is dropped", peer.session),
            }
            return;
        }
        let verdict = match &signalled {
            Signalled::Description { kind, sdp, .. }
                if DescriptionKind::from_text(kind) != Some(DescriptionKind::Rollback) =>
            {
                self.judge(id, sdp)
            }
            _ => Verdict::Pass,
        };
        match verdict {
            Verdict::Pass => self.pass_on(id, signalled),
            Verdict::Wait => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.identity.held.push_back(signalled);
                }
            }
            Verdict::Refuse(fault) => self.refuse_identity(id, &fault),
        }
    }

    fn judge(&mut self, id: SessionId, sdp: &str) -> Verdict {
        let settings = &self.setup.sessions.identity;
        let (Some(provider), Some(peer)) = (settings.provider.clone(), self.peers.get_mut(&id))
        else {
            return Verdict::Pass;
        };
        // What can't be read the session refuses, with the line at fault.
        let Ok(described) = identity_of(sdp) else {
            return Verdict::Pass;
        };
        if peer.identity.asked.as_ref() == Some(&described) {
            return Verdict::Pass;
        }
        let demanded = !settings.target.is_empty();
        let Some(assertion) = described.assertion.clone() else {
            let text = format!(
                "the peer says nothing of who it is, and peer-identity={} demands it",
                settings.target
            );
            return match demanded {
                true => Verdict::Refuse(IdentityFault::new("idp-token-invalid", text)),
                false => Verdict::Pass,
            };
        };
        peer.identity.asked = Some(described);
        peer.identity.waits = demanded.then(|| Instant::now() + PATIENCE);
        let inbox = self.setup.inbox.clone();
        let origin = (&*assertion.domain, &*assertion.protocol);
        provider.validate_assertion(&assertion.assertion, origin, move |answer| {
            inbox.send(Message::Vouched(id, answer));
        });
        match demanded {
            true => Verdict::Wait,
            false => Verdict::Pass,
        }
    }

    /// The provider's answer to who the peer is.
    pub(super) fn on_vouched(&mut self, id: SessionId, answer: Result<Vouched, IdentityFault>) {
        let target = self.setup.sessions.identity.target.clone();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let checked = answer.and_then(|vouched| peer.identity.check(vouched, &target));
        let identity = match checked {
            Ok(identity) => identity,
            Err(fault) => return self.refuse_identity(id, &fault),
        };
        peer.identity.waits = None;
        let is_new = peer.identity.known.replace(identity.clone()).is_none();
        let mut held = std::mem::take(&mut peer.identity.held);
        if is_new {
            self.show(id, |model, _, mirror| model.on_identity(&identity, mirror));
        }
        // The first is the description that waited, the rest came behind it.
        if let Some(description) = held.pop_front() {
            self.pass_on(id, description);
        }
        for signalled in held {
            self.receive(id, signalled);
        }
    }

    /// What a peer says of itself is not so: the end of the session where it had to be, else told.
    fn refuse_identity(&mut self, id: SessionId, fault: &IdentityFault) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.identity.waits = None;
        peer.identity.held.clear();
        let told = SessionFault {
            session: peer.session.clone(),
            peer: peer.peer.clone(),
            code: code(&fault.detail),
            text: fault.text.clone(),
        };
        if self.setup.sessions.identity.target.is_empty() {
            self.to_all(|attachment| attachment.identity_refused(&told));
            return;
        }
        self.end_with(id, &told);
    }

    /// When a provider that does not answer is given up.
    pub(super) fn identity_deadline(&self) -> Option<Instant> {
        let waits = self.peers.values().filter_map(|peer| peer.identity.waits);
        waits.min()
    }

    pub(super) fn give_up_providers(&mut self, now: Instant) {
        let late = self.peers.iter();
        let late = late.filter(|(_, peer)| peer.identity.waits.is_some_and(|at| at <= now));
        for id in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.refuse_identity(id, &timeout());
        }
    }
}

impl Own {
    pub(super) fn known(self) -> Option<IdentityAssertion> {
        match self {
            Self::Known(assertion) => Some(assertion),
            Self::None | Self::Asked(_) => None,
        }
    }
}

impl PeerIdentity {
    /// A description of ours with what vouches for us.
    pub(super) fn described(&self, sdp: String) -> String {
        match &self.own {
            Some(own) => with_identity(&sdp, own),
            None => sdp,
        }
    }

    /// The identity, if what the provider vouches for is this description and this peer.
    fn check(&self, vouched: Vouched, target: &str) -> Result<String, IdentityFault> {
        let invalid = |text: String| Err(IdentityFault::new("idp-token-invalid", text));
        let asked = self.asked.as_ref();
        if !asked.is_some_and(|asked| contents_cover(&vouched.contents, &asked.fingerprints)) {
            return invalid("the assertion is not for the fingerprints of the description".into());
        }
        let identity = vouched.identity;
        if let Some(known) = self.known.as_ref().filter(|known| **known != identity) {
            return invalid(format!("the peer was {known} and is {identity} now"));
        }
        match target.is_empty() || target == identity {
            true => Ok(identity),
            false => invalid(format!(
                "the peer is {identity}; peer-identity={target} is wanted"
            )),
        }
    }
}

/// A provider that took too long.
pub(super) fn timeout() -> IdentityFault {
    IdentityFault::new(
        "idp-timeout",
        "the identity provider did not answer in 15 s",
    )
}

/// The kind of a fault as a code for the bus; an application's own kinds are failures of the provider.
fn code(detail: &str) -> &'static str {
    let known = DETAILS.into_iter().find(|known| *known == detail);
    known.unwrap_or("idp-execution-failure")
}

/// W3C webrtc-identity §9.
const DETAILS: [&str; 8] = [
    "idp-bad-script-failure",
    "idp-execution-failure",
    "idp-load-failure",
    "idp-need-login",
    "idp-timeout",
    "idp-tls-failure",
    "idp-token-expired",
    "idp-token-invalid",
];

/// W3C webrtc-identity §5.
const PATIENCE: Duration = Duration::from_secs(15);
/// Messages that wait behind a description: a peer's candidates.
const MAX_HELD: usize = 110;
