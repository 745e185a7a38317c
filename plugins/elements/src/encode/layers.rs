// SPDX-License-Identifier: MPL-2.0
//! The encodings of one raw input: how many, of what size, and what each is worth in bit/s.
use super::rate;
use rtc_payload::Codec;
use rtc_rtp::MAX_LAYERS;

/// A picture narrower than this is not worth an encoder of its own, pixels.
const MIN_WIDTH: u32 = 160;

/// Half the size so many times over, and even, as 4:2:0 needs it, pixels.
pub(crate) fn halved(pixels: u32, layer: u8) -> u32 {
    ((pixels >> layer) & !1).max(2)
}

/// How many layers an input of that width has when so many are asked for; one at least.
fn count(width: u32, asked: u32) -> usize {
    let asked = (asked as usize).clamp(1, MAX_LAYERS);
    (1..asked)
        .find(|layer| halved(width, *layer as u8) < MIN_WIDTH)
        .unwrap_or(asked)
}

/// The bit/s below which each layer of an input is not worth having, the largest first.
pub(crate) fn floors(codec: Codec, width: u32, height: u32, asked: u32) -> Vec<u64> {
    (0..count(width, asked))
        .map(|layer| {
            let layer = layer as u8;
            let pixels = u64::from(halved(width, layer)) * u64::from(halved(height, layer));
            (pixels * floor_per_100_pixels(codec) / 100).max(MIN_FLOOR)
        })
        .collect()
}

/// What a layer's encoder is given at most, bit/s: more bits than the next larger one needs to look well
/// would be better spent there. The largest has no such bound.
pub(crate) fn cap(layer: u8, floor: u64) -> u64 {
    match layer {
        0 => u64::MAX,
        _ => floor * CAP_OVER_FLOOR,
    }
}

/// What a viewer must be able to carry to share a layer with others, bit/s, from what those carry.
pub(crate) fn need(viewers: &mut [u64]) -> u64 {
    rate::least(viewers).unwrap_or(0)
}

/// Bit/s for 100 pixels at which a moving picture of 30 frames/s is just fit to be seen: what libwebrtc's
/// simulcast takes, 600 kbit/s for VP8 at 1280x720; the newer codecs do with two thirds.
fn floor_per_100_pixels(codec: Codec) -> u64 {
    match codec {
        Codec::Vp8 | Codec::H264 => 65,
        _ => 43,
    }
}

/// libwebrtc's simulcast gives a layer up to 4 to 5 times its least.
const CAP_OVER_FLOOR: u64 = 5;
/// Packet headers alone take half of it.
const MIN_FLOOR: u64 = 30_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_halve_stay_even_and_end_where_the_picture_gets_too_small() {
        for (width, asked, layers) in [
            (1280, 1, 1),
            (1280, 3, 3),
            (1280, 4, 4),
            (640, 4, 3),
            (320, 4, 2),
            (319, 4, 1),
            (160, 4, 1),
            (2, 4, 1),
            (3840, 9, 4),
        ] {
            assert_eq!(count(width, asked), layers, "{width} {asked}");
        }
        assert_eq!(
            (halved(1366, 1), halved(767, 2), halved(3, 1)),
            (682, 190, 2)
        );
    }

    #[test]
    fn a_layer_costs_what_its_pixels_do() {
        let floors = floors(Codec::Vp8, 1280, 720, 3);
        assert_eq!(floors, [599_040, 149_760, 37_440]);
        assert!(floors.windows(2).all(|two| cap(1, two[1]) > two[0]));
        assert_eq!(cap(0, 1), u64::MAX);
    }
}
