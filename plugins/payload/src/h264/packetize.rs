// SPDX-License-Identifier: MPL-2.0
//! H.264 access units to payloads: single units, STAP-A for neighbours that fit together, FU-A for
//! units that are too large.
use super::parameter_sets::ParameterSets;
use super::{annexb, nal};
use crate::split::even_size;
use crate::{EncodedFrame, MAX_FRAME, Packetize, PayloadError, Payloads};

/// Remembers the stream's parameter sets.
#[derive(Debug, Default)]
pub(crate) struct Packetizer {
    sets: ParameterSets,
}

impl Packetizer {
    /// The units to send: no access unit delimiters, and before a keyframe every parameter set.
    fn units<'a>(&'a mut self, frame: &'a EncodedFrame) -> Result<Vec<&'a [u8]>, PayloadError> {
        if frame.info.opaque {
            return Ok(annexb::opaque_units(&frame.data));
        }
        let mut units = annexb::units(&frame.data)?;
        units.retain(|unit| nal::kind(unit) != nal::AUD);
        self.sets.learn(&units);
        let keyframe = frame.info.keyframe || units.iter().any(|unit| nal::kind(unit) == nal::IDR);
        if keyframe && self.sets.lacking() {
            // A PPS must not come before its SPS, so all of them move to the front.
            units.retain(|unit| !matches!(nal::kind(unit), nal::SPS | nal::PPS));
            units.splice(0..0, self.sets.iter());
        }
        Ok(units)
    }
}

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
        // A STAP-A tells lengths in 16 bits; no datagram holds more.
        let max_payload = max_payload.min(usize::from(u16::MAX));
        let units = self.units(frame)?;
        if units.is_empty() {
            return Err(PayloadError::Empty);
        }
        let mut group = 0..0;
        let mut group_len = 1;
        for (index, unit) in units.iter().enumerate() {
            let alone = unit.len() > max_payload || !nal::is_single(nal::kind(unit));
            let aggregated = 2 + unit.len();
            if alone || group_len + aggregated > max_payload {
                write_group(&units[group], out);
                group = index..index;
                group_len = 1;
            }
            if alone {
                write_fragments(unit, max_payload, out)?;
                group = index + 1..index + 1;
            } else {
                group.end = index + 1;
                group_len += aggregated;
            }
        }
        write_group(&units[group], out);
        Ok(())
    }
}

/// One unit as it is, or several as a STAP-A (RFC 6184 §5.7.1).
fn write_group(units: &[&[u8]], out: &mut Payloads) {
    match units {
        [] => {}
        [unit] => {
            out.extend(unit);
            out.finish();
        }
        _ => {
            let headers = || units.iter().filter_map(|unit| unit.first());
            let importance = headers().map(|header| header & nal::NRI).max();
            let forbidden = headers().fold(0, |bits, header| bits | header & nal::FORBIDDEN);
            out.extend(&[forbidden | importance.unwrap_or(0) | nal::STAP_A]);
            for unit in units {
                // Payloads were limited to what 16 bits can tell.
                out.extend(&(unit.len() as u16).to_be_bytes());
                out.extend(unit);
            }
            out.finish();
        }
    }
}

/// A unit as FU-A payloads of one size (RFC 6184 §5.8).
///
/// Units whose type is not for payloads of its own come here whatever their size: they are what an
/// encrypted frame looks like. At least two fragments are made, for one with both S and E is forbidden;
/// a unit of one or two bytes can't be parted and breaks that rule.
fn write_fragments(
    unit: &[u8],
    max_payload: usize,
    out: &mut Payloads,
) -> Result<(), PayloadError> {
    let (&header, body) = unit.split_first().ok_or(PayloadError::Empty)?;
    let size = even_size(body.len().max(1), 2, 2, max_payload)?;
    let chunk_len = (size - 2).min(body.len().div_ceil(2)).max(1);
    let count = body.len().div_ceil(chunk_len).max(1);
    for index in 0..count {
        let start = index * chunk_len;
        let end = (start + chunk_len).min(body.len());
        let first = if index == 0 { nal::FU_START } else { 0 };
        let last = if index + 1 == count { nal::FU_END } else { 0 };
        out.extend(&[
            header & nal::F_NRI | nal::FU_A,
            first | last | header & nal::TYPE,
        ]);
        out.extend(&body[start..end]);
        out.finish();
    }
    Ok(())
}
