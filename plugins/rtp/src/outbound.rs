// SPDX-License-Identifier: MPL-2.0
//! What leaves: media in the pacer's time, repeats, reports and feedback.
use crate::media::Media;
use crate::reception::Block;
use crate::rtcp::{self, SenderInfo};
use crate::send::{Outgoing, SendStream};
use crate::{Train, clock};
use rtc_payload::MediaKind;
use std::time::{Duration, Instant};

/// Reports are sent so often (RFC 3550 §6.2 allows 360 s / bandwidth in kbit/s for video rates).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// A stream unheard of for so long is forgotten.
const VANISHED: Duration = Duration::from_secs(30);
/// RTCP packets waiting at most.
const MAX_CONTROL: usize = 256;
/// The pacer sends at so many times the estimate, to empty its queue after a large frame.
const PACING: f64 = 1.5;
/// At less where the path was full of late, that frames queue here rather than there, and at a little more
/// than the estimate only while it is, else the queue at the bottleneck would never empty.
const PACING_NARROW: f64 = 1.3;
const PACING_FULL: f64 = 1.05;
/// What is repeated to fill a probe is so at a time, seconds.
const BURST: f64 = 0.005;
/// What waits shall have left after so long where the path was not full of late, seconds; the first
/// frame sooner, for it is what a viewer waits for.
const DRAIN: f64 = 0.1;
const FIRST_DRAIN: f64 = 0.05;
/// So many frames wait only where a viewer is given past ones to catch up with: megabytes that would burst
/// any buffer on the way, bit/s.
const MANY_FRAMES: usize = 12;
const CATCH_UP: f64 = 20e6;
/// A queue that old on a full path is dropped, and the stream starts again at a keyframe, unless what
/// waits is soon sent: an encoder that follows the estimate makes less by now.
const STALE: Duration = Duration::from_millis(800);
const STALE_ANYWAY: Duration = Duration::from_secs(2);
const SOON: f64 = 1.2;
/// A stream dropped for lack of room does not ask for its keyframe before, lest it be dropped again; the
/// first time sooner, for the path may have narrowed just now and the encoder have followed since.
const STALE_PAUSE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const FORGET_STALE: Duration = Duration::from_secs(10);
/// Report blocks of one packet.
const BLOCKS: usize = 31;

/// What waits in a stream.
#[derive(Clone, Copy)]
enum Queue {
    Tones,
    Frames,
    Repeats,
}

impl Media {
    /// The rate to send at; `None` for at once.
    fn pacing(&self, now: Instant) -> Option<f64> {
        if !self.config.congestion_control || self.estimator.is_relaxed(now) {
            return None;
        }
        if !self.senders.iter().any(SendStream::is_numbered) {
            return None; // the peer tells nothing of the path
        }
        let pacing = match (self.estimator.has_room(), self.estimator.was_full(now)) {
            (false, true) => PACING_FULL,
            (true, true) => PACING_NARROW,
            (_, false) => PACING,
        };
        let rate = self.estimator.bits_per_second() as f64 * pacing;
        if self.estimator.was_full(now) {
            return Some(rate);
        }
        let queued: usize = self.senders.iter().map(SendStream::queued_bytes).sum();
        let drain = match self.estimator.has_feedback() {
            true => DRAIN,
            false => FIRST_DRAIN,
        };
        let mut hurry = queued as f64 * 8.0 / drain;
        let frames = self.senders.iter().map(SendStream::queued_frames).max();
        if frames.is_some_and(|frames| frames > MANY_FRAMES) {
            hurry = hurry.min(CATCH_UP);
        }
        Some(rate.max(hurry))
    }

