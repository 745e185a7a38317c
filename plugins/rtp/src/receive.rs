// SPDX-License-Identifier: MPL-2.0
//! One receiving stream: packets in, whole frames out, and what to ask the peer for meanwhile.
use crate::assemble::{Assembly, Head, Packet};
use crate::beginning::Beginning;
use crate::nack::{DEFAULT_RTT, NackList};
use crate::reception::Reception;
use crate::{CodecParams, MediaEvent, ReceivedFrame};
use rtc_payload::{Depacketize, MediaKind, Mid, Pt, Rid, Ssrc, depacketizer};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets a stream holds back at most.
const MAX_VIDEO_PACKETS: usize = 2048;
const MAX_AUDIO_PACKETS: usize = 128;
/// A jump of more packets is a stream begun anew.
const MAX_JUMP: u64 = 10_000;
/// How long reordering is waited for where nothing can be asked for again.
pub(crate) const REORDER_WAIT: Duration = Duration::from_millis(40);
/// An audio gap is not worth more than this.
const AUDIO_WAIT: Duration = Duration::from_millis(150);
/// Keyframe requests follow one another no faster.
const REQUEST_GAP: Duration = Duration::from_millis(500);
/// Buffers of received packets kept for reuse at most.
pub(crate) const MAX_POOL: usize = 256;

/// What was received, for statistics.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RecvCounters {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) frames: u64,
    pub(crate) keyframes: u64,
    pub(crate) dropped_frames: u64,
    pub(crate) repeated_packets: u64,
    pub(crate) nacks: u64,
    pub(crate) plis: u64,
    pub(crate) firs: u64,
}

/// One media SSRC of the peer.
pub(crate) struct RecvStream {
    pub(crate) mid: Mid,
    pub(crate) rid: Option<Rid>,
    pub(crate) ssrc: Ssrc,
    pub(crate) kind: MediaKind,
    pub(crate) codec: CodecParams,
    pub(crate) feedback_ssrc: Ssrc,
    depacketizer: Box<dyn Depacketize>,
    pub(crate) assembly: Assembly,
    pub(crate) beginning: Beginning,
    pub(crate) nacks: NackList,
    pub(crate) reception: Reception,
    highest: u64,
    highest_time: u32,
    waiting_for_keyframe: bool,
    discontinuity: bool,
    rtp_time: Option<u64>,
    gap_ends: Option<Instant>,
    request_due: Option<Instant>,
    requested: Option<Instant>,
    pub(crate) fir_number: u8,
    pub(crate) last_seen: Instant,
    pub(crate) ended: bool,
    pub(crate) max_latency: Duration,
    pub(crate) counters: RecvCounters,
}

impl RecvStream {
    /// `first` is the extended sequence number of the first packet.
    pub(crate) fn new(
        target: &crate::demux::Target<'_>,
        first: u64,
        max_latency: Duration,
        now: Instant,
    ) -> Self {
        let codec = target.codec.clone();
        let kind = codec.codec.kind();
        let video = kind == MediaKind::Video;
        let max_packets = if video {
            MAX_VIDEO_PACKETS
        } else {
            MAX_AUDIO_PACKETS
        };
        Self {
            mid: target.params.mid.clone(),
            rid: target.rid.clone(),
            ssrc: target.ssrc,
            kind,
            feedback_ssrc: target.params.feedback_ssrc,
            depacketizer: depacketizer(codec.codec),
            assembly: Assembly::new(!video, max_packets),
            beginning: Beginning::new(first, now),
            nacks: NackList::default(),
            reception: Reception::new(first, codec.codec.clock_rate()),
            codec,
            highest: first,
            highest_time: 0,
            waiting_for_keyframe: video,
            discontinuity: false,
            rtp_time: None,
            gap_ends: None,
            request_due: None,
            requested: None,
            fir_number: 0,
            last_seen: now,
            ended: false,
            max_latency,
            counters: RecvCounters::default(),
        }
    }

