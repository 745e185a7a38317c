// SPDX-License-Identifier: MPL-2.0
//! What a driver counts over all its sessions.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A snapshot of what a driver counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverCounters {
    /// Sessions that live now.
    pub sessions: u64,
    /// Blocks not taken because the io thread could not keep up, and those that depended on them.
    pub blocks_dropped: u64,
    /// Trains of datagrams dropped because a socket could not keep up.
    pub trains_dropped: u64,
    /// Sends the system refused, no route for example.
    pub sends_failed: u64,
    /// Datagrams that were for no session.
    pub datagrams_unrouted: u64,
    /// Sessions ended by a caught panic.
    pub panics: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sessions: AtomicU64,
    pub(crate) blocks_dropped: AtomicU64,
    pub(crate) trains_dropped: AtomicU64,
    pub(crate) sends_failed: AtomicU64,
    pub(crate) datagrams_unrouted: AtomicU64,
    pub(crate) panics: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> DriverCounters {
        DriverCounters {
            sessions: self.sessions.load(Relaxed),
            blocks_dropped: self.blocks_dropped.load(Relaxed),
            trains_dropped: self.trains_dropped.load(Relaxed),
            sends_failed: self.sends_failed.load(Relaxed),
            datagrams_unrouted: self.datagrams_unrouted.load(Relaxed),
            panics: self.panics.load(Relaxed),
        }
    }
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
