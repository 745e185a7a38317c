// SPDX-License-Identifier: MPL-2.0
//! Which encoding of its input a stream sends, and how it goes from one to another: at a keyframe, with
//! picture numbers and RTP times that go on, so that the viewer sees one stream that changes its size.
use crate::choice::Choice;
use crate::media::Media;
use crate::send::{KEYFRAME_GAP, SendStream};
use crate::{Ladder, MediaEvent, PacketBlock, share};
use rtc_payload::{MediaKind, PictureNumbers, PictureShift, picture_numbers};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A path that holds a frame back so long is too thin for all of them.
const LATE: Duration = Duration::from_millis(80);

/// The layers of one stream.
#[derive(Debug, Default)]
pub(crate) struct Layering {
    /// Of the newest block; none where the input has one encoding.
    ladder: Option<Arc<Ladder>>,
    choice: Choice,
    /// Whose frames are sent; none before the first.
    current: Option<u8>,
    wanted: u8,
    /// What the application was told last.
    told: Option<(Option<u8>, u8)>,
    /// When a keyframe of the wanted layer was asked for last.
    asked: Option<Instant>,
    shift: PictureShift,
    last: Option<PictureNumbers>,
    /// RTP time of the newest frame.
    newest: Option<u32>,
    /// The frames of the layer sent now have not yet come past this RTP time.
    behind: Option<u32>,
}

impl Layering {
    /// Whether a frame of this stream's input and codec is for it.
    fn takes(&self, block: &PacketBlock) -> bool {
        match (&block.ladder, self.current) {
            (None, _) | (_, None) => true,
            (Some(_), Some(current)) => {
                block.layer == current || block.layer == self.wanted && block.info.keyframe
            }
        }
    }

    /// Whether a stream that waits for a keyframe starts with this one: not with one above its means.
    pub(crate) fn may_start(&self, block: &PacketBlock) -> bool {
        block.ladder.is_none() || block.layer >= self.wanted
    }

    /// Whether what waits is of no use before this frame: the viewer can't afford it.
    pub(crate) fn goes_down(&self, block: &PacketBlock) -> bool {
        block.ladder.is_some() && self.current.is_some_and(|current| block.layer > current)
    }

    /// The RTP time that a frame is sent with, and how its picture numbers are moved.
    pub(crate) fn place(&mut self, block: &PacketBlock) -> (u32, PictureShift) {
        if block.ladder.is_none() {
            return (block.rtp_time, self.shift);
        }
        let numbers = block.payloads.get(0);
        let numbers = numbers.and_then(|payload| picture_numbers(block.codec, payload));
        if self.current != Some(block.layer) {
            if let (Some(last), Some(numbers)) = (self.last, numbers) {
                self.shift = PictureShift::following(last, numbers);
            }
            self.behind = self.newest;
            self.current = Some(block.layer);
        }
        self.last = numbers.map(|numbers| self.shift.moved(numbers));
        let mut time = block.rtp_time;
        // An encoder may be some frames behind another: time must not stand still or fall back.
        if let Some(behind) = self.behind {
            let ahead = time.wrapping_sub(behind) as i32;
            self.behind = (ahead <= 0).then(|| behind.wrapping_add(1));
            time = self.behind.unwrap_or(time);
        }
        self.newest = Some(time);
        (time, self.shift)
    }

    /// Notes that a frame which no other refers to is not sent.
    fn leave_out(&mut self, block: &PacketBlock) {
        if let Some(payload) = block.payloads.get(0) {
            self.shift = self.shift.without(block.codec, payload);
        }
    }

    fn is_switching(&self) -> bool {
        self.ladder.is_some() && self.current.is_some_and(|current| current != self.wanted)
    }