    /// Writes the next train: tones, then audio, both at once, then repeats, then video, as the pacer allows.
    pub(crate) fn next_train(&mut self, now: Instant) -> Option<Train> {
        self.keys.as_ref()?;
        self.fill_probe(now);
        if !self.senders.iter().any(SendStream::has_work) {
            self.pacer.rest();
            return None;
        }
        if let Some(at) = self.senders.iter().position(SendStream::has_tones) {
            return self.write(at, Queue::Tones, usize::MAX, now);
        }
        let rate = match self.estimator.prober.sending() {
            Some((rate, _)) => Some(rate),
            None => self.pacing(now),
        };
        let audio = |s: &SendStream| s.params.kind == MediaKind::Audio && s.has_queued();
        let train = match self.senders.iter().position(audio) {
            Some(at) => self.write(at, Queue::Frames, usize::MAX, now),
            None => {
                let budget = match rate {
                    Some(rate) => self.pacer.budget(rate, now)?,
                    None => usize::MAX,
                };
                let repeats = self.senders.iter().position(SendStream::has_repeats);
                let oldest = (0..self.senders.len())
                    .filter(|at| self.senders[*at].has_queued())
                    .min_by_key(|at| self.senders[*at].queued_since());
                // By turns, so that neither keeps the other from the path.
                self.repeats_next = !self.repeats_next && repeats.is_some() || oldest.is_none();
                let repeated = repeats
                    .filter(|_| self.repeats_next)
                    .and_then(|at| self.write(at, Queue::Repeats, budget, now));
                repeated
                    .or_else(|| oldest.and_then(|at| self.write(at, Queue::Frames, budget, now)))
            }
        };
        let train = train?;
        self.estimator.prober.sent(train.contents.len(), now);
        if let Some(rate) = rate {
            self.pacer.sent(train.contents.len(), rate);
        }
        Some(train)
    }

    /// Where a probe is under way and nothing waits, something is repeated.
    fn fill_probe(&mut self, now: Instant) {
        let Some((rate, left)) = self.estimator.prober.sending() else {
            return;
        };
        if !self.senders.iter().any(SendStream::may_fill) {
            self.estimator.prober.cancel();
        } else if !self.senders.iter().any(SendStream::has_work) && self.pacer.next() <= now {
            let burst = left.min((rate / 8.0 * BURST) as usize + 1);
            let mut able = self.senders.iter_mut().filter(|stream| stream.may_fill());
            if !able.any(|stream| stream.fill(burst)) {
                self.estimator.prober.cancel();
            }
        }
    }

    fn write(&mut self, at: usize, queue: Queue, budget: usize, now: Instant) -> Option<Train> {
        let keys = self.keys.as_ref()?;
        let stream = self.senders.get_mut(at)?;
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        let out = Outgoing {
            sealer: &keys.sealer,
            tag_len: keys.tag_len,
            now,
            abs_send_time: self.config.wall.abs_send_time(now),
            log: &mut self.log,
            buffer,
        };
        let first = stream.counters.packets == 0;
        let train = match queue {
            Queue::Tones => stream.write_tones(out),
            Queue::Frames => stream.write(out, budget),
            Queue::Repeats => stream.write_repeats(out, budget),
        };
        let probes = self.estimator.prober.sending().is_some();
        if let (Queue::Repeats, Some(train), false) = (queue, &train, probes) {
            self.repeats.add(train.contents.len(), now);
        }
        if first && train.is_some() {
            // The first report right behind the first frame, so that the peer can align streams.
            self.next_report = Some(now);
        }
        train
    }

    /// Drops what waited too long for a full path, and streams of the peer that vanished.
    pub(crate) fn drop_stale(&mut self, now: Instant) {
        if self.estimator.was_full(now) && self.config.congestion_control {
            let rate = self.estimator.bits_per_second() as f64;
            for stream in &mut self.senders {
                let since = stream.queued_since();
                let soon = (stream.queued_bytes() as f64 * 8.0) < SOON * rate;
                let limit = if soon { STALE_ANYWAY } else { STALE };
                if since.is_some_and(|at| now.saturating_duration_since(at) > limit) {
                    stream.drop_queue();
                    let again = self
                        .last_stale
                        .replace(now)
                        .is_some_and(|at| now.saturating_duration_since(at) < FORGET_STALE);
                    let pause = if again { STALE_PAUSE } else { FIRST_PAUSE };
                    stream.want_keyframe(now + pause);
                }
            }
        }
        self.receivers
            .retain(|stream| now.saturating_duration_since(stream.last_seen) < VANISHED);
    }

    pub(crate) fn control(&mut self, packet: Option<Vec<u8>>) {
        let (Some(mut packet), Some(keys)) = (packet, self.keys.as_mut()) else {
            return;
        };
        if self.control.len() < MAX_CONTROL && keys.sealer.seal_rtcp(&mut packet).is_ok() {
            self.control.push_back(packet);
        }
    }

