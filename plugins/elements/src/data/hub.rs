// SPDX-License-Identifier: MPL-2.0
//! All open data channels of an endpoint: the io thread's door in, the elements' door out.
use super::channel::{Channel, Message, OVERHEAD, Valve};
use super::lane::Lane;
use super::timeline::{Timeline, Timelines};
use bytes::Bytes;
use rtc_driver::Handle;
use rtc_payload::{Mid, SessionId};
use rtc_session::{ChannelEvent, ChannelInit, ChannelKey, DataState};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

/// Clones are the same hub.
#[derive(Clone, Default)]
pub(crate) struct Hub(Arc<RwLock<Table>>);

#[derive(Default)]
struct Table {
    sessions: HashMap<SessionId, Entry>,
    /// Inputs that have a channel in every session.
    lanes: HashMap<ChannelKey, Arc<Lane>>,
}

struct Entry {
    name: String,
    valve: Arc<Valve>,
    max_message_size: u64,
    channels: HashMap<ChannelKey, Arc<Channel>>,
    /// Channels asked for one session alone, and what they shall send as soon as they are open.
    opening: HashMap<ChannelKey, Opening>,
    timelines: Arc<Timelines>,
}

#[derive(Default)]
struct Opening {
    label: String,
    messages: Vec<(Bytes, bool)>,
    bytes: usize,
}

impl Hub {
    /// A session begins; before anything is asked of it.
    pub(crate) fn add_session(&self, id: SessionId, name: &str, handle: &Handle) {
        let entry = Entry {
            name: name.to_owned(),
            valve: Valve::new(id, handle.clone()),
            max_message_size: 0,
            channels: HashMap::new(),
            opening: HashMap::new(),
            timelines: Arc::default(),
        };
        self.write().sessions.insert(id, entry);
    }

    /// A session is over: its channels that nobody heard the end of.
    pub(crate) fn remove_session(&self, id: SessionId) -> Vec<Arc<Channel>> {
        let entry = self.write().sessions.remove(&id);
        let left: Vec<_> = entry
            .into_iter()
            .flat_map(|entry| entry.channels.into_values())
            .collect();
        for channel in &left {
            channel.end();
        }
        left
    }

    pub(crate) fn add_lane(&self, key: ChannelKey, lane: Arc<Lane>) {
        self.write().lanes.insert(key, lane);
    }

    pub(crate) fn remove_lane(&self, key: ChannelKey) {
        self.write().lanes.remove(&key);
    }

    pub(crate) fn find(&self, session: SessionId, key: ChannelKey) -> Option<Arc<Channel>> {
        let table = self.read();
        table.sessions.get(&session)?.channels.get(&key).cloned()
    }

    /// The times of a video that a session receives; `None` if there is no such session.
    pub(crate) fn timeline(&self, session: SessionId, mid: &Mid) -> Option<Arc<Timeline>> {
        let table = self.read();
        Some(table.sessions.get(&session)?.timelines.of(mid))
    }

    /// The open channels with a label, of the session of that name, or of all if it is empty.
    pub(crate) fn by_label(&self, session: &str, label: &str) -> Vec<Arc<Channel>> {
        let table = self.read();
        let sessions = table.sessions.values();
        sessions
            .filter(|entry| session.is_empty() || entry.name == session)
            .flat_map(|entry| entry.channels.values())
            .filter(|channel| channel.init.label == label && !channel.outbox().closed)
            .cloned()
            .collect()
    }

    /// Keeps a message for a channel that is being opened. `None` if no session has that name; else the
    /// session, and what to ask it to open if it is not being opened yet.
    pub(crate) fn open_with(
        &self,
        session: &str,
        label: &str,
        data: Bytes,
        text: bool,
    ) -> Option<(SessionId, Option<ChannelInit>)> {
        let mut table = self.write();
        let (id, entry) = table.sessions.iter_mut().find(|(_, e)| e.name == session)?;
        let mut asked = None;
        let waiting = entry.opening.iter().find(|(_, o)| o.label == label);
        let key = match waiting {
            Some((key, _)) => *key,
            None => {
                let key = super::new_key();
                asked = Some(ChannelInit::new(key, label));
                key
            }
        };
        let opening = entry.opening.entry(key).or_default();
        opening.label = label.to_owned();
        if opening.bytes + data.len() + OVERHEAD > MAX_OPENING {
            return None;
        }
        opening.bytes += data.len() + OVERHEAD;
        opening.messages.push((data, text));
        Some((*id, asked))
    }

