// SPDX-License-Identifier: MPL-2.0
//! Reorder buffer of one stream: packets in, runs of packets that make a whole frame out.
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

/// A packet opened, waiting for its frame to be whole.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) data: Vec<u8>,
    /// Where the payload stands in `data`; empty for padding alone.
    pub(crate) payload: Range<usize>,
    pub(crate) rtp_time: u32,
    pub(crate) marker: bool,
    pub(crate) pt: u8,
    pub(crate) arrived: Instant,
    pub(crate) audio_level: Option<(u8, bool)>,
}

impl Packet {
    pub(crate) fn payload(&self) -> &[u8] {
        self.data.get(self.payload.clone()).unwrap_or_default()
    }
}

/// What stands at the head of the buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// The packets `next..end` are one whole frame.
    Frame(u64),
    /// The packet of this index is missing, and later ones are here since then.
    Gap(u64, Instant),
    /// Nothing, or the beginning of a frame whose rest has not come yet.
    Waiting,
}

/// Packets by extended sequence number, from the next one to be given out.
#[derive(Debug)]
pub(crate) struct Assembly {
    packets: BTreeMap<u64, Packet>,
    next: Option<u64>,
    /// Packets `next..scanned` are there and of one RTP time.
    scanned: u64,
    started: bool,
    /// One packet is one frame.
    single: bool,
    max_packets: usize,
}

impl Assembly {
    /// `single`: every packet is a frame (audio).
    pub(crate) fn new(single: bool, max_packets: usize) -> Self {
        Self {
            packets: BTreeMap::new(),
            next: None,
            scanned: 0,
            started: false,
            single,
            max_packets,
        }
    }

    /// Whether a packet of this index is still of use.
    pub(crate) fn wants(&self, index: u64) -> bool {
        let early = !self.started && self.next.is_some_and(|next| index + 64 > next);
        self.next.is_none_or(|next| index >= next || early) && !self.packets.contains_key(&index)
    }

    /// Takes a packet that [`Self::wants`] answered for. `false` if the buffer is full.
    pub(crate) fn insert(&mut self, index: u64, packet: Packet) -> bool {
        if self.packets.len() >= self.max_packets {
            return false;
        }
        if self.next.is_none_or(|next| index < next) {
            // Before anything was given out, reordered first packets may still come.
            self.next = Some(index);
            self.scanned = index;
        }
        self.packets.insert(index, packet);
        true
    }

    /// Looks at the head.
    pub(crate) fn head(&mut self) -> Head {
        let Some(mut next) = self.next else {
            return Head::Waiting;
        };
        while self
            .packets
            .get(&next)
            .is_some_and(|packet| packet.payload.is_empty())
        {
            self.packets.remove(&next);
            next += 1;
            self.set_next(next);
        }
        self.scanned = self.scanned.max(next);
        let Some(first) = self.packets.get(&next) else {
            return self.gap_at(next);
        };
        if self.single {
            return Head::Frame(next + 1);
        }
        let rtp_time = first.rtp_time;
        let mut before = self
            .scanned
            .checked_sub(1)
            .filter(|before| *before >= next)
            .and_then(|before| self.packets.get(&before));
        loop {
            if before.is_some_and(|packet| packet.marker) {
                return Head::Frame(self.scanned);
            }
            match self.packets.get(&self.scanned) {
                None => return self.gap_at(self.scanned),
                // The marker was not set: the next frame's time ends this one.
                Some(packet) if packet.rtp_time != rtp_time => return Head::Frame(self.scanned),
                found => before = found,
            }
            self.scanned += 1;
        }
    }

    fn gap_at(&self, index: u64) -> Head {
        match self.packets.range(index..).next() {
            Some((_, packet)) => Head::Gap(index, packet.arrived),
            None => Head::Waiting,
        }
    }

    /// Takes the packets below `end` out, in order.
    pub(crate) fn take(&mut self, end: u64) -> impl Iterator<Item = Packet> + use<> {
        let rest = self.packets.split_off(&end);
        let taken = std::mem::replace(&mut self.packets, rest);
        self.set_next(end);
        taken.into_values()
    }

    /// The packet at the head, if it is there.
    pub(crate) fn first(&self) -> Option<&Packet> {
        self.packets.get(&self.next?)
    }

    /// The next index to be given out.
    pub(crate) fn next(&self) -> Option<u64> {
        self.next
    }

    /// Index of the first packet from `from` on for which `is_start` holds.
    pub(crate) fn find(&self, from: u64, is_start: impl Fn(&Packet) -> bool) -> Option<u64> {
        self.packets
            .range(from..)
            .find(|(_, packet)| is_start(packet))
            .map(|(index, _)| *index)
    }

    /// Whether the frame that begins at `index` is there up to its marker.
    pub(crate) fn is_whole(&self, index: u64) -> bool {
        for (expected, (at, packet)) in (index..).zip(self.packets.range(index..)) {
            if *at != expected {
                return false;
            }
            if packet.marker {
                return true;
            }
        }
        false
    }

    /// Forgets everything, also where the stream stood.
    pub(crate) fn reset(&mut self) {
        self.packets.clear();
        self.next = None;
        self.started = false;
    }

    fn set_next(&mut self, next: u64) {
        self.next = Some(next);
        self.scanned = next;
        self.started = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(rtp_time: u32, marker: bool, at: Instant) -> Packet {
        Packet {
            data: vec![1],
            payload: 0..1,
            rtp_time,
            marker,
            pt: 96,
            arrived: at,
            audio_level: None,
        }
    }

    #[test]
    fn a_frame_is_whole_at_its_marker_or_at_the_next_time() {
        let now = Instant::now();
        let mut assembly = Assembly::new(false, 100);
        assembly.insert(10, packet(1, false, now));
        assert_eq!(assembly.head(), Head::Waiting);
        assembly.insert(12, packet(1, true, now));
        assert_eq!(assembly.head(), Head::Gap(11, now));
        assert!(!assembly.is_whole(10) && assembly.is_whole(12));
        assembly.insert(11, packet(1, false, now));
        assert_eq!(assembly.head(), Head::Frame(13));
        assert_eq!(assembly.take(13).count(), 3);
        assembly.insert(13, packet(2, false, now));
        assert_eq!(assembly.head(), Head::Waiting);
        assembly.insert(14, packet(3, false, now));
        assert_eq!(assembly.head(), Head::Frame(14));
    }

    #[test]
    fn reordered_first_packets_are_kept_and_late_ones_are_not() {
        let now = Instant::now();
        let mut assembly = Assembly::new(true, 100);
        assembly.insert(10, packet(1, false, now));
        assert!(assembly.wants(9));
        assembly.insert(9, packet(0, false, now));
        assert_eq!(assembly.head(), Head::Frame(10));
        assert_eq!(assembly.take(10).count(), 1);
        assert!(!assembly.wants(9) && !assembly.wants(10) && assembly.wants(11));
    }

    #[test]
    fn padding_alone_is_passed_over() {
        let now = Instant::now();
        let mut assembly = Assembly::new(false, 100);
        for index in 0..3 {
            let mut padding = packet(1, false, now);
            padding.payload = 0..0;
            assembly.insert(index, padding);
        }
        assert_eq!(assembly.head(), Head::Waiting);
        assembly.insert(3, packet(2, true, now));
        assert_eq!(assembly.head(), Head::Frame(4));
    }

    #[test]
    fn a_full_buffer_takes_no_more() {
        let now = Instant::now();
        let mut assembly = Assembly::new(false, 4);
        let taken = (0..10).filter(|i| assembly.insert(*i, packet(1, false, now)));
        assert_eq!(taken.count(), 4);
    }
}
