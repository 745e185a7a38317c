// SPDX-License-Identifier: MPL-2.0
//! The process-wide table of rooms, two ends each, and the passing of messages between the ends.
//!
//! No signal is emitted while the table is locked: what is to be told is taken out first.
use crate::LoopbackSignaller;
use gst::glib;
use gst::glib::prelude::*;
use rtc_signaller::{EndCode, Role, SignallerExt, Wish, new_session_id};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

static ROOMS: LazyLock<Mutex<HashMap<String, Room>>> = LazyLock::new(Mutex::default);

/// The ends that have started, in that order; never more than two.
#[derive(Default)]
struct Room {
    ends: Vec<End>,
}

struct End {
    signaller: glib::WeakRef<LoopbackSignaller>,
    /// Its session with the other end, if one runs. The two ends' ids differ, as ids are unique.
    session: Option<String>,
}

impl Room {
    fn forget_the_dead(&mut self) {
        self.ends.retain(|end| end.signaller.upgrade().is_some());
    }

    fn position(&self, signaller: &LoopbackSignaller) -> Option<usize> {
        self.ends
            .iter()
            .position(|end| end.signaller.upgrade().as_ref() == Some(signaller))
    }

    /// The other end and its session, if `session_id` is `signaller`'s own and runs.
    fn peer(
        &self,
        signaller: &LoopbackSignaller,
        session_id: &str,
    ) -> Option<(LoopbackSignaller, String)> {
        let own = self.position(signaller)?;
        if self.ends[own].session.as_deref() != Some(session_id) {
            return None;
        }
        let other = self.ends.get(1 - own)?;
        Some((other.signaller.upgrade()?, other.session.clone()?))
    }

    fn end_session(&mut self) {
        for end in &mut self.ends {
            end.session = None;
        }
    }
}

/// `start`: waits for the second end, or is it.
pub(crate) fn enter(signaller: &LoopbackSignaller) -> Result<(), String> {
    let name = signaller.room();
    let pair = {
        let mut rooms = lock();
        let room = rooms.entry(name.clone()).or_default();
        room.forget_the_dead();
        if room.position(signaller).is_some() {
            return Err(format!(
                "loopback:{name} was already started by this element"
            ));
        }
        if room.ends.len() == 2 {
            return Err(format!(
                "loopback:{name} already has its two ends; give this pair a name of its own, as loopback:{name}2"
            ));
        }
        let signaller = signaller.downgrade();
        room.ends.push(End {
            signaller,
            session: None,
        });
        pair_up(room)
    };
    if let Some(pair) = pair {
        announce(&name, pair);
    }
    Ok(())
}

/// `stop`: the other end is told and waits for the next to come.
pub(crate) fn leave(signaller: &LoopbackSignaller) {
    let name = signaller.room();
    let other = {
        let mut rooms = lock();
        let Some(room) = rooms.get_mut(&name) else {
            return;
        };
        let Some(own) = room.position(signaller) else {
            return;
        };
        let session = room.ends[own].session.clone();
        let other = session.and_then(|session| room.peer(signaller, &session));
        room.end_session();
        room.ends.remove(own);
        room.forget_the_dead();
        if room.ends.is_empty() {
            rooms.remove(&name);
        }
        other
    };
    if let Some((peer, id)) = other {
        peer.report_session_ended(&id, EndCode::Bye.as_str(), "the other end stopped");
    }
}

/// `end_session`: both ends stay, without a session, until one starts anew.
pub(crate) fn end(signaller: &LoopbackSignaller, session_id: &str, code: &str, text: &str) {
    let other = {
        let mut rooms = lock();
        let Some(room) = rooms.get_mut(&signaller.room()) else {
            return;
        };
        let other = room.peer(signaller, session_id);
        if other.is_some() {
            room.end_session();
        }
        other
    };
    if let Some((peer, id)) = other {
        peer.report_session_ended(&id, code, text);
    }
}

/// Hands a message to the other end, under its own id of the session; a session gone takes it along.
pub(crate) fn pass(
    signaller: &LoopbackSignaller,
    session_id: &str,
    tell: impl FnOnce(&LoopbackSignaller, &str),
) {
    let other = lock()
        .get(&signaller.room())
        .and_then(|room| room.peer(signaller, session_id));
    if let Some((peer, id)) = other {
        tell(&peer, &id);
    }
}

/// Two ends with the sessions they are about to have, the one that offers first.
type Pair = [(LoopbackSignaller, String); 2];

fn pair_up(room: &mut Room) -> Option<Pair> {
    let [first, second] = room.ends.as_mut_slice() else {
        return None;
    };
    let ends = (first.signaller.upgrade()?, second.signaller.upgrade()?);
    let ids = (new_session_id(), new_session_id());
    first.session = Some(ids.0.clone());
    second.session = Some(ids.1.clone());
    let pair = [(ends.0, ids.0), (ends.1, ids.1)];
    Some(if offers_second(&pair) {
        let [a, b] = pair;
        [b, a]
    } else {
        pair
    })
}

fn offers_second([(first, _), (second, _)]: &Pair) -> bool {
    second.role() == "sink" && first.role() != "sink"
        || first.role() == "source" && second.role() != "source"
}

fn announce(name: &str, [(offerer, offer_id), (answerer, answer_id)]: Pair) {
    let peer = format!("loopback:{name}");
    let one_way = offerer.role() == "sink" && answerer.role() == "source";
    let (view, publish) = if one_way {
        (Wish::View, Wish::Publish)
    } else {
        (Wish::Any, Wish::Any)
    };
    // The answerer first, so that it knows its session when the offer comes.
    answerer.report_session_requested(&answer_id, &peer, Role::Answer, publish);
    offerer.report_session_requested(&offer_id, &peer, Role::Offer, view);
    answerer.report_session_started(&answer_id);
    offerer.report_session_started(&offer_id);
}

fn lock() -> MutexGuard<'static, HashMap<String, Room>> {
    ROOMS.lock().unwrap_or_else(PoisonError::into_inner)
}
