// SPDX-License-Identifier: MPL-2.0
//! Packets of one size behind another in one buffer, for one send (UDP GSO).

/// Segments the kernel takes in one send; Linux's UDP_MAX_SEGMENTS was 64 before 6.9.
const MAX_SEGMENTS: usize = 60;
/// Bytes of one send, below the 65,507 of a UDP datagram.
const MAX_BYTES: usize = 63_000;

/// One or more packets to send by one call: all are `segment_size` long but the last, which may be
/// shorter.
#[derive(Debug, PartialEq, Eq)]
pub struct Train {
    /// The packets, one behind another.
    pub contents: Vec<u8>,
    /// Size of each packet but the last, bytes; `None` if there is one.
    pub segment_size: Option<usize>,
}

/// Decides which packet may still join a train.
#[derive(Debug, Default)]
pub(crate) struct Coupling {
    segment: usize,
    count: usize,
    bytes: usize,
    closed: bool,
}

impl Coupling {
    /// Whether a packet of `len` bytes may follow; if so it is counted.
    pub(crate) fn join(&mut self, len: usize) -> bool {
        if self.count == 0 {
            self.segment = len;
        } else if self.closed
            || len > self.segment
            || self.count == MAX_SEGMENTS
            || self.bytes + len > MAX_BYTES
        {
            return false;
        }
        self.closed = len < self.segment;
        self.count += 1;
        self.bytes += len;
        true
    }

    /// Packets in the train.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Bytes in the train.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The train of a buffer with the packets written; `None` if there is none.
    pub(crate) fn finish(&self, contents: Vec<u8>) -> Option<Train> {
        (self.count > 0).then_some(Train {
            contents,
            segment_size: (self.count > 1).then_some(self.segment),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_segment_is_shorter() {
        let mut train = Coupling::default();
        assert!(train.join(100) && train.join(100) && train.join(90));
        assert!(!train.join(90) && !train.join(100));
        let mut train = Coupling::default();
        assert!(train.join(90) && !train.join(100));
        assert_eq!(
            train.finish(vec![0; 90]).map(|t| t.segment_size),
            Some(None)
        );
    }

    #[test]
    fn a_train_stays_within_what_one_send_takes() {
        let mut train = Coupling::default();
        let joined = (0..200).filter(|_| train.join(1000)).count();
        assert_eq!(joined, MAX_SEGMENTS);
        let mut train = Coupling::default();
        let joined = (0..200).filter(|_| train.join(1400)).count();
        assert!(joined * 1400 <= MAX_BYTES && joined > 40);
    }
}
