// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for what peers send: which element has which m-line.
use super::AttachmentId;
use super::attachment::IncomingMedia;
use super::control::{CAT, Control};
use rtc_payload::{MediaKind, Mid, SessionId};
use rtc_session::{Command, MediaState};

impl Control {
    /// What peers send now: new m-lines find an element, those that are gone are told so.
    pub(super) fn update_receivers(&mut self, id: SessionId, states: &[MediaState]) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let gone: Vec<Mid> = peer
            .receiving
            .keys()
            .filter(|mid| {
                !states
                    .iter()
                    .any(|s| s.mid == **mid && !s.receiving.is_empty())
            })
            .cloned()
            .collect();
        let name = peer.peer.clone();
        let new: Vec<IncomingMedia> = states
            .iter()
            .filter(|s| !s.receiving.is_empty() && !peer.receiving.contains_key(&s.mid))
            .map(|s| IncomingMedia {
                session: id,
                peer: name.clone(),
                mid: s.mid.clone(),
                kind: s.kind,
                codecs: s.receiving.clone(),
                streams: s.streams.clone(),
            })
            .collect();
        for mid in gone {
            self.remove_receiver(id, &mid);
        }
        for media in &new {
            self.offer_media(media);
        }
        if !new.is_empty() {
            self.to_all(|attachment| attachment.media_settled(id));
        }
    }

    /// The first element that takes an m-line has it.
    fn offer_media(&mut self, media: &IncomingMedia) {
        let taken = self
            .attachments
            .iter()
            .filter(|(_, attached)| !attached.receive.is_empty())
            .find_map(|(owner, attached)| Some((*owner, attached.attachment.media_added(media)?)));
        let Some((owner, sink)) = taken else {
            gst::info!(CAT, "nobody takes m-line {} of {}", media.mid, media.peer);
            return;
        };
        let (id, mid) = (media.session, media.mid.clone());
        self.setup.routes.insert(id, mid.clone(), sink);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.receiving.insert(mid.clone(), owner);
        }
        // What came before the route stood is lost.
        if media.kind == MediaKind::Video {
            self.setup.handle.command(id, Command::RequestKeyframe(mid));
        }
    }

    pub(super) fn remove_receiver(&mut self, id: SessionId, mid: &Mid) {
        self.setup.routes.remove(id, mid);
        let owner = self
            .peers
            .get_mut(&id)
            .and_then(|peer| peer.receiving.remove(mid));
        if let Some(attached) = owner.and_then(|owner| self.attachments.get(&owner)) {
            attached.attachment.media_removed(id, mid);
        }
    }

    /// Takes everything from an element that is being detached.
    pub(super) fn drop_receiver(&mut self, owner: AttachmentId) {
        let lines: Vec<(SessionId, Mid)> = self
            .peers
            .values()
            .flat_map(|peer| peer.receiving.iter().map(move |entry| (peer.id, entry)))
            .filter(|(_, (_, taker))| **taker == owner)
            .map(|(id, (mid, _))| (id, mid.clone()))
            .collect();
        for (id, mid) in lines {
            self.remove_receiver(id, &mid);
        }
    }
}
