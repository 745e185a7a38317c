// SPDX-License-Identifier: MPL-2.0
//! What becomes of a session whose path failed: time for a restart of ICE, one of our own, then its end.
use crate::IceConnectionState;
use std::time::{Duration, Instant};

/// From `failed` to the end, unless a restart finds another path. With the 30 s of consent a peer that
/// vanished without a word is gone within a minute.
const GRACE: Duration = Duration::from_secs(30);
/// The same for a peer that never was reached, for which 39.5 s were spent already (RFC 8863).
const GRACE_OF_STRANGERS: Duration = Duration::from_secs(3);

/// From the first failure until there is a path again.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    ends_at: Option<Instant>,
    restarts: bool,
}

impl Outage {
    /// ICE came into a state; `known`: there was a path once. Whether a restart shall be tried now: once
    /// an outage, further ones are the application's.
    pub(crate) fn on_ice(&mut self, state: IceConnectionState, known: bool, now: Instant) -> bool {
        match state {
            IceConnectionState::Connected | IceConnectionState::Completed => {
                *self = Self::default();
                false
            }
            IceConnectionState::Failed => {
                let grace = if known { GRACE } else { GRACE_OF_STRANGERS };
                self.ends_at.get_or_insert(now + grace);
                known && !std::mem::replace(&mut self.restarts, true)
            }
            _ => false,
        }
    }

    /// The peer took part in a restart: it is there, and may be reached yet.
    pub(crate) fn on_restart(&mut self, now: Instant) {
        if let Some(end) = &mut self.ends_at {
            *end = now + GRACE;
        }
    }

    /// When the session ends.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        self.ends_at
    }

    /// Whether the session has to end.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }
}