    /// The extended number an original sequence number of a repeat most likely stands for.
    pub(crate) fn extend(&self, seq: u16) -> Option<u64> {
        let difference = seq.wrapping_sub(self.highest as u16) as i16;
        self.highest.checked_add_signed(i64::from(difference))
    }

    /// Takes a packet. Gives a measure of the round-trip time where it is the answer to a request.
    pub(crate) fn packet(
        &mut self,
        index: u64,
        packet: Packet,
        codec: &CodecParams,
        is_repair: bool,
        now: Instant,
    ) -> Option<Duration> {
        self.last_seen = now;
        self.ended = false;
        self.counters.packets += 1;
        self.counters.bytes += packet.payload.len() as u64;
        if codec.pt != self.codec.pt || codec.codec != self.codec.codec {
            self.change_codec(codec, now);
        }
        if is_repair {
            self.counters.repeated_packets += 1;
        } else {
            self.reception.packet(index, packet.rtp_time, now);
        }
        let mut rtt = None;
        if self.highest == index {
            self.highest_time = packet.rtp_time; // the first packet
        }
        if index > self.highest {
            if index - self.highest > MAX_JUMP || self.is_long_gap(index, packet.rtp_time) {
                self.restart(now);
            } else if self.codec.nack {
                self.nacks.skipped(self.highest + 1..index, now);
            }
            self.highest = index;
            self.highest_time = packet.rtp_time;
        } else {
            // Without RTX a late packet can't be told from a repeat, so its time says nothing.
            rtt = self.nacks.arrived(index, now).filter(|_| is_repair);
        }
        if self.assembly.wants(index) && !self.assembly.insert(index, packet) {
            tracing::debug!(ssrc = self.ssrc.0, "reorder buffer full");
            self.restart(now);
        }
        self.ask_before(now);
        rtt
    }

    /// Takes the place of a packet that is not part of any frame.
    pub(crate) fn pass_over(&mut self, index: u64, data: Vec<u8>, now: Instant) {
        self.last_seen = now;
        self.ended = false;
        self.counters.packets += 1;
        self.reception.untimed(index);
        if index > self.highest {
            if index - self.highest > MAX_JUMP {
                self.restart(now);
            } else if self.codec.nack {
                self.nacks.skipped(self.highest + 1..index, now);
            }
            self.highest = index;
        } else {
            self.nacks.arrived(index, now);
        }
        let packet = Packet {
            data,
            payload: 0..0,
            rtp_time: self.highest_time,
            marker: false,
            pt: self.codec.pt.0,
            arrived: now,
            audio_level: None,
        };
        if self.assembly.wants(index) && !self.assembly.insert(index, packet) {
            self.restart(now);
        }
    }

    /// Whether so long a time was lost that repeats would come too late to be of use.
    fn is_long_gap(&self, index: u64, rtp_time: u32) -> bool {
        let ticks = rtp_time.wrapping_sub(self.highest_time) as i32;
        let rate = f64::from(self.codec.codec.clock_rate());
        index > self.highest + 1 && f64::from(ticks) > rate * self.max_latency.as_secs_f64()
    }

    fn change_codec(&mut self, codec: &CodecParams, now: Instant) {
        if codec.codec != self.codec.codec {
            self.depacketizer = depacketizer(codec.codec);
            self.rtp_time = None;
        }
        self.codec = codec.clone();
        self.restart(now);
    }

    fn restart(&mut self, now: Instant) {
        self.assembly.reset();
        self.beginning.is_over();
        self.nacks.forget_below(u64::MAX);
        self.discontinuity = true;
        self.gap_ends = None;
        if self.kind == MediaKind::Video {
            self.waiting_for_keyframe = true;
            self.want_keyframe(now, None);
        }
    }

