// SPDX-License-Identifier: MPL-2.0
//! Messages in pieces that come in any order.
use super::*;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

type Sent = (u64, Piece, Vec<u8>);

/// A message of some stream, cut into pieces of up to five bytes.
fn cut(
    tsn: &mut u64,
    interleaved: bool,
    unordered: bool,
    stream: u16,
    mid: u32,
    size: usize,
) -> Vec<Sent> {
    let bytes = vec![mid as u8; size];
    let count = size.div_ceil(5);
    let pieces = bytes.chunks(5).enumerate().map(|(at, payload)| {
        *tsn += 1;
        let piece = Piece {
            stream,
            unordered,
            begin: at == 0,
            end: at + 1 == count,
            ppid: if at == 0 || !interleaved { mid } else { 0 },
            mid,
            fsn: if interleaved { at as u32 } else { 0 },
        };
        (*tsn, piece, payload.to_vec())
    });
    pieces.collect()
}

#[test]
fn messages_come_out_whole_in_any_order_of_pieces() {
    let mut random = SmallRng::seed_from_u64(3);
    for round in 0..200 {
        let interleaved = round % 2 == 0;
        let mut all = Vec::new();
        let mut tsn = 1 << 33;
        for mid in 0..10 {
            for stream in [1, 5] {
                let size = random.random_range(1..60);
                all.extend(cut(&mut tsn, interleaved, stream == 5, stream, mid, size));
            }
        }
        all.shuffle(&mut random);
        let mut reassembly = Reassembly::new(interleaved);
        for (tsn, piece, payload) in &all {
            reassembly.add(*tsn, piece, payload);
        }
        let out: Vec<Message> = std::iter::from_fn(|| reassembly.poll()).collect();
        assert_eq!(out.len(), 20, "round {round}");
        let ordered = out.iter().filter(|m| m.stream == 1).map(|m| m.ppid);
        assert!(ordered.eq(0..10), "round {round}");
        assert!(
            out.iter()
                .all(|m| m.payload.iter().all(|b| u32::from(*b) == m.ppid))
        );
        assert!(reassembly.runs.is_empty());
        assert_eq!((reassembly.cost, reassembly.waiting), (0, 0));
    }
}

#[test]
fn what_was_given_up_is_passed_over() {
    for interleaved in [false, true] {
        let mut tsn = 1 << 33;
        let mut reassembly = Reassembly::new(interleaved);
        let all: Vec<Vec<Sent>> = (0..4)
            .map(|mid| cut(&mut tsn, interleaved, false, 2, mid, 12))
            .collect();
        let mut give = |pieces: &[Sent]| {
            for (tsn, piece, payload) in pieces {
                reassembly.add(*tsn, piece, payload);
            }
        };
        // The first and the third came in part, the second whole, the fourth whole.
        give(&all[0][..2]);
        give(&all[1]);
        give(&all[2][1..]);
        give(&all[3]);
        assert!(reassembly.poll().is_none());
        reassembly.forward(all[2][2].0);
        reassembly.skip(2, false, 2);
        let out: Vec<u32> = std::iter::from_fn(|| reassembly.poll())
            .map(|m| m.ppid)
            .collect();
        assert_eq!(out, [1, 3]);
        assert_eq!(reassembly.cost, 0);
    }
}

#[test]
fn numbers_begin_again_after_a_reset() {
    for interleaved in [false, true] {
        let mut tsn = 1 << 33;
        let mut reassembly = Reassembly::new(interleaved);
        for _ in 0..3 {
            for mid in 0..2 {
                for (tsn, piece, payload) in cut(&mut tsn, interleaved, false, 9, mid, 7) {
                    reassembly.add(tsn, &piece, &payload);
                }
            }
            assert_eq!(std::iter::from_fn(|| reassembly.poll()).count(), 2);
            reassembly.reset(&[9]);
        }
        assert_eq!(reassembly.cost(), 0);
    }
}

#[test]
fn sequence_numbers_wrap() {
    let mut reassembly = Reassembly::new(false);
    for number in 0..70_000u32 {
        let piece = Piece {
            stream: 1,
            unordered: false,
            begin: true,
            end: true,
            ppid: number,
            mid: number & 0xffff,
            fsn: 0,
        };
        reassembly.add(u64::from(number) + 10, &piece, b"x");
        assert_eq!(reassembly.poll().map(|m| m.ppid), Some(number));
    }
}
