// SPDX-License-Identifier: MPL-2.0
//! DATA (RFC 9260 §3.3.1) and I-DATA (RFC 8260 §2.1) chunks.
use crate::wire::{Chunk, Packet, kind, u16_at, u32_at};

/// Header of a DATA chunk with the chunk's own, bytes.
const DATA_HEADER: usize = 16;
const I_DATA_HEADER: usize = 20;
const END: u8 = 1;
const BEGIN: u8 = 2;
const UNORDERED: u8 = 4;
/// RFC 7053: acknowledge at once.
pub(crate) const IMMEDIATE: u8 = 8;

/// What a piece of a message says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) stream: u16,
    pub(crate) unordered: bool,
    /// First and last of its message.
    pub(crate) begin: bool,
    pub(crate) end: bool,
    /// In I-DATA only that of the first piece is told.
    pub(crate) ppid: u32,
    /// Message identifier; in DATA the stream sequence number.
    pub(crate) mid: u32,
    /// Number within the message; 0 in DATA.
    pub(crate) fsn: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) tsn: u32,
    pub(crate) piece: Piece,
    pub(crate) immediate: bool,
    pub(crate) payload: &'a [u8],
}

/// The header of a chunk, bytes.
pub(crate) fn header_size(interleaved: bool) -> usize {
    match interleaved {
        true => I_DATA_HEADER,
        false => DATA_HEADER,
    }
}

impl<'a> Incoming<'a> {
    /// A DATA or I-DATA chunk; `None` if it is cut off or has no payload.
    pub(crate) fn parse(chunk: &Chunk<'a>) -> Option<Self> {
        let interleaved = chunk.kind == kind::I_DATA;
        let header = header_size(interleaved) - 4;
        let payload = chunk.body.get(header..)?;
        let is = |flag: u8| chunk.flags & flag != 0;
        let begin = is(BEGIN);
        let (mid, ppid, fsn) = match interleaved {
            true => {
                let (mid, last) = (u32_at(chunk.body, 8)?, u32_at(chunk.body, 12)?);
                // One field, which in the first piece is the PPID and in the others their number.
                match begin {
                    true => (mid, last, 0),
                    false => (mid, 0, last),
                }
            }
            false => (u16_at(chunk.body, 6)?.into(), u32_at(chunk.body, 8)?, 0),
        };
        let piece = Piece {
            stream: u16_at(chunk.body, 4)?,
            unordered: is(UNORDERED),
            begin,
            end: is(END),
            ppid,
            mid,
            fsn,
        };
        (!payload.is_empty()).then_some(Self {
            tsn: u32_at(chunk.body, 0)?,
            piece,
            immediate: is(IMMEDIATE),
            payload,
        })
    }
}

/// Writes a chunk.
pub(crate) fn put(packet: &mut Packet, interleaved: bool, tsn: u32, piece: &Piece, payload: &[u8]) {
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let flags = flag(piece.end, END) | flag(piece.begin, BEGIN) | flag(piece.unordered, UNORDERED);
    let kind = match interleaved {
        true => kind::I_DATA,
        false => kind::DATA,
    };
    packet.chunk(kind, flags, |body| {
        body.extend_from_slice(&tsn.to_be_bytes());
        body.extend_from_slice(&piece.stream.to_be_bytes());
        if interleaved {
            let last = if piece.begin { piece.ppid } else { piece.fsn };
            body.extend_from_slice(&[0; 2]);
            body.extend_from_slice(&piece.mid.to_be_bytes());
            body.extend_from_slice(&last.to_be_bytes());
        } else {
            body.extend_from_slice(&(piece.mid as u16).to_be_bytes());
            body.extend_from_slice(&piece.ppid.to_be_bytes());
        }
        body.extend_from_slice(payload);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::chunks;

    #[test]
    fn both_kinds_survive_the_round_trip() {
        let first = Piece {
            stream: 7,
            unordered: true,
            begin: true,
            end: false,
            ppid: 53,
            mid: 0x1234,
            fsn: 0,
        };
        let later = Piece {
            begin: false,
            end: true,
            ppid: 0,
            fsn: 9,
            ..first
        };
        for (interleaved, piece) in [(false, first), (true, first), (true, later)] {
            let mut packet = Packet::new(1, 2, 3, 100);
            put(&mut packet, interleaved, 77, &piece, b"hello");
            packet.flag_last(IMMEDIATE);
            let bytes = packet.finish(false);
            let chunk = chunks(&bytes).next().unwrap();
            let read = Incoming::parse(&chunk).unwrap();
            assert_eq!((read.tsn, read.piece), (77, piece));
            assert!(read.immediate);
            assert_eq!(read.payload, b"hello");
        }
    }

    #[test]
    fn a_chunk_without_payload_is_none() {
        let mut packet = Packet::new(1, 2, 3, 100);
        packet.chunk(kind::DATA, 3, |body| body.extend_from_slice(&[0; 12]));
        let bytes = packet.finish(false);
        assert!(Incoming::parse(&chunks(&bytes).next().unwrap()).is_none());
    }
}
