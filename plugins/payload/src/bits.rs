// SPDX-License-Identifier: MPL-2.0
//! Reading fields of bits, most significant first, as every video bitstream here writes them.

/// A cursor over bits; `None` from any read past the end.
#[derive(Debug)]
pub(crate) struct Bits<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    /// Starts at the first bit of `data`.
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    /// One bit.
    pub(crate) fn flag(&mut self) -> Option<bool> {
        let byte = self.data.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// An unsigned number of `count` bits, at most 32.
    pub(crate) fn read(&mut self, count: u32) -> Option<u32> {
        debug_assert!(count <= 32);
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// Passes over bits.
    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        let position = self.position.checked_add(count)?;
        if position > self.data.len() * 8 {
            return None;
        }
        self.position = position;
        Some(())
    }

    /// An Exp-Golomb number, `ue(v)` of H.264 §9.1 and `uvlc()` of AV1 §4.10.3; `None` from 2^32 - 1 up.
    pub(crate) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.read(zeros)?)
    }

    /// A signed Exp-Golomb number, `se(v)` of H.264 §9.1.1.
    pub(crate) fn se(&mut self) -> Option<i32> {
        let code = self.ue()?;
        let magnitude = code.div_ceil(2) as i32;
        Some(if code % 2 == 1 { magnitude } else { -magnitude })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_read_as_the_standard_s_table() {
        // 1 010 011 00100 00101: 0, 1, 2, 3, 4.
        let data = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = Bits::new(&data);
        for expected in 0..5 {
            assert_eq!(bits.ue(), Some(expected));
        }
        let mut bits = Bits::new(&data);
        for expected in [0, 1, -1, 2, -2] {
            assert_eq!(bits.se(), Some(expected));
        }
    }

    #[test]
    fn reads_past_the_end_give_nothing() {
        let mut bits = Bits::new(&[0xff]);
        assert_eq!(bits.read(8), Some(0xff));
        assert_eq!(bits.flag(), None);
        assert_eq!(bits.skip(1), None);
        assert_eq!(Bits::new(&[0; 9]).ue(), None);
        assert_eq!(Bits::new(&[1]).skip(usize::MAX), None);
        assert_eq!(
            Bits::new(&[0, 0, 0, 1, 255, 255, 255, 255]).ue(),
            Some(u32::MAX - 1)
        );
    }
}