    /// When a keyframe of the wanted layer is to be asked for.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let asked = self.asked.filter(|_| self.is_switching());
        asked.map(|asked| asked + KEYFRAME_GAP)
    }

    /// The layer a keyframe is to be asked of, to go on with or to go on to.
    fn keyframe_layer(&self) -> Option<u8> {
        self.ladder.as_ref()?;
        // On the way down the picture that comes next is the smaller one.
        Some(self.current.unwrap_or(self.wanted).max(self.wanted))
    }

    /// What the stream takes, if that is news.
    fn news(&mut self) -> Option<(Option<u8>, u8)> {
        self.ladder.as_ref()?;
        let now = (self.current, self.wanted);
        (self.told.replace(now) != Some(now)).then_some(now)
    }

    /// The layer sent, where there are several.
    pub(crate) fn current(&self) -> Option<u8> {
        self.current.filter(|_| self.ladder.is_some())
    }
}

impl SendStream {
    /// Whether a block is for this stream.
    pub(crate) fn takes(&self, block: &PacketBlock) -> bool {
        let params = &self.params;
        params.active
            && params.track == block.track
            && params.codec.codec == block.codec
            && self.layering.takes(block)
    }

    /// Notes the ladder of a block that is for this stream; true if it is another than before.
    pub(crate) fn meet(&mut self, block: &PacketBlock) -> bool {
        let same = match (&self.layering.ladder, &block.ladder) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !same {
            self.layering.ladder.clone_from(&block.ladder);
            self.layering.choice = Choice::default();
            self.layering.current = None;
            self.layering.told = None;
        }
        !same
    }

    /// Leaves a frame out that no other refers to (of an upper temporal layer, say), if what waits is late:
    /// a viewer on a thin path gets fewer pictures, and each at once.
    pub(crate) fn leaves_out(&mut self, block: &PacketBlock, now: Instant) -> bool {
        let since = self.queued_since();
        let late = since.is_some_and(|since| now.saturating_duration_since(since) > LATE);
        let leaves_out = late && self.is_video() && block.info.discardable && !block.info.keyframe;
        if leaves_out {
            self.counters.dropped_frames += 1;
            self.layering.leave_out(block);
        }
        leaves_out
    }

    fn choose_layer(&mut self, share: u64, now: Instant) {
        let layering = &mut self.layering;
        if let Some(ladder) = &layering.ladder {
            layering.wanted = layering.choice.step(share, ladder, now);
        }
    }

    /// The layer whose keyframe is to be asked for now, to go over to it.
    fn take_switch_wish(&mut self, now: Instant) -> Option<u8> {
        let layering = &mut self.layering;
        if !self.params.active || !layering.is_switching() {
            layering.asked = None;
            return None;
        }
        if layering
            .asked
            .is_some_and(|asked| now < asked + KEYFRAME_GAP)
        {
            return None;
        }
        layering.asked = Some(now);
        Some(layering.wanted)
    }
}

impl Media {
    /// Chooses the layer of every stream anew, for the estimate or the layers may have changed.
    pub(crate) fn choose_layers(&mut self, now: Instant) {
        let count = |kind| {
            let of_kind = |s: &&SendStream| s.params.active && s.params.kind == kind;
            self.senders.iter().filter(of_kind).count() as u64
        };
        let estimate = self.estimator.bits_per_second();
        let share = share(estimate, count(MediaKind::Audio), count(MediaKind::Video));
        for stream in &mut self.senders {
            stream.choose_layer(share, now);
        }
        self.tell_wishes(now);
    }

    /// Passes wishes for layers and keyframes on to whoever makes them.
    pub(crate) fn tell_wishes(&mut self, now: Instant) {
        for stream in &mut self.senders {
            let news = stream.layering.news();
            let layer = stream.layering.keyframe_layer();
            let of = stream.take_keyframe_wish(now).then_some(layer);
            let switch = stream.take_switch_wish(now);
            let (track, codec) = (stream.params.track, stream.params.codec.codec);
            if let Some((sent, wanted)) = news {
                self.events.push_back(MediaEvent::Layer {
                    mid: stream.params.mid.clone(),
                    track,
                    codec,
                    sent,
                    wanted,
                });
            }
            let switch = switch.map(Some).filter(|layer| of != Some(*layer));
            for layer in of.into_iter().chain(switch) {
                self.events.push_back(MediaEvent::KeyframeWanted {
                    mid: stream.params.mid.clone(),
                    track,
                    codec,
                    layer,
                });
            }
        }
    }
}
