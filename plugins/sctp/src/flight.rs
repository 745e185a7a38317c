// SPDX-License-Identifier: MPL-2.0
//! Pieces under way: acknowledged, lost, repeated or given up (RFC 9260 §6.2.1, RFC 3758 §3.5).
//!
//! Every packet has a number, new for what is repeated too, and a piece is lost if packets sent later than
//! its own have arrived (RFC 9002 §6.1). So a repetition that is lost is noticed as soon as the first loss
//! was, where RFC 9260 waits for a timer.
use crate::data::{self, Piece};
use crate::queue::Next;
use crate::wire::near32;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Packets sent later that have arrived make a packet lost.
const REORDERING: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Flying,
    /// To be sent again.
    Lost,
    Acknowledged,
    GivenUp,
}

#[derive(Debug)]
struct Sent {
    piece: Piece,
    payload: Bytes,
    message: u64,
    max_retransmits: Option<u16>,
    expires: Option<Instant>,
    state: State,
    /// The number of the packet it was sent in last, and when.
    packet: u64,
    at: Instant,
    repeated: u16,
}

/// What an acknowledgement changed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) bytes: usize,
    pub(crate) packets: f64,
    pub(crate) rtt: Option<Duration>,
    /// The packet counted last.
    packet: Option<u64>,
    /// The first TSN not acknowledged yet has changed.
    pub(crate) advanced: bool,
}

/// A message some piece of which was given up, whose other pieces need not be sent either.
pub(crate) type GivenUp = (u16, u64);

#[derive(Debug)]
pub(crate) struct Flight {
    interleaved: bool,
    /// TSN of the first piece.
    first: u64,
    sent: VecDeque<Sent>,
    lost: BTreeSet<u64>,
    /// Bytes that fly, with headers; and of payload alone.
    flying: usize,
    flying_payload: usize,
    /// The number of the newest packet known to have arrived.
    newest: u64,
    /// The next look at packets that may be lost.
    loss_time: Option<Instant>,
    /// Up to here everything has arrived or was given up.
    forward: u64,
}

