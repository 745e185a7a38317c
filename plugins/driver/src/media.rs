// SPDX-License-Identifier: MPL-2.0
//! The media lane: every block to every session that sends its track and codec.
use crate::driver::Io;
use rtc_rtp::{MediaEvent, PacketBlock};
use rtc_session::Event;
use std::sync::Arc;
use std::time::Instant;

/// Frames times the sessions that send them, of one turn.
const SENDS_A_TURN: usize = 256;

impl Io {
    pub(crate) fn take_media(&mut self, now: Instant) -> Instant {
        let (mut sends, mut now) = (0, now);
        self.more_media = true;
        while sends < SENDS_A_TURN {
            let Ok(block) = self.inbox.media.try_recv() else {
                self.more_media = false;
                break;
            };
            let sent;
            (sent, now) = self.send_block(&block, now);
            sends += 1 + sent;
        }
        for (feed, layer) in self.inbox.gaps.take_new() {
            if let Some((session, mid)) = self.slots.any_sender(feed) {
                let (track, codec) = feed;
                let wanted = MediaEvent::KeyframeWanted {
                    mid,
                    track,
                    codec,
                    layer: Some(layer),
                };
                self.tell(session, Event::Rtp(wanted));
            }
        }
        now
    }

    fn send_block(&mut self, block: &Arc<PacketBlock>, now: Instant) -> (usize, Instant) {
        let mut now = now;
        let mut slots = std::mem::take(&mut self.due);
        slots.extend_from_slice(self.slots.senders((block.track, block.codec)));
        if block.ladder.is_some() {
            // Most viewers take another encoding of this input.
            slots.retain(|slot| {
                let entry = self.slots.get(*slot);
                entry.is_some_and(|entry| entry.session.takes(block))
            });
        }
        let sends = slots.len();
        self.gops.add(block);
        for slot in slots.drain(..) {
            now = Instant::now();
            self.call(slot, now, |session| session.send_block(block, now));
        }
        self.due = slots;
        (sends, now)
    }
}
