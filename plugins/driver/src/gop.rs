// SPDX-License-Identifier: MPL-2.0
//! The frames since the last keyframe of inputs that make none when asked: what a session that joins is
//! given at once. Held once for all sessions, in the shared blocks themselves.
use crate::driver::Io;
use crate::slots::Feed;
use rtc_payload::SessionId;
use rtc_rtp::{MAX_CAUGHT_UP, PacketBlock};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Payload bytes held for one feed at most.
const MAX_BYTES: usize = 16 << 20;
/// A keyframe older than that is of no use: who joins would look at the past for too long.
const MAX_AGE: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Default)]
pub(crate) struct Gops {
    kept: HashMap<Feed, Gop>,
    /// Sessions that wait for a keyframe, by slot.
    waiting: Vec<(usize, Feed)>,
}

/// One group of pictures; empty where it outgrew the bounds.
#[derive(Default)]
struct Gop {
    blocks: Vec<Arc<PacketBlock>>,
    bytes: usize,
    /// Who had it: none gets the same past twice.
    given: HashSet<SessionId>,
}

impl Gops {
    /// Begins to keep the frames of a feed, or lets them go.
    pub(crate) fn keep(&mut self, feed: Feed, keep: bool) {
        match keep {
            true => drop(self.kept.entry(feed).or_default()),
            false => drop(self.kept.remove(&feed)),
        }
    }

    /// A frame that is about to be sent.
    pub(crate) fn add(&mut self, block: &Arc<PacketBlock>) {
        if let Some(gop) = self.kept.get_mut(&(block.track, block.codec)) {
            gop.add(block);
        }
    }

    /// A session waits for a keyframe of a feed.
    pub(crate) fn want(&mut self, slot: usize, feed: Feed) {
        if self.kept.contains_key(&feed) {
            self.waiting.push((slot, feed));
        }
    }
}

impl Gop {
    fn add(&mut self, block: &Arc<PacketBlock>) {
        if block.info.keyframe {
            *self = Self::default();
        } else if self.blocks.is_empty() {
            return;
        }
        self.blocks.push(Arc::clone(block));
        self.bytes += block.payloads.total_len();
        let first = self.blocks.first().map(|first| first.captured);
        let age = first.map(|first| block.captured.saturating_duration_since(first));
        let is_old = age.is_some_and(|age| age > MAX_AGE);
        if is_old || self.bytes > MAX_BYTES || self.blocks.len() > MAX_CAUGHT_UP {
            *self = Self::default();
        }
    }
}

impl Io {
    /// Gives the past to the sessions that wait for it.
    pub(crate) fn catch_up(&mut self, now: Instant) {
        while let Some((slot, feed)) = self.gops.waiting.pop() {
            let id = self.slots.get(slot).map(|entry| entry.id);
            let (Some(id), Some(gop)) = (id, self.gops.kept.get(&feed)) else {
                continue;
            };
            if gop.blocks.is_empty() || gop.given.contains(&id) {
                continue;
            }
            let blocks = gop.blocks.clone();
            let mut given = false;
            self.call(slot, now, |session| given = session.catch_up(&blocks, now));
            if let Some(gop) = self.gops.kept.get_mut(&feed).filter(|_| given) {
                gop.given.insert(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rtc_payload::{Codec, EncodedFrame, FrameInfo, TrackId};
    use rtc_rtp::Packetizer;

    const FEED: Feed = (TrackId(1), Codec::Vp8);

    fn block(keyframe: bool, len: usize, at: Instant) -> Arc<PacketBlock> {
        let frame = EncodedFrame {
            codec: Codec::Vp8,
            data: Bytes::from(vec![0x10; len]),
            rtp_time: 0,
            info: FrameInfo {
                keyframe,
                ..FrameInfo::default()
            },
        };
        let block = Packetizer::new(FEED.0, FEED.1, 1_200).block(&frame, at);
        Arc::new(block.expect("a frame"))
    }

    fn held(gops: &Gops) -> usize {
        gops.kept.get(&FEED).map_or(0, |gop| gop.blocks.len())
    }

    #[test]
    fn frames_are_held_from_a_keyframe_to_the_next() {
        let (mut gops, now) = (Gops::default(), Instant::now());
        gops.add(&block(true, 100, now));
        assert_eq!(held(&gops), 0);
        gops.keep(FEED, true);
        gops.add(&block(false, 100, now));
        assert_eq!(held(&gops), 0);
        for keyframe in [true, false, false, true, false] {
            gops.add(&block(keyframe, 100, now));
        }
        assert_eq!(held(&gops), 2);
        gops.keep(FEED, false);
        assert!(gops.kept.is_empty());
    }

    #[test]
    fn what_outgrows_bytes_time_or_count_is_let_go_until_the_next_keyframe() {
        let now = Instant::now();
        let fill = |count: usize, len, step: Duration| {
            let mut gops = Gops::default();
            gops.keep(FEED, true);
            for at in 0..count {
                let late = step * u32::try_from(at).expect("few");
                gops.add(&block(at == 0, len, now + late));
            }
            held(&gops)
        };
        assert_eq!(fill(MAX_CAUGHT_UP, 100, Duration::ZERO), MAX_CAUGHT_UP);
        assert_eq!(fill(MAX_CAUGHT_UP + 1, 100, Duration::ZERO), 0);
        assert_eq!(fill(20, 1 << 20, Duration::ZERO), 0);
        assert_eq!(fill(22, 100, Duration::from_secs(1)), 0);
        assert_eq!(fill(20, 100, Duration::from_secs(1)), 20);
    }
}