    /// The SSRC our RTCP bears where no stream of ours is meant.
    fn own_ssrc(&self) -> u32 {
        let sender = self.senders.first().map(|stream| stream.params.ssrc.0);
        let receiver = self.demux.lines().first().map(|line| line.feedback_ssrc.0);
        receiver.or(sender).unwrap_or(1)
    }

    /// Sends NACKs and keyframe requests that are due.
    pub(crate) fn send_requests(&mut self, now: Instant) {
        let mut missing = Vec::new();
        for at in 0..self.receivers.len() {
            let stream = &mut self.receivers[at];
            let (own, media) = (stream.feedback_ssrc.0, stream.ssrc.0);
            missing.clear();
            if stream.nacks.deadline().is_some_and(|due| due <= now) {
                stream.nacks.take_due(now, self.rtt, &mut missing);
                stream.counters.nacks += missing.len() as u64;
            }
            let mut request = None;
            if stream.take_request(now) {
                if stream.codec.pli || !stream.codec.fir {
                    stream.counters.plis += 1;
                    request = rtcp::pli(own, media, &self.config.cname);
                } else {
                    stream.fir_number = stream.fir_number.wrapping_add(1);
                    stream.counters.firs += 1;
                    request = rtcp::fir(own, media, stream.fir_number, &self.config.cname);
                }
            }
            for packet in rtcp::nack(own, media, &missing, &self.config.cname) {
                self.control(Some(packet));
            }
            self.control(request);
        }
    }

    /// Sends the transport-wide feedback gathered.
    pub(crate) fn send_feedback(&mut self) {
        let (own, media) = (self.own_ssrc(), self.feedback.media_ssrc);
        for feedback in self.feedback.take() {
            let packet = rtcp::transport_wide(own, media, feedback, &self.config.cname);
            self.control(packet);
        }
    }

    /// Sends a report for each stream of ours, and of all of the peer's.
    pub(crate) fn send_reports(&mut self, now: Instant) {
        self.next_report = Some(now + REPORT_INTERVAL);
        let blocks: Vec<(u32, Block)> = self
            .receivers
            .iter_mut()
            .map(|stream| (stream.ssrc.0, stream.reception.block(now)))
            .collect();
        let mut blocks = blocks.chunks(BLOCKS);
        let reports: Vec<SenderInfo> = self
            .senders
            .iter()
            .filter_map(|stream| self.sender_info(stream, now))
            .collect();
        let own = self.own_ssrc();
        for info in reports {
            let blocks = blocks.next().unwrap_or_default();
            let packet = rtcp::report(info.ssrc, Some(info), blocks, &self.config.cname);
            self.control(packet);
        }
        for blocks in blocks {
            let packet = rtcp::report(own, None, blocks, &self.config.cname);
            self.control(packet);
        }
        self.estimator.silence(self.log.last_sent(), now);
        self.tell_estimate_if_measured();
    }

    fn tell_estimate_if_measured(&mut self) {
        if self.config.congestion_control && self.estimator.has_feedback() {
            self.tell_estimate();
        }
    }

    fn sender_info(&self, stream: &SendStream, now: Instant) -> Option<SenderInfo> {
        if !stream.params.active || stream.counters.packets == 0 {
            return None;
        }
        let (rtp_time, captured) = stream.newest?;
        let rate = stream.params.codec.codec.clock_rate();
        Some(SenderInfo {
            ssrc: stream.params.ssrc.0,
            ntp: self.config.wall.ntp(now),
            rtp_time: clock::rtp_time_at(rtp_time, captured, rate, now),
            packets: stream.counters.packets as u32,
            octets: stream.counters.octets as u32,
        })
    }

    /// Says goodbye for every stream that was heard of.
    pub(crate) fn send_bye(&mut self) {
        let mut ssrcs: Vec<u32> = self
            .senders
            .iter()
            .filter(|stream| stream.counters.packets > 0)
            .map(|stream| stream.params.ssrc.0)
            .collect();
        if ssrcs.is_empty() && !self.receivers.is_empty() {
            ssrcs.push(self.own_ssrc());
        }
        for ssrcs in ssrcs.chunks(BLOCKS) {
            let packet = rtcp::bye(ssrcs, &self.config.cname);
            self.control(packet);
        }
    }
}
