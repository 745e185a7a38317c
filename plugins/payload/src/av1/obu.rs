// SPDX-License-Identifier: MPL-2.0
//! Open bitstream units (AV1 §5.3): their headers, their sizes, and the units of a temporal unit.
use crate::PayloadError;

/// OBU types (AV1 §6.2.2).
pub(super) const SEQUENCE_HEADER: u8 = 1;
pub(super) const TEMPORAL_DELIMITER: u8 = 2;
pub(super) const FRAME_HEADER: u8 = 3;
pub(super) const FRAME: u8 = 6;
pub(super) const TILE_LIST: u8 = 8;
pub(super) const PADDING: u8 = 15;
/// A type that AV1 reserves and decoders pass over: what a frame of changed bytes is wrapped in, for
/// the payload format has no other way to carry bytes that are no OBUs.
pub(super) const OPAQUE: u8 = 9;

// Header: |forbidden| type |extension|has size|reserved|.
const FORBIDDEN: u8 = 0x80;
const EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;

/// A temporal delimiter with size, as every temporal unit begins with one (AV1 §7.5).
pub(super) const DELIMITER: [u8; 2] = [TEMPORAL_DELIMITER << 3 | HAS_SIZE, 0];

/// Header of a unit, without its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    bytes: [u8; 2],
}

impl Header {
    /// A header of `kind` without extension.
    pub(super) fn of(kind: u8) -> Self {
        Self {
            bytes: [kind << 3, 0],
        }
    }

    /// Reads the header at the front of `bytes`.
    pub(super) fn parse(mut bytes: impl Iterator<Item = u8>) -> Result<Self, PayloadError> {
        const SHORT: PayloadError = PayloadError::Truncated("AV1 OBU header");
        let first = bytes.next().ok_or(SHORT)?;
        if first & FORBIDDEN != 0 {
            return Err(PayloadError::Malformed("AV1 OBU with the forbidden bit"));
        }
        let second = match first & EXTENSION {
            0 => 0,
            _ => bytes.next().ok_or(SHORT)?,
        };
        Ok(Self {
            bytes: [first, second],
        })
    }

    pub(super) fn kind(&self) -> u8 {
        self.bytes[0] >> 3 & 0x0f
    }

    pub(super) fn has_size(&self) -> bool {
        self.bytes[0] & HAS_SIZE != 0
    }

    pub(super) fn with_size(mut self, has_size: bool) -> Self {
        self.bytes[0] = self.bytes[0] & !HAS_SIZE | if has_size { HAS_SIZE } else { 0 };
        self
    }

    /// Temporal and spatial layer, if the header has the extension.
    pub(super) fn layer(&self) -> Option<(u8, u8)> {
        (self.bytes[0] & EXTENSION != 0).then(|| (self.bytes[1] >> 5, self.bytes[1] >> 3 & 3))
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self.bytes[0] & EXTENSION {
            0 => &self.bytes[..1],
            _ => &self.bytes,
        }
    }

    /// Whether RTP does not carry such units (§5: delimiters, tile lists; padding is of no use).
    pub(super) fn is_dropped(&self) -> bool {
        matches!(self.kind(), TEMPORAL_DELIMITER | TILE_LIST | PADDING)
    }
}

/// A unit of a temporal unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Obu<'a> {
    /// Without size.
    pub(super) header: Header,
    pub(super) payload: &'a [u8],
}

impl Obu<'_> {
    /// Bytes it takes in RTP, where its size is not written.
    pub(super) fn len(&self) -> usize {
        self.header.as_slice().len() + self.payload.len()
    }
}

/// The units of a temporal unit in the low-overhead format (AV1 §5.2) that RTP carries.
pub(super) fn units(mut data: &[u8]) -> Result<Vec<Obu<'_>>, PayloadError> {
    let mut out = Vec::new();
    while !data.is_empty() {
        let header = Header::parse(data.iter().copied())?;
        data = &data[header.as_slice().len()..];
        let len = match header.has_size() {
            true => {
                let (len, size_len) = read_leb128(data.iter().copied())?;
                data = &data[size_len..];
                len
            }
            // Only the last unit can do without.
            false => data.len(),
        };
        let (payload, rest) = data
            .split_at_checked(len)
            .ok_or(PayloadError::Truncated("AV1 OBU"))?;
        data = rest;
        if !header.is_dropped() {
            out.push(Obu {
                header: header.with_size(false),
                payload,
            });
        }
    }
    Ok(out)
}

/// Bytes that `value` takes as leb128 (AV1 §4.10.5).
pub(super) fn leb128_len(value: usize) -> usize {
    let bits = (usize::BITS - value.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

/// `value` as leb128: the bytes, and how many of them count.
pub(super) fn leb128(value: usize) -> ([u8; 8], usize) {
    let mut out = [0; 8];
    let len = leb128_len(value).min(out.len());
    for (index, byte) in out[..len].iter_mut().enumerate() {
        let more = if index + 1 < len { 0x80 } else { 0 };
        *byte = (value >> (7 * index)) as u8 & 0x7f | more;
    }
    (out, len)
}

/// Reads a leb128: its value and its length in bytes, at most 8.
pub(super) fn read_leb128(bytes: impl Iterator<Item = u8>) -> Result<(usize, usize), PayloadError> {
    let mut value = 0u64;
    for (index, byte) in bytes.take(8).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            // AV1 §4.10.5 bounds it by 2^32 - 1; no frame comes near.
            let value = u32::try_from(value).ok();
            let value = value.and_then(|value| usize::try_from(value).ok());
            let value = value.ok_or(PayloadError::Malformed("leb128 too large"))?;
            return Ok((value, index + 1));
        }
    }
    Err(PayloadError::Truncated("leb128"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leb128_reads_what_it_writes() {
        for value in [
            0,
            1,
            127,
            128,
            129,
            300,
            16383,
            16384,
            1 << 24,
            u32::MAX as usize,
        ] {
            let (bytes, len) = leb128(value);
            assert_eq!(read_leb128(bytes[..len].iter().copied()), Ok((value, len)));
            assert_eq!(len, leb128_len(value));
        }
        assert_eq!(leb128(300).0[..2], [0xac, 0x02]);
        assert!(read_leb128([0xff; 9].into_iter()).is_err());
        assert!(read_leb128([0xff, 0xff, 0xff, 0xff, 0x1f].into_iter()).is_err());
        assert!(read_leb128([].into_iter()).is_err());
    }

    #[test]
    fn units_lose_size_and_delimiter() {
        let data = [
            0x12, 0, 0x0a, 2, 7, 8, 0x36, 0x28, 1, 9, 0x7a, 1, 0, 0x30, 5,
        ];
        let units = units(&data).unwrap();
        let parts: Vec<(&[u8], &[u8])> = units
            .iter()
            .map(|unit| (unit.header.as_slice(), unit.payload))
            .collect();
        let expected: [(&[u8], &[u8]); 3] =
            [(&[0x08], &[7, 8]), (&[0x34, 0x28], &[9]), (&[0x30], &[5])];
        assert_eq!(parts, expected);
        assert_eq!(units[1].header.layer(), Some((1, 1)));
    }
}
