// SPDX-License-Identifier: MPL-2.0
//! One bitrate for one encoder out of what many viewers can carry.
//!
//! The encoder serves all viewers of an input and codec, so one figure must do for all. The policy:
//! *follow the slowest viewer, but never below half of what the median viewer can carry*. So viewers of
//! like paths all get what the slowest of them can take, with nothing dropped; and a straggler can cost
//! the rest half of their quality at most. A viewer below the figure goes to a smaller layer where the
//! input has several; else frames are held back by its own pacer, which nobody else notices.

/// The bitrate for an encoder, bit/s, from each viewer's share of its estimate; `None` without viewers.
pub(crate) fn target(viewers: &mut [u64]) -> Option<u64> {
    let least = least(viewers)?;
    viewers.iter().min().map(|slowest| least.max(*slowest))
}

/// What a viewer must carry not to be a straggler: half of what the median viewer can, bit/s; `None`
/// without viewers.
pub(crate) fn least(viewers: &mut [u64]) -> Option<u64> {
    viewers.sort_unstable();
    // The upper median, so that of two viewers the faster one counts.
    viewers.get(viewers.len() / 2).map(|median| median / 2)
}

/// Whether a new target is worth a call into the encoder: off by more than 5 % of the old one.
pub(crate) fn differs(old: u64, new: u64) -> bool {
    old.abs_diff(new) > old / 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_viewers_all_get_what_the_slowest_can_take() {
        assert_eq!(target(&mut [2_000, 1_800, 2_200]), Some(1_800));
        assert_eq!(target(&mut [700]), Some(700));
        assert_eq!(target(&mut []), None);
    }

    #[test]
    fn a_straggler_does_not_starve_the_rest() {
        assert_eq!(target(&mut [50, 4_000, 4_000]), Some(2_000));
        assert_eq!(target(&mut [50, 4_000]), Some(2_000));
    }

    #[test]
    fn many_stragglers_are_no_stragglers() {
        assert_eq!(target(&mut [500, 600, 700, 4_000]), Some(500));
    }

    #[test]
    fn only_changes_worth_a_call_count() {
        assert!(!differs(1_000, 1_050));
        assert!(differs(1_000, 1_051));
        assert!(differs(1_000, 949));
    }
}
