// SPDX-License-Identifier: MPL-2.0
//! AV1 temporal units to payloads.
use super::aggregation::{N, W_SHIFT, Y, Z};
use super::obu::{self, Header, Obu, leb128};
use super::plan::{Element, Payload, plan};
use crate::{EncodedFrame, MAX_FRAME, Packetize, PayloadError, Payloads};

/// The least payload that is worked with, bytes: below it no two elements fit.
const MIN_PAYLOAD: usize = 8;

/// Keeps nothing from one temporal unit to the next.
#[derive(Debug)]
pub(crate) struct Packetizer;

impl Packetize for Packetizer {
    fn packetize(
        &mut self,
        frame: &EncodedFrame,
        max_payload: usize,
        out: &mut Payloads,
    ) -> Result<(), PayloadError> {
        let len = frame.data.len();
        if len > MAX_FRAME {
            return Err(PayloadError::TooLarge {
                len,
                max: MAX_FRAME,
            });
        }
        if max_payload < MIN_PAYLOAD {
            return Err(PayloadError::NoRoom(max_payload));
        }
        let units = match frame.info.opaque {
            true if len == 0 => Vec::new(),
            true => vec![Obu {
                header: Header::of(obu::OPAQUE),
                payload: &frame.data,
            }],
            false => obu::units(&frame.data)?,
        };
        if units.is_empty() {
            return Err(PayloadError::Empty);
        }
        let mut sequence_start = frame.info.keyframe;
        for units in frames(&units) {
            write(units, max_payload, &mut sequence_start, out);
        }
        Ok(())
    }
}

/// Parts a temporal unit where a frame begins: no payload may hold OBUs of two frames (§5).
fn frames<'a, 'b>(units: &'a [Obu<'b>]) -> impl Iterator<Item = &'a [Obu<'b>]> {
    let begins = |unit: &Obu<'_>| matches!(unit.header.kind(), obu::FRAME | obu::FRAME_HEADER);
    let mut rest = units;
    std::iter::from_fn(move || {
        let first = rest.iter().position(begins);
        let second = first.and_then(|first| {
            let behind = rest[first + 1..].iter().position(begins)?;
            Some(first + 1 + behind)
        });
        let (frame, tail) = rest.split_at(second.unwrap_or(rest.len()));
        rest = tail;
        (!frame.is_empty()).then_some(frame)
    })
}

fn write(units: &[Obu<'_>], max_payload: usize, sequence_start: &mut bool, out: &mut Payloads) {
    let lens: Vec<usize> = units.iter().map(Obu::len).collect();
    for payload in plan(&lens, max_payload) {
        let n = if std::mem::take(sequence_start) { N } else { 0 };
        out.extend(&[header(&payload) | n]);
        let last = payload.elements.len() - 1;
        for (index, element) in payload.elements.iter().enumerate() {
            if payload.all_sized || index < last {
                let (bytes, len) = leb128(element.end - element.start);
                out.extend(&bytes[..len]);
            }
            write_element(&units[element.obu], element, out);
        }
        out.finish();
    }
}

/// The aggregation header but for N.
fn header(payload: &Payload) -> u8 {
    let continues = payload
        .elements
        .first()
        .is_some_and(|element| element.start > 0);
    let count = match payload.all_sized {
        true => 0,
        false => payload.elements.len() as u8,
    };
    count << W_SHIFT | if continues { Z } else { 0 } | if payload.continued { Y } else { 0 }
}

fn write_element(unit: &Obu<'_>, element: &Element, out: &mut Payloads) {
    let header = unit.header.as_slice();
    let split = header.len();
    if element.start < split {
        out.extend(&header[element.start..element.end.min(split)]);
    }
    if element.end > split {
        out.extend(&unit.payload[element.start.saturating_sub(split)..element.end - split]);
    }
}
