// SPDX-License-Identifier: MPL-2.0
//! The head of VP9's uncompressed header (VP9 bitstream specification §6.2), as far as the frame size.
use crate::bits::Bits;

const FRAME_MARKER: u32 = 2;
const SYNC_CODE: u32 = 0x49_8342;
const COLOR_SPACE_RGB: u32 = 7;

/// Width and height of a key frame; `None` if the bytes begin with no key frame's header.
pub(super) fn dimensions(frame: &[u8]) -> Option<(u16, u16)> {
    let mut bits = Bits::new(frame);
    if bits.read(2)? != FRAME_MARKER {
        return None;
    }
    let profile = bits.read(1)? + 2 * bits.read(1)?;
    if profile == 3 && bits.flag()? {
        return None;
    }
    let show_existing_frame = bits.flag()?;
    let inter = bits.flag()?;
    if show_existing_frame || inter {
        return None;
    }
    // show_frame, error_resilient_mode
    bits.skip(2)?;
    if bits.read(24)? != SYNC_CODE {
        return None;
    }
    skip_color_config(&mut bits, profile)?;
    let width = bits.read(16)? as u16;
    let height = bits.read(16)? as u16;
    Some((width.checked_add(1)?, height.checked_add(1)?))
}

fn skip_color_config(bits: &mut Bits<'_>, profile: u32) -> Option<()> {
    if profile >= 2 {
        bits.skip(1)?;
    }
    let subsampled = profile % 2 == 1;
    match bits.read(3)? {
        COLOR_SPACE_RGB => bits.skip(usize::from(subsampled)),
        _ => bits.skip(if subsampled { 4 } else { 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_header_tells_the_size() {
        // Profile 0, key frame, shown; color space 2, studio range; 320x240.
        let header = [
            0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0, 0x00, 0x00,
        ];
        assert_eq!(dimensions(&header), Some((320, 240)));
        assert_eq!(dimensions(&header[..8]), None);
    }

    #[test]
    fn other_frames_tell_none() {
        assert_eq!(
            dimensions(&[0x86, 0, 0x40, 0x92, 0x9c, 0, 0, 0, 0, 0]),
            None
        );
        assert_eq!(dimensions(&[0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(dimensions(&[]), None);
    }
}
