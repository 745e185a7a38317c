// SPDX-License-Identifier: MPL-2.0
//! Counters of a session's streams, as the statistics of standards ask for them.
use crate::media::Media;
use crate::receive::RecvStream;
use crate::send::SendStream;
use rtc_payload::{Codec, Mid, Rid, Ssrc};
use std::time::Duration;

/// Counters of one sending stream.
#[derive(Clone, Debug, PartialEq)]
pub struct SendStats {
    /// Its m-line.
    pub mid: Mid,
    /// Its SSRC.
    pub ssrc: Ssrc,
    /// The codec sent.
    pub codec: Codec,
    /// The encoding sent, 0 the largest; `None` where the input has one, and before the first frame.
    pub layer: Option<u8>,
    /// Size of the frames sent, pixels, where known.
    pub size: Option<(u16, u16)>,
    /// RTP packets sent, repeats not counted.
    pub packets: u64,
    /// Payload bytes sent, repeats not counted.
    pub bytes: u64,
    /// Frames sent whole.
    pub frames: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Frames not sent: while waiting for a keyframe, or because the path was too slow.
    pub dropped_frames: u64,
    /// Packets repeated.
    pub retransmitted_packets: u64,
    /// Payload bytes repeated.
    pub retransmitted_bytes: u64,
    /// Packets the peer asked for again.
    pub nacks: u64,
    /// Picture loss indications received.
    pub plis: u64,
    /// Full intra requests received.
    pub firs: u64,
    /// Packets lost by the peer's newest report.
    pub remote_lost: i64,
    /// Part lost by the peer's newest report, 0-1.
    pub remote_fraction_lost: f64,
    /// Interarrival jitter by the peer's newest report.
    pub remote_jitter: Option<Duration>,
}

/// Counters of one receiving stream.
#[derive(Clone, Debug, PartialEq)]
pub struct RecvStats {
    /// Its m-line.
    pub mid: Mid,
    /// Its simulcast encoding, if any.
    pub rid: Option<Rid>,
    /// Its SSRC.
    pub ssrc: Ssrc,
    /// The codec of the newest packet.
    pub codec: Codec,
    /// RTP packets received, repeats counted.
    pub packets: u64,
    /// Payload bytes received, repeats counted.
    pub bytes: u64,
    /// Packets expected less received (RFC 3550 §6.4.1); repeats may make it negative.
    pub lost: i64,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// Frames given out.
    pub frames: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Frames given up: incomplete, undecodable, or without their keyframe.
    pub dropped_frames: u64,
    /// Packets that came as RTX.
    pub retransmitted_packets: u64,
    /// Packets asked for again.
    pub nacks: u64,
    /// Picture loss indications sent.
    pub plis: u64,
    /// Full intra requests sent.
    pub firs: u64,
}

/// Counters of all streams of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaStats {
    /// Sending streams.
    pub send: Vec<SendStats>,
    /// Receiving streams.
    pub recv: Vec<RecvStats>,
    /// Round-trip time by the newest report.
    pub rtt: Option<Duration>,
    /// What the path to the peer is thought to carry, bit/s; 0 while not estimated.
    pub estimate: u64,
    /// Packets refused: not authentic, replayed, malformed or unroutable.
    pub refused: u64,
}

impl Media {
    /// Counters of all streams.
    pub fn stats(&self) -> MediaStats {
        let measured = self.estimator.has_feedback() || self.told_estimate > 0;
        MediaStats {
            send: self.senders.iter().map(send_stats).collect(),
            recv: self.receivers.iter().map(recv_stats).collect(),
            rtt: self.rtt,
            estimate: if measured {
                self.estimator.bits_per_second()
            } else {
                0
            },
            refused: self.refused,
        }
    }
}

fn send_stats(stream: &SendStream) -> SendStats {
    let counters = &stream.counters;
    SendStats {
        mid: stream.params.mid.clone(),
        ssrc: stream.params.ssrc,
        codec: stream.params.codec.codec,
        layer: stream.layering.current(),
        size: stream.size,
        packets: counters.packets,
        bytes: counters.octets,
        frames: counters.frames,
        keyframes: counters.keyframes,
        dropped_frames: counters.dropped_frames,
        retransmitted_packets: counters.repeated_packets,
        retransmitted_bytes: counters.repeated_octets,
        nacks: counters.nacks,
        plis: counters.plis,
        firs: counters.firs,
        remote_lost: stream.remote.lost,
        remote_fraction_lost: stream.remote.fraction_lost,
        remote_jitter: stream.remote.jitter,
    }
}

fn recv_stats(stream: &RecvStream) -> RecvStats {
    let counters = &stream.counters;
    RecvStats {
        mid: stream.mid.clone(),
        rid: stream.rid.clone(),
        ssrc: stream.ssrc,
        codec: stream.codec.codec,
        packets: counters.packets,
        bytes: counters.bytes,
        lost: stream.reception.lost(),
        jitter: stream.reception.jitter(),
        frames: counters.frames,
        keyframes: counters.keyframes,
        dropped_frames: counters.dropped_frames,
        retransmitted_packets: counters.repeated_packets,
        nacks: counters.nacks,
        plis: counters.plis,
        firs: counters.firs,
    }
}
