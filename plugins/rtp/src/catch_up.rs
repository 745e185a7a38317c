// SPDX-License-Identifier: MPL-2.0
//! A viewer that joins an input which makes no keyframe for it: the frames since the last one, at once.
//!
//! They bear times a millisecond apart that end at the newest frame's own, so that the viewer runs through
//! them as fast as it decodes, and stands at the live picture instead of behind it by their age for ever.
use crate::PacketBlock;
use crate::media::Media;
use crate::send::SendStream;
use std::sync::Arc;
use std::time::Instant;

/// Blocks a viewer can be given to catch up with: half a minute of 30 frames a second.
pub const MAX_CAUGHT_UP: usize = 1_000;
/// Between past frames, in the clock of video (90 kHz).
const STEP: u32 = 90;

impl Media {
    /// Sends `blocks`, a keyframe and all frames since then, on every active sender of their track and codec
    /// that waits for a keyframe; on no other. `false` if there was none.
    pub fn catch_up(&mut self, blocks: &[Arc<PacketBlock>], now: Instant) -> bool {
        self.now = now;
        let first = blocks.first().filter(|block| block.info.keyframe);
        let Some(first) = first.filter(|_| blocks.len() <= MAX_CAUGHT_UP) else {
            return false;
        };
        if self.keys.is_none() {
            return false;
        }
        let waiting = self
            .senders
            .iter_mut()
            .filter(|stream| stream.wants_keyframe() && stream.takes(first));
        waiting
            .filter_map(|stream| stream.catch_up(blocks, now).then_some(()))
            .count()
            > 0
    }
}

impl SendStream {
    fn catch_up(&mut self, blocks: &[Arc<PacketBlock>], now: Instant) -> bool {
        let last = blocks.last().map_or(0, |block| block.rtp_time);
        let count = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
        for (behind, block) in (0..count).rev().zip(blocks) {
            if !self.enqueue(block, now) {
                return false;
            }
            // Never later than its own time: frames closer than that are not hurried.
            let time = last.wrapping_sub(behind.wrapping_mul(STEP));
            let ahead = block.rtp_time.wrapping_sub(time) as i32;
            let time = if ahead > 0 { block.rtp_time } else { time };
            self.retime_newest(block, time);
        }
        true
    }
}
