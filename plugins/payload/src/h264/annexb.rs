// SPDX-License-Identifier: MPL-2.0
//! The byte stream format of H.264 Annex B: finding NAL units, and taking out emulation prevention.
use crate::PayloadError;

/// What is written before every unit.
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Position of the next three-byte start code from `from` on.
fn find_start(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 2;
    while let Some(&byte) = data.get(at) {
        match byte {
            // No start code ends at this byte or the two behind it.
            2.. => at += 3,
            1 if data[at - 1] == 0 && data[at - 2] == 0 => return Some(at - 2),
            _ => at += 1,
        }
    }
    None
}

/// The NAL units of an access unit.
///
/// # Errors
/// The data does not begin with a start code: it is no byte stream.
pub(super) fn units(data: &[u8]) -> Result<Vec<&[u8]>, PayloadError> {
    let first = find_start(data, 0).filter(|at| data[..*at].iter().all(|byte| *byte == 0));
    let mut start = first.ok_or(PayloadError::Malformed("H.264 frame without start code"))? + 3;
    let mut out = Vec::new();
    loop {
        let next = find_start(data, start);
        // trailing_zero_8bits and the first byte of a long start code; no unit ends in a zero.
        let unit = &data[start..next.unwrap_or(data.len())];
        let len = unit
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        if len > 0 {
            out.push(&unit[..len]);
        }
        match next {
            Some(at) => start = at + 3,
            None => return Ok(out),
        }
    }
}

/// What lies between the start codes of a frame whose bytes were changed: units by their look only, so
/// that nothing but the start codes is lost. Without a start code, the whole frame.
pub(super) fn opaque_units(data: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let mut start = 0;
    loop {
        let next = find_start(data, start);
        let end = match next {
            Some(at) if at > start && data[at - 1] == 0 => at - 1,
            Some(at) => at,
            None => data.len(),
        };
        if end > start {
            out.push(&data[start..end]);
        }
        match next {
            Some(at) => start = at + 3,
            None => return out,
        }
    }
}

/// The unit's raw bytes without emulation prevention (H.264 §7.4.1), at most `limit` of them.
pub(super) fn unescape(unit: &[u8], limit: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len().min(limit));
    let mut zeros = 0;
    for &byte in unit {
        if out.len() == limit {
            break;
        }
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_start_codes_part_units_and_trailing_zeros_fall() {
        let data = [
            0, 0, 0, 1, 9, 16, 0, 0, 1, 7, 0, 5, 0, 0, 0, 0, 1, 8, 8, 0, 0,
        ];
        let expected: [&[u8]; 3] = [&[9, 16], &[7, 0, 5], &[8, 8]];
        assert_eq!(units(&data).unwrap(), expected);
        assert_eq!(opaque_units(&data)[2], [8, 8, 0, 0]);
    }

    #[test]
    fn a_frame_without_start_code_is_no_byte_stream() {
        assert!(units(&[0, 0, 0, 5, 0x65, 1, 2, 3, 4]).is_err());
        assert!(units(&[4, 0, 0, 1, 0x65]).is_err());
        assert!(units(&[]).is_err());
        assert_eq!(opaque_units(&[4, 0, 0]), [[4, 0, 0]]);
        assert_eq!(opaque_units(&[4, 0, 0, 1, 0x65]), [[4], [0x65]]);
    }

    #[test]
    fn emulation_prevention_is_taken_out() {
        assert_eq!(unescape(&[1, 0, 0, 3, 1, 0, 0, 3], 99), [1, 0, 0, 1, 0, 0]);
        assert_eq!(unescape(&[0, 0, 3, 0, 0, 3, 0], 99), [0, 0, 0, 0, 0]);
        assert_eq!(unescape(&[5, 6, 7], 2), [5, 6]);
    }
}
