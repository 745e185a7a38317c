// SPDX-License-Identifier: MPL-2.0
//! The payload descriptor of VP9 (RFC 9628 §4.2), read and written.
use crate::PayloadError;

// First byte: |I|P|L|F|B|E|V|Z|.
const I: u8 = 0x80;
const P: u8 = 0x40;
const L: u8 = 0x20;
const F: u8 = 0x10;
const B: u8 = 0x08;
const E: u8 = 0x04;
const V: u8 = 0x02;
// First byte of the scalability structure: |N_S|Y|G|RSV|.
const Y: u8 = 0x10;
const G: u8 = 0x08;

const SHORT: PayloadError = PayloadError::Truncated("VP9 payload descriptor");

/// Layers and references of a frame in flexible mode.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layer {
    pub(super) temporal: u8,
    pub(super) spatial: u8,
    /// Distances to the referred pictures, 1-127; as many as `diff_count`.
    pub(super) diffs: [u8; 3],
    pub(super) diff_count: usize,
}

/// What the packetiser puts into the descriptors of one layer frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields {
    /// 15 bits.
    pub(super) picture_id: u16,
    /// Uses inter-picture prediction.
    pub(super) predicted: bool,
    /// Given: flexible mode with layer indices.
    pub(super) layer: Option<Layer>,
    /// Given: a scalability structure goes with the first payload, of this many spatial layers less
    /// one, and with this resolution if there is but one layer.
    pub(super) structure: Option<(u8, Option<(u16, u16)>)>,
}

/// A written descriptor, at most [`Written::MAX`] bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl Written {
    const MAX: usize = 12;

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Sets the bit that says that the frame ends with this payload.
    pub(super) fn end_frame(&mut self) {
        self.bytes[0] |= E;
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

impl Fields {
    /// The descriptor of the frame's first payload, or of the others.
    pub(super) fn write(&self, first: bool) -> Written {
        let mut out = Written {
            bytes: [0; Written::MAX],
            len: 1,
        };
        let structure = self.structure.filter(|_| first);
        out.bytes[0] = I
            | if self.predicted { P } else { 0 }
            | if self.layer.is_some() { L | F } else { 0 }
            | if first { B } else { 0 }
            | if structure.is_some() { V } else { 0 };
        out.push(&(self.picture_id | 0x8000).to_be_bytes());
        if let Some(layer) = &self.layer {
            // U (switching up point) stays 0: nothing tells us. D: above the base there is a base.
            let dependent = u8::from(layer.spatial > 0);
            out.push(&[layer.temporal << 5 | layer.spatial << 1 | dependent]);
            if self.predicted {
                let diffs = &layer.diffs[..layer.diff_count];
                for (index, diff) in diffs.iter().enumerate() {
                    out.push(&[diff << 1 | u8::from(index + 1 < diffs.len())]);
                }
            }
        }
        match structure {
            Some((0, Some((width, height)))) => {
                out.push(&[Y]);
                out.push(&width.to_be_bytes());
                out.push(&height.to_be_bytes());
            }
            Some((above, _)) => out.push(&[above << 5]),
            None => {}
        }
        out
    }
}

/// What the depacketiser takes from a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) predicted: bool,
    pub(super) start: bool,
    pub(super) end: bool,
    pub(super) temporal: u8,
    pub(super) spatial: u8,
    /// Resolution of the highest spatial layer up to this payload's that the structure names.
    pub(super) resolution: Option<(u16, u16)>,
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn u8(&mut self) -> Result<u8, PayloadError> {
        let (&byte, rest) = self.0.split_first().ok_or(SHORT)?;
        self.0 = rest;
        Ok(byte)
    }

    fn u16(&mut self) -> Result<u16, PayloadError> {
        Ok(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    fn skip(&mut self, count: usize) -> Result<(), PayloadError> {
        self.0 = self.0.get(count..).ok_or(SHORT)?;
        Ok(())
    }
}

impl Descriptor {
    /// Reads a descriptor; returns it and the bytes behind it, of which there is at least one.
    pub(super) fn parse(payload: &[u8]) -> Result<(Self, &[u8]), PayloadError> {
        let mut cursor = Cursor(payload);
        let first = cursor.u8()?;
        let mut out = Self {
            predicted: first & P != 0,
            start: first & B != 0,
            end: first & E != 0,
            ..Self::default()
        };
        if first & I != 0 && cursor.u8()? & 0x80 != 0 {
            cursor.skip(1)?;
        }
        if first & L != 0 {
            let layer = cursor.u8()?;
            out.temporal = layer >> 5;
            out.spatial = layer >> 1 & 7;
            if first & F == 0 {
                cursor.skip(1)?;
            }
        }
        if first & F != 0 && first & P != 0 {
            skip_references(&mut cursor)?;
        }
        if first & V != 0 {
            out.resolution = parse_structure(&mut cursor, out.spatial)?;
        }
        match cursor.0.is_empty() {
            true => Err(PayloadError::Truncated("VP9 payload")),
            false => Ok((out, cursor.0)),
        }
    }
}

fn skip_references(cursor: &mut Cursor<'_>) -> Result<(), PayloadError> {
    for _ in 0..3 {
        if cursor.u8()? & 1 == 0 {
            return Ok(());
        }
    }
    Err(PayloadError::Malformed("more than three VP9 references"))
}

fn parse_structure(
    cursor: &mut Cursor<'_>,
    spatial: u8,
) -> Result<Option<(u16, u16)>, PayloadError> {
    let head = cursor.u8()?;
    let mut resolution = None;
    if head & Y != 0 {
        for layer in 0..=head >> 5 {
            let size = (cursor.u16()?, cursor.u16()?);
            if layer <= spatial {
                resolution = Some(size);
            }
        }
    }
    if head & G != 0 {
        for _ in 0..cursor.u8()? {
            let references = cursor.u8()? >> 2 & 3;
            cursor.skip(usize::from(references))?;
        }
    }
    Ok(resolution)
}
