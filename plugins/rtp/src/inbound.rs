// SPDX-License-Identifier: MPL-2.0
//! Packets of the peer: opened, read, and given to the streams they concern.
use crate::assemble::Packet;
use crate::bound::Tmmbr;
use crate::demux::Target;
use crate::extension::Extensions;
use crate::header::{FIXED, header_len};
use crate::media::Media;
use crate::receive::{RecvStream, give_back};
use crate::reception::{SenderReport, round_trip};
use crate::rtcp::Remb;
use crate::{MediaEvent, RtpError};
use rtc_payload::{Pt, Ssrc};
use rtcp_types::prelude::*;
use rtcp_types::{Fir, Nack, Packet as Rtcp, Pli, ReportBlock, Twcc};
use rtp_types::RtpPacket;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Streams received at a time at most.
const MAX_STREAMS: usize = 64;
/// A stream unheard of for so long makes room if the table is full.
const IDLE: Duration = Duration::from_secs(10);
/// The first report on a stream of the peer comes after so long.
const FIRST_REPORT: Duration = Duration::from_secs(1);
/// A packet is not repeated twice within this, or within a round trip.
const REPEAT_GAP: Duration = Duration::from_millis(20);

/// What is read of an opened RTP packet.
struct Parsed<'a> {
    ssrc: u32,
    pt: u8,
    marker: bool,
    rtp_time: u32,
    payload: Range<usize>,
    /// Profile and bytes of the header extension.
    extension: Option<(u16, &'a [u8])>,
}

fn parse(data: &[u8]) -> Result<Parsed<'_>, RtpError> {
    let packet = RtpPacket::parse(data).map_err(|_| RtpError::Malformed("RTP"))?;
    let start = packet.payload_offset();
    let at = FIXED + 4 * usize::from(packet.n_csrcs());
    let extension = packet.extension_bit().then(|| {
        let profile = data.get(at..at + 2)?.first_chunk().copied();
        Some((u16::from_be_bytes(profile?), data.get(at + 4..start)?))
    });
    Ok(Parsed {
        ssrc: packet.ssrc(),
        pt: packet.payload_type(),
        marker: packet.marker_bit(),
        rtp_time: packet.timestamp(),
        payload: start..start + packet.payload_len(),
        extension: extension.flatten(),
    })
}

/// Takes the original sequence number off a repeat (RFC 4588 §4); padding alone has none.
fn original(packet: &mut Packet) -> Option<u16> {
    let start = packet.payload.start;
    let original = packet.data.get(start..start + 2)?.first_chunk().copied();
    if packet.payload.len() <= 2 {
        return None;
    }
    packet.payload.start += 2;
    original.map(u16::from_be_bytes)
}

impl Media {
    pub(crate) fn handle_rtp(&mut self, packet: &[u8], now: Instant) -> Result<(), RtpError> {
        let header = header_len(packet)?;
        let keys = self.keys.as_mut().ok_or(RtpError::NoKeys)?;
        let mut data = self.pool.pop().unwrap_or_default();
        data.clear();
        data.extend_from_slice(packet);
        let index = match keys.opener.open_rtp(&mut data, header, now) {
            Ok(index) => index,
            Err(error) => {
                give_back(&mut self.pool, data);
                return Err(error);
            }
        };
        self.take_rtp(data, index, now)
    }

    /// Reads an opened packet of the given extended sequence number.
    pub(crate) fn take_rtp(
        &mut self,
        data: Vec<u8>,
        index: u64,
        now: Instant,
    ) -> Result<(), RtpError> {
        let parsed = parse(&data)?;
        let extensions = parsed
            .extension
            .map_or_else(Extensions::default, |(profile, bytes)| {
                Extensions::parse(profile, bytes, &self.extensions)
            });
        if let Some(number) = extensions.transport_cc {
            let arrived = now.checked_sub(self.late).unwrap_or(now);
            self.feedback.arrived(number, parsed.ssrc, arrived);
        }
        let pt = Pt(parsed.pt);
        if self.demux.is_tone(pt) {
            let route = self.demux.route_tone(parsed.ssrc, pt, &extensions, now)?;
            let (range, rtp_time) = (parsed.payload, parsed.rtp_time);
            let ssrc = route.0;
            let payload = data.get(range).unwrap_or_default();
            self.take_tone(route, payload, rtp_time, now);
            self.note_tone(ssrc, index, data, now);
            return Ok(());
        }
        let target = self.demux.route(parsed.ssrc, pt, &extensions, now)?;
        let mut packet = Packet {
            payload: parsed.payload,
            rtp_time: parsed.rtp_time,
            marker: parsed.marker,
            pt: target.codec.pt.0,
            arrived: now,
            audio_level: extensions.audio_level,
            data,
        };
        let latency = self.config.max_latency;
        let stream = stream_of(&mut self.receivers, &target, index, latency, now)?;
        let mut number = index;
        if target.is_repair {
            let Some(original) = original(&mut packet) else {
                return Ok(());
            };
            number = stream.extend(original).ok_or(RtpError::Replayed)?;
        }
        let measured = stream.packet(number, packet, target.codec, target.is_repair, now);
        stream.process(now, self.rtt, &mut self.pool, &mut self.events);
        if let Some(measured) = measured {
            self.measured_rtt(measured);
        }
        self.next_report.get_or_insert(now + FIRST_REPORT);
        self.send_requests(now);
        Ok(())
    }

