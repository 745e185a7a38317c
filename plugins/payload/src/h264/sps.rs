// SPDX-License-Identifier: MPL-2.0
//! The frame size from a sequence parameter set (H.264 §7.3.2.1.1), and the ids of parameter sets.
use super::annexb::unescape;
use crate::bits::Bits;

/// Profiles whose SPS tells chroma format, bit depth and scaling lists.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Bytes in front of the VUI that are looked at: with all scaling lists there are fewer.
const LIMIT: usize = 2048;

/// seq_parameter_set_id, 0-31, of an SPS that includes its NAL header.
pub(super) fn sps_id(unit: &[u8]) -> Option<u32> {
    let data = unescape(unit.get(1..)?, 16);
    let mut bits = Bits::new(&data);
    bits.skip(24)?;
    bits.ue().filter(|id| *id < 32)
}

/// pic_parameter_set_id, 0-255, of a PPS that includes its NAL header.
pub(super) fn pps_id(unit: &[u8]) -> Option<u32> {
    let data = unescape(unit.get(1..)?, 16);
    Bits::new(&data).ue().filter(|id| *id < 256)
}

/// Width and height after cropping, of an SPS that includes its NAL header.
pub(super) fn dimensions(unit: &[u8]) -> Option<(u16, u16)> {
    let data = unescape(unit.get(1..)?, LIMIT);
    let mut bits = Bits::new(&data);
    let profile = bits.read(8)?;
    bits.skip(16)?;
    bits.ue()?;
    let chroma_format = match HIGH_PROFILES.contains(&profile) {
        true => skip_high_profile(&mut bits)?,
        false => 1,
    };
    skip_order_counts(&mut bits)?;
    // max_num_ref_frames, gaps_in_frame_num_value_allowed_flag
    bits.ue()?;
    bits.skip(1)?;
    let width = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let frame_mbs_only = bits.flag()?;
    if !frame_mbs_only {
        bits.skip(1)?;
    }
    let fields = if frame_mbs_only { 1 } else { 2 };
    let height = map_units.checked_mul(fields)?;
    bits.skip(1)?;
    let (crop_x, crop_y) = match bits.flag()? {
        true => cropping(&mut bits, chroma_format, fields)?,
        false => (0, 0),
    };
    let width = u16::try_from(width.checked_sub(crop_x)?).ok()?;
    let height = u16::try_from(height.checked_sub(crop_y)?).ok()?;
    (width > 0 && height > 0).then_some((width, height))
}

/// Passes over what high profiles add; returns ChromaArrayType.
fn skip_high_profile(bits: &mut Bits<'_>) -> Option<u32> {
    let chroma_format = bits.ue()?;
    let separate_planes = chroma_format == 3 && bits.flag()?;
    // bit_depth_luma_minus8, bit_depth_chroma_minus8, qpprime_y_zero_transform_bypass_flag
    bits.ue()?;
    bits.ue()?;
    bits.skip(1)?;
    if bits.flag()? {
        for list in 0..if chroma_format == 3 { 12 } else { 8 } {
            if bits.flag()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(if separate_planes { 0 } else { chroma_format })
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: usize) -> Option<()> {
    let mut last = 8;
    for _ in 0..size {
        let next = (i64::from(last) + i64::from(bits.se()?)).rem_euclid(256) as i32;
        if next == 0 {
            return Some(());
        }
        last = next;
    }
    Some(())
}

/// Passes over log2_max_frame_num_minus4 and the picture order count fields.
fn skip_order_counts(bits: &mut Bits<'_>) -> Option<()> {
    bits.ue()?;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.skip(1)?;
            bits.ue()?;
            bits.ue()?;
            let count = bits.ue()?;
            if count > 255 {
                return None;
            }
            for _ in 0..count {
                bits.ue()?;
            }
        }
        _ => {}
    }
    Some(())
}

/// Luma samples cropped from width and height.
fn cropping(bits: &mut Bits<'_>, chroma_format: u32, fields: u32) -> Option<(u32, u32)> {
    let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
    let unit_y = if chroma_format == 1 { 2 } else { 1 } * fields;
    let x = bits.ue()?.checked_add(bits.ue()?)?;
    let y = bits.ue()?.checked_add(bits.ue()?)?;
    Some((x.checked_mul(unit_x)?, y.checked_mul(unit_y)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x264, Constrained Baseline, 640x360 (40 by 23 macroblocks, 8 lines cropped).
    const BASELINE: [u8; 22] = [
        0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x61, 0x00, 0x00, 0x03, 0x00, 0x01,
        0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16,
    ];

    #[test]
    fn the_size_of_a_baseline_stream_is_read() {
        assert_eq!(dimensions(&BASELINE), Some((640, 360)));
        assert_eq!(sps_id(&BASELINE), Some(0));
    }

    #[test]
    fn a_cut_set_tells_nothing() {
        for len in 0..9 {
            assert_eq!(dimensions(&BASELINE[..len]), None, "{len}");
        }
        assert_eq!(pps_id(&[0x68]), None);
        assert_eq!(pps_id(&[0x68, 0xce, 0x3c, 0x80]), Some(0));
    }
}
