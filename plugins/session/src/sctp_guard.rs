// SPDX-License-Identifier: MPL-2.0
//! Keeps a peer from making SCTP hold much memory for few bytes.
//!
//! `dcsctp` bounds the bytes of messages that are not complete or wait for earlier ones, not what it spends
//! on each chunk: some 200 bytes, be it one of a single byte. So small chunks are counted here, until their
//! messages come out or our own acknowledgements tell that fewer bytes are held than that.

/// Small chunks that may be held; with what each costs, about as much as the receive buffer.
const MAX_SMALL: usize = 32_768;
/// Chunks with fewer bytes than this are small.
const SMALL: usize = 128;
const COMMON_HEADER: usize = 12;
const CHUNK_HEADER: usize = 4;
const DATA: u8 = 0;
const DATA_HEADER: usize = 16;
const SACK: u8 = 3;
const I_DATA: u8 = 64;
const I_DATA_HEADER: usize = 20;

#[derive(Debug)]
pub(crate) struct Guard {
    small: usize,
    /// The window we announce when nothing is held, bytes.
    whole_window: u32,
}

impl Guard {
    pub(crate) fn new(whole_window: u32) -> Self {
        let small = 0;
        Self {
            small,
            whole_window,
        }
    }

    /// Counts the chunks of a packet that came; `false`: it must not be taken.
    pub(crate) fn admits(&mut self, packet: &[u8]) -> bool {
        let small = chunks(packet).filter(|chunk| {
            let header = match chunk[0] {
                DATA => DATA_HEADER,
                I_DATA => I_DATA_HEADER,
                _ => return false,
            };
            chunk.len() < header + SMALL
        });
        let all = self.small + small.count();
        if all > MAX_SMALL {
            return false;
        }
        self.small = all;
        true
    }

    /// Looks at a packet of ours: the window it announces tells what is held.
    pub(crate) fn sent(&mut self, packet: &[u8]) {
        for chunk in chunks(packet).filter(|chunk| chunk[0] == SACK) {
            if let Some(window) = chunk.get(8..12) {
                let window = window.iter().fold(0, |n, byte| n << 8 | u32::from(*byte));
                // Each chunk that is held has a byte at least.
                let held = self.whole_window.saturating_sub(window) as usize;
                self.small = self.small.min(held);
            }
        }
    }

    /// A message came out.
    pub(crate) fn came_out(&mut self, size: usize) {
        if size < SMALL {
            self.small = self.small.saturating_sub(1);
        }
    }
}

/// The chunks of a packet with their headers (RFC 9260 §3), as far as it is well-formed.
fn chunks(packet: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = packet.get(COMMON_HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let header = rest.get(..CHUNK_HEADER)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let chunk = rest.get(..length).filter(|_| length >= CHUNK_HEADER)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(chunks: &[(u8, usize)]) -> Vec<u8> {
        let mut packet = vec![0; COMMON_HEADER];
        for (kind, length) in chunks {
            packet.extend_from_slice(&[*kind, 0, (length >> 8) as u8, *length as u8]);
            packet.resize(packet.len() + length.next_multiple_of(4) - CHUNK_HEADER, 0);
        }
        packet
    }

    fn acknowledgement(window: u32) -> Vec<u8> {
        let mut packet = packet(&[(SACK, 16)]);
        packet[20..24].copy_from_slice(&window.to_be_bytes());
        packet
    }

    #[test]
    fn small_chunks_are_admitted_up_to_the_bound() {
        let mut guard = Guard::new(1000);
        let small = packet(&[(DATA, 17), (I_DATA, 21), (SACK, 16)]);
        for _ in 0..MAX_SMALL / 2 {
            assert!(guard.admits(&small));
        }
        assert!(!guard.admits(&small));
        assert!(guard.admits(&packet(&[(DATA, 1100)])));
        guard.sent(&acknowledgement(1000 - MAX_SMALL as u32 % 1000));
        assert_eq!(guard.small, MAX_SMALL % 1000);
        guard.sent(&acknowledgement(1000));
        assert_eq!(guard.small, 0);
        assert!(guard.admits(&small));
    }

    #[test]
    fn messages_that_come_out_make_room() {
        let mut guard = Guard::new(1000);
        for _ in 0..MAX_SMALL * 3 {
            assert!(guard.admits(&packet(&[(DATA, 30)])));
            guard.came_out(14);
        }
    }

    #[test]
    fn malformed_packets_are_walked_to_where_they_break() {
        let whole = packet(&[(DATA, 19), (DATA, 17), (I_DATA, 1000)]);
        for end in 0..whole.len() {
            assert!(chunks(&whole[..end]).count() <= 2, "{end}");
        }
        assert_eq!(chunks(&whole).count(), 3);
        assert_eq!(chunks(&packet(&[(DATA, 4)])).count(), 1);
        let mut short = packet(&[(DATA, 8), (DATA, 8)]);
        short[COMMON_HEADER + 3] = 3;
        assert_eq!(chunks(&short).count(), 0);
    }
}
