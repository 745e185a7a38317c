// SPDX-License-Identifier: MPL-2.0
//! CRC32c (RFC 9260 appendix A), eight bytes at a time.

const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `TABLES[n][byte]`: what a byte does to the sum `n` bytes later.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = match sum & 1 {
                1 => (sum >> 1) ^ POLYNOMIAL,
                _ => sum >> 1,
            };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut later = 1;
    while later < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[later - 1][byte];
            tables[later][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        later += 1;
    }
    tables
}

/// Continues a sum, which begins as `u32::MAX` and is inverted at the end.
fn add(mut sum: u32, bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let [a, b, c, d, e, f, g, h] = *eight;
        let low = sum ^ u32::from_le_bytes([a, b, c, d]);
        let [a, b, c, d] = low.to_le_bytes();
        let bytes = [h, g, f, e, d, c, b, a];
        sum = TABLES
            .iter()
            .zip(bytes)
            .fold(0, |all, (table, byte)| all ^ table[usize::from(byte)]);
    }
    for byte in rest {
        sum = (sum >> 8) ^ TABLES[0][usize::from(sum as u8 ^ byte)];
    }
    sum
}

/// The checksum of a packet whose checksum field counts as zero.
pub(crate) fn of_packet(packet: &[u8]) -> u32 {
    let head = packet.get(..8).unwrap_or(packet);
    let rest = packet.get(12..).unwrap_or_default();
    !add(add(add(u32::MAX, head), &[0; 4]), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_rfc_3720() {
        let all = |bytes: &[u8]| !add(u32::MAX, bytes);
        assert_eq!(all(b"123456789"), 0xe306_9283);
        assert_eq!(all(&[0; 32]), 0x8a91_36aa);
        assert_eq!(all(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(all(&ascending), 0x46dd_794e);
    }

    #[test]
    fn the_field_itself_counts_as_zero() {
        let mut packet: Vec<u8> = (0..40).collect();
        let before = of_packet(&packet);
        packet[8..12].fill(0x55);
        assert_eq!(of_packet(&packet), before);
    }
}
