// SPDX-License-Identifier: MPL-2.0
//! One sending stream: from shared blocks to sealed packets of one viewer, and their repetition.
use crate::estimate::SentLog;
use crate::header::{HeaderTemplate, PerPacket};
use crate::history::{Chunk, History};
use crate::srtp::Sealer;
use crate::train::{Coupling, Train};
use crate::{PacketBlock, SendParams};
use rtc_payload::MediaKind;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Repeats waiting at most; a peer that asks for more asks again.
const MAX_REPEATS: usize = 512;
/// Blocks waiting for the pacer at most, whatever their size.
const MAX_QUEUED: usize = 256;
/// Keyframe requests are merged to two a second.
pub(crate) const KEYFRAME_GAP: Duration = Duration::from_millis(500);

/// What a stream needs from its session to write packets.
pub(crate) struct Outgoing<'a> {
    pub(crate) sealer: &'a Sealer,
    pub(crate) tag_len: usize,
    pub(crate) now: Instant,
    pub(crate) abs_send_time: u32,
    pub(crate) log: &'a mut SentLog,
    /// An empty buffer to write into.
    pub(crate) buffer: Vec<u8>,
}

/// What was sent, for reports and statistics.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SendCounters {
    pub(crate) packets: u64,
    pub(crate) octets: u64,
    pub(crate) frames: u64,
    pub(crate) keyframes: u64,
    pub(crate) repeated_packets: u64,
    pub(crate) repeated_octets: u64,
    pub(crate) dropped_frames: u64,
    pub(crate) nacks: u64,
    pub(crate) plis: u64,
    pub(crate) firs: u64,
}

/// What the peer's newest report says of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RemoteReport {
    pub(crate) lost: i64,
    pub(crate) fraction_lost: f64,
    pub(crate) jitter: Option<Duration>,
}

#[derive(Debug)]
struct Queued {
    block: Arc<PacketBlock>,
    since: Instant,
    index: usize,
}

/// The sending half of one m-line.
#[derive(Debug)]
pub(crate) struct SendStream {
    pub(crate) params: SendParams,
    media: HeaderTemplate,
    rtx: Option<HeaderTemplate>,
    generation: u32,
    /// Extended numbers of the next packets; their low 48 bits are the SRTP indices.
    next: u64,
    next_rtx: u64,
    history: History,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    repeats: VecDeque<u64>,
    waiting_for_keyframe: bool,
    keyframe_asked: Option<Instant>,
    keyframe_due: Option<Instant>,
    mid_known: bool,
    /// RTP time and capture time of the newest block, for sender reports.
    pub(crate) newest: Option<(u32, Instant)>,
    pub(crate) last_fir: Option<u8>,
    pub(crate) counters: SendCounters,
    pub(crate) remote: RemoteReport,
}

impl SendStream {
    /// `first` and `first_rtx` are the sequence numbers to start with; below 2^15, so that a loss of
    /// the first packets cannot hide a roll-over (RFC 3711 §3.3.1).
    pub(crate) fn new(params: SendParams, first: u16, first_rtx: u16) -> Self {
        let (media, rtx) = templates(&params, false);
        Self {
            waiting_for_keyframe: params.kind == MediaKind::Video,
            media,
            rtx,
            generation: 0,
            next: u64::from(first),
            next_rtx: u64::from(first_rtx),
            history: History::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            repeats: VecDeque::new(),
            keyframe_asked: None,
            keyframe_due: None,
            mid_known: false,
            newest: None,
            last_fir: None,
            counters: SendCounters::default(),
            remote: RemoteReport::default(),
            params,
        }
    }

    /// Takes the state after a negotiation; sequence numbers go on.
    pub(crate) fn reconfigure(&mut self, params: SendParams) {
        let source_changed =
            params.codec.codec != self.params.codec.codec || params.track != self.params.track;
        let resumed = params.active && !self.params.active;
        if source_changed || resumed || !params.active {
            self.flush();
            self.repeats.clear();
            self.waiting_for_keyframe = params.kind == MediaKind::Video;
        }
        self.params = params;
        self.rewrite();
    }

    /// The peer knows our SSRC (it reports on it), so its mid need not be told any more.
    pub(crate) fn set_mid_known(&mut self) {
        if !self.mid_known {
            self.mid_known = true;
            self.rewrite();
        }
    }

    fn rewrite(&mut self) {
        (self.media, self.rtx) = templates(&self.params, self.mid_known);
        self.generation = self.generation.wrapping_add(1);
    }

    pub(crate) fn is_video(&self) -> bool {
        self.params.kind == MediaKind::Video
    }

