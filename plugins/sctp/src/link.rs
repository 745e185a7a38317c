// SPDX-License-Identifier: MPL-2.0
//! An association whose peer is known: its parts, and its timers.
use crate::congestion::Congestion;
use crate::flight::{Flight, GivenUp};
use crate::init::{Abilities, Init};
use crate::queue::Queue;
use crate::reassembly::Reassembly;
use crate::reset::Resets;
use crate::rtt::Rtt;
use crate::tracker::Tracker;
use crate::wire::{ORIGIN, near32};
use crate::{Config, Message};
use std::time::{Duration, Instant};

/// Timers wait no longer than this, so that a path that comes back is noticed soon.
const SLOWEST: Duration = Duration::from_secs(3);
/// Times that a single piece is sent again before everything counts as lost.
const PROBES: u32 = 2;
/// A window that is closed is looked at after this.
const WINDOW_PROBE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) mtu: usize,
    pub(crate) ports: (u16, u16),
    pub(crate) receive_buffer: usize,
    pub(crate) receive_limit: usize,
    /// The peer's verification tag.
    pub(crate) tag: u32,
    pub(crate) streams_out: u16,
    /// What both know.
    pub(crate) abilities: Abilities,
    /// The peer is of this very implementation.
    pub(crate) of_ours: bool,
    pub(crate) queue: Queue,
    pub(crate) flight: Flight,
    pub(crate) tracker: Tracker,
    pub(crate) reassembly: Reassembly,
    pub(crate) resets: Resets,
    pub(crate) rtt: Rtt,
    pub(crate) congestion: Congestion,
    pub(crate) peer_window: usize,
    /// The window we told last.
    pub(crate) told_window: usize,
    /// Packets with data are numbered.
    pub(crate) packets: u64,
    pub(crate) repeated: u64,
    /// A packet may go out whatever the window.
    pub(crate) extra: bool,
    /// The peer is to be told what it need not wait for.
    pub(crate) forward_due: bool,
    /// Since when nothing was heard of what is under way, and how often it was asked.
    pub(crate) silent_from: Option<Instant>,
    silent: u32,
    /// The peer's window is closed until it is tried then.
    window_probe: Option<Instant>,
    window_probes: u32,
}

impl Link {
    pub(crate) fn new(config: &Config, our_tsn: u32, peer: &Init) -> Self {
        // We know everything, so what the peer knows is what both do.
        let abilities = peer.abilities;
        let mut queue = Queue::new();
        queue.set_interleaved(abilities.interleaving);
        Self {
            mtu: config.mtu & !3,
            ports: (config.local_port, config.remote_port),
            receive_buffer: config.receive_buffer,
            receive_limit: config.receive_limit,
            tag: peer.tag,
            streams_out: peer.streams_in,
            abilities,
            of_ours: false,
            queue,
            flight: Flight::new(near32(ORIGIN, our_tsn), abilities.interleaving),
            tracker: Tracker::new(near32(ORIGIN, peer.tsn)),
            reassembly: Reassembly::new(abilities.interleaving),
            resets: Resets::new(our_tsn, peer.tsn),
            rtt: Rtt::new(),
            congestion: Congestion::new(config.mtu),
            peer_window: peer.window as usize,
            told_window: config.receive_buffer,
            packets: 0,
            repeated: 0,
            extra: false,
            forward_due: false,
            silent_from: None,
            silent: 0,
            window_probe: None,
            window_probes: 0,
        }
    }

    /// Bytes the peer may send: whole messages that wait count in full, what is in pieces only against the
    /// limit, for the peer can't complete it without a window.
    pub(crate) fn window(&self) -> usize {
        let waiting = self.reassembly.waiting();
        let by_reader = self.receive_buffer.saturating_sub(waiting);
        by_reader.min(self.receive_limit.saturating_sub(self.reassembly.cost()))
    }

    /// Whether another piece can be held.
    pub(crate) fn has_room(&self) -> bool {
        let waiting = self.reassembly.waiting();
        // A little more than was told: the peer probes a window that is closed.
        waiting < self.receive_buffer + self.receive_buffer / 8
            && self.reassembly.cost() < self.receive_limit
    }

    pub(crate) fn poll_message(&mut self) -> Option<Message> {
        let message = self.reassembly.poll()?;
        let low = self.told_window < self.receive_buffer / 2;
        if low && self.window() >= self.told_window + self.receive_buffer / 4 {
            self.tracker.hurry();
        }
        Some(message)
    }

    pub(crate) fn give_up(&mut self, messages: &[GivenUp]) {
        for (stream, message) in messages {
            self.queue.give_up(*stream, *message);
        }
        self.forward_due |= !messages.is_empty();
    }

    pub(crate) fn path_changed(&mut self) {
        self.congestion = Congestion::new(self.mtu);
        self.rtt = Rtt::new();
        self.silent = 0;
    }

    /// Something of what was sent arrived.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.silent = 0;
        self.silent_from = Some(now);
    }

    fn silence_deadline(&self) -> Option<Instant> {
        let from = self.silent_from.filter(|_| !self.flight.is_empty())?;
        Some(from + (self.rtt.patience() * (1 << self.silent.min(5))).min(SLOWEST))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let flying = self.flight.loss_time();
        [
            self.tracker.deadline(),
            flying,
            self.silence_deadline(),
            self.resets.deadline(),
            self.window_probe,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.flight.loss_time().is_some_and(|at| at <= now) {
            self.find_lost(now);
        }
        if self.silence_deadline().is_some_and(|at| at <= now) {
            self.break_silence(now);
        }
        if self.window_probe.is_some_and(|at| at <= now) {
            self.window_probe = None;
            self.window_probes += 1;
            self.extra = true;
        }
    }

    pub(crate) fn find_lost(&mut self, now: Instant) {
        let (lost, given_up) = self.flight.find_lost(self.rtt.reordering(), now);
        if lost > 0.0 {
            self.congestion
                .lost(lost, self.packets + 1, self.rtt.least());
        }
        self.give_up(&given_up);
    }

    fn break_silence(&mut self, now: Instant) {
        self.silent += 1;
        self.silent_from = Some(now);
        self.extra = true;
        self.forward_due |= self.flight.waits_for_forward();
        let given_up = if self.silent <= PROBES {
            self.flight.lose_first(now)
        } else {
            // A reader that does not read is no congestion.
            if self.peer_window >= self.mtu {
                self.congestion.silence(self.packets + 1, self.rtt.least());
            }
            self.flight.lose_all(now)
        };
        self.give_up(&given_up);
    }

    /// Whether the peer's window has room for so many bytes; if not, it is tried now and then.
    pub(crate) fn window_has(&mut self, bytes: usize, now: Instant) -> bool {
        let left = self.peer_window.saturating_sub(self.flight.payload_bytes());
        if left >= bytes {
            self.window_probe = None;
            self.window_probes = 0;
            return true;
        }
        if self.flight.is_empty() && self.window_probe.is_none() && !self.extra {
            let wait = WINDOW_PROBE * (1 << self.window_probes.min(4));
            self.window_probe = Some(now + wait.min(SLOWEST));
        }
        self.flight.is_empty() && self.extra
    }
}
