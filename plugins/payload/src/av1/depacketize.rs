// SPDX-License-Identifier: MPL-2.0
//! AV1 payloads to temporal units in the low-overhead format.
use super::aggregation::{N, W_MASK, W_SHIFT, Y, Z};
use super::obu::{self, DELIMITER, Header, leb128, read_leb128};
use super::sequence_header;
use crate::split::Joiner;
use crate::{Depacketize, Depacketized, FrameInfo, PayloadError};

/// As much of a sequence header as is looked at, bytes.
const SEQUENCE_HEADER_LIMIT: usize = 512;

/// Joins the payloads of a temporal unit; keeps nothing from one to the next.
#[derive(Debug)]
pub(crate) struct Depacketizer;

impl Depacketize for Depacketizer {
    fn starts_frame(&self, payload: &[u8]) -> bool {
        payload.len() > 1 && payload[0] & Z == 0
    }

    fn is_keyframe_start(&self, payload: &[u8]) -> bool {
        let Ok((header, mut elements)) = elements(payload) else {
            return false;
        };
        let mut opens_sequence = || match elements.next() {
            Some(Ok(element)) => Header::parse(element.iter().copied())
                .is_ok_and(|header| header.kind() == obu::SEQUENCE_HEADER),
            _ => false,
        };
        header & Z == 0 && (header & N != 0 || opens_sequence())
    }

    fn depacketize(&mut self, payloads: &[&[u8]]) -> Result<Depacketized, PayloadError> {
        let mut unit = TemporalUnit::new(payloads);
        for payload in payloads {
            unit.payload(payload)?;
        }
        unit.finish()
    }
}

/// The aggregation header and the elements behind it.
fn elements(
    payload: &[u8],
) -> Result<(u8, impl Iterator<Item = Result<&[u8], PayloadError>>), PayloadError> {
    const SHORT: PayloadError = PayloadError::Truncated("AV1 payload");
    let (&header, mut rest) = payload.split_first().ok_or(SHORT)?;
    if rest.is_empty() {
        return Err(SHORT);
    }
    let counted = header >> W_SHIFT & W_MASK;
    let mut left = match counted {
        0 => usize::MAX,
        count => usize::from(count),
    };
    let iter = std::iter::from_fn(move || {
        if left == 0 || (counted == 0 && rest.is_empty()) {
            return None;
        }
        left -= 1;
        let element = match counted != 0 && left == 0 {
            true => Ok((rest, &[][..])),
            false => sized(rest),
        };
        let element = element.and_then(|(element, tail)| {
            rest = tail;
            match element.is_empty() {
                true => Err(SHORT),
                false => Ok(element),
            }
        });
        if element.is_err() {
            left = 0;
        }
        Some(element)
    });
    Ok((header, iter))
}

/// An element with its length in front, and what follows.
fn sized(bytes: &[u8]) -> Result<(&[u8], &[u8]), PayloadError> {
    let (len, len_len) = read_leb128(bytes.iter().copied())?;
    bytes[len_len..]
        .split_at_checked(len)
        .ok_or(PayloadError::Truncated("AV1 OBU element"))
}

/// A temporal unit being put together.
struct TemporalUnit<'a> {
    data: Joiner,
    /// Pieces of the OBU whose end is still to come.
    pieces: Vec<&'a [u8]>,
    info: FrameInfo,
    /// Frames seen, and units seen.
    frames: usize,
    units: usize,
    sequence_header: bool,
    /// Where the content of an opaque frame begins in `data`.
    opaque: Option<usize>,
}

impl<'a> TemporalUnit<'a> {
    fn new(payloads: &[&'a [u8]]) -> Self {
        Self {
            data: Joiner::for_payloads(payloads),
            pieces: Vec::new(),
            info: FrameInfo::default(),
            frames: 0,
            units: 0,
            sequence_header: false,
            opaque: None,
        }
    }

    fn payload(&mut self, payload: &'a [u8]) -> Result<(), PayloadError> {
        let (header, elements) = elements(payload)?;
        if (header & Z != 0) == self.pieces.is_empty() {
            return Err(PayloadError::Malformed("AV1 fragment misplaced"));
        }
        if header & N != 0 {
            if header & Z != 0 {
                return Err(PayloadError::Malformed("AV1 sequence starts in a fragment"));
            }
            self.info.keyframe |= self.units == 0;
        }
        let mut elements = elements.peekable();
        while let Some(element) = elements.next() {
            self.pieces.push(element?);
            if elements.peek().is_some() || header & Y == 0 {
                self.obu()?;
            }
        }
        Ok(())
    }

    /// Ends the OBU that `pieces` make up.
    fn obu(&mut self) -> Result<(), PayloadError> {
        let pieces = std::mem::take(&mut self.pieces);
        let mut bytes = pieces.iter().flat_map(|piece| piece.iter().copied());
        let header = Header::parse(bytes.by_ref())?;
        let mut skipped = header.as_slice().len();
        let total: usize = pieces.iter().map(|piece| piece.len()).sum();
        if header.has_size() {
            let (size, size_len) = read_leb128(bytes.by_ref())?;
            skipped += size_len;
            if size != total - skipped {
                return Err(PayloadError::Malformed("AV1 OBU size"));
            }
        }
        if !header.is_dropped() {
            self.note(&header, bytes);
            self.write(&header, total - skipped, &pieces, skipped)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        header: &Header,
        len: usize,
        pieces: &[&[u8]],
        mut skipped: usize,
    ) -> Result<(), PayloadError> {
        if self.units == 0 {
            self.data.push(&DELIMITER)?;
        }
        self.units += 1;
        let (size, size_len) = leb128(len);
        self.data.push(header.with_size(true).as_slice())?;
        self.data.push(&size[..size_len])?;
        if header.kind() == obu::OPAQUE && self.units == 1 {
            self.opaque = Some(self.data.bytes().len());
        }
        for piece in pieces {
            let cut = skipped.min(piece.len());
            skipped -= cut;
            self.data.push(&piece[cut..])?;
        }
        Ok(())
    }

    /// Takes from an OBU what tells of the frame.
    fn note(&mut self, header: &Header, mut payload: impl Iterator<Item = u8>) {
        if let Some((temporal, spatial)) = header.layer() {
            self.info.temporal = temporal;
            self.info.spatial = spatial;
        }
        match header.kind() {
            obu::SEQUENCE_HEADER => {
                self.sequence_header = true;
                let bytes: Vec<u8> = payload.take(SEQUENCE_HEADER_LIMIT).collect();
                if let Some((width, height)) = sequence_header::dimensions(&bytes) {
                    self.info.width = Some(width);
                    self.info.height = Some(height);
                }
            }
            obu::FRAME | obu::FRAME_HEADER => {
                // show_existing_frame and frame_type are 0 of a key frame.
                let key = payload.next().is_some_and(|byte| byte & 0xe0 == 0);
                self.info.keyframe |= self.sequence_header && self.frames == 0 && key;
                self.frames += 1;
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Result<Depacketized, PayloadError> {
        if !self.pieces.is_empty() {
            return Err(PayloadError::Malformed("AV1 fragment without end"));
        }
        let mut data = self.data.finish()?;
        if let Some(start) = self.opaque.filter(|_| self.units == 1) {
            data = data.slice(start..);
            self.info.opaque = true;
        }
        match data.is_empty() {
            true => Err(PayloadError::Empty),
            false => Ok(Depacketized {
                data,
                info: self.info,
            }),
        }
    }
}