    /// A tone's packet has its place among those of the audio it is part of.
    fn note_tone(&mut self, ssrc: Ssrc, index: u64, data: Vec<u8>, now: Instant) {
        if let Some(stream) = self.receivers.iter_mut().find(|s| s.ssrc == ssrc) {
            stream.pass_over(index, data, now);
            stream.process(now, self.rtt, &mut self.pool, &mut self.events);
        } else {
            give_back(&mut self.pool, data);
        }
        self.next_report.get_or_insert(now + FIRST_REPORT);
        self.send_requests(now);
    }

    pub(crate) fn measured_rtt(&mut self, measured: Duration) {
        self.rtt = Some(match self.rtt {
            Some(before) => (before * 3 + measured) / 4,
            None => measured,
        });
    }

    pub(crate) fn handle_rtcp(&mut self, packet: &[u8], now: Instant) -> Result<(), RtpError> {
        let keys = self.keys.as_mut().ok_or(RtpError::NoKeys)?;
        let mut data = self.pool.pop().unwrap_or_default();
        data.clear();
        data.extend_from_slice(packet);
        let opened = keys.opener.open_rtcp(&mut data, now);
        let read = opened.and_then(|()| self.take_rtcp(&data, now));
        give_back(&mut self.pool, data);
        read
    }

