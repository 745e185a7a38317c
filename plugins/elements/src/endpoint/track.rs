// SPDX-License-Identifier: MPL-2.0
//! Tracks of an endpoint, and which session takes which encoding of them.
use super::AttachmentId;
use rtc_payload::{Codec, MediaKind, SessionId, TrackId};
use rtc_rtp::MAX_LAYERS;
use rtc_session::{CodecOffer, Direction, TransceiverInit};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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

/// One encoding of one track: what one encoder makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Encoding {
    /// The input.
    pub(crate) track: TrackId,
    /// The codec.
    pub(crate) codec: Codec,
    /// 0 the full size, each further one half the size of the one above.
    pub(crate) layer: u8,
}

/// The layers that a session takes: one, or two while it goes from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) sent: Option<u8>,
    pub(super) wanted: u8,
}

impl Taken {
    /// What a session begins with.
    pub(super) fn first(layer: u8) -> Self {
        Self {
            sent: None,
            wanted: layer,
        }
    }

    fn has(self, layer: u8) -> bool {
        self.wanted == layer || self.sent == Some(layer)
    }
}

/// Which session takes what of which track, and what is made because of it.
#[derive(Debug, Default)]
pub(super) struct Takers {
    streams: BTreeMap<(TrackId, Codec), BTreeMap<SessionId, Taken>>,
    /// What is made, and since when nobody takes it.
    made: BTreeMap<Encoding, Option<Instant>>,
}

/// What changed for the encoders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Somebody takes these now.
    pub(super) wanted: Vec<Encoding>,
    /// Nobody takes these any more.
    pub(super) released: Vec<Encoding>,
}

impl Takers {
    /// The whole of what a session takes from now on; `first` tells the layer to begin with.
    pub(super) fn set(
        &mut self,
        session: SessionId,
        takes: &[(TrackId, Codec)],
        first: impl Fn((TrackId, Codec)) -> u8,
        now: Instant,
    ) -> Changes {
        for key in takes {
            let sessions = self.streams.entry(*key).or_default();
            let taken = || Taken::first(first(*key));
            sessions.entry(session).or_insert_with(taken);
        }
        self.streams.retain(|key, sessions| {
            if !takes.contains(key) {
                sessions.remove(&session);
            }
            !sessions.is_empty()
        });
        self.settle(now)
    }

    /// The layers a session takes of what it takes already.
    pub(super) fn set_layers(
        &mut self,
        session: SessionId,
        key: (TrackId, Codec),
        taken: Taken,
        now: Instant,
    ) -> Changes {
        let sessions = self.streams.get_mut(&key);
        if let Some(known) = sessions.and_then(|sessions| sessions.get_mut(&session)) {
            *known = taken;
        }
        self.settle(now)
    }

    /// Forgets a track; what was taken of it is to be released.
    pub(super) fn remove_track(&mut self, track: TrackId) -> Vec<Encoding> {
        self.streams.retain(|(of, _), _| *of != track);
        let gone: Vec<_> = self
            .made
            .keys()
            .filter(|made| made.track == track)
            .copied()
            .collect();
        self.made.retain(|made, _| made.track != track);
        gone
    }

    /// What is made of a codec of a track, with the sessions that want each.
    pub(super) fn wishes(&self, key: (TrackId, Codec)) -> Vec<(Encoding, Vec<SessionId>)> {
        let made = self
            .made
            .keys()
            .filter(|made| (made.track, made.codec) == key);
        made.map(|made| (*made, self.wishing(*made).collect()))
            .collect()
    }

    /// The sessions that want an encoding.
    fn wishing(&self, encoding: Encoding) -> impl Iterator<Item = SessionId> {
        let sessions = self.streams.get(&(encoding.track, encoding.codec));
        let sessions = sessions.into_iter().flatten();
        let wishing = sessions.filter(move |(_, taken)| taken.wanted == encoding.layer);
        wishing.map(|(session, _)| *session)
    }

    /// The layer a session wants of what it takes.
    pub(super) fn layer(&self, session: SessionId, key: (TrackId, Codec)) -> Option<u8> {
        let taken = self.streams.get(&key)?.get(&session)?;
        Some(taken.wanted)
    }

