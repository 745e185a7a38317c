// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for what applications see of sessions.
use super::AttachmentId;
use super::control::{Attached, Control};
use super::track::Track;
use crate::object::{Link, Mirror, Model, Pads};
use gst::prelude::*;
use rtc_payload::{Mid, SessionId, TrackId};
use rtc_session::Event;
use std::collections::{BTreeMap, HashMap};

impl Control {
    /// The objects of a session that was just opened.
    pub(super) fn model(&self, id: SessionId, name: &str, peer: &str, polite: bool) -> Model {
        let handle = self.setup.handle.clone();
        Model::new(name, peer, polite, false, Link { id, handle })
    }

    /// A session was opened; nothing was asked of it yet.
    pub(super) fn tell_added(&self, id: SessionId) {
        if let Some(peer) = self.peers.get(&id) {
            let session = peer.model.session();
            self.setup.list.add(session.clone());
            self.to_all(|attachment| attachment.session_added(session));
        }
    }

    /// Lets the objects of a session take an event.
    pub(super) fn show_event(&mut self, id: SessionId, event: &Event) {
        // Media have ways of their own, and there are many.
        if !matches!(event, Event::Rtp(_) | Event::Channel(_) | Event::Media(_)) {
            self.show(id, |model, pads, mirror| model.on_event(event, pads, mirror));
        }
    }

    pub(super) fn show(
        &mut self,
        id: SessionId,
        call: impl FnOnce(&mut Model, &dyn Pads, &Mirror<'_>),
    ) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let elements = self.attachments.values();
        let elements = elements.filter_map(|attached| attached.attachment.element());
        let mirror = Mirror {
            session: &peer.session,
            elements: elements.filter(|element| element.bus().is_some()).collect(),
        };
        let pads = Surroundings {
            id,
            attachments: &self.attachments,
            tracks: &self.tracks,
            receiving: &peer.receiving,
        };
        call(&mut peer.model, &pads, &mirror);
    }
}

/// The elements round a session.
struct Surroundings<'a> {
    id: SessionId,
    attachments: &'a BTreeMap<AttachmentId, Attached>,
    tracks: &'a [Track],
    receiving: &'a HashMap<Mid, AttachmentId>,
}

impl Pads for Surroundings<'_> {
    fn of_track(&self, track: TrackId) -> Option<gst::Pad> {
        let owner = self.tracks.iter().find(|known| known.id == track)?.owner;
        self.attachments.get(&owner)?.attachment.track_pad(track)
    }

    fn of_line(&self, mid: &Mid) -> Option<gst::Pad> {
        let owner = self.receiving.get(mid)?;
        let attached = self.attachments.get(owner)?;
        attached.attachment.line_pad(self.id, mid)
    }
}