    /// Reads an opened compound packet. A part that can't be read does not keep others from it.
    pub(crate) fn take_rtcp(&mut self, data: &[u8], now: Instant) -> Result<(), RtpError> {
        if data.len() < 4 || data[0] >> 6 != 2 {
            return Err(RtpError::Malformed("RTCP"));
        }
        let mut arrivals = Vec::new();
        for packet in parts(data).filter_map(|part| Rtcp::parse(part).ok()) {
            match packet {
                Rtcp::Sr(report) => {
                    let ssrc = report.ssrc();
                    let newest = SenderReport {
                        ntp: report.ntp_timestamp(),
                        rtp_time: report.rtp_timestamp(),
                        arrived: now,
                    };
                    if let Some(stream) = self.receivers.iter_mut().find(|s| s.ssrc.0 == ssrc) {
                        stream.reception.report = Some(newest);
                    }
                    report
                        .report_blocks()
                        .for_each(|block| self.report_block(&block, now));
                }
                Rtcp::Rr(report) => {
                    report
                        .report_blocks()
                        .for_each(|block| self.report_block(&block, now));
                }
                Rtcp::Bye(bye) => bye.ssrcs().for_each(|ssrc| self.ended(ssrc)),
                Rtcp::TransportFeedback(feedback) => {
                    if let Ok(nack) = feedback.parse_fci::<Nack<'_>>() {
                        self.nacked(feedback.media_ssrc(), &nack, now);
                    } else if let Ok(twcc) = feedback.parse_fci::<Twcc<'_>>() {
                        self.reader.read(&twcc, &mut arrivals);
                    } else if let Ok(bound) = feedback.parse_fci::<Tmmbr<'_>>() {
                        self.take_bound(feedback.sender_ssrc(), bound);
                    }
                }
                Rtcp::PayloadFeedback(feedback) => {
                    if feedback.parse_fci::<Pli<'_>>().is_ok() {
                        self.picture_lost(feedback.media_ssrc(), now);
                    } else if let Ok(fir) = feedback.parse_fci::<Fir<'_>>() {
                        fir.entries().for_each(|entry| {
                            self.intra_wanted(entry.ssrc(), entry.sequence(), now);
                        });
                    } else if let Ok(remb) = feedback.parse_fci::<Remb>() {
                        self.estimator.set_remb(remb.bits_per_second);
                        self.tell_estimate();
                    }
                }
                _ => {} // XR, APP, SDES and unknown types are not needed (RFC 3550 §6.1)
            }
        }
        if !arrivals.is_empty() && self.config.congestion_control {
            self.estimator.feedback(&arrivals, &mut self.log, now);
            self.tell_estimate();
        }
        self.choose_layers(now);
        Ok(())
    }

    fn report_block(&mut self, block: &ReportBlock<'_>, now: Instant) {
        let Some(stream) = self
            .senders
            .iter_mut()
            .find(|s| s.params.ssrc.0 == block.ssrc())
        else {
            return;
        };
        stream.set_mid_known();
        let rate = stream.params.codec.codec.clock_rate();
        // 24 bits, signed (RFC 3550 §6.4.1).
        stream.remote.lost = i64::from((block.cumulative_lost() << 8) as i32 >> 8);
        stream.remote.fraction_lost = f64::from(block.fraction_lost()) / 256.0;
        let jitter = f64::from(block.interarrival_jitter()) / f64::from(rate);
        stream.remote.jitter = Some(Duration::from_secs_f64(jitter));
        let rtt = round_trip(
            self.config.wall.ntp(now),
            block.last_sender_report_timestamp(),
            block.delay_since_last_sender_report_timestamp(),
        );
        if let Some(rtt) = rtt {
            self.measured_rtt(rtt);
        }
    }

    fn nacked(&mut self, ssrc: u32, nack: &Nack<'_>, now: Instant) {
        let gap = self.rtt.unwrap_or(REPEAT_GAP).max(REPEAT_GAP);
        if let Some(stream) = self.senders.iter_mut().find(|s| s.params.ssrc.0 == ssrc) {
            nack.entries().for_each(|seq| stream.nack(seq, gap, now));
        }
    }

    fn picture_lost(&mut self, ssrc: u32, now: Instant) {
        if let Some(stream) = self.senders.iter_mut().find(|s| s.params.ssrc.0 == ssrc) {
            stream.counters.plis += 1;
            stream.want_keyframe(now);
        }
    }

    fn intra_wanted(&mut self, ssrc: u32, number: u8, now: Instant) {
        if let Some(stream) = self.senders.iter_mut().find(|s| s.params.ssrc.0 == ssrc) {
            // The same number again is the same request repeated (RFC 5104 §4.3.1.1).
            if stream.last_fir.replace(number) != Some(number) {
                stream.counters.firs += 1;
                stream.want_keyframe(now);
            }
        }
    }

    fn ended(&mut self, ssrc: u32) {
        let Some(at) = self.receivers.iter().position(|s| s.ssrc.0 == ssrc) else {
            return;
        };
        let stream = &mut self.receivers[at];
        let first_time = !std::mem::replace(&mut stream.ended, true);
        let mid = stream.mid.clone();
        let of_line = |s: &&RecvStream| s.mid == mid;
        if first_time && self.receivers.iter().filter(of_line).all(|s| s.ended) {
            self.receivers.retain(|s| s.mid != mid);
            self.events.push_back(MediaEvent::Ended { mid });
        }
    }

    pub(crate) fn tell_estimate(&mut self) {
        let bits_per_second = self.media_rate();
        let told = self.told_estimate;
        if bits_per_second.abs_diff(told) * 20 > told {
            self.told_estimate = bits_per_second;
            self.events
                .push_back(MediaEvent::Estimate { bits_per_second });
        }
    }
}

/// The parts of a compound packet, by their length fields (RFC 3550 §6.4.1); ends where they do not fit.
fn parts(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let words = data.get(2..4)?.first_chunk().copied()?;
        let len = 4 * (usize::from(u16::from_be_bytes(words)) + 1);
        let (part, rest) = data.split_at_checked(len)?;
        data = rest;
        Some(part)
    })
}

/// The stream a packet belongs to; begun if it is a new one.
fn stream_of<'a>(
    streams: &'a mut Vec<RecvStream>,
    target: &Target<'_>,
    index: u64,
    max_latency: Duration,
    now: Instant,
) -> Result<&'a mut RecvStream, RtpError> {
    if let Some(at) = streams.iter().position(|s| s.ssrc == target.ssrc) {
        return Ok(&mut streams[at]);
    }
    if target.is_repair {
        return Err(RtpError::Unroutable); // a repeat alone does not begin a stream
    }
    if streams.len() >= MAX_STREAMS {
        streams.retain(|s| now.saturating_duration_since(s.last_seen) < IDLE);
    }
    if streams.len() >= MAX_STREAMS {
        return Err(RtpError::TooManyStreams);
    }
    let stream = RecvStream::new(target, index, max_latency, now);
    streams.push(stream);
    streams.last_mut().ok_or(RtpError::TooManyStreams)
}
