// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for what applications see of sessions.
use super::AttachmentId;
use super::control::{Attached, Control};
use super::inbox::Message;
use super::opening::receiver;
use super::peer::Pending;
use super::track::Track;
use crate::object::{Ask, Link, Mirror, Model, Pads, Setup};
use gst::prelude::*;
use rtc_payload::{Mid, SessionId, TrackId};
use rtc_session::{Command, Event, Request, TransceiverInit};
use std::collections::{BTreeMap, HashMap};

impl Control {
    /// The objects of a session that was just opened.
    pub(super) fn model(&self, id: SessionId, pending: &Pending, polite: bool) -> Model {
        let handle = self.setup.handle.clone();
        let inbox = self.setup.inbox.clone();
        let link = Link::new(id, handle, move |ask| {
            inbox.send(Message::Asked(id, ask));
        });
        let setup = Setup {
            name: &pending.session,
            peer: &pending.peer,
            polite,
            manual: self.setup.sessions.manual,
            certificate: self.setup.certificate.der(),
        };
        Model::new(setup, link)
    }

    /// Does what an application asked.
    pub(super) fn on_asked(&mut self, id: SessionId, ask: Ask) {
        match ask {
            Ask::AddTransceiver {
                request,
                kind,
                direction,
                stream,
            } => {
                let init = TransceiverInit {
                    direction,
                    stream,
                    ..receiver(kind, &self.receive_codecs())
                };
                let request = Command::Request(request, Request::AddTransceiver(init));
                self.setup.handle.command(id, request);
                self.renegotiate(id);
            }
            Ask::OpenChannel { request, init } => {
                let key = init.key;
                self.show(id, |model, _, _| model.expect_channel(key, request));
                self.open_channel(id, init);
            }
            Ask::Stats {
                request,
                selected,
                json,
            } => {
                let inbox = self.setup.inbox.clone();
                self.setup.handle.stats(id, move |stats| {
                    let stats = Box::new(stats);
                    inbox.send(Message::Figures(id, request, selected, json, stats));
                });
            }
        }
    }

    /// With manual negotiation the application gets what the signaller brought.
    pub(super) fn is_manual(&self) -> bool {
        self.setup.sessions.manual
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
            self.show(id, |model, pads, mirror| {
                model.on_event(event, pads, mirror)
            });
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
