// SPDX-License-Identifier: MPL-2.0
//! How long to wait before the next try.
use std::time::Duration;

/// Doubles from half a second to half a minute, a fifth of it by chance, so that the clients of a server
/// that comes back do not all come at once.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

impl Backoff {
    /// It went well: the next failure is the first again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// What to wait after one more failure; never less than the server asked for.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let step = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let chance = rand::random_range(0.8..=1.0);
        step.mul_f64(chance).max(asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_a_bound_and_starts_again() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.next(None)).collect();
        assert!(waits[0] >= FIRST.mul_f64(0.8) && waits[0] <= FIRST);
        assert!(waits[3] >= Duration::from_secs(3));
        assert!(waits.iter().all(|wait| *wait <= LONGEST));
        assert!(waits[39] >= LONGEST.mul_f64(0.8));
        backoff.reset();
        assert!(backoff.next(None) <= FIRST);
    }

    #[test]
    fn a_server_that_asks_for_longer_gets_it() {
        let asked = Duration::from_secs(120);
        assert_eq!(Backoff::default().next(Some(asked)), asked);
    }
}
