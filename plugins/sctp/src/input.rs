// SPDX-License-Identifier: MPL-2.0
//! What the peer sends of messages: pieces, acknowledgements, what it gives up, resets.
use crate::Event;
use crate::congestion::Acknowledged;
use crate::data::Incoming;
use crate::link::Link;
use crate::reset::Outcome;
use crate::tracker::Arrival;
use crate::wire::{Chunk, kind, near32, u16_at, u32_at};
use std::time::Instant;

type Breach = &'static str;

impl Link {
    /// Takes a piece: whether it was one, and whether it is to be acknowledged at once.
    pub(crate) fn handle_data(&mut self, chunk: &Chunk<'_>) -> Result<(bool, bool), Breach> {
        if (chunk.kind == kind::I_DATA) != self.abilities.interleaving {
            return Err("the peer mixes DATA and I-DATA");
        }
        let Some(data) = Incoming::parse(chunk) else {
            return Err("the peer sent a piece of a message without content");
        };
        let tsn = self.tracker.unwrap(data.tsn);
        match self.tracker.look(tsn) {
            Arrival::New if self.has_room() => {
                self.tracker.note(tsn);
                self.reassembly.add(tsn, &data.piece, data.payload);
            }
            Arrival::Duplicate => self.tracker.note_duplicate(data.tsn),
            // It will be sent again.
            Arrival::New | Arrival::Refused => self.tracker.hurry(),
        }
        Ok((true, data.immediate))
    }

    pub(crate) fn handle_sack(&mut self, body: &[u8], now: Instant) {
        let fields = (u32_at(body, 0), u32_at(body, 4), u16_at(body, 8));
        let (Some(cumulative), Some(window), Some(count)) = fields else {
            return;
        };
        let runs = body.get(12..).unwrap_or_default().chunks_exact(4);
        let runs = runs
            .take(count.into())
            .filter_map(|run| Some([u16_at(run, 0)?, u16_at(run, 2)?]));
        let busy = self.flight.bytes() + self.mtu >= self.congestion.window();
        let least = self.rtt.least();
        let Some(progress) = self.flight.acknowledge(cumulative, runs, least, now) else {
            return;
        };
        self.peer_window = window as usize;
        if let Some(rtt) = progress.rtt {
            self.rtt.sample(rtt, now);
        }
        if progress.bytes > 0 || progress.advanced {
            self.heard(now);
            let ack = Acknowledged {
                bytes: progress.bytes,
                packets: progress.packets,
                rtt: progress.rtt,
                newest: self.flight.newest(),
                next: self.packets + 1,
                busy,
            };
            self.congestion.acknowledged(&ack, self.rtt.least(), now);
        }
        self.find_lost(now);
        // The word on what was given up may be lost, too; silence repeats it.
        self.forward_due |= self.flight.can_forward();
    }

    /// RFC 3758 §3.6, RFC 8260 §2.3.2.
    pub(crate) fn handle_forward(&mut self, chunk: &Chunk<'_>) -> Result<(), Breach> {
        let interleaved = chunk.kind == kind::I_FORWARD_TSN;
        if interleaved != self.abilities.interleaving {
            return Err("the peer mixes DATA and I-DATA");
        }
        let Some(cumulative) = u32_at(chunk.body, 0) else {
            return Ok(());
        };
        let cumulative = near32(self.tracker.cumulative(), cumulative);
        if cumulative <= self.tracker.cumulative() {
            self.tracker.hurry();
            return Ok(());
        }
        self.tracker.forward(cumulative);
        self.reassembly.forward(cumulative);
        let rest = chunk.body.get(4..).unwrap_or_default();
        if interleaved {
            for entry in rest.chunks_exact(8) {
                let fields = (u16_at(entry, 0), u16_at(entry, 2), u32_at(entry, 4));
                if let (Some(stream), Some(flags), Some(mid)) = fields {
                    self.reassembly.skip(stream, flags & 1 != 0, mid);
                }
            }
        } else {
            for entry in rest.chunks_exact(4) {
                if let (Some(stream), Some(ssn)) = (u16_at(entry, 0), u16_at(entry, 2)) {
                    self.reassembly.skip(stream, false, ssn.into());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn handle_reconfig(&mut self, body: &[u8], now: Instant) -> Vec<Event> {
        let cumulative = self.tracker.cumulative();
        let reaches = |tsn: u32| near32(cumulative, tsn) <= cumulative;
        let patience = self.rtt.patience();
        let outcomes = self.resets.handle(body, reaches, patience, now);
        let mut events = Vec::new();
        for outcome in outcomes {
            events.push(match outcome {
                Outcome::Done(streams) => {
                    self.queue.resume(&streams, true);
                    Event::Reset(streams)
                }
                Outcome::Refused(streams) => {
                    self.queue.resume(&streams, false);
                    Event::ResetFailed(streams)
                }
                Outcome::ByPeer(streams) => {
                    self.reassembly.reset(&streams);
                    Event::PeerReset(streams)
                }
            });
        }
        events
    }
}
