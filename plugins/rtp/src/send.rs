// SPDX-License-Identifier: MPL-2.0
//! One sending stream: from shared blocks to sealed packets of one viewer, and their repetition.
use crate::catch_up::MAX_CAUGHT_UP;
use crate::estimate::SentLog;
use crate::extension::Once;
use crate::header::{HeaderTemplate, PerPacket};
use crate::history::{Chunk, History};
use crate::layering::Layering;
use crate::srtp::Sealer;
use crate::tone_send::ToneSender;
use crate::tone_stream::tone_template;
use crate::train::{Coupling, Train};
use crate::{ExtensionIds, MediaEvent, PacketBlock, RtpError, SendParams};
use rtc_payload::{Codec, MediaKind, PictureShift};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Repeats waiting at most; a peer that asks for more asks again.
const MAX_REPEATS: usize = 512;
/// Packets repeated at a time to fill a probe.
const MAX_FILL: u64 = 32;
/// Blocks waiting for the pacer at most, whatever their size: all that a viewer may have to catch up with, and
/// what comes meanwhile.
const MAX_QUEUED: usize = MAX_CAUGHT_UP + 256;
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

/// A payload of a shared block, and what this viewer's copy of it differs by.
#[derive(Clone, Copy)]
pub(crate) struct Contents<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) codec: Codec,
    pub(crate) shift: PictureShift,
}

impl<'a> Contents<'a> {
    /// Bytes that are the same for every viewer.
    pub(crate) fn plain(codec: Codec, bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            codec,
            shift: PictureShift::default(),
        }
    }
}

impl Outgoing<'_> {
    /// A transport-wide number for a packet of `len` bytes, if its header has room for one.
    pub(crate) fn number(&mut self, template: &HeaderTemplate, len: usize) -> u16 {
        if template.numbered() {
            self.log.number(len, self.now)
        } else {
            0
        }
    }

    /// Appends a sealed packet; `original` is the sequence number that RTX puts before the payload,
    /// `nonce` the SSRC and index to seal with.
    pub(crate) fn packet(
        &mut self,
        template: &HeaderTemplate,
        packet: &PerPacket,
        original: Option<u16>,
        payload: Contents<'_>,
        nonce: (u32, u64),
    ) -> Result<(), RtpError> {
        let start = self.buffer.len();
        template.write(&mut self.buffer, packet);
        if let Some(original) = original {
            self.buffer.extend_from_slice(&original.to_be_bytes());
        }
        let at = self.buffer.len();
        self.buffer.extend_from_slice(payload.bytes);
        payload.shift.apply(payload.codec, &mut self.buffer[at..]);
        let (ssrc, index) = nonce;
        self.sealer
            .seal_rtp(&mut self.buffer, start, template.len(), ssrc, index)
    }
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
    rtp_time: u32,
    shift: PictureShift,
}

/// The sending half of one m-line.
#[derive(Debug)]
pub(crate) struct SendStream {
    pub(crate) params: SendParams,
    media: HeaderTemplate,
    rtx: Option<HeaderTemplate>,
    /// The header before the newest change, for repeats without RTX.
    previous: Option<HeaderTemplate>,
    generation: u32,
    /// Extended numbers of the next packets; their low 48 bits are the SRTP indices.
    pub(crate) next: u64,
    next_rtx: u64,
    history: History,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    repeats: VecDeque<u64>,
    waiting_for_keyframe: bool,
    keyframe_asked: Option<Instant>,
    keyframe_due: Option<Instant>,
    mid_known: bool,
    pub(crate) tone_header: Option<HeaderTemplate>,
    pub(crate) tones: ToneSender,
    pub(crate) layering: Layering,
    /// RTP time and capture time of the newest block, for sender reports.
    pub(crate) newest: Option<(u32, Instant)>,
    /// Width and height of the newest frame.
    pub(crate) size: Option<(u16, u16)>,
    pub(crate) last_fir: Option<u8>,
    pub(crate) counters: SendCounters,
    pub(crate) remote: RemoteReport,
}