    /// Whether it waits for a keyframe before it sends anything.
    pub(crate) fn wants_keyframe(&self) -> bool {
        self.params.active && self.waiting_for_keyframe
    }

    /// Takes a block for sending; `false` if it was dropped.
    pub(crate) fn enqueue(&mut self, block: &Arc<PacketBlock>, now: Instant) -> bool {
        if self.waiting_for_keyframe {
            if !block.info.keyframe {
                self.counters.dropped_frames += 1;
                return false;
            }
            self.waiting_for_keyframe = false;
        }
        if self.queue.len() >= MAX_QUEUED {
            self.drop_queue();
            return false;
        }
        self.newest = Some((block.rtp_time, block.captured));
        if block.payloads.is_empty() {
            return true;
        }
        self.queued_bytes += block.payloads.total_len();
        self.queue.push_back(Queued {
            block: Arc::clone(block),
            since: now,
            index: 0,
        });
        true
    }

    /// Gives up what waits; video then starts again at a keyframe.
    pub(crate) fn drop_queue(&mut self) {
        self.counters.dropped_frames += self.queue.len() as u64;
        self.flush();
        self.waiting_for_keyframe = self.is_video();
    }

    fn flush(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }

    /// Payload bytes that wait.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(crate) fn has_repeats(&self) -> bool {
        !self.repeats.is_empty()
    }

    /// Whether anything waits to be sent.
    pub(crate) fn has_work(&self) -> bool {
        self.has_queued() || self.has_repeats()
    }

    /// Whether its packets carry transport-wide numbers.
    pub(crate) fn is_numbered(&self) -> bool {
        self.media.numbered()
    }

    /// Since when the oldest waiting block waits.
    pub(crate) fn queued_since(&self) -> Option<Instant> {
        self.queue.front().map(|queued| queued.since)
    }

    /// Notes that a keyframe is wanted.
    pub(crate) fn want_keyframe(&mut self, now: Instant) {
        if self.is_video() && self.params.active && self.keyframe_due.is_none() {
            let earliest = self
                .keyframe_asked
                .map_or(now, |asked| asked + KEYFRAME_GAP);
            self.keyframe_due = Some(earliest.max(now));
        }
    }

    /// When the wish is to be passed on.
    pub(crate) fn keyframe_due(&self) -> Option<Instant> {
        self.keyframe_due
    }

    /// Whether the wish is to be passed on now; if so it is done with.
    pub(crate) fn take_keyframe_wish(&mut self, now: Instant) -> bool {
        if self.keyframe_due.is_none_or(|due| due > now) {
            return false;
        }
        self.keyframe_due = None;
        self.keyframe_asked = Some(now);
        self.params.active
    }

    /// A packet the peer misses: queued for repetition unless it was repeated within `gap`.
    pub(crate) fn nack(&mut self, seq: u16, gap: Duration, now: Instant) {
        self.counters.nacks += 1;
        let Some((number, chunk)) = self.history.find(seq) else {
            return;
        };
        let repeatable = self.rtx.is_some() || chunk.generation == self.generation;
        if repeatable
            && self.repeats.len() < MAX_REPEATS
            && self.history.may_repeat(number, gap, now)
        {
            self.repeats.push_back(number);
        }
    }

    /// Queues repeats of about `bytes` of the newest packets, to probe the path; needs RTX.
    pub(crate) fn queue_probe(&mut self, bytes: usize) {
        if self.rtx.is_none() {
            return;
        }
        let newest: Vec<u64> = self.history.newest().take(64).collect();
        for number in newest.iter().cycle().take(bytes.div_ceil(1000)) {
            if self.repeats.len() < MAX_REPEATS {
                self.repeats.push_back(*number);
            }
        }
    }

    /// Writes packets that wait, one train of at most about `budget` bytes but at least one packet.
    pub(crate) fn write(&mut self, out: Outgoing<'_>, budget: usize) -> Option<Train> {
        let queued = self.queue.front_mut()?;
        let block = Arc::clone(&queued.block);
        let is_video = self.params.kind == MediaKind::Video;
        let marker_at = match is_video {
            true => block.payloads.len() - 1,
            false => 0,
        };
        let (first, first_index) = (self.next, queued.index);
        let mut buffer = out.buffer;
        let mut train = Coupling::default();
        let mut octets = 0;
        let mut transport_cc = 0;
        while let Some(payload) = block.payloads.get(queued.index) {
            let len = self.media.len() + payload.len() + out.tag_len;
            if train.count() > 0 && train.bytes() + len > budget || !train.join(len) {
                break;
            }
            let number = if self.media.numbered() {
                out.log.number(len, out.now)
            } else {
                0
            };
            if train.count() == 1 {
                transport_cc = number;
            }
            let start = buffer.len();
            let packet = PerPacket {
                marker: queued.index == marker_at && (is_video || block.info.talk_start),
                seq: self.next as u16,
                rtp_time: block.rtp_time,
                transport_cc: number,
                abs_send_time: out.abs_send_time,
            };
            self.media.write(&mut buffer, &packet);
            buffer.extend_from_slice(payload);
            let ssrc = self.params.ssrc.0;
            let header = self.media.len();
            if out
                .sealer
                .seal_rtp(&mut buffer, start, header, ssrc, self.next)
                .is_err()
            {
                // Keys that were taken never fail to seal; should they, nothing half-sealed goes out.
                buffer.truncate(start);
                break;
            }
            octets += payload.len();
            self.next += 1;
            queued.index += 1;
        }
        let ended = queued.index >= block.payloads.len();
        self.queued_bytes = self.queued_bytes.saturating_sub(octets);
        self.counters.packets += train.count() as u64;
        self.counters.octets += octets as u64;
        if ended {
            self.counters.frames += 1;
            self.counters.keyframes += u64::from(block.info.keyframe);
            self.queue.pop_front();
        }
        if is_video || self.params.codec.nack {
            self.history.push(Chunk {
                first,
                index: first_index,
                count: train.count(),
                block,
                at: out.now,
                transport_cc,
                abs_send_time: out.abs_send_time,
                generation: self.generation,
            });
        }
        train.finish(buffer)
    }

    /// Writes repeats that wait, one train of at most about `budget` bytes but at least one packet.
    pub(crate) fn write_repeats(&mut self, out: Outgoing<'_>, budget: usize) -> Option<Train> {
        let Outgoing {
            sealer,
            tag_len,
            now,
            abs_send_time,
            log,
            mut buffer,
        } = out;
        let mut train = Coupling::default();
        while let Some(number) = self.repeats.front().copied() {
            let Some(chunk) = self.history.get(number) else {
                self.repeats.pop_front();
                continue;
            };
            let offset = (number - chunk.first) as usize;
            let Some(payload) = chunk.block.payloads.get(chunk.index + offset) else {
                self.repeats.pop_front();
                continue;
            };
            let (template, osn) = match &self.rtx {
                Some(template) => (template, 2),
                None if chunk.generation == self.generation => (&self.media, 0),
                None => {
                    self.repeats.pop_front();
                    continue;
                }
            };
            let len = template.len() + osn + payload.len() + tag_len;
            if train.count() > 0 && train.bytes() + len > budget || !train.join(len) {
                break;
            }
            let last = chunk.index + offset + 1 == chunk.block.payloads.len();
            let marker = match self.params.kind {
                MediaKind::Video => last,
                MediaKind::Audio => chunk.index + offset == 0 && chunk.block.info.talk_start,
            };
            let mut packet = PerPacket {
                marker,
                seq: number as u16,
                rtp_time: chunk.block.rtp_time,
                transport_cc: chunk.transport_cc.wrapping_add(offset as u16),
                abs_send_time: chunk.abs_send_time,
            };
            let start = buffer.len();
            let (ssrc, index) = if self.rtx.is_some() {
                packet.seq = self.next_rtx as u16;
                packet.abs_send_time = abs_send_time;
                if template.numbered() {
                    packet.transport_cc = log.number(len, now);
                }
                self.next_rtx += 1;
                (self.params.rtx_ssrc.0, self.next_rtx - 1)
            } else {
                (self.params.ssrc.0, number)
            };
            template.write(&mut buffer, &packet);
            if osn > 0 {
                buffer.extend_from_slice(&(number as u16).to_be_bytes());
            }
            buffer.extend_from_slice(payload);
            if sealer
                .seal_rtp(&mut buffer, start, template.len(), ssrc, index)
                .is_err()
            {
                buffer.truncate(start);
                break;
            }
            self.counters.repeated_packets += 1;
            self.counters.repeated_octets += payload.len() as u64;
            self.repeats.pop_front();
        }
        train.finish(buffer)
    }
}

fn templates(params: &SendParams, mid_known: bool) -> (HeaderTemplate, Option<HeaderTemplate>) {
    let mid = (!mid_known).then(|| params.mid.as_str());
    let codec = &params.codec;
    let rtx = codec
        .rtx_pt
        .map(|pt| HeaderTemplate::new(pt, params.rtx_ssrc, &params.extensions, mid));
    let media = HeaderTemplate::new(codec.pt, params.ssrc, &params.extensions, mid);
    (media, rtx)
}