    /// Gives out what is whole, gives up what is too late.
    pub(crate) fn process(
        &mut self,
        now: Instant,
        rtt: Option<Duration>,
        pool: &mut Vec<Vec<u8>>,
        events: &mut VecDeque<MediaEvent>,
    ) {
        self.gap_ends = self.hold(now, rtt);
        if self.gap_ends.is_some() {
            return;
        }
        loop {
            match self.assembly.head() {
                Head::Frame(end) => self.frame(end, now, rtt, pool, events),
                Head::Gap(index, since) => {
                    let ends = since + self.patience(rtt);
                    let hopeless = self.codec.nack
                        && (self.nacks.overflowed() || self.nacks.hopeless(index, now));
                    let late = now.saturating_duration_since(since) >= self.skip_after(rtt);
                    let skipped = (self.waiting_for_keyframe || late)
                        && self.skip_to_keyframe(!self.waiting_for_keyframe, pool);
                    if !skipped && now < ends && !hopeless {
                        let look = since + self.skip_after(rtt);
                        self.gap_ends = Some(if late { ends } else { look.min(ends) });
                        break;
                    }
                    if !skipped {
                        self.give_up(index, now, rtt, pool);
                    }
                }
                Head::Waiting => break,
            }
        }
    }

    /// How long a gap is waited for.
    fn patience(&self, rtt: Option<Duration>) -> Duration {
        let patience = match (self.codec.nack, self.kind) {
            (false, _) => REORDER_WAIT,
            (true, MediaKind::Audio) => {
                let rtt = rtt.unwrap_or(DEFAULT_RTT);
                (rtt + rtt / 2 + Duration::from_millis(30)).min(AUDIO_WAIT)
            }
            (true, MediaKind::Video) => self.max_latency,
        };
        patience.min(self.max_latency)
    }

    /// A gap this old is not waited for if a later keyframe is there whole.
    fn skip_after(&self, rtt: Option<Duration>) -> Duration {
        (rtt.unwrap_or(DEFAULT_RTT) * 3).min(self.max_latency)
    }

    /// While a keyframe is waited for, everything before the next one is of no use. `whole`: it must
    /// have come whole.
    fn skip_to_keyframe(&mut self, whole: bool, pool: &mut Vec<Vec<u8>>) -> bool {
        if self.kind != MediaKind::Video {
            return false;
        }
        let Some(next) = self.assembly.next() else {
            return false;
        };
        let depacketizer = &self.depacketizer;
        let found = self.assembly.find(next, |packet| {
            depacketizer.starts_frame(packet.payload())
                && depacketizer.is_keyframe_start(packet.payload())
        });
        match found {
            Some(index) if index > next && (!whole || self.assembly.is_whole(index)) => {
                self.discontinuity = true;
                self.counters.dropped_frames += 1;
                self.drop_below(index, pool);
                true
            }
            _ => false,
        }
    }

    /// Whether a payload may be the first of a keyframe.
    pub(crate) fn begins_keyframe(&self, payload: &[u8]) -> bool {
        self.depacketizer.starts_frame(payload) && self.depacketizer.is_keyframe_start(payload)
    }

    fn give_up(
        &mut self,
        index: u64,
        now: Instant,
        rtt: Option<Duration>,
        pool: &mut Vec<Vec<u8>>,
    ) {
        self.counters.dropped_frames += 1;
        self.discontinuity = true;
        let broken = self.assembly.first().map(|packet| packet.rtp_time);
        let after = self
            .assembly
            .find(index, |packet| broken != Some(packet.rtp_time));
        // Nothing later: the rest of the broken frame is dropped as it comes.
        let resume = after.unwrap_or(self.highest + 1);
        self.drop_below(resume, pool);
        if self.kind == MediaKind::Video {
            self.waiting_for_keyframe = true;
            self.want_keyframe(now, rtt);
        }
    }

    fn drop_below(&mut self, index: u64, pool: &mut Vec<Vec<u8>>) {
        self.nacks.forget_below(index);
        self.beginning.is_over();
        for packet in self.assembly.take(index) {
            give_back(pool, packet.data);
        }
    }

