// SPDX-License-Identifier: MPL-2.0
//! What a stream has sent, by sequence number: ranges of shared blocks, not copies.
use crate::PacketBlock;
use rtc_payload::PictureShift;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Packets a stream remembers at most: 2 s of 10 Mbit/s.
const MAX_PACKETS: usize = 2048;
/// How long a packet can be asked for again.
const MAX_AGE: Duration = Duration::from_secs(2);

/// Packets of one block that were sent one behind another at one time.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Extended sequence number of the first.
    pub(crate) first: u64,
    /// Its payload's index in the block.
    pub(crate) index: usize,
    /// Number of packets.
    pub(crate) count: usize,
    pub(crate) block: Arc<PacketBlock>,
    /// What its packets bear in place of the block's own time, and how its picture numbers were moved.
    pub(crate) rtp_time: u32,
    pub(crate) shift: PictureShift,
    pub(crate) at: Instant,
    /// Transport-wide number of the first, and send time of all: a repeat without RTX must be the same
    /// to the bit, for it is sealed with the same nonce.
    pub(crate) transport_cc: u16,
    pub(crate) abs_send_time: u32,
    /// Number of the header template used; headers of another generation can't be repeated.
    pub(crate) generation: u32,
}

/// Ring of (sequence number → block, index, time), bounded in packets and time.
#[derive(Debug, Default)]
pub(crate) struct History {
    chunks: VecDeque<Chunk>,
    packets: usize,
    repeated: HashMap<u64, Instant>,
}

impl History {
    /// Remembers packets just sent; their numbers follow those of the newest chunk.
    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.expire(chunk.at);
        self.packets += chunk.count;
        self.chunks.push_back(chunk);
        while self.packets > MAX_PACKETS {
            self.pop();
        }
    }

    /// The extended number and chunk of a 16-bit sequence number among the newest 2^15.
    pub(crate) fn find(&self, seq: u16) -> Option<(u64, &Chunk)> {
        let newest = self.chunks.back()?;
        let last = newest.first + newest.count as u64 - 1;
        let behind = (last as u16).wrapping_sub(seq);
        let number = last.checked_sub(u64::from(behind))?;
        self.get(number).map(|chunk| (number, chunk))
    }

    /// The chunk that holds an extended sequence number.
    pub(crate) fn get(&self, number: u64) -> Option<&Chunk> {
        let after = self.chunks.partition_point(|chunk| chunk.first <= number);
        let chunk = self.chunks.get(after.checked_sub(1)?)?;
        (number < chunk.first + chunk.count as u64).then_some(chunk)
    }

    /// Whether a packet may be repeated now: not within `gap` of its last repeat. Notes the repeat.
    pub(crate) fn may_repeat(&mut self, number: u64, gap: Duration, now: Instant) -> bool {
        match self.repeated.get(&number) {
            Some(at) if now.saturating_duration_since(*at) < gap => false,
            _ => {
                self.repeated.insert(number, now);
                true
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        while self
            .chunks
            .front()
            .is_some_and(|chunk| now.saturating_duration_since(chunk.at) > MAX_AGE)
        {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let Some(chunk) = self.chunks.pop_front() else {
            return;
        };
        self.packets -= chunk.count;
        if !self.repeated.is_empty() {
            for number in chunk.first..chunk.first + chunk.count as u64 {
                self.repeated.remove(&number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_payload::{Codec, FrameInfo, Payloads, TrackId};

    fn chunk(first: u64, count: usize, at: Instant) -> Chunk {
        let block = Arc::new(PacketBlock {
            track: TrackId(0),
            codec: Codec::Vp8,
            layer: 0,
            ladder: None,
            rtp_time: 0,
            captured: at,
            info: FrameInfo::default(),
            payloads: Payloads::default(),
        });
        Chunk {
            first,
            index: 0,
            count,
            rtp_time: 0,
            shift: PictureShift::default(),
            block,
            at,
            transport_cc: 0,
            abs_send_time: 0,
            generation: 0,
        }
    }

    #[test]
    fn a_number_is_found_over_a_wrap() {
        let now = Instant::now();
        let mut history = History::default();
        history.push(chunk(0x1_fff0, 10, now));
        history.push(chunk(0x1_fffa, 20, now));
        assert_eq!(
            history.find(0xfffb).map(|(n, c)| (n, c.first)),
            Some((0x1_fffb, 0x1_fffa))
        );
        assert_eq!(history.find(3).map(|(n, _)| n), Some(0x2_0003));
        assert!(history.find(0xffef).is_none());
        assert!(history.find(0x0e).is_none());
    }

    #[test]
    fn packets_too_old_or_too_many_are_forgotten() {
        let now = Instant::now();
        let mut history = History::default();
        for i in 0..100 {
            history.push(chunk(i * 50, 50, now));
        }
        assert!(history.packets <= MAX_PACKETS && history.get(4999).is_some());
        assert!(history.may_repeat(4999, Duration::from_millis(50), now));
        assert!(!history.may_repeat(4999, Duration::from_millis(50), now));
        history.push(chunk(5000, 1, now + MAX_AGE * 2));
        assert!(history.get(4999).is_none() && history.repeated.is_empty());
    }
}
