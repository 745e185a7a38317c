// SPDX-License-Identifier: MPL-2.0
//! Tracks of an endpoint, and which session takes which codec of them.
use super::AttachmentId;
use rtc_payload::{Codec, MediaKind, SessionId, TrackId};
use rtc_rtp::CodecParams;
use rtc_session::{CodecOffer, Direction, TransceiverInit};
use std::collections::{BTreeMap, BTreeSet};

/// One input of an attached element.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) id: TrackId,
    pub(super) owner: AttachmentId,
    pub(super) kind: MediaKind,
    /// What it can be sent as; empty until its caps are known.
    pub(super) codecs: Vec<CodecOffer>,
    /// MediaStream id.
    pub(super) stream: String,
}

impl Track {
    pub(super) fn is_ready(&self) -> bool {
        !self.codecs.is_empty()
    }

    pub(super) fn transceiver(&self, receive: bool) -> TransceiverInit {
        TransceiverInit {
            kind: self.kind,
            direction: Direction::new(true, receive),
            track: Some(self.id),
            codecs: self.codecs.clone(),
            stream: self.stream.clone(),
        }
    }
}

/// Which session takes which codec of which track.
#[derive(Debug, Default)]
pub(super) struct Takers {
    streams: BTreeMap<(TrackId, Codec), BTreeSet<SessionId>>,
}

/// What a negotiation changed for the encoders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// The first session takes these.
    pub(super) wanted: Vec<(TrackId, CodecParams)>,
    /// No session takes these any more.
    pub(super) released: Vec<(TrackId, Codec)>,
}

impl Takers {
    /// The whole of what a session takes from now on.
    pub(super) fn set(&mut self, session: SessionId, takes: &[(TrackId, CodecParams)]) -> Changes {
        let mut changes = Changes::default();
        for (track, params) in takes {
            let sessions = self.streams.entry((*track, params.codec)).or_default();
            if sessions.is_empty() {
                changes.wanted.push((*track, params.clone()));
            }
            sessions.insert(session);
        }
        let is_taken = |key: &(TrackId, Codec)| {
            takes
                .iter()
                .any(|(track, params)| (*track, params.codec) == *key)
        };
        self.streams.retain(|key, sessions| {
            if !is_taken(key) && sessions.remove(&session) && sessions.is_empty() {
                changes.released.push(*key);
            }
            !sessions.is_empty()
        });
        changes
    }

    /// Forgets a track; what was taken of it is to be released.
    pub(super) fn remove_track(&mut self, track: TrackId) -> Vec<(TrackId, Codec)> {
        let keys: Vec<_> = self
            .streams
            .keys()
            .filter(|(of, _)| *of == track)
            .copied()
            .collect();
        for key in &keys {
            self.streams.remove(key);
        }
        keys
    }

    /// The sessions that take a codec of a track.
    pub(super) fn sessions(&self, key: (TrackId, Codec)) -> impl Iterator<Item = SessionId> {
        self.streams.get(&key).into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_payload::Pt;

    fn params(codec: Codec) -> CodecParams {
        CodecParams {
            codec,
            pt: Pt(96),
            rtx_pt: None,
            fmtp: String::new(),
            nack: true,
            pli: true,
            fir: false,
            transport_cc: true,
            remb: false,
        }
    }

    #[test]
    fn the_first_taker_wants_and_the_last_releases() {
        let mut takers = Takers::default();
        let (track, vp8) = (TrackId(1), params(Codec::Vp8));
        let takes = [(track, vp8.clone())];
        assert_eq!(takers.set(SessionId(1), &takes).wanted, takes);
        assert_eq!(takers.set(SessionId(2), &takes), Changes::default());
        assert_eq!(takers.set(SessionId(1), &[]), Changes::default());
        assert_eq!(
            takers.set(SessionId(2), &[]).released,
            [(track, Codec::Vp8)]
        );
        assert_eq!(takers.set(SessionId(2), &[]), Changes::default());
    }

    #[test]
    fn a_change_of_codec_wants_the_new_and_releases_the_old() {
        let mut takers = Takers::default();
        let track = TrackId(1);
        takers.set(SessionId(1), &[(track, params(Codec::Vp8))]);
        let changes = takers.set(SessionId(1), &[(track, params(Codec::H264))]);
        assert_eq!(changes.wanted, [(track, params(Codec::H264))]);
        assert_eq!(changes.released, [(track, Codec::Vp8)]);
        assert_eq!(takers.sessions((track, Codec::H264)).count(), 1);
        assert_eq!(takers.remove_track(track), [(track, Codec::H264)]);
        assert_eq!(takers.sessions((track, Codec::H264)).count(), 0);
    }
}
