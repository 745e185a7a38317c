// SPDX-License-Identifier: MPL-2.0
//! Messages the tests of data channels send, and how both ends tell that they are the same.

/// A message of `size` bytes; as text of characters of one to four bytes, the rest filled with `.`.
pub fn pattern(size: usize, text: bool) -> Vec<u8> {
    if !text {
        return (0..size).map(|at| (at * 31 + at / 251) as u8).collect();
    }
    let mut bytes = Vec::with_capacity(size);
    let mut characters = "aß☕🦀\u{10ffff}".chars().cycle();
    while let Some(character) = characters
        .next()
        .filter(|c| bytes.len() + c.len_utf8() <= size)
    {
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    bytes.resize(size, b'.');
    bytes
}

/// FNV-1a, 32 bits; written in the page's own language too.
pub fn hash(bytes: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(0x811c_9dc5, step)
}
