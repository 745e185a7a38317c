// SPDX-License-Identifier: MPL-2.0
//! Which session a datagram is for, all of them sharing one port.
//!
//! STUN requests name the session by username fragment, STUN responses by the transaction we began.
//! All else (DTLS, SRTP) names nobody: it is taken only from addresses from which a session was
//! reached by STUN before, so a stranger's bytes get no further than the first hash table.
//!
//! A remote address belongs to one session on each local port. When two were reached from the same one the newer keeps it:
//! a peer that was restarted on its old port must not wait until its former session has expired.
use crate::stun::{Binding, Kind, Transaction, is_stun};
use rtc_payload::SessionId;
use rtc_session::{Datagram, Transmit};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

/// Remote addresses kept of one session; the one used longest ago is forgotten first. A peer has a
/// handful: its interfaces, and what NATs made of them.
const MAX_ADDRESSES: usize = 16;
/// Username fragments kept of one session: after an ICE restart the old one still names the path in use.
const MAX_UFRAGS: usize = 4;
/// Checks under way in all sessions: 100 pairs (RFC 8445 §6.1.2.5) of eighty sessions at once.
const MAX_CHECKS: usize = 8192;

#[derive(Debug, Default)]
pub(crate) struct Demux {
    /// By remote address and local port.
    addresses: HashMap<Path, usize>,
    ufrags: HashMap<Box<str>, usize>,
    checks: HashMap<Transaction, Check>,
    check_order: VecDeque<Transaction>,
    sessions: Vec<Option<Known>>,
    /// Local ports that are one session's alone: what TURN servers send to.
    owned: HashMap<u16, usize>,
}

/// A remote address, and the local port it is reached from.
type Path = (SocketAddr, u16);

/// A STUN request of ours that waits for its response.
#[derive(Clone, Copy, Debug)]
struct Check {
    slot: usize,
    session: SessionId,
    path: Path,
    /// Of a server, which many sessions may ask from one port.
    server: bool,
}

/// What is known of the session in a slot.
#[derive(Debug)]
struct Known {
    id: SessionId,
    ufrags: VecDeque<Box<str>>,
    /// The one used last stands last.
    addresses: VecDeque<Path>,
}

impl Demux {
    pub(crate) fn add(&mut self, slot: usize, id: SessionId) {
        self.remove(slot);
        if slot >= self.sessions.len() {
            self.sessions.resize_with(slot + 1, || None);
        }
        self.sessions[slot] = Some(Known {
            id,
            ufrags: VecDeque::new(),
            addresses: VecDeque::new(),
        });
    }

    /// Forgets everything about a slot's session.
    pub(crate) fn remove(&mut self, slot: usize) {
        let Some(known) = self.sessions.get_mut(slot).and_then(Option::take) else {
            return;
        };
        for address in known.addresses {
            self.addresses.remove(&address);
        }
        for ufrag in known.ufrags {
            self.ufrags.remove(&ufrag);
        }
    }

    /// Notes the session's newest username fragment.
    pub(crate) fn set_ufrag(&mut self, slot: usize, ufrag: &str) {
        let Some(known) = self.sessions.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        if ufrag.is_empty() || known.ufrags.back().is_some_and(|last| **last == *ufrag) {
            return;
        }
        if self.ufrags.contains_key(ufrag) {
            // 24 random bits at least (RFC 8445 §5.3): the older session keeps its name.
            tracing::warn!(session = %known.id, "two sessions chose one username fragment");
            return;
        }
        if known.ufrags.len() == MAX_UFRAGS
            && let Some(oldest) = known.ufrags.pop_front()
        {
            self.ufrags.remove(&oldest);
        }
        known.ufrags.push_back(ufrag.into());
        self.ufrags.insert(ufrag.into(), slot);
    }

    /// A local port is one session's alone.
    pub(crate) fn own(&mut self, slot: usize, port: u16) {
        self.owned.insert(port, slot);
    }

    pub(crate) fn disown(&mut self, port: u16) {
        self.owned.remove(&port);
    }

