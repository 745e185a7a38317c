// SPDX-License-Identifier: MPL-2.0
//! Splitting a frame evenly, and joining it with a bound.
use crate::{MAX_FRAME, PayloadError};

/// The size every payload but the last gets, so that `len` bytes behind a header of `first` bytes in
/// the first payload and of `rest` bytes in the others take as few payloads of at most `max` bytes as
/// possible, and the last is hardly smaller.
pub(crate) fn even_size(
    len: usize,
    first: usize,
    rest: usize,
    max: usize,
) -> Result<usize, PayloadError> {
    if len == 0 {
        return Err(PayloadError::Empty);
    }
    if len > MAX_FRAME {
        return Err(PayloadError::TooLarge {
            len,
            max: MAX_FRAME,
        });
    }
    if max <= first || max <= rest {
        return Err(PayloadError::NoRoom(max));
    }
    // count * max >= len + first + (count - 1) * rest, solved for the least count.
    let count = (len + first)
        .saturating_sub(rest)
        .div_ceil(max - rest)
        .max(1);
    let size = (len + first + (count - 1) * rest).div_ceil(count);
    // Every payload carries at least a byte behind its header.
    Ok(size.max(first + 1).max(rest + 1).min(max))
}

/// Collects a frame's bytes, refusing to grow past [`MAX_FRAME`].
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    data: Vec<u8>,
}

impl Joiner {
    /// An empty frame with room for the bytes of `payloads`, as far as they are within bounds.
    pub(crate) fn for_payloads(payloads: &[&[u8]]) -> Self {
        let len: usize = payloads.iter().map(|payload| payload.len() + 4).sum();
        Self {
            data: Vec::with_capacity(len.min(MAX_FRAME)),
        }
    }

    /// Appends bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), PayloadError> {
        let len = self.data.len() + bytes.len();
        if len > MAX_FRAME {
            return Err(PayloadError::TooLarge {
                len,
                max: MAX_FRAME,
            });
        }
        self.data.extend_from_slice(bytes);
        Ok(())
    }

    /// The bytes so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// The frame; an error if there is none.
    pub(crate) fn finish(self) -> Result<bytes::Bytes, PayloadError> {
        match self.data.is_empty() {
            true => Err(PayloadError::Empty),
            false => Ok(self.data.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_payload_is_larger_than_allowed_and_as_few_as_possible_are_used() {
        for len in 1..600 {
            for (first, rest) in [(0, 0), (1, 1), (4, 4), (8, 3), (2, 9)] {
                for max in [10, 11, 13, 50, 100, 1000] {
                    let size = even_size(len, first, rest, max).unwrap();
                    assert!(size <= max && size > first && size > rest);
                    let mut left = len.saturating_sub(size - first);
                    let mut count = 1;
                    while left > 0 {
                        left = left.saturating_sub(size - rest);
                        count += 1;
                    }
                    let least = 1 + len.saturating_sub(max - first).div_ceil(max - rest);
                    assert!(count <= least, "{len} {first} {rest} {max}: {count}");
                }
            }
        }
    }

    #[test]
    fn a_header_that_fills_the_payload_is_an_error() {
        assert_eq!(even_size(5, 4, 4, 4), Err(PayloadError::NoRoom(4)));
        assert_eq!(even_size(0, 4, 4, 9), Err(PayloadError::Empty));
    }
}
