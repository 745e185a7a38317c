// SPDX-License-Identifier: MPL-2.0
//! Picture numbers in payload descriptors, read and moved: for one stream made of several encodings.
//!
//! VP8 (RFC 7741 §4.2) and VP9 (RFC 9628 §4.2) number their pictures, and a receiver takes a frame whose
//! number does not follow for one whose predecessor is missing. The other codecs' frames follow one
//! another by RTP sequence number alone.
use crate::Codec;

/// Picture ids have 15 bits where we write them.
const PICTURE_ID_MASK: u16 = 0x7fff;
/// Leading bit of a picture id of two bytes, in both formats.
const LONG: u8 = 0x80;

/// The numbers a payload descriptor bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureNumbers {
    /// Picture id, 15 bits.
    pub picture: u16,
    /// Index of the newest picture of the base layer (TL0PICIDX), where it is there.
    pub base: Option<u8>,
}

/// How far the numbers of a frame are moved; the default moves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureShift {
    /// Added to the picture id, modulo 2^15.
    pub picture: u16,
    /// Added to the index of base layer pictures.
    pub base: u8,
}

/// Where the numbers stand in a payload: of the picture id, and of the index of base layer pictures.
fn places(codec: Codec, payload: &[u8]) -> Option<(usize, Option<usize>)> {
    let &first = payload.first()?;
    match codec {
        // |X|R|N|S|R| PID |, then |I|L|T|K| RSV | if X.
        Codec::Vp8 if first & 0x80 != 0 => {
            let &extension = payload.get(1)?;
            let has_id = extension & 0x80 != 0 && payload.get(2)? & LONG != 0;
            let base = (extension & 0x40 != 0).then_some(4);
            has_id.then_some((2, base))
        }
        // |I|P|L|F|B|E|V|Z|; we write no TL0PICIDX, for it is of the non-flexible mode with layers.
        Codec::Vp9 if first & 0x80 != 0 && payload.get(1)? & LONG != 0 => Some((1, None)),
        _ => None,
    }
}

/// The numbers in a payload that our packetisers wrote; `None` where its codec has none.
pub fn picture_numbers(codec: Codec, payload: &[u8]) -> Option<PictureNumbers> {
    let (at, base) = places(codec, payload)?;
    let id = payload.get(at..at + 2)?.first_chunk().copied()?;
    Some(PictureNumbers {
        picture: u16::from_be_bytes(id) & PICTURE_ID_MASK,
        base: base.and_then(|at| payload.get(at).copied()),
    })
}

impl PictureShift {
    /// The shift that makes `from` the numbers right behind `last`: of a frame of the base layer.
    pub fn following(last: PictureNumbers, from: PictureNumbers) -> Self {
        let base = match (last.base, from.base) {
            (Some(last), Some(from)) => last.wrapping_add(1).wrapping_sub(from),
            _ => 0,
        };
        Self {
            picture: (last.picture + 1).wrapping_sub(from.picture) & PICTURE_ID_MASK,
            base,
        }
    }

    /// What follows a frame that is left out, given by its first payload: the next one gets its number.
    /// VP9 in flexible mode says what a picture refers to by the distance of numbers, so those stay.
    #[must_use]
    pub fn without(self, codec: Codec, left_out: &[u8]) -> Self {
        let flexible =
            codec == Codec::Vp9 && left_out.first().is_some_and(|first| first & 0x10 != 0);
        if flexible || places(codec, left_out).is_none() {
            return self;
        }
        Self {
            picture: self.picture.wrapping_sub(1) & PICTURE_ID_MASK,
            ..self
        }
    }

    /// What numbers become.
    pub fn moved(self, numbers: PictureNumbers) -> PictureNumbers {
        PictureNumbers {
            picture: numbers.picture.wrapping_add(self.picture) & PICTURE_ID_MASK,
            base: numbers.base.map(|base| base.wrapping_add(self.base)),
        }
    }