    /// The slot a STUN request names.
    pub(crate) fn named(&self, contents: &[u8]) -> Option<usize> {
        let binding = Binding::parse(contents).filter(|one| one.kind == Kind::Request)?;
        self.ufrags.get(binding.ufrag()?).copied()
    }

    /// The slot a datagram is for.
    pub(crate) fn route(&mut self, datagram: &Datagram<'_>) -> Option<usize> {
        if let Some(slot) = self.owned.get(&datagram.destination.port()) {
            return Some(*slot);
        }
        let path = (datagram.source, datagram.destination.port());
        let owner = self.addresses.get(&path).copied();
        if !is_stun(datagram.contents) {
            return owner;
        }
        let binding = Binding::parse(datagram.contents)?;
        let slot = match binding.kind {
            Kind::Indication => return owner,
            Kind::Request => *self.ufrags.get(binding.ufrag()?)?,
            Kind::Success | Kind::Error => {
                let check = self.checks.remove(&binding.transaction)?;
                let slot = self.is_live(&check).then_some(check.slot)?;
                if check.server {
                    return (check.path == path).then_some(slot);
                }
                if binding.kind == Kind::Success && check.path == path {
                    self.claim(slot, path);
                }
                slot
            }
        };
        match owner {
            Some(owner) if owner != slot && !self.is_newer(slot, owner) => None,
            _ => Some(slot),
        }
    }

    /// Learns from what a session sends: its checks, and that it recognised a check of its peer.
    pub(crate) fn sent(&mut self, slot: usize, transmit: &Transmit) {
        if !is_stun(&transmit.contents) || self.owned.contains_key(&transmit.source.port()) {
            return;
        }
        let Some(binding) = Binding::parse(&transmit.contents) else {
            return;
        };
        let path = (transmit.destination, transmit.source.port());
        match binding.kind {
            Kind::Request => {
                let server = binding.ufrag().is_none();
                self.note_check(slot, binding.transaction, path, server);
            }
            // Answered, so the request bore the session's password (RFC 8445 §7.3).
            Kind::Success => self.claim(slot, path),
            Kind::Indication | Kind::Error => {}
        }
    }

    fn note_check(&mut self, slot: usize, transaction: Transaction, path: Path, server: bool) {
        let Some(session) = self.id(slot) else {
            return;
        };
        let check = Check {
            slot,
            session,
            path,
            server,
        };
        if self.checks.insert(transaction, check).is_some() {
            return;
        }
        self.check_order.push_back(transaction);
        if self.check_order.len() > MAX_CHECKS
            && let Some(oldest) = self.check_order.pop_front()
        {
            self.checks.remove(&oldest);
        }
    }

    fn claim(&mut self, slot: usize, path: Path) {
        match self.addresses.get(&path) {
            Some(owner) if *owner != slot && !self.is_newer(slot, *owner) => return,
            Some(owner) if *owner != slot => self.give_up(*owner, path),
            _ => {}
        }
        let Some(known) = self.sessions.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        if known.addresses.back() == Some(&path) {
            return;
        }
        known.addresses.retain(|other| *other != path);
        known.addresses.push_back(path);
        self.addresses.insert(path, slot);
        if known.addresses.len() > MAX_ADDRESSES
            && let Some(oldest) = known.addresses.pop_front()
        {
            self.addresses.remove(&oldest);
        }
    }

    fn give_up(&mut self, slot: usize, path: Path) {
        if let Some(known) = self.sessions.get_mut(slot).and_then(Option::as_mut) {
            tracing::warn!(session = %known.id, address = %path.0, "a newer session took over the address");
            known.addresses.retain(|other| *other != path);
        }
    }

    fn is_live(&self, check: &Check) -> bool {
        self.id(check.slot) == Some(check.session)
    }

    fn is_newer(&self, slot: usize, than: usize) -> bool {
        self.id(slot) > self.id(than)
    }

    fn id(&self, slot: usize) -> Option<SessionId> {
        Some(self.sessions.get(slot)?.as_ref()?.id)
    }
}

#[cfg(test)]
#[path = "demux_test.rs"]
mod tests;
