// SPDX-License-Identifier: MPL-2.0
//! The next packet: acknowledgement, what was given up, resets, what was lost, what is new.
use crate::data;
use crate::link::Link;
use crate::wire::{Packet, kind};
use std::time::Instant;

/// A message is not cut for the rest of a packet that is smaller than this, bytes.
const LEAST_PIECE: usize = 256;
/// Streams named in one FORWARD-TSN.
const MAX_SKIPPED: usize = 100;

impl Link {
    /// `None`: nothing is to be sent now.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        let (local, remote) = self.ports;
        let mut packet = Packet::new(local, remote, self.tag, self.mtu);
        let data = self.may_send() && (self.flight.has_lost() || self.queue.has_next());
        if self.tracker.is_due(now) || (self.tracker.is_pending() && data) {
            self.put_acknowledgement(&mut packet);
        }
        self.put_resets(&mut packet, now);
        self.put_forward(&mut packet, now);
        self.put_data(&mut packet, now);
        if packet.is_empty() {
            return None;
        }
        Some(packet.finish(!self.abilities.zero_checksum))
    }

    /// A packet that acknowledges and no more.
    pub(crate) fn acknowledgement(&mut self) -> Vec<u8> {
        let (local, remote) = self.ports;
        let mut packet = Packet::new(local, remote, self.tag, 64);
        self.put_acknowledgement(&mut packet);
        packet.finish(!self.abilities.zero_checksum)
    }

    fn put_acknowledgement(&mut self, packet: &mut Packet) {
        let window = self.window();
        self.told_window = window;
        let window = u32::try_from(window).unwrap_or(u32::MAX);
        self.tracker.put(packet, window);
    }

    fn may_send(&self) -> bool {
        self.extra || self.flight.bytes() < self.congestion.window()
    }

    fn put_resets(&mut self, packet: &mut Packet, now: Instant) {
        let queue = &self.queue;
        let last = self.flight.next_tsn().wrapping_sub(1) as u32;
        let silent = |stream: u16| queue.buffered_on(stream) == 0;
        let begun = self.resets.begin(silent, last, now);
        self.queue.pause(&begun);
        if self.resets.is_due(now) {
            self.resets.put(packet, self.rtt.patience(), now);
        }
    }

    /// RFC 3758 §3.2, RFC 8260 §2.3.1.
    fn put_forward(&mut self, packet: &mut Packet, now: Instant) {
        if !std::mem::take(&mut self.forward_due) || !self.abilities.partial_reliability {
            return;
        }
        let Some((last, skipped)) = self.flight.forward(MAX_SKIPPED) else {
            return;
        };
        self.silent_from.get_or_insert(now);
        let interleaved = self.abilities.interleaving;
        let kind = match interleaved {
            true => kind::I_FORWARD_TSN,
            false => kind::FORWARD_TSN,
        };
        packet.chunk(kind, 0, |body| {
            body.extend_from_slice(&(last as u32).to_be_bytes());
            for piece in &skipped {
                body.extend_from_slice(&piece.stream.to_be_bytes());
                if interleaved {
                    body.extend_from_slice(&u16::from(piece.unordered).to_be_bytes());
                    body.extend_from_slice(&piece.mid.to_be_bytes());
                } else {
                    body.extend_from_slice(&(piece.mid as u16).to_be_bytes());
                }
            }
        });
    }

    fn put_data(&mut self, packet: &mut Packet, now: Instant) {
        let (before, number) = (packet.len(), self.packets + 1);
        let mut repeats = false;
        while self.may_send() {
            let room = self.mtu.saturating_sub(packet.len());
            if self.flight.has_lost() {
                let Some((tsn, piece, payload)) = self.flight.repeat(room, number, now) else {
                    break;
                };
                repeats = true;
                self.put_piece(packet, tsn, &piece, &payload);
            } else if !self.put_next(packet, room, number, now) {
                break;
            }
        }
        if packet.len() == before {
            return;
        }
        self.extra = false;
        self.packets = number;
        self.repeated += u64::from(repeats);
        if !self.may_send() || !(self.flight.has_lost() || self.queue.has_next()) {
            // Nothing follows that would make the peer acknowledge it (RFC 7053).
            packet.flag_last(data::IMMEDIATE);
        }
        // Each packet is a word that can be answered.
        self.silent_from = Some(now);
    }

    /// Writes a piece that was not sent before.
    fn put_next(&mut self, packet: &mut Packet, room: usize, number: u64, now: Instant) -> bool {
        let header = data::header_size(self.abilities.interleaving);
        let Some(fit) = room.checked_sub(header).filter(|fit| *fit > 0) else {
            return false;
        };
        let Some(size) = self.queue.next_size(now) else {
            return false;
        };
        let cut = size > fit;
        if (cut && fit < LEAST_PIECE) || !self.window_has(size.min(fit), now) {
            return false;
        }
        let Some(mut next) = self.queue.next(fit & !3, now) else {
            return false;
        };
        if !self.abilities.partial_reliability {
            next.options.max_retransmits = None;
            next.options.expires = None;
        }
        let (piece, payload) = (next.piece, next.payload.clone());
        let tsn = self.flight.push(next, number, now);
        self.put_piece(packet, tsn, &piece, &payload);
        true
    }

    fn put_piece(&self, packet: &mut Packet, tsn: u64, piece: &data::Piece, payload: &[u8]) {
        let interleaved = self.abilities.interleaving;
        data::put(packet, interleaved, tsn as u32, piece, payload);
    }
}