    /// What nobody has taken for a while is released.
    pub(super) fn settle(&mut self, now: Instant) -> Changes {
        let mut changes = Changes::default();
        for ((track, codec), sessions) in &self.streams {
            for layer in 0..MAX_LAYERS as u8 {
                let encoding = Encoding {
                    track: *track,
                    codec: *codec,
                    layer,
                };
                let is_taken = sessions.values().any(|taken| taken.has(layer));
                match self.made.get_mut(&encoding) {
                    None if is_taken => {
                        self.made.insert(encoding, None);
                        changes.wanted.push(encoding);
                    }
                    Some(idle) if is_taken => *idle = None,
                    Some(idle @ None) => *idle = Some(now),
                    _ => {}
                }
            }
        }
        let streams = &self.streams;
        self.made.retain(|made, idle| {
            let over = idle.is_some_and(|since| since + GRACE <= now);
            let stays = streams.contains_key(&(made.track, made.codec)) && !over;
            if !stays {
                changes.released.push(*made);
            }
            stays
        });
        changes
    }

    /// When [`Self::settle`] has something next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let idle = self.made.values().flatten().min()?;
        Some(*idle + GRACE)
    }
}

/// A layer that nobody takes is made for so long still: paths swing.
const GRACE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const TRACK: TrackId = TrackId(1);
    const KEY: (TrackId, Codec) = (TRACK, Codec::Vp8);

    fn encoding(codec: Codec, layer: u8) -> Encoding {
        Encoding {
            track: TRACK,
            codec,
            layer,
        }
    }

    #[test]
    fn the_first_taker_wants_and_the_last_releases() {
        let (mut takers, now) = (Takers::default(), Instant::now());
        let first = encoding(Codec::Vp8, 0);
        assert_eq!(takers.set(SessionId(1), &[KEY], |_| 0, now).wanted, [first]);
        let none = Changes::default();
        assert_eq!(takers.set(SessionId(2), &[KEY], |_| 0, now), none);
        assert_eq!(takers.set(SessionId(1), &[], |_| 0, now), none);
        assert_eq!(takers.set(SessionId(2), &[], |_| 0, now).released, [first]);
        assert_eq!(takers.set(SessionId(2), &[], |_| 0, now), none);
    }

    #[test]
    fn a_change_of_codec_wants_the_new_and_releases_the_old() {
        let (mut takers, now) = (Takers::default(), Instant::now());
        takers.set(SessionId(1), &[KEY], |_| 0, now);
        let changes = takers.set(SessionId(1), &[(TRACK, Codec::H264)], |_| 0, now);
        assert_eq!(changes.wanted, [encoding(Codec::H264, 0)]);
        assert_eq!(changes.released, [encoding(Codec::Vp8, 0)]);
        assert_eq!(takers.wishes(KEY), []);
        assert_eq!(takers.remove_track(TRACK), [encoding(Codec::H264, 0)]);
        assert_eq!(takers.settle(now), Changes::default());
    }

    #[test]
    fn a_layer_is_made_while_somebody_takes_it_and_a_while_longer() {
        let (mut takers, now) = (Takers::default(), Instant::now());
        takers.set(SessionId(1), &[KEY], |_| 0, now);
        takers.set(SessionId(2), &[KEY], |_| 0, now);
        let mut taken = Taken {
            sent: Some(0),
            wanted: 1,
        };
        let changes = takers.set_layers(SessionId(1), KEY, taken, now);
        assert_eq!(changes.wanted, [encoding(Codec::Vp8, 1)]);
        taken.sent = Some(1);
        assert_eq!(
            takers.set_layers(SessionId(1), KEY, taken, now),
            Changes::default()
        );
        assert_eq!(takers.layer(SessionId(1), KEY), Some(1));
        let wishes = takers.wishes(KEY);
        assert_eq!(wishes[0].1, [SessionId(2)]);
        assert_eq!(wishes[1].1, [SessionId(1)]);
        // The other one leaves: its layer is kept for a while.
        assert_eq!(
            takers.set(SessionId(2), &[], |_| 0, now),
            Changes::default()
        );
        assert_eq!(takers.deadline(), Some(now + GRACE));
        assert_eq!(
            takers.settle(now + GRACE).released,
            [encoding(Codec::Vp8, 0)]
        );
        assert_eq!(takers.deadline(), None);
        let changes = takers.set(SessionId(1), &[], |_| 0, now);
        assert_eq!(changes.released, [encoding(Codec::Vp8, 1)]);
    }
}
