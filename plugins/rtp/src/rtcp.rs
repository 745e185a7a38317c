// SPDX-License-Identifier: MPL-2.0
//! RTCP packets written (RFC 3550 §6, RFC 4585, RFC 5104) and the parts of them that are read.
use crate::reception::Block;
use rtcp_types::prelude::*;
use rtcp_types::{
    Bye, Compound, CompoundBuilder, FciFeedbackPacketType, Fir, Nack, PayloadFeedback, Pli,
    ReceiverReport, ReportBlock, ReportBlockBuilder, RtcpParseError, Sdes, SdesChunk, SdesItem,
    SenderReport, TransportFeedback, TwccBuilder,
};

/// Type of the SDES item CNAME (RFC 3550 §6.5.1).
const CNAME: u8 = 1;
/// Report blocks of one packet; its count has 5 bits.
const MAX_BLOCKS: usize = 31;
/// Sequence numbers of one NACK packet, so that it fits a datagram even if none are neighbours.
const MAX_NACKS: usize = 200;

/// What a sender report tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SenderInfo {
    pub(crate) ssrc: u32,
    pub(crate) ntp: u64,
    pub(crate) rtp_time: u32,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

fn block(ssrc: u32, block: &Block) -> ReportBlockBuilder {
    ReportBlock::builder(ssrc)
        .fraction_lost(block.fraction_lost)
        .cumulative_lost(block.lost.clamp(0, 0x7f_ffff) as u32)
        .extended_sequence_number(block.highest)
        .interarrival_jitter(block.jitter)
        .last_sender_report_timestamp(block.last_report)
        .delay_since_last_sender_report_timestamp(block.delay)
}

fn write(compound: CompoundBuilder<'_>) -> Option<Vec<u8>> {
    let mut out = vec![0; compound.calculate_size().ok()?];
    let len = compound.write_into(&mut out).ok()?;
    out.truncate(len);
    Some(out)
}

fn sdes(ssrc: u32, cname: &str) -> rtcp_types::SdesBuilder<'_> {
    let item = SdesItem::builder(CNAME, cname);
    Sdes::builder().add_chunk(SdesChunk::builder(ssrc).add_item(item))
}

/// Sender report, or receiver report if nothing was sent, with report blocks and CNAME.
pub(crate) fn report(
    ssrc: u32,
    sender: Option<SenderInfo>,
    blocks: &[(u32, Block)],
    cname: &str,
) -> Option<Vec<u8>> {
    let blocks = blocks.iter().take(MAX_BLOCKS);
    let compound = match sender {
        Some(info) => {
            let report = SenderReport::builder(info.ssrc)
                .ntp_timestamp(info.ntp)
                .rtp_timestamp(info.rtp_time)
                .packet_count(info.packets)
                .octet_count(info.octets);
            Compound::builder().add_packet(blocks.fold(report, |report, (ssrc, b)| {
                report.add_report_block(block(*ssrc, b))
            }))
        }
        None => {
            let report = ReceiverReport::builder(ssrc);
            Compound::builder().add_packet(blocks.fold(report, |report, (ssrc, b)| {
                report.add_report_block(block(*ssrc, b))
            }))
        }
    };
    write(compound.add_packet(sdes(sender.map_or(ssrc, |info| info.ssrc), cname)))
}

/// An empty receiver report and a CNAME: what feedback follows in a compound packet (RFC 4585 §3.1),
/// for a peer may not have agreed to reduced-size RTCP.
fn head(ssrc: u32, cname: &str) -> CompoundBuilder<'_> {
    Compound::builder()
        .add_packet(ReceiverReport::builder(ssrc))
        .add_packet(sdes(ssrc, cname))
}

/// Generic NACK; several packets where one does not hold all.
pub(crate) fn nack(ssrc: u32, media: u32, missing: &[u16], cname: &str) -> Vec<Vec<u8>> {
    let packet = |missing: &[u16]| {
        let nack = missing
            .iter()
            .fold(Nack::builder(), |nack, seq| nack.add_rtp_sequence(*seq));
        let feedback = TransportFeedback::builder_owned(nack)
            .sender_ssrc(ssrc)
            .media_ssrc(media);
        write(head(ssrc, cname).add_packet(feedback))
    };
    missing.chunks(MAX_NACKS).filter_map(packet).collect()
}

/// Picture loss indication.
pub(crate) fn pli(ssrc: u32, media: u32, cname: &str) -> Option<Vec<u8>> {
    let feedback = PayloadFeedback::builder_owned(Pli::builder())
        .sender_ssrc(ssrc)
        .media_ssrc(media);
    write(head(ssrc, cname).add_packet(feedback))
}

/// Full intra request; `number` differs from that of the request before (RFC 5104 §4.3.1.1).
pub(crate) fn fir(ssrc: u32, media: u32, number: u8, cname: &str) -> Option<Vec<u8>> {
    let fir = Fir::builder().add_ssrc(media, number);
    // The media SSRC of the packet itself is not used (RFC 5104 §4.3.1.2).
    let feedback = PayloadFeedback::builder_owned(fir)
        .sender_ssrc(ssrc)
        .media_ssrc(0);
    write(head(ssrc, cname).add_packet(feedback))
}