    fn frame(
        &mut self,
        end: u64,
        now: Instant,
        rtt: Option<Duration>,
        pool: &mut Vec<Vec<u8>>,
        events: &mut VecDeque<MediaEvent>,
    ) {
        self.beginning.is_over();
        let packets: Vec<Packet> = self.assembly.take(end).collect();
        self.nacks.forget_below(end);
        let frame = self.depacketize(&packets);
        match frame {
            Some(frame) => {
                self.counters.frames += 1;
                self.counters.keyframes += u64::from(frame.info.keyframe);
                if frame.info.keyframe {
                    self.waiting_for_keyframe = false;
                    self.request_due = None;
                }
                self.discontinuity = false;
                events.push_back(MediaEvent::Frame(frame));
            }
            None => {
                self.counters.dropped_frames += 1;
                self.discontinuity = true;
                if self.kind == MediaKind::Video {
                    self.waiting_for_keyframe = true;
                    self.want_keyframe(now, rtt);
                }
            }
        }
        for packet in packets {
            give_back(pool, packet.data);
        }
    }

    fn depacketize(&mut self, packets: &[Packet]) -> Option<ReceivedFrame> {
        let first = packets.first()?;
        if !self.depacketizer.starts_frame(first.payload()) {
            return None;
        }
        if self.waiting_for_keyframe && !self.depacketizer.is_keyframe_start(first.payload()) {
            return None;
        }
        let payloads: Vec<&[u8]> = packets
            .iter()
            .map(Packet::payload)
            .filter(|payload| !payload.is_empty())
            .collect();
        let whole = self.depacketizer.depacketize(&payloads).ok()?;
        if self.waiting_for_keyframe && !whole.info.keyframe {
            return None;
        }
        let rate = self.codec.codec.clock_rate();
        let ntp = self
            .reception
            .report
            .map(|report| report.ntp_at(first.rtp_time, rate));
        Some(ReceivedFrame {
            mid: self.mid.clone(),
            rid: self.rid.clone(),
            ssrc: self.ssrc,
            pt: Pt(first.pt),
            codec: self.codec.codec,
            data: whole.data,
            rtp_time: self.extend_time(first.rtp_time),
            info: whole.info,
            arrived: packets
                .iter()
                .map(|p| p.arrived)
                .min()
                .unwrap_or(first.arrived),
            ntp,
            discontinuity: self.discontinuity,
            audio_level: first.audio_level,
        })
    }

    /// RTP time over wraps; it never falls back. A large step back is a new start, taken for a wrap.
    fn extend_time(&mut self, rtp_time: u32) -> u64 {
        let extended = match self.rtp_time {
            None => u64::from(rtp_time),
            Some(before) => {
                let ticks = rtp_time.wrapping_sub(before as u32);
                let back = (ticks as i32).checked_neg().unwrap_or(i32::MAX);
                let reordered = back > 0 && back < 5 * self.codec.codec.clock_rate() as i32;
                before + if reordered { 0 } else { u64::from(ticks) }
            }
        };
        self.rtp_time = Some(extended);
        extended
    }

    /// Notes that a keyframe is wanted of the peer.
    pub(crate) fn want_keyframe(&mut self, now: Instant, rtt: Option<Duration>) {
        if self.kind != MediaKind::Video || self.request_due.is_some() {
            return;
        }
        let gap = rtt.map_or(REQUEST_GAP, |rtt| (rtt * 2).max(REQUEST_GAP));
        let earliest = self.requested.map_or(now, |asked| asked + gap);
        self.request_due = Some(earliest.max(now));
    }

    /// Whether a keyframe is to be asked for now; if so the wish is done with.
    pub(crate) fn take_request(&mut self, now: Instant) -> bool {
        if self.request_due.is_none_or(|due| due > now) {
            return false;
        }
        self.request_due = None;
        self.requested = Some(now);
        true
    }

    /// When something is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.gap_ends, self.request_due, self.nacks.deadline()]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Keeps a buffer for reuse.
pub(crate) fn give_back(pool: &mut Vec<Vec<u8>>, buffer: Vec<u8>) {
    if pool.len() < MAX_POOL && buffer.capacity() > 0 {
        pool.push(buffer);
    }
}
