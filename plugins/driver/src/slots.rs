// SPDX-License-Identifier: MPL-2.0
//! The sessions of a driver by slot number, and which of them send what.
use rtc_payload::{Codec, Mid, SessionId, TrackId};
use rtc_session::{MediaState, Session};
use rustls::ClientConfig;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// What feeds a sender: an input and the codec it is encoded with.
pub(crate) type Feed = (TrackId, Codec);

/// A session in its slot.
pub(crate) struct Entry {
    pub(crate) id: SessionId,
    pub(crate) session: Session,
    /// The UDP port it is reached at.
    pub(crate) port: u16,
    /// The names that stand for its addresses.
    pub(crate) hidden: Vec<(IpAddr, Option<String>)>,
    /// The UDP ports it has for itself.
    pub(crate) own_ports: Vec<u16>,
    /// Whom its TLS connections trust.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    feeds: Vec<(Feed, Mid)>,
}

#[derive(Default)]
pub(crate) struct Slots {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    index: HashMap<SessionId, usize>,
    /// The slots whose sessions send a feed.
    routes: HashMap<Feed, Vec<usize>>,
}

impl Slots {
    pub(crate) fn insert(
        &mut self,
        id: SessionId,
        session: Session,
        (port, own_ports): (u16, Vec<u16>),
        hidden: Vec<(IpAddr, Option<String>)>,
        tls: Option<Arc<ClientConfig>>,
    ) -> usize {
        let entry = Some(Entry {
            id,
            session,
            port,
            hidden,
            own_ports,
            tls,
            feeds: Vec::new(),
        });
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        self.index.insert(id, slot);
        slot
    }

    pub(crate) fn remove(&mut self, slot: usize) -> Option<Entry> {
        self.set_media(slot, &[]);
        let entry = self.entries.get_mut(slot)?.take()?;
        self.index.remove(&entry.id);
        self.free.push(slot);
        Some(entry)
    }

    pub(crate) fn get(&mut self, slot: usize) -> Option<&mut Entry> {
        self.entries.get_mut(slot)?.as_mut()
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<usize> {
        self.index.get(&id).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Every slot with a session.
    pub(crate) fn all(&self) -> Vec<usize> {
        self.index.values().copied().collect()
    }

    /// Notes what a session sends after a negotiation.
    pub(crate) fn set_media(&mut self, slot: usize, media: &[MediaState]) {
        let Some(entry) = self.entries.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        for (feed, _) in entry.feeds.drain(..) {
            if let Some(slots) = self.routes.get_mut(&feed) {
                slots.retain(|other| *other != slot);
                if slots.is_empty() {
                    self.routes.remove(&feed);
                }
            }
        }
        for state in media {
            let Some((track, codec)) = &state.sending else {
                continue;
            };
            let feed = (*track, codec.codec);
            entry.feeds.push((feed, state.mid.clone()));
            let slots = self.routes.entry(feed).or_default();
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
    }

    /// The slots whose sessions send a feed.
    pub(crate) fn senders(&self, feed: Feed) -> &[usize] {
        self.routes.get(&feed).map_or(&[], Vec::as_slice)
    }

    /// One session that sends a feed, with the m-line it does so on.
    pub(crate) fn any_sender(&self, feed: Feed) -> Option<(SessionId, Mid)> {
        let slot = *self.senders(feed).first()?;
        let entry = self.entries.get(slot)?.as_ref()?;
        let (_, mid) = entry.feeds.iter().find(|(other, _)| *other == feed)?;
        Some((entry.id, mid.clone()))
    }
}