/// Transport-wide feedback.
pub(crate) fn transport_wide(
    ssrc: u32,
    media: u32,
    feedback: TwccBuilder,
    cname: &str,
) -> Option<Vec<u8>> {
    let feedback = TransportFeedback::builder_owned(feedback)
        .sender_ssrc(ssrc)
        .media_ssrc(media);
    write(head(ssrc, cname).add_packet(feedback))
}

/// Feedback that is written already.
pub(crate) fn with(ssrc: u32, feedback: &[u8], cname: &str) -> Option<Vec<u8>> {
    let mut out = write(head(ssrc, cname))?;
    out.extend_from_slice(feedback);
    Some(out)
}

/// Goodbye of up to 31 sources.
pub(crate) fn bye(ssrcs: &[u32], cname: &str) -> Option<Vec<u8>> {
    let first = *ssrcs.first()?;
    let bye = ssrcs
        .iter()
        .take(MAX_BLOCKS)
        .fold(Bye::builder(), |bye, ssrc| bye.add_source(*ssrc));
    write(head(first, cname).add_packet(bye))
}

/// Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03 §2.2).
#[derive(Debug)]
pub(crate) struct Remb {
    pub(crate) bits_per_second: u64,
}

impl<'a> FciParser<'a> for Remb {
    const PACKET_TYPE: FciFeedbackPacketType = FciFeedbackPacketType::PAYLOAD;
    const FCI_FORMAT: u8 = 15;

    fn parse(data: &'a [u8]) -> Result<Self, RtcpParseError> {
        let truncated = RtcpParseError::Truncated {
            expected: 8,
            actual: data.len(),
        };
        let head: [u8; 8] = data.first_chunk().copied().ok_or(truncated)?;
        if &head[..4] != b"REMB" {
            return Err(RtcpParseError::WrongImplementation);
        }
        let exponent = u32::from(head[5] >> 2);
        let mantissa = u64::from(u32::from_be_bytes([0, head[5] & 3, head[6], head[7]]));
        let bits_per_second = mantissa.checked_shl(exponent).unwrap_or(u64::MAX);
        let overflow = mantissa.leading_zeros() < exponent;
        Ok(Self {
            bits_per_second: if overflow { u64::MAX } else { bits_per_second },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtcp_types::Packet;

    fn packets(data: &[u8]) -> Vec<Packet<'_>> {
        Compound::parse(data).unwrap().map(|p| p.unwrap()).collect()
    }

    #[test]
    fn a_sender_report_bears_blocks_and_cname() {
        let info = SenderInfo {
            ssrc: 7,
            ntp: 1 << 40,
            rtp_time: 9,
            packets: 2,
            octets: 300,
        };
        let lost = Block {
            fraction_lost: 1,
            lost: -4,
            highest: 0x1_0002,
            jitter: 3,
            last_report: 4,
            delay: 5,
        };
        let data = report(1, Some(info), &[(99, lost); 40], "name").unwrap();
        let packets = packets(&data);
        let Packet::Sr(report) = &packets[0] else {
            panic!("{packets:?}");
        };
        assert_eq!((report.ssrc(), report.ntp_timestamp()), (7, 1 << 40));
        assert_eq!(report.n_reports(), 31);
        let first = report.report_blocks().next().unwrap();
        assert_eq!((first.ssrc(), first.cumulative_lost()), (99, 0));
        let Packet::Sdes(sdes) = &packets[1] else {
            panic!("{packets:?}");
        };
        let item = sdes.chunks().next().unwrap().items().next().unwrap();
        assert_eq!((item.type_(), item.value()), (CNAME, &b"name"[..]));
    }

    #[test]
    fn feedback_is_read_back() {
        let all: Vec<u16> = (0..500).map(|i| i * 40).collect();
        let mut read = Vec::new();
        for data in nack(1, 2, &all, "n") {
            assert!(data.len() < 1150, "{}", data.len());
            let Some(Packet::TransportFeedback(feedback)) = packets(&data).pop() else {
                panic!("no feedback");
            };
            assert_eq!(feedback.media_ssrc(), 2);
            read.extend(feedback.parse_fci::<Nack<'_>>().unwrap().entries());
        }
        assert_eq!(read, all);
        let data = fir(1, 2, 3, "n").unwrap();
        let Some(Packet::PayloadFeedback(feedback)) = packets(&data).pop() else {
            panic!("no feedback");
        };
        let entry = feedback
            .parse_fci::<Fir<'_>>()
            .unwrap()
            .entries()
            .next()
            .unwrap();
        assert_eq!((entry.ssrc(), entry.sequence()), (2, 3));
        assert!(feedback.parse_fci::<Pli<'_>>().is_err());
    }

    #[test]
    fn remb_is_mantissa_times_two_to_the_exponent() {
        let read = |tail: [u8; 4]| {
            let mut data = b"REMB".to_vec();
            data.extend_from_slice(&tail);
            <Remb as FciParser<'_>>::parse(&data)
                .unwrap()
                .bits_per_second
        };
        assert_eq!(read([1, 3 << 2, 0, 100]), 800);
        assert_eq!(read([1, 0xff, 0xff, 0xff]), u64::MAX);
    }
}
