// SPDX-License-Identifier: MPL-2.0
//! The largest frame size of a sequence header OBU (AV1 §5.5).
use crate::bits::Bits;

/// max_frame_width and max_frame_height, of the OBU's payload.
pub(super) fn dimensions(payload: &[u8]) -> Option<(u16, u16)> {
    let mut bits = Bits::new(payload);
    // seq_profile, still_picture
    bits.skip(4)?;
    let reduced_still_picture = bits.flag()?;
    match reduced_still_picture {
        true => bits.skip(5)?,
        false => skip_operating_points(&mut bits)?,
    }
    let width_bits = bits.read(4)? + 1;
    let height_bits = bits.read(4)? + 1;
    let width = bits.read(width_bits)?.checked_add(1)?;
    let height = bits.read(height_bits)?.checked_add(1)?;
    Some((u16::try_from(width).ok()?, u16::try_from(height).ok()?))
}

fn skip_operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.flag()? {
        // num_units_in_display_tick, time_scale
        bits.skip(64)?;
        if bits.flag()? {
            bits.ue()?;
        }
        if bits.flag()? {
            delay_bits = Some(bits.read(5)? as usize + 1);
            // num_units_in_decoding_tick, removal and presentation time lengths
            bits.skip(42)?;
        }
    }
    let display_delay = bits.flag()?;
    for _ in 0..=bits.read(5)? {
        bits.skip(12)?;
        if bits.read(5)? > 7 {
            bits.skip(1)?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            // decoder_buffer_delay, encoder_buffer_delay, low_delay_mode_flag
            bits.skip(2 * delay_bits + 1)?;
        }
        if display_delay && bits.flag()? {
            bits.skip(4)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_size_is_read() {
        let mut bits = String::from("000");
        bits += "0"; // still_picture
        bits += "0"; // reduced_still_picture_header
        bits += "0"; // timing_info_present_flag
        bits += "0"; // initial_display_delay_present_flag
        bits += "00000"; // operating_points_cnt_minus_1
        bits += "000000000000"; // operating_point_idc
        bits += "00000"; // seq_level_idx
        bits += "1000"; // 9 bits of width
        bits += "0111"; // 8 bits of height
        bits += "100111111"; // 319
        bits += "11101111"; // 239
        let bytes: Vec<u8> = bits
            .as_bytes()
            .chunks(8)
            .map(|chunk| {
                let text = format!("{:0<8}", std::str::from_utf8(chunk).unwrap());
                u8::from_str_radix(&text, 2).unwrap()
            })
            .collect();
        assert_eq!(dimensions(&bytes), Some((320, 240)));
        for len in 0..7 {
            assert_eq!(dimensions(&bytes[..len]), None, "{len}");
        }
    }
}