impl SendStream {
    /// `first` and `first_rtx` are the extended sequence numbers to start with; a new SSRC's below 2^15,
    /// so that a loss of the first packets cannot hide a roll-over (RFC 3711 §3.3.1).
    pub(crate) fn new(params: SendParams, first: u64, first_rtx: u64) -> Self {
        let (media, rtx) = templates(&params, false);
        let tone_header = tone_template(&params, false);
        Self {
            waiting_for_keyframe: params.kind == MediaKind::Video,
            media,
            rtx,
            previous: None,
            generation: 0,
            next: first,
            next_rtx: first_rtx,
            history: History::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            repeats: VecDeque::new(),
            keyframe_asked: None,
            keyframe_due: None,
            mid_known: false,
            tone_header,
            tones: ToneSender::default(),
            layering: Layering::default(),
            newest: None,
            size: None,
            last_fir: None,
            counters: SendCounters::default(),
            remote: RemoteReport::default(),
            params,
        }
    }

    /// Extended sequence numbers of the next packet and the next repeat.
    pub(crate) fn next_indices(&self) -> [u64; 2] {
        [self.next, self.next_rtx]
    }

    /// Takes the state after a negotiation; sequence numbers go on.
    pub(crate) fn reconfigure(&mut self, params: SendParams, events: &mut VecDeque<MediaEvent>) {
        let source_changed =
            params.codec.codec != self.params.codec.codec || params.track != self.params.track;
        let resumed = params.active && !self.params.active;
        if source_changed || !params.active || params.tone != self.params.tone {
            self.cancel_tones(events);
        }
        if params.codec.pt != self.params.codec.pt {
            // What was sent under another payload type can't be repeated under this one.
            self.history = History::default();
            self.repeats.clear();
        }
        if source_changed || resumed || !params.active {
            self.flush();
            self.repeats.clear();
            self.waiting_for_keyframe = params.kind == MediaKind::Video;
        }
        if source_changed {
            self.layering = Layering::default();
        }
        self.params = params;
        self.rewrite();
    }

    /// The peer knows our SSRC (it reports on it), so its mid and its playout delay need not be told any more.
    pub(crate) fn set_mid_known(&mut self) {
        if !self.mid_known {
            self.mid_known = true;
            self.rewrite();
        }
    }

    fn rewrite(&mut self) {
        let (media, rtx) = templates(&self.params, self.mid_known);
        self.previous = Some(std::mem::replace(&mut self.media, media));
        self.rtx = rtx;
        self.tone_header = tone_template(&self.params, self.mid_known);
        self.generation = self.generation.wrapping_add(1);
    }