    /// What a negotiation said, on the io thread.
    pub(crate) fn on_negotiated(&self, session: SessionId, data: DataState) {
        if let Some(entry) = self.write().sessions.get_mut(&session) {
            entry.max_message_size = data.max_message_size;
            for channel in entry.channels.values() {
                let size = data.max_message_size;
                channel.max_message_size.store(size, Ordering::Relaxed);
            }
        }
    }

    /// Something happened to a channel, on the io thread; what the control thread must hear of it.
    pub(crate) fn on_event(&self, session: SessionId, event: ChannelEvent) -> Option<ChannelEvent> {
        match event {
            ChannelEvent::Opened { key, init, by_peer } => {
                self.open(session, init.clone(), by_peer);
                Some(ChannelEvent::Opened { key, init, by_peer })
            }
            ChannelEvent::Message { key, data, text } => {
                let channel = self.find(session, key)?;
                let message = Message {
                    data: data.clone(),
                    text,
                    arrived: Instant::now(),
                };
                let wanted = channel.receive(message);
                wanted.then_some(ChannelEvent::Message { key, data, text })
            }
            ChannelEvent::Sent { key, sent, .. } => {
                let low = self.find(session, key)?.sent(sent);
                low.then_some(ChannelEvent::BufferedAmountLow { key })
            }
            // Told by what the outbox holds, of which the session knows only a part.
            ChannelEvent::BufferedAmountLow { .. } => None,
            ChannelEvent::Closing { key } => {
                self.find(session, key)?.stop_sending();
                Some(ChannelEvent::Closing { key })
            }
            ChannelEvent::Closed { key, error } => {
                self.close(session, key);
                Some(ChannelEvent::Closed { key, error })
            }
            ChannelEvent::Refused {
                key,
                message,
                error,
            } => {
                if let (Some(size), Some(channel)) = (message, self.find(session, key)) {
                    channel.refused(size);
                }
                Some(ChannelEvent::Refused {
                    key,
                    message,
                    error,
                })
            }
            other => Some(other),
        }
    }

    fn open(&self, session: SessionId, init: ChannelInit, by_peer: bool) {
        let mut table = self.write();
        let lane = table.lanes.get(&init.key).cloned();
        let Some(entry) = table.sessions.get_mut(&session) else {
            return;
        };
        let (key, valve) = (init.key, Arc::clone(&entry.valve));
        let timelines = Arc::clone(&entry.timelines);
        let name = entry.name.clone();
        let channel = Channel::new(name, init, by_peer, valve, lane.clone(), timelines);
        let size = entry.max_message_size;
        channel.max_message_size.store(size, Ordering::Relaxed);
        let channel = Arc::new(channel);
        entry.channels.insert(key, Arc::clone(&channel));
        let early = entry.opening.remove(&key).unwrap_or_default();
        drop(table);
        for (data, text) in early.messages {
            // One that is too large is dropped: who sent it was told only that the channel opens.
            let _ = channel.send(data, text);
        }
        if let Some(lane) = lane {
            lane.add(channel);
        }
    }

    fn close(&self, session: SessionId, key: ChannelKey) {
        let channel = {
            let mut table = self.write();
            let entry = table.sessions.get_mut(&session);
            entry.and_then(|entry| {
                entry.opening.remove(&key);
                entry.channels.remove(&key)
            })
        };
        if let Some(channel) = channel {
            channel.end();
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}

/// Bytes kept for a channel that is being opened.
const MAX_OPENING: usize = 16 * 1024 * 1024;
