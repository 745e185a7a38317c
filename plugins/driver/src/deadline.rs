// SPDX-License-Identifier: MPL-2.0
//! The earliest timeout over all sessions: a heap that forgets lazily.
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Deadlines by slot number. A slot has one deadline; setting it again replaces it.
///
/// A session names a new deadline after nearly every input, mostly a later one. So a later deadline is
/// only written down: the heap keeps the earlier entry, and when that comes up it is put back where it
/// belongs. The heap thus holds about one entry a slot whatever the traffic.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// When the slot wants to be called.
    wanted: Option<Instant>,
    /// The earliest entry of the slot in the heap.
    queued: Option<Instant>,
}

impl Deadlines {
    /// Sets the deadline of a slot.
    pub(crate) fn set(&mut self, slot: usize, at: Instant) {
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, Slot::default());
        }
        let entry = &mut self.slots[slot];
        entry.wanted = Some(at);
        if entry.queued.is_none_or(|queued| at < queued) {
            entry.queued = Some(at);
            self.heap.push(Reverse((at, slot)));
        }
        self.compact();
    }

    /// Forgets the deadline of a slot.
    pub(crate) fn clear(&mut self, slot: usize) {
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.wanted = None;
        }
    }

    /// The slot whose deadline has come, if one has; its deadline is forgotten.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        while let Some(&Reverse((at, slot))) = self.heap.peek() {
            if at > now {
                return None;
            }
            self.heap.pop();
            let entry = &mut self.slots[slot];
            if entry.queued != Some(at) {
                continue;
            }
            entry.queued = None;
            match entry.wanted {
                Some(wanted) if wanted <= now => {
                    entry.wanted = None;
                    return Some(slot);
                }
                Some(wanted) => {
                    entry.queued = Some(wanted);
                    self.heap.push(Reverse((wanted, slot)));
                }
                None => {}
            }
        }
        None
    }

    /// No deadline comes before this one; it may turn out to be of the past or of nobody.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Bounds the heap: deadlines that move earlier and earlier leave stale entries behind.
    fn compact(&mut self) {
        if self.heap.len() <= 4 * self.slots.len() + 64 {
            return;
        }
        let slots = &self.slots;
        self.heap
            .retain(|Reverse((at, slot))| slots[*slot].queued == Some(*at));
        // Equal entries of one slot survive the filter; they are dropped when they come up.
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn slots_come_up_in_order_and_once() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        for (slot, at) in [(0, 30), (1, 10), (2, 20)] {
            deadlines.set(slot, start + ms(at));
        }
        assert_eq!(deadlines.earliest(), Some(start + ms(10)));
        assert_eq!(deadlines.pop_due(start + ms(9)), None);
        let due: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(start + ms(30))).collect();
        assert_eq!(due, [1, 2, 0]);
        assert_eq!(deadlines.earliest(), None);
    }

    #[test]
    fn a_deadline_put_off_comes_up_at_its_new_time_only() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(0, start + ms(10));
        deadlines.set(0, start + ms(50));
        assert_eq!(deadlines.pop_due(start + ms(20)), None);
        assert_eq!(deadlines.earliest(), Some(start + ms(50)));
        assert_eq!(deadlines.pop_due(start + ms(50)), Some(0));
        assert_eq!(deadlines.pop_due(start + ms(99)), None);
    }

    #[test]
    fn a_deadline_brought_forward_comes_up_at_its_new_time_only() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(0, start + ms(50));
        deadlines.set(0, start + ms(10));
        assert_eq!(deadlines.pop_due(start + ms(10)), Some(0));
        assert_eq!(deadlines.pop_due(start + ms(60)), None);
    }

    #[test]
    fn a_cleared_deadline_never_comes_up() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(3, start + ms(10));
        deadlines.clear(3);
        assert_eq!(deadlines.pop_due(start + ms(20)), None);
        deadlines.set(3, start + ms(30));
        assert_eq!(deadlines.pop_due(start + ms(30)), Some(3));
    }

    #[test]
    fn the_heap_stays_small_whatever_the_order_of_deadlines() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        for n in (0..100_000_u64).rev() {
            deadlines.set((n % 7) as usize, start + ms(n));
        }
        for n in 0..100_000_u64 {
            deadlines.set((n % 7) as usize, start + ms(n));
        }
        assert!(deadlines.heap.len() <= 4 * 7 + 65);
        let far = start + ms(1_000_000);
        let due = std::iter::from_fn(|| deadlines.pop_due(far)).count();
        assert_eq!(due, 7);
    }
}
