// SPDX-License-Identifier: MPL-2.0
//! RTP headers (RFC 3550 §5.1): a template a stream for writing, and the header's length for opening.
use crate::extension::{self, Once, Slots};
use crate::{ExtensionIds, RtpError};
use rtc_payload::{Pt, Ssrc};

/// Fixed part of the header, bytes.
pub(crate) const FIXED: usize = 12;

/// Length of the header with contributing sources and extension: what SRTP leaves in the clear.
pub(crate) fn header_len(packet: &[u8]) -> Result<usize, RtpError> {
    let malformed = RtpError::Malformed("RTP header");
    let first = *packet.first().ok_or(malformed)?;
    if packet.len() < FIXED || first >> 6 != 2 {
        return Err(malformed);
    }
    let mut len = FIXED + 4 * usize::from(first & 15);
    if first & 0x10 != 0 {
        let words = packet.get(len + 2..len + 4).ok_or(malformed)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    if len > packet.len() {
        return Err(malformed);
    }
    Ok(len)
}

/// What differs from packet to packet of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerPacket {
    pub(crate) marker: bool,
    pub(crate) seq: u16,
    pub(crate) rtp_time: u32,
    pub(crate) transport_cc: u16,
    /// 6.18 fixed point seconds.
    pub(crate) abs_send_time: u32,
}

/// A header written once and copied for each packet.
#[derive(Clone, Debug)]
pub(crate) struct HeaderTemplate {
    bytes: Vec<u8>,
    slots: Slots,
}

impl HeaderTemplate {
    /// What `once` has is written if its extension was negotiated.
    pub(crate) fn new(pt: Pt, ssrc: Ssrc, ids: &ExtensionIds, once: Once<'_>) -> Self {
        let mut bytes = vec![0x80, pt.0 & 0x7f, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&ssrc.0.to_be_bytes());
        let slots = extension::write(&mut bytes, ids, once);
        if bytes.len() > FIXED {
            bytes[0] |= 0x10;
        }
        Self { bytes, slots }
    }

    /// Bytes of every header made from it.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether packets carry a transport-wide sequence number.
    pub(crate) fn numbered(&self) -> bool {
        self.slots.transport_cc.is_some()
    }

    /// Appends a header.
    pub(crate) fn write(&self, out: &mut Vec<u8>, packet: &PerPacket) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let header = &mut out[start..];
        if packet.marker {
            header[1] |= 0x80;
        }
        header[2..4].copy_from_slice(&packet.seq.to_be_bytes());
        header[4..8].copy_from_slice(&packet.rtp_time.to_be_bytes());
        if let Some(at) = self.slots.transport_cc {
            header[at..at + 2].copy_from_slice(&packet.transport_cc.to_be_bytes());
        }
        if let Some(at) = self.slots.abs_send_time {
            header[at..at + 3].copy_from_slice(&packet.abs_send_time.to_be_bytes()[1..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_header_parses_as_rtp() {
        let ids = ExtensionIds {
            mid: Some(4),
            transport_cc: Some(3),
            ..ExtensionIds::default()
        };
        let once = Once {
            mid: Some("0"),
            ..Once::default()
        };
        let template = HeaderTemplate::new(Pt(96), Ssrc(0xdead_beef), &ids, once);
        let mut out = vec![1, 2, 3];
        let packet = PerPacket {
            marker: true,
            seq: 65535,
            rtp_time: 0x8000_0001,
            transport_cc: 7,
            abs_send_time: 0,
        };
        template.write(&mut out, &packet);
        out.extend_from_slice(b"payload");
        let read = rtp_types::RtpPacket::parse(&out[3..]).unwrap();
        assert!(read.marker_bit() && read.payload_type() == 96);
        assert_eq!(
            (read.sequence_number(), read.timestamp()),
            (65535, 0x8000_0001)
        );
        assert_eq!(
            (read.ssrc(), read.payload()),
            (0xdead_beef, &b"payload"[..])
        );
        assert_eq!(header_len(&out[3..]), Ok(template.len()));
    }

    #[test]
    fn headers_cut_anywhere_are_refused() {
        let mut packet = vec![0x92, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        packet.extend_from_slice(&[0; 8]);
        packet.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 1, 0, 0]);
        assert_eq!(header_len(&packet), Ok(packet.len()));
        for len in 0..packet.len() {
            assert!(header_len(&packet[..len]).is_err(), "{len}");
        }
    }
}