    /// Moves the numbers in a payload.
    pub fn apply(self, codec: Codec, payload: &mut [u8]) {
        if self == Self::default() {
            return;
        }
        let Some((at, base)) = places(codec, payload) else {
            return;
        };
        if let Some(id) = payload.get_mut(at..at + 2) {
            let old = u16::from_be_bytes([id[0], id[1]]);
            let new = old.wrapping_add(self.picture) & PICTURE_ID_MASK;
            id.copy_from_slice(&(new | u16::from(LONG) << 8).to_be_bytes());
        }
        if let Some(base) = base.and_then(|at| payload.get_mut(at)) {
            *base = base.wrapping_add(self.base);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EncodedFrame, FrameInfo, Payloads, packetizer};
    use bytes::Bytes;

    fn payloads(codec: Codec, frames: u32, temporal: bool) -> Vec<Payloads> {
        let mut packetizer = packetizer(codec);
        let mut all = Vec::new();
        for number in 0..frames {
            let mut data = vec![0x5a; 3000];
            data[0] = if number == 0 { 0 } else { 1 };
            let frame = EncodedFrame {
                codec,
                data: Bytes::from(data),
                rtp_time: 0x7fff_f000 + number * 3000,
                info: FrameInfo {
                    keyframe: number.is_multiple_of(4),
                    temporal: if temporal { (number % 2) as u8 } else { 0 },
                    opaque: true,
                    ..FrameInfo::default()
                },
            };
            let mut out = Payloads::default();
            packetizer.packetize(&frame, 1100, &mut out).unwrap();
            all.push(out);
        }
        all
    }

    #[test]
    fn every_payload_of_a_frame_is_moved_and_nothing_else() {
        for codec in [Codec::Vp8, Codec::Vp9] {
            let frames = payloads(codec, 2, false);
            let before = picture_numbers(codec, frames[0].get(0).unwrap()).unwrap();
            let last = PictureNumbers {
                picture: 0x7fff,
                base: None,
            };
            let shift = PictureShift::following(last, before);
            for payload in frames[0].iter() {
                let mut moved = payload.to_vec();
                shift.apply(codec, &mut moved);
                assert_eq!(picture_numbers(codec, &moved).unwrap().picture, 0);
                assert_eq!(moved[4..], payload[4..]);
            }
            let next = picture_numbers(codec, frames[1].get(0).unwrap()).unwrap();
            assert_eq!(shift.moved(next).picture, 1);
        }
    }

    #[test]
    fn the_index_of_base_pictures_goes_on_too() {
        let frames = payloads(Codec::Vp8, 6, true);
        let numbers = |at: usize| picture_numbers(Codec::Vp8, frames[at].get(0).unwrap()).unwrap();
        let last = PictureNumbers {
            picture: 7,
            base: Some(255),
        };
        // The fields are there from the second keyframe on.
        assert_eq!(numbers(0).base, None);
        let shift = PictureShift::following(last, numbers(4));
        let moved = shift.moved(numbers(4));
        assert_eq!((moved.picture, moved.base), (8, Some(0)));
        let mut payload = frames[4].get(0).unwrap().to_vec();
        shift.apply(Codec::Vp8, &mut payload);
        assert_eq!(picture_numbers(Codec::Vp8, &payload), Some(moved));
        let upper = frames[5].get(0).unwrap();
        assert_eq!(
            shift.without(Codec::Vp8, upper).moved(numbers(5)).picture,
            8
        );
        assert_eq!(shift.without(Codec::H264, upper), shift);
        assert_eq!(shift.without(Codec::Vp9, &[0xb0, 0x80, 1]), shift);
    }

    #[test]
    fn payloads_of_other_codecs_and_short_ones_are_left_alone() {
        let shift = PictureShift {
            picture: 5,
            base: 1,
        };
        for (codec, payload) in [
            (Codec::H264, &[0x90, 0xc0, 0x80, 1, 1, 1][..]),
            (Codec::Vp8, &[0x90, 0xc0, 0x80]),
            (Codec::Vp8, &[0x10, 0xff, 0xff, 0xff, 0xff]),
            (Codec::Vp8, &[0x90, 0x80]),
            (Codec::Vp9, &[0x90, 0x80]),
            (Codec::Vp9, &[0x10, 0x80, 0x80]),
            (Codec::Vp9, &[]),
        ] {
            let mut moved = payload.to_vec();
            shift.apply(codec, &mut moved);
            assert_eq!(moved, payload);
        }
    }
}
