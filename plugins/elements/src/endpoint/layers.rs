// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for encodings: which are made, at what bitrate, and when they owe a keyframe.
use super::control::Control;
use super::track::{Changes, Encoding, Taken};
use crate::encode::{layers, rate};
use rtc_payload::{Codec, MediaKind, SessionId, TrackId};
use rtc_rtp::Ladder;
use std::time::Instant;

impl Control {
    /// What a session takes after a negotiation.
    pub(super) fn set_taken(&mut self, id: SessionId, takes: &[(TrackId, Codec)]) {
        let share = self
            .peers
            .get(&id)
            .map_or(0, super::peer::Peer::video_share);
        let ladders = &self.ladders;
        let first = |key| {
            ladders
                .get(&key)
                .map_or(0, |ladder| ladder.affordable(share))
        };
        let changes = self.takers.set(id, takes, first, Instant::now());
        self.apply(changes);
    }

    /// A session has chosen among the layers of an input.
    pub(super) fn on_layer(&mut self, id: SessionId, key: (TrackId, Codec), taken: Taken) {
        gst::debug!(super::control::CAT, "session {id}: {key:?} {taken:?}");
        let changes = self.takers.set_layers(id, key, taken, Instant::now());
        self.apply(changes);
        self.retarget(id);
    }

    /// A session can't go on without a keyframe of what it takes.
    pub(super) fn on_keyframe_wanted(
        &mut self,
        id: SessionId,
        (track, codec): (TrackId, Codec),
        layer: Option<u8>,
    ) {
        let taken = || self.takers.layer(id, (track, codec));
        let encoding = Encoding {
            track,
            codec,
            layer: layer.or_else(taken).unwrap_or(0),
        };
        if self.keyframes.want(encoding, Instant::now()) {
            self.to_owner(track, |attachment| attachment.keyframe_wanted(encoding));
        }
    }

    /// Tells the owners of tracks what they shall make from now on, and what no more.
    pub(super) fn apply(&mut self, changes: Changes) {
        for encoding in changes.released {
            self.forget_encoding(encoding);
            self.to_owner(encoding.track, |a| a.encoding_released(encoding));
        }
        for encoding in changes.wanted {
            let target = self.target(encoding);
            if let Some(target) = target {
                self.targets.insert(encoding, target);
            }
            self.to_owner(encoding.track, |a| a.encoding_wanted(encoding, target));
        }
    }

    pub(super) fn forget_encoding(&mut self, encoding: Encoding) {
        self.keyframes.forget(encoding);
        self.targets.remove(&encoding);
        if let Some(ladder) = self.ladders.get(&(encoding.track, encoding.codec)) {
            ladder.set_need(encoding.layer, 0);
        }
    }

    /// New targets for the encoders that feed a session.
    pub(super) fn retarget(&mut self, id: SessionId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        for key in peer.sending.clone() {
            let made: Vec<_> = self
                .takers
                .wishes(key)
                .into_iter()
                .map(|(e, _)| e)
                .collect();
            for encoding in made {
                let Some(target) = self.target(encoding) else {
                    continue;
                };
                let old = self.targets.get(&encoding).copied().unwrap_or(0);
                if rate::differs(old, target) {
                    self.targets.insert(encoding, target);
                    let call = |a: &dyn super::Attachment| a.target_changed(encoding, target);
                    self.to_owner(encoding.track, call);
                }
            }
        }
    }

    /// The bit/s for an encoder, from what the sessions that want it can carry; `None` for audio, which has
    /// its own, and without sessions. What it costs to join them is noted in the ladder.
    fn target(&self, encoding: Encoding) -> Option<u64> {
        if encoding.codec.kind() == MediaKind::Audio {
            return None;
        }
        let key = (encoding.track, encoding.codec);
        let wishes = self.takers.wishes(key);
        let (_, sessions) = wishes.iter().find(|(made, _)| *made == encoding)?;
        let peers = sessions
            .iter()
            .filter_map(|session| self.peers.get(session));
        let mut shares: Vec<u64> = peers.map(super::peer::Peer::video_share).collect();
        let mut target = rate::target(&mut shares);
        if let Some(ladder) = self.ladders.get(&key) {
            ladder.set_need(encoding.layer, layers::need(&mut shares));
            target = target.map(|target| within(ladder, encoding.layer, target));
        }
        let settings = &self.setup.sessions;
        target.map(|target| target.clamp(settings.min_bitrate, settings.max_bitrate))
    }
}

/// A layer's encoder gets what makes it worth having, but of the smallest, which is for whoever can take no
/// other; and no more than does it good.
fn within(ladder: &Ladder, layer: u8, target: u64) -> u64 {
    let Some(floor) = ladder.floor(layer) else {
        return target;
    };
    let is_smallest = ladder.floor(layer + 1).is_none();
    let target = if is_smallest {
        target
    } else {
        target.max(floor)
    };
    target.min(layers::cap(layer, floor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_gets_what_it_is_worth_and_no_more() {
        let ladder = Ladder::default();
        ladder.set_floors(&[600_000, 150_000]);
        assert_eq!(within(&ladder, 0, 400_000), 600_000);
        assert_eq!(within(&ladder, 0, 8_000_000), 8_000_000);
        assert_eq!(within(&ladder, 1, 50_000), 50_000);
        assert_eq!(within(&ladder, 1, 8_000_000), 750_000);
        assert_eq!(within(&ladder, 2, 1), 1);
    }
}
