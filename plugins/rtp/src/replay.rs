// SPDX-License-Identifier: MPL-2.0
//! Packet index estimation and the replay window (RFC 3711 §3.3.1, §3.3.2, appendix A).
use crate::RtpError;

/// Packets behind the highest one that are still told apart; the RFC's least is 64.
pub(crate) const WINDOW: u64 = 1024;

/// Which packet indices were seen: a ring of bits behind the highest one.
#[derive(Debug)]
pub(crate) struct ReplayWindow {
    highest: Option<u64>,
    seen: [u64; (WINDOW / 64) as usize],
}

impl ReplayWindow {
    pub(crate) fn new() -> Self {
        Self {
            highest: None,
            seen: [0; (WINDOW / 64) as usize],
        }
    }

    /// The 48-bit index a 16-bit sequence number most likely stands for.
    pub(crate) fn estimate(&self, seq: u16) -> Result<u64, RtpError> {
        let Some(highest) = self.highest else {
            return Ok(u64::from(seq));
        };
        let guess = (highest & !0xffff) | u64::from(seq);
        let distance = i64::from(seq) - (highest & 0xffff) as i64;
        if distance > 0x8000 {
            // Behind a wrap; before the first one there is nothing.
            guess.checked_sub(0x1_0000).ok_or(RtpError::Replayed)
        } else if distance < -0x8000 {
            Ok(guess + 0x1_0000)
        } else {
            Ok(guess)
        }
    }

    /// Refuses an index seen before or too old to know. Changes nothing: the packet is not yet
    /// authentic.
    pub(crate) fn check(&self, index: u64) -> Result<(), RtpError> {
        let Some(highest) = self.highest else {
            return Ok(());
        };
        if index > highest {
            return Ok(());
        }
        if highest - index >= WINDOW || self.bit(index) {
            return Err(RtpError::Replayed);
        }
        Ok(())
    }

    /// Notes an authentic packet.
    pub(crate) fn accept(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index > highest => {
                if index - highest >= WINDOW {
                    self.seen.fill(0);
                } else {
                    for skipped in highest + 1..index {
                        self.set(skipped, false);
                    }
                }
                self.highest = Some(index);
            }
            Some(_) => {}
            None => self.highest = Some(index),
        }
        self.set(index, true);
    }

    fn bit(&self, index: u64) -> bool {
        let at = index % WINDOW;
        self.seen[(at / 64) as usize] >> (at % 64) & 1 == 1
    }

    fn set(&mut self, index: u64, seen: bool) {
        let at = index % WINDOW;
        let word = &mut self.seen[(at / 64) as usize];
        if seen {
            *word |= 1 << (at % 64);
        } else {
            *word &= !(1 << (at % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_behind_a_wrap_keeps_the_older_roll_over_counter() {
        let mut window = ReplayWindow::new();
        window.accept(0xfffe);
        assert_eq!(window.estimate(1), Ok(0x1_0001));
        window.accept(0x1_0001);
        assert_eq!(window.estimate(0xffff), Ok(0xffff));
        assert_eq!(window.check(0xffff), Ok(()));
        assert_eq!(window.check(0xfffe), Err(RtpError::Replayed));
    }

    #[test]
    fn before_the_first_wrap_nothing_lies_behind() {
        let mut window = ReplayWindow::new();
        window.accept(3);
        assert_eq!(window.estimate(0xfff0), Err(RtpError::Replayed));
    }

    #[test]
    fn every_index_passes_once_in_any_order_within_the_window() {
        let mut window = ReplayWindow::new();
        window.accept(5000);
        for index in (5000 - WINDOW + 1..5000).rev() {
            assert_eq!(window.check(index), Ok(()), "{index}");
            window.accept(index);
            assert_eq!(window.check(index), Err(RtpError::Replayed), "{index}");
        }
        assert_eq!(window.check(5000 - WINDOW), Err(RtpError::Replayed));
        window.accept(5500);
        assert_eq!(window.check(5499), Ok(()));
        assert_eq!(window.check(5000), Err(RtpError::Replayed));
        window.accept(50_000);
        assert_eq!(window.check(49_999), Ok(()));
    }
}
