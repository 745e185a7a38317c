// SPDX-License-Identifier: MPL-2.0
//! What becomes of a session whose path failed: restarts of ICE for some time, then its end.
use crate::IceConnectionState;
use std::time::{Duration, Instant};

/// From `failed` to the end, unless a restart finds another path. With the 30 s of consent a peer that
/// vanished without a word is gone within a minute.
const GRACE: Duration = Duration::from_secs(30);
/// Between two restarts of our own: a peer that gave up one of them (Firefox does within seconds) takes
/// part in the next.
const RETRY: Duration = Duration::from_secs(8);
/// As [`GRACE`] for a peer that never was reached, for which 39.5 s were spent already (RFC 8863), and for
/// one that signalling does not reach: a viewer by HTTP that vanished is gone within 35 s.
const SHORT_GRACE: Duration = Duration::from_secs(3);

/// From the first failure until there is a path again.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    ends_at: Option<Instant>,
    tries_at: Option<Instant>,
    /// The restart under way is our own.
    by_itself: bool,
}

impl Outage {
    /// ICE came into a state; `waits`: there was a path once, and a restart may come.
    pub(crate) fn on_ice(&mut self, state: IceConnectionState, waits: bool, now: Instant) {
        match state {
            IceConnectionState::Connected | IceConnectionState::Completed => {
                *self = Self::default();
            }
            IceConnectionState::Failed => {
                let grace = if waits { GRACE } else { SHORT_GRACE };
                self.ends_at.get_or_insert(now + grace);
                if waits {
                    self.tries_at.get_or_insert(now);
                }
            }
            _ => {}
        }
    }

    /// Whether ICE shall be restarted now.
    pub(crate) fn tries(&mut self, now: Instant) -> bool {
        let due = self.tries_at.is_some_and(|at| at <= now);
        if due {
            self.tries_at = Some(now + RETRY);
            self.by_itself = true;
        }
        due
    }

    /// ICE was restarted. If somebody else wanted that, there is a reason to wait on.
    pub(crate) fn on_restart(&mut self, now: Instant) {
        if let Some(end) = &mut self.ends_at
            && !std::mem::take(&mut self.by_itself)
        {
            *end = now + GRACE;
        }
    }

    /// When something is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.ends_at.into_iter().chain(self.tries_at).min()
    }

    /// Whether the session has to end.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }
}
