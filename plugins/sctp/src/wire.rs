// SPDX-License-Identifier: MPL-2.0
//! Packets, chunks and parameters (RFC 9260 §3): taken apart and put together.
use crate::crc;

/// The common header, bytes.
pub(crate) const HEADER: usize = 12;
const CHUNK_HEADER: usize = 4;

/// Chunk types.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const INIT: u8 = 1;
    pub(crate) const INIT_ACK: u8 = 2;
    pub(crate) const SACK: u8 = 3;
    pub(crate) const HEARTBEAT: u8 = 4;
    pub(crate) const HEARTBEAT_ACK: u8 = 5;
    pub(crate) const ABORT: u8 = 6;
    pub(crate) const SHUTDOWN: u8 = 7;
    pub(crate) const SHUTDOWN_ACK: u8 = 8;
    pub(crate) const ERROR: u8 = 9;
    pub(crate) const COOKIE_ECHO: u8 = 10;
    pub(crate) const COOKIE_ACK: u8 = 11;
    pub(crate) const SHUTDOWN_COMPLETE: u8 = 14;
    /// RFC 8260.
    pub(crate) const I_DATA: u8 = 64;
    /// RFC 6525.
    pub(crate) const RE_CONFIG: u8 = 130;
    /// RFC 3758.
    pub(crate) const FORWARD_TSN: u8 = 192;
    /// RFC 8260.
    pub(crate) const I_FORWARD_TSN: u8 = 194;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) source: u16,
    pub(crate) destination: u16,
    pub(crate) tag: u32,
    pub(crate) checksum: u32,
}

impl Header {
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = packet.first_chunk()?;
        Some(Self {
            source: u16_at(bytes, 0)?,
            destination: u16_at(bytes, 2)?,
            tag: u32_at(bytes, 4)?,
            // RFC 9260 §6.8 has it in the order of bytes of a CRC.
            checksum: u32_at(bytes, 8)?.swap_bytes(),
        })
    }

    /// Whether the checksum fits; one of zero does if `zero` is agreed on (RFC 9653).
    pub(crate) fn fits(&self, packet: &[u8], zero: bool) -> bool {
        (zero && self.checksum == 0) || self.checksum == crc::of_packet(packet)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk<'a> {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) body: &'a [u8],
    /// With its header.
    pub(crate) whole: &'a [u8],
}

/// The chunks of a packet, as far as it is well-formed.
pub(crate) fn chunks(packet: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = packet.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 2)?);
        let whole = rest.get(..length)?;
        let body = whole.get(CHUNK_HEADER..)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Chunk {
            kind: whole[0],
            flags: whole[1],
            body,
            whole,
        })
    })
}

/// Types and values of the parameters (or causes of an error) in a chunk, as far as they are well-formed.
pub(crate) fn parameters(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (kind, length) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
        let value = rest.get(CHUNK_HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A packet being written.
#[derive(Debug)]
pub(crate) struct Packet {
    bytes: Vec<u8>,
    /// Where the last chunk begins.
    last: usize,
}

impl Packet {
    pub(crate) fn new(source: u16, destination: u16, tag: u32, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(&source.to_be_bytes());
        bytes.extend_from_slice(&destination.to_be_bytes());
        bytes.extend_from_slice(&tag.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let last = bytes.len();
        Self { bytes, last }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Writes a chunk whose body `write` appends.
    pub(crate) fn chunk(&mut self, kind: u8, flags: u8, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.last = start;
        self.bytes.extend_from_slice(&[kind, flags, 0, 0]);
        write(&mut self.bytes);
        let length = u16::try_from(self.bytes.len() - start)
            .expect("what we write is smaller than a path's MTU");
        self.bytes[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Sets a flag of the chunk written last.
    pub(crate) fn flag_last(&mut self, flag: u8) {
        if let Some(flags) = self.bytes.get_mut(self.last + 1) {
            *flags |= flag;
        }
    }

    pub(crate) fn finish(mut self, checksum: bool) -> Vec<u8> {
        if checksum {
            let sum = crc::of_packet(&self.bytes).to_le_bytes();
            self.bytes[8..HEADER].copy_from_slice(&sum);
        }
        self.bytes
    }
}

/// Writes a parameter; its value is padded.
pub(crate) fn put_parameter(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + CHUNK_HEADER)
        .expect("what we write is smaller than a path's MTU");
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value);
    // Parameters follow fixed fields of a multiple of four bytes each.
    let padded = value.len().next_multiple_of(4) - value.len();
    bytes.extend_from_slice(&[0; 3][..padded]);
}

/// The number nearest to `reference` that looks like `wire` in 32 bits.
pub(crate) fn near32(reference: u64, wire: u32) -> u64 {
    let difference = wire.wrapping_sub(reference as u32).cast_signed();
    reference.wrapping_add_signed(difference.into())
}

/// The number nearest to `reference` that looks like `wire` in 16 bits.
pub(crate) fn near16(reference: u64, wire: u16) -> u64 {
    let difference = wire.wrapping_sub(reference as u16).cast_signed();
    reference.wrapping_add_signed(difference.into())
}

/// Where counters begin, so that numbers before the first are no less than zero.
pub(crate) const ORIGIN: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut packet = Packet::new(5000, 5001, 0x0102_0304, 100);
        packet.chunk(kind::HEARTBEAT, 0, |body| {
            put_parameter(body, 1, b"abcde");
            put_parameter(body, 2, b"");
        });
        packet.chunk(kind::COOKIE_ACK, 3, |_| ());
        let bytes = packet.finish(true);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!((header.source, header.destination), (5000, 5001));
        assert!(header.fits(&bytes, false));
        let all: Vec<_> = chunks(&bytes).map(|c| (c.kind, c.flags)).collect();
        assert_eq!(all, [(kind::HEARTBEAT, 0), (kind::COOKIE_ACK, 3)]);
        let body = chunks(&bytes).next().unwrap().body;
        let inside: Vec<_> = parameters(body).collect();
        assert_eq!(inside, [(1, &b"abcde"[..]), (2, &b""[..])]);
    }

    #[test]
    fn malformed_packets_are_walked_to_where_they_break() {
        let mut packet = Packet::new(1, 2, 3, 100);
        packet.chunk(kind::DATA, 0, |body| body.extend_from_slice(&[7; 13]));
        packet.chunk(kind::ERROR, 0, |body| body.extend_from_slice(&[7; 9]));
        let whole = packet.finish(true);
        for end in 0..whole.len() - 3 {
            assert!(chunks(&whole[..end]).count() <= 1, "{end}");
        }
        let mut short = whole.clone();
        short[HEADER + 3] = 3;
        assert_eq!(chunks(&short).count(), 0);
        assert!(!Header::parse(&short).unwrap().fits(&short, true));
    }

    #[test]
    fn numbers_wrap_in_both_directions() {
        assert_eq!(near32(ORIGIN, u32::MAX), ORIGIN - 1);
        assert_eq!(near32(ORIGIN - 1, 3), ORIGIN + 3);
        assert_eq!(near16(ORIGIN, u16::MAX), ORIGIN - 1);
        assert_eq!(near16(ORIGIN + 65_535, 1), ORIGIN + 65_537);
    }
}
