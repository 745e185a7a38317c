// SPDX-License-Identifier: MPL-2.0
//! Which bytes of which OBU go into which payload.
use super::obu::leb128_len;

/// The smallest piece that may open an OBU, bytes: its header with extension stays whole.
const MIN_START: usize = 2;

/// The largest number of elements that the aggregation header counts; above it all have a length.
const MAX_COUNTED: usize = 3;

/// How many sizes are tried for one that fills every payload but the last exactly.
const TRIES: usize = 32;

/// A piece of an OBU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) obu: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// One payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) elements: Vec<Element>,
    /// Every element has a length (W = 0); else all but the last.
    pub(super) all_sized: bool,
    /// The last element is continued in the next payload.
    pub(super) continued: bool,
    len: usize,
}

/// Distributes OBUs of these lengths over as few payloads of at most `max` bytes as possible, of
/// equal size but for the last where that can be done.
pub(super) fn plan(lens: &[usize], max: usize) -> Vec<Payload> {
    let greedy = fill(lens, max);
    let count = greedy.len();
    if count < 2 {
        return greedy;
    }
    let lengths: usize = lens.iter().rev().skip(1).map(|len| leb128_len(*len)).sum();
    let total = lens.iter().sum::<usize>() + lengths;
    let least = (total.div_ceil(count) + 1).min(max);
    let mut best = None;
    for size in least..=max.min(least + TRIES) {
        let candidate = fill(lens, size);
        if candidate.len() > count {
            continue;
        }
        let (_, full) = candidate.split_last().unwrap_or((&greedy[0], &[]));
        if full.iter().all(|payload| payload.len == size) {
            return candidate;
        }
        best.get_or_insert(candidate);
    }
    best.unwrap_or(greedy)
}

/// Fills payloads of `size` bytes one after another.
fn fill(lens: &[usize], size: usize) -> Vec<Payload> {
    let mut out = Vec::new();
    let mut position = (0, 0);
    while position.0 < lens.len() {
        let (payload, next) = fill_one(lens, position, size);
        debug_assert!(next > position, "every payload takes a byte");
        out.push(payload);
        position = next;
    }
    out
}

/// One payload from `position` (OBU, byte) on, and the position behind it.
fn fill_one(lens: &[usize], position: (usize, usize), size: usize) -> (Payload, (usize, usize)) {
    let (mut obu, mut start) = position;
    // Behind the aggregation header.
    let mut room = size - 1;
    let mut elements = Vec::new();
    let mut all_sized = false;
    while let Some(len) = lens.get(obu) {
        let left = len - start;
        let sized = leb128_len(left) + left;
        let counted = elements.len() + 1;
        let next_needs = MIN_START + usize::from(counted + 1 > MAX_COUNTED);
        let last = obu + 1 == lens.len();
        let (taken, cost, done) = if counted > MAX_COUNTED {
            all_sized = true;
            let taken = left.min(most_sized(room));
            let cost = leb128_len(taken) + taken;
            (taken, cost, taken < left || room < cost + next_needs)
        } else if left >= room {
            (room, room, true)
        } else if last {
            (left, left, true)
        } else if sized + next_needs <= room {
            (left, sized, false)
        } else {
            // Nothing goes behind it; a length that fills the payload is better than a gap.
            all_sized = sized == room;
            (left, if all_sized { sized } else { left }, true)
        };
        elements.push(Element {
            obu,
            start,
            end: start + taken,
        });
        room -= cost;
        start += taken;
        if start == *len {
            obu += 1;
            start = 0;
        }
        if done {
            break;
        }
    }
    let payload = Payload {
        elements,
        all_sized,
        continued: start > 0,
        len: size - room,
    };
    (payload, (obu, start))
}

/// The most bytes that fit into `room` together with their length.
fn most_sized(room: usize) -> usize {
    let mut taken = room.saturating_sub(1);
    while taken > 0 && leb128_len(taken) + taken > room {
        taken -= 1;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_sent_once_and_no_payload_is_too_large() {
        let mut seed = 1u32;
        let mut random = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        for _ in 0..3000 {
            let lens: Vec<usize> = (0..=random(9)).map(|_| 1 + random(400) as usize).collect();
            let max = 8 + random(300) as usize;
            let mut expected = (0, 0);
            for payload in plan(&lens, max) {
                assert!(payload.len <= max && !payload.elements.is_empty());
                for element in &payload.elements {
                    assert_eq!((element.obu, element.start), expected);
                    assert!(element.end > element.start);
                    expected = match element.end == lens[element.obu] {
                        true => (element.obu + 1, 0),
                        false => (element.obu, element.end),
                    };
                }
                assert!(payload.all_sized || payload.elements.len() <= MAX_COUNTED);
                assert_eq!(payload.continued, expected.1 > 0);
            }
            assert_eq!(expected, (lens.len(), 0));
        }
    }

    #[test]
    fn several_tile_groups_mostly_make_payloads_of_one_size() {
        let mut even = 0;
        for len in 1000..2000 {
            let payloads = plan(&[13, len, len / 2 + 300, 5, len + 77], 1200);
            let (last, full) = payloads.split_last().unwrap();
            let size = payloads[0].len;
            even += usize::from(full.iter().all(|payload| payload.len == size));
            assert!(last.len <= 1200);
        }
        assert!(even >= 990, "{even}");
    }

    #[test]
    fn a_sequence_header_and_a_frame_make_payloads_of_one_size() {
        for frame in (100..100_000).step_by(37) {
            for max in [100, 500, 1200] {
                let payloads = plan(&[11, frame], max);
                let size = payloads[0].len;
                let (last, full) = payloads.split_last().unwrap();
                assert!(full.iter().all(|payload| payload.len == size), "{frame}");
                assert!(last.len <= size);
                assert!(
                    payloads.len() <= (frame + 13).div_ceil(max - 1),
                    "{frame} {max}"
                );
            }
        }
    }
}
