// SPDX-License-Identifier: MPL-2.0
//! Which of an input's encodings a viewer shall get: down at once, up after a while and step by step.
//!
//! What is not sent is not measured: an estimate far above what a small layer makes is a guess, and each
//! step up makes a better one of it.
use crate::Ladder;
use std::time::{Duration, Instant};

/// A larger layer must be paid for by so much more than it costs, in hundredths.
const HEADROOM: u64 = 120;
/// For so long, before it is taken.
const PATIENCE: Duration = Duration::from_secs(2);
/// After steps up that did not last it is longer, up to this.
const MAX_PATIENCE: Duration = Duration::from_secs(60);
/// A step up that lasted so long was a good one.
const PROVEN: Duration = Duration::from_secs(30);

/// The choice for one stream of one viewer.
#[derive(Debug)]
pub(crate) struct Choice {
    wanted: Option<u8>,
    /// Since when a larger layer could be had.
    room_since: Option<Instant>,
    patience: Duration,
    went_up: Option<Instant>,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            wanted: None,
            room_since: None,
            patience: PATIENCE,
            went_up: None,
        }
    }
}

impl Choice {
    /// The layer to have, with a share of so many bit/s.
    pub(crate) fn step(&mut self, share: u64, ladder: &Ladder, now: Instant) -> u8 {
        let affordable = ladder.affordable(share);
        let Some(wanted) = self.wanted else {
            return *self.wanted.insert(affordable);
        };
        let lasted = self.went_up.map(|at| now.saturating_duration_since(at));
        if affordable > wanted || ladder.cost(wanted).is_none() {
            if lasted.is_some_and(|lasted| lasted < PROVEN) {
                self.patience = (self.patience * 2).min(MAX_PATIENCE);
            }
            self.went_up = None;
            self.room_since = None;
            return *self.wanted.insert(affordable);
        }
        if lasted.is_some_and(|lasted| lasted >= PROVEN) {
            self.patience = PATIENCE;
        }
        if ladder.affordable(share * 100 / HEADROOM) >= wanted {
            self.room_since = None;
            return wanted;
        }
        let since = *self.room_since.get_or_insert(now);
        if now.saturating_duration_since(since) < self.patience {
            return wanted;
        }
        self.room_since = None;
        self.went_up = Some(now);
        *self.wanted.insert(wanted - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder() -> Ladder {
        let ladder = Ladder::default();
        ladder.set_floors(&[600_000, 150_000, 30_000]);
        ladder
    }

    /// The layers of a walk over (seconds, share), stepped ten times a second, each noted once.
    fn walk(choice: &mut Choice, start: &mut Instant, shares: &[(f64, u64)]) -> Vec<u8> {
        let ladder = ladder();
        let mut layers = Vec::new();
        for (seconds, share) in shares {
            for _ in 0..(seconds * 10.0) as usize {
                let layer = choice.step(*share, &ladder, *start);
                if layers.last() != Some(&layer) {
                    layers.push(layer);
                }
                *start += Duration::from_millis(100);
            }
        }
        layers
    }

    #[test]
    fn the_first_choice_is_what_is_affordable_and_down_goes_at_once() {
        let (mut choice, mut now) = (Choice::default(), Instant::now());
        assert_eq!(walk(&mut choice, &mut now, &[(0.1, 700_000)]), [0]);
        assert_eq!(walk(&mut choice, &mut now, &[(0.1, 100_000)]), [2]);
    }

    #[test]
    fn up_goes_with_headroom_that_lasts() {
        let (mut choice, mut now) = (Choice::default(), Instant::now());
        let shares = [(1.0, 500_000), (30.0, 700_000)];
        assert_eq!(walk(&mut choice, &mut now, &shares), [1]);
        let shares = [(1.5, 730_000), (0.1, 700_000), (1.5, 730_000)];
        assert_eq!(walk(&mut choice, &mut now, &shares), [1]);
        assert_eq!(walk(&mut choice, &mut now, &[(1.0, 730_000)]), [1, 0]);
    }

    #[test]
    fn a_path_that_swings_is_left_alone_ever_longer() {
        let (mut choice, mut now) = (Choice::default(), Instant::now());
        let mut steps = 0;
        for _ in 0..60 {
            let shares = [(6.0, 900_000), (1.0, 300_000)];
            steps += walk(&mut choice, &mut now, &shares).len() - 1;
        }
        // Without memory it would be two each swing.
        assert!((1..=8).contains(&steps), "{steps} steps in 60 swings");
        // Peace makes patience as it was.
        walk(&mut choice, &mut now, &[(100.0, 900_000), (0.5, 100_000)]);
        assert_eq!(walk(&mut choice, &mut now, &[(5.0, 900_000)]), [2, 1, 0]);
    }

    #[test]
    fn a_layer_that_is_no_more_is_left() {
        let ladder = ladder();
        let now = Instant::now();
        let mut choice = Choice::default();
        assert_eq!(choice.step(40_000, &ladder, now), 2);
        ladder.set_floors(&[90_000, 60_000]);
        assert_eq!(choice.step(40_000, &ladder, now), 1);
    }
}