    /// New keys: roll-over counters start anew (RFC 3711 §3.3.1), and nothing sealed with the old keys
    /// can be repeated.
    pub(crate) fn rekey(&mut self) {
        self.next &= 0xffff;
        self.next_rtx &= 0xffff;
        self.history = History::default();
        self.repeats.clear();
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
            if !block.info.keyframe || !self.layering.may_start(block) {
                self.counters.dropped_frames += 1;
                return false;
            }
            self.waiting_for_keyframe = false;
        }
        if self.queue.len() >= MAX_QUEUED {
            self.drop_queue();
            return false;
        }
        if self.leaves_out(block, now) {
            return true;
        }
        if self.layering.goes_down(block) {
            self.drop_unstarted();
        }
        self.newest = Some((block.rtp_time, block.captured));
        self.size = block.info.width.zip(block.info.height).or(self.size);
        if !self.is_video() && self.tones.silences(block.rtp_time, now) {
            return true;
        }
        if block.payloads.is_empty() {
            return true;
        }
        let (rtp_time, shift) = self.layering.place(block);
        self.queued_bytes += block.payloads.total_len();
        self.queue.push_back(Queued {
            block: Arc::clone(block),
            since: now,
            index: 0,
            rtp_time,
            shift,
        });
        true
    }

    /// Gives the newest block that waits another RTP time.
    pub(crate) fn retime_newest(&mut self, block: &Arc<PacketBlock>, rtp_time: u32) {
        let newest = self.queue.back_mut();
        if let Some(queued) = newest.filter(|queued| Arc::ptr_eq(&queued.block, block)) {
            queued.rtp_time = rtp_time;
        }
    }

    /// Gives up what waits; video then starts again at a keyframe.
    pub(crate) fn drop_queue(&mut self) {
        self.counters.dropped_frames += self.queue.len() as u64;
        self.flush();
        self.repeats.clear();
        self.waiting_for_keyframe = self.is_video();
    }

    /// Gives up all that waits but a frame that was sent in part, and repeats of what a keyframe makes useless.
    fn drop_unstarted(&mut self) {
        let started = self.queue.front().is_some_and(|queued| queued.index > 0);
        for dropped in self.queue.drain(usize::from(started)..) {
            self.counters.dropped_frames += 1;
            let bytes = dropped.block.payloads.total_len();
            self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
        }
        self.repeats.clear();
        self.history = History::default();
    }

    fn flush(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }

    /// Payload bytes that wait.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Frames that wait.
    pub(crate) fn queued_frames(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(crate) fn has_repeats(&self) -> bool {
        !self.repeats.is_empty()
    }

    /// Whether anything waits to be sent.
    pub(crate) fn has_work(&self) -> bool {
        self.has_queued() || self.has_repeats() || self.has_tones()
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

    /// When something is due: a wish to be passed on, a tone's next packet.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let others = [self.tones.deadline(), self.layering.deadline()];
        let due = others.into_iter().chain([self.keyframe_due]);
        due.flatten().min()
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
        let Some((number, _)) = self.history.find(seq) else {
            return;
        };
        if self.repeatable(number).is_some()
            && self.repeats.len() < MAX_REPEATS
            && self.history.may_repeat(number, gap, now)
        {
            self.repeats.push_back(number);
        }
    }

    /// Whether it may repeat what nobody asked for: a repeat without RTX is no packet of its own.
    pub(crate) fn may_fill(&self) -> bool {
        self.rtx.is_some() && self.params.active && self.is_video()
    }

    /// Queues its newest packets for repetition, so that at least `bytes` wait to be repeated: of use to nobody
    /// but the path is measured with them. `false` if there is nothing to be had.
    pub(crate) fn fill(&mut self, bytes: usize) -> bool {
        let mut left = bytes;
        let newest = (1..=MAX_FILL).filter_map(|back| self.next.checked_sub(back));
        for number in newest {
            let Some(chunk) = self.history.get(number).filter(|_| left > 0) else {
                break;
            };
            let index = chunk.index + (number - chunk.first) as usize;
            let payload = chunk.block.payloads.get(index);
            left = left.saturating_sub(payload.map_or(0, <[u8]>::len));
            self.repeats.push_back(number);
        }
        left < bytes
    }

    /// Writes packets that wait, one train of at most about `budget` bytes but at least one packet.
    pub(crate) fn write(&mut self, mut out: Outgoing<'_>, budget: usize) -> Option<Train> {
        let queued = self.queue.front()?;
        let (block, first_index) = (Arc::clone(&queued.block), queued.index);
        let (rtp_time, shift) = (queued.rtp_time, queued.shift);
        let mut train = Coupling::default();
        let mut chunk = Chunk {
            first: self.next,
            index: first_index,
            count: 0,
            block: Arc::clone(&block),
            rtp_time,
            shift,
            at: out.now,
            transport_cc: 0,
            abs_send_time: out.abs_send_time,
            generation: self.generation,
        };
        while let Some(payload) = block.payloads.get(first_index + chunk.count) {
            let len = self.media.len() + payload.len() + out.tag_len;
            if train.count() > 0 && train.bytes() + len > budget || !train.join(len) {
                break;
            }
            let number = out.number(&self.media, len);
            if chunk.count == 0 {
                chunk.transport_cc = number;
            }
            let packet = PerPacket {
                marker: is_marked(&block, first_index + chunk.count),
                seq: self.next as u16,
                rtp_time,
                transport_cc: number,
                abs_send_time: out.abs_send_time,
            };
            let contents = Contents {
                bytes: payload,
                codec: block.codec,
                shift,
            };
            let sealed = out.packet(
                &self.media,
                &packet,
                None,
                contents,
                (self.params.ssrc.0, self.next),
            );
            if sealed.is_err() {
                // Keys that were taken never fail to seal; should they, nothing half-sealed goes out.
                self.drop_queue();
                return None;
            }
            self.next += 1;
            chunk.count += 1;
            self.counters.packets += 1;
            self.counters.octets += payload.len() as u64;
            self.queued_bytes = self.queued_bytes.saturating_sub(payload.len());
        }
        self.advance(&block, first_index + chunk.count);
        if self.params.codec.nack {
            self.history.push(chunk);
        }
        train.finish(out.buffer)
    }

    /// Notes that the block at the head was sent up to payload `index`.
    fn advance(&mut self, block: &PacketBlock, index: usize) {
        if index >= block.payloads.len() {
            self.counters.frames += 1;
            self.counters.keyframes += u64::from(block.info.keyframe);
            self.queue.pop_front();
        } else if let Some(queued) = self.queue.front_mut() {
            queued.index = index;
        }
    }

    /// Writes repeats that wait, one train of at most about `budget` bytes but at least one packet.
    pub(crate) fn write_repeats(&mut self, mut out: Outgoing<'_>, budget: usize) -> Option<Train> {
        let mut train = Coupling::default();
        while let Some(number) = self.repeats.front().copied() {
            let Some((chunk, template)) = self.repeatable(number) else {
                self.repeats.pop_front();
                continue;
            };
            let offset = (number - chunk.first) as usize;
            let index = chunk.index + offset;
            let Some(payload) = chunk.block.payloads.get(index) else {
                self.repeats.pop_front();
                continue;
            };
            let original = self.rtx.is_some().then_some(number as u16);
            let osn = original.map_or(0, |_| 2);
            let len = template.len() + osn + payload.len() + out.tag_len;
            if train.count() > 0 && train.bytes() + len > budget || !train.join(len) {
                break;
            }
            let mut packet = PerPacket {
                marker: is_marked(&chunk.block, index),
                seq: number as u16,
                rtp_time: chunk.rtp_time,
                transport_cc: chunk.transport_cc.wrapping_add(offset as u16),
                abs_send_time: chunk.abs_send_time,
            };
            let mut nonce = (self.params.ssrc.0, number);
            if original.is_some() {
                packet.seq = self.next_rtx as u16;
                packet.abs_send_time = out.abs_send_time;
                packet.transport_cc = out.number(template, len);
                nonce = (self.params.rtx_ssrc.0, self.next_rtx);
            }
            let octets = payload.len() as u64;
            let contents = Contents {
                bytes: payload,
                codec: chunk.block.codec,
                shift: chunk.shift,
            };
            let sealed = out.packet(template, &packet, original, contents, nonce);
            self.counters.repeated_packets += 1;
            self.counters.repeated_octets += octets;
            self.next_rtx += u64::from(original.is_some());
            self.repeats.pop_front();
            if sealed.is_err() {
                return None;
            }
        }
        train.finish(out.buffer)
    }

    /// A packet that can be repeated, with the header to repeat it with: RTX's, or the very same.
    fn repeatable(&self, number: u64) -> Option<(&Chunk, &HeaderTemplate)> {
        let chunk = self.history.get(number)?;
        let template = match (&self.rtx, &self.previous) {
            (Some(rtx), _) => rtx,
            (None, _) if chunk.generation == self.generation => &self.media,
            (None, Some(previous)) if chunk.generation.wrapping_add(1) == self.generation => {
                previous
            }
            _ => return None,
        };
        Some((chunk, template))
    }
}

/// Whether a packet bears the marker: the last of a video frame, the first of a talk spurt.
fn is_marked(block: &PacketBlock, index: usize) -> bool {
    match block.codec.kind() {
        MediaKind::Video => index + 1 == block.payloads.len(),
        MediaKind::Audio => index == 0 && block.info.talk_start,
    }
}

fn templates(params: &SendParams, is_known: bool) -> (HeaderTemplate, Option<HeaderTemplate>) {
    let once = match is_known {
        true => Once::default(),
        false => Once {
            mid: Some(params.mid.as_str()),
            playout_delay: params.playout_delay,
        },
    };
    let codec = &params.codec;
    let ids = extension_ids(params);
    let rtx = codec
        .rtx_pt
        .map(|pt| HeaderTemplate::new(pt, params.rtx_ssrc, &ids, once));
    let media = HeaderTemplate::new(codec.pt, params.ssrc, &ids, once);
    (media, rtx)
}

/// The extensions a stream's packets bear.
pub(crate) fn extension_ids(params: &SendParams) -> ExtensionIds {
    let mut ids = params.extensions.clone();
    // Numbers that nobody tells of would look like a silent peer.
    ids.transport_cc = ids.transport_cc.filter(|_| params.codec.transport_cc);
    ids
}