impl Flight {
    pub(crate) fn new(initial: u64, interleaved: bool) -> Self {
        Self {
            interleaved,
            first: initial,
            sent: VecDeque::new(),
            lost: BTreeSet::new(),
            flying: 0,
            flying_payload: 0,
            newest: 0,
            loss_time: None,
            forward: initial - 1,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Bytes under way, headers included.
    pub(crate) fn bytes(&self) -> usize {
        self.flying
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        self.flying_payload
    }

    pub(crate) fn next_tsn(&self) -> u64 {
        self.first + self.sent.len() as u64
    }

    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    pub(crate) fn loss_time(&self) -> Option<Instant> {
        self.loss_time
    }

    fn size(&self, payload: usize) -> usize {
        (data::header_size(self.interleaved) + payload).next_multiple_of(4)
    }

    /// Notes a piece that is sent for the first time; its TSN.
    pub(crate) fn push(&mut self, next: Next, packet: u64, now: Instant) -> u64 {
        let tsn = self.next_tsn();
        self.flying += self.size(next.payload.len());
        self.flying_payload += next.payload.len();
        self.sent.push_back(Sent {
            piece: next.piece,
            payload: next.payload,
            message: next.message,
            max_retransmits: next.options.max_retransmits,
            expires: next.options.expires,
            state: State::Flying,
            packet,
            at: now,
            repeated: 0,
        });
        tsn
    }

    /// The first lost piece to be sent again, if it fits; those that may not be repeated are given up.
    pub(crate) fn repeat(
        &mut self,
        room: usize,
        packet: u64,
        now: Instant,
    ) -> Option<(u64, Piece, Bytes)> {
        let tsn = *self.lost.first()?;
        let at = usize::try_from(tsn - self.first).ok()?;
        let size = self.size(self.sent.get(at)?.payload.len());
        if size > room {
            return None;
        }
        self.lost.remove(&tsn);
        let sent = self.sent.get_mut(at)?;
        sent.state = State::Flying;
        sent.packet = packet;
        sent.at = now;
        sent.repeated = sent.repeated.saturating_add(1);
        self.flying += size;
        self.flying_payload += sent.payload.len();
        Some((tsn, sent.piece, sent.payload.clone()))
    }

    /// Takes an acknowledgement; `None` if it is older than what is known, or of what was never sent.
    pub(crate) fn acknowledge(
        &mut self,
        cumulative: u32,
        runs: impl Iterator<Item = [u16; 2]>,
        least: Option<Duration>,
        now: Instant,
    ) -> Option<Progress> {
        let cumulative = near32(self.first - 1, cumulative);
        if cumulative + 1 < self.first || cumulative >= self.next_tsn() {
            return None;
        }
        let mut progress = Progress::default();
        while self.first <= cumulative {
            self.arrived(0, least, now, &mut progress);
            self.sent.pop_front();
            self.first += 1;
            progress.advanced = true;
        }
        // Runs that do not ascend are passed over, so that no piece is looked at twice.
        let mut from = self.first;
        for [first, last] in runs {
            let (first, last) = (cumulative + u64::from(first), cumulative + u64::from(last));
            if first < from || last < first || last >= self.next_tsn() {
                continue;
            }
            for tsn in first..=last {
                self.arrived((tsn - self.first) as usize, least, now, &mut progress);
            }
            from = last + 1;
        }
        self.forward = self.forward.max(cumulative);
        Some(progress)
    }

    fn arrived(
        &mut self,
        at: usize,
        least: Option<Duration>,
        now: Instant,
        progress: &mut Progress,
    ) {
        let Some(sent) = self.sent.get_mut(at) else {
            return;
        };
        let before = std::mem::replace(&mut sent.state, State::Acknowledged);
        if before == State::Acknowledged {
            return;
        }
        let ago = now.saturating_duration_since(sent.at);
        // Of a repetition it is not known which one arrived, unless that was too soon for the last.
        let is_last = sent.repeated == 0 || least.is_some_and(|least| ago >= least);
        if is_last && before != State::GivenUp {
            self.newest = self.newest.max(sent.packet);
            if sent.repeated == 0 {
                progress.rtt = Some(progress.rtt.map_or(ago, |rtt| rtt.min(ago)));
            }
        }
        // The payload is kept until everything before has arrived: a peer may drop it until then.
        let (packet, length) = (sent.packet, sent.payload.len());
        let size = self.size(length);
        match before {
            State::Flying => {
                self.flying -= size;
                self.flying_payload -= length;
            }
            State::Lost => drop(self.lost.remove(&(self.first + at as u64))),
            State::GivenUp | State::Acknowledged => return,
        }
        progress.bytes += size;
        if progress.packet.replace(packet) != Some(packet) {
            progress.packets += 1.0;
        }
    }

    /// Finds pieces that are lost; those that may not be repeated are given up with their messages.
    pub(crate) fn find_lost(&mut self, reordering: Duration, now: Instant) -> (f64, Vec<GivenUp>) {
        self.loss_time = None;
        let mut found = Vec::new();
        for (at, sent) in self.sent.iter().enumerate() {
            if sent.state != State::Flying || sent.packet >= self.newest {
                // Beyond the newest everything is newer, but for repetitions, which stand before it.
                if sent.repeated == 0 && sent.packet >= self.newest {
                    break;
                }
                continue;
            }
            let due = sent.at + reordering;
            if sent.packet + REORDERING <= self.newest || due <= now {
                found.push(at);
            } else {
                self.loss_time = Some(self.loss_time.map_or(due, |other| other.min(due)));
            }
        }
        self.lose(&found, now)
    }

    /// The first piece that flies counts as lost, to ask for an acknowledgement by sending it again.
    pub(crate) fn lose_first(&mut self, now: Instant) -> Vec<GivenUp> {
        let first = self.sent.iter().position(|s| s.state == State::Flying);
        self.lose(first.as_slice(), now).1
    }

    /// Everything counts as lost, what was acknowledged out of order too: a peer may have dropped it
    /// (RFC 9260 §6.2).
    pub(crate) fn lose_all(&mut self, now: Instant) -> Vec<GivenUp> {
        let all: Vec<usize> = (0..self.sent.len()).collect();
        self.lose(&all, now).1
    }

    /// How many packets' worth was lost, and what is given up for it.
    fn lose(&mut self, found: &[usize], now: Instant) -> (f64, Vec<GivenUp>) {
        let mut given_up = Vec::new();
        let (mut packets, mut last) = (0.0, None);
        for at in found {
            let Some(sent) = self.sent.get_mut(*at) else {
                continue;
            };
            if last.replace(sent.packet) != Some(sent.packet) {
                packets += 1.0;
            }
            if !matches!(sent.state, State::Flying | State::Acknowledged) {
                continue;
            }
            let expired = sent.expires.is_some_and(|expires| expires <= now);
            let spent = sent
                .max_retransmits
                .is_some_and(|most| sent.repeated >= most);
            if expired || spent {
                let message = (sent.piece.stream, sent.message);
                given_up.push(message);
                self.give_up(message);
                continue;
            }
            let before = std::mem::replace(&mut sent.state, State::Lost);
            let length = sent.payload.len();
            if before == State::Flying {
                self.flying -= self.size(length);
                self.flying_payload -= length;
            }
            self.lost.insert(self.first + *at as u64);
        }
        (packets, given_up)
    }

    fn give_up(&mut self, message: GivenUp) {
        for at in 0..self.sent.len() {
            let sent = &mut self.sent[at];
            if (sent.piece.stream, sent.message) != message {
                continue;
            }
            let before = sent.state;
            if matches!(before, State::Acknowledged | State::GivenUp) {
                continue;
            }
            sent.state = State::GivenUp;
            let length = std::mem::take(&mut sent.payload).len();
            if before == State::Flying {
                self.flying -= self.size(length);
                self.flying_payload -= length;
            } else {
                self.lost.remove(&(self.first + at as u64));
            }
        }
    }

    /// What the peer is to be told to wait for no longer: the last TSN of it, and the newest message of
    /// each stream, up to a number of them.
    pub(crate) fn forward(&mut self, most: usize) -> Option<(u64, Vec<Piece>)> {
        let mut skipped: BTreeMap<(u16, bool), Piece> = BTreeMap::new();
        let (mut last, mut any) = (self.first - 1, false);
        for sent in &self.sent {
            match sent.state {
                State::Acknowledged => {}
                State::GivenUp => {
                    any = true;
                    let key = (sent.piece.stream, sent.piece.unordered);
                    let told = self.interleaved || !sent.piece.unordered;
                    if told && skipped.len() == most && !skipped.contains_key(&key) {
                        break;
                    }
                    if told {
                        skipped.insert(key, sent.piece);
                    }
                }
                State::Flying | State::Lost => break,
            }
            last += 1;
        }
        if !any {
            return None;
        }
        self.forward = last;
        Some((last, skipped.into_values().collect()))
    }

    /// Whether more can be passed over than the peer was told.
    pub(crate) fn can_forward(&self) -> bool {
        let first = self.sent.front().map(|sent| sent.state);
        if first != Some(State::GivenUp) {
            return false;
        }
        let told = self.forward.saturating_sub(self.first - 1) as usize;
        let mut untold = self.sent.iter().skip(told).map(|sent| sent.state);
        untold.find(|state| *state != State::Acknowledged) == Some(State::GivenUp)
    }

    /// Whether the first piece was given up and the peer has not confirmed that it knows.
    pub(crate) fn waits_for_forward(&self) -> bool {
        let first = self.sent.front().map(|sent| sent.state);
        first == Some(State::GivenUp)
    }
}

#[cfg(test)]
#[path = "flight_test.rs"]
mod flight_test;
