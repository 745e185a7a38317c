// SPDX-License-Identifier: MPL-2.0
//! The parameter sets of a stream, remembered so that every keyframe can carry them.
use super::nal;
use super::sps::{pps_id, sps_id};

/// Sets above this size, bytes, are not remembered: real ones are below a hundred.
const MAX_SET: usize = 4096;

#[derive(Debug)]
struct Set {
    kind: u8,
    id: u32,
    unit: Vec<u8>,
    /// The access unit that it was last seen in.
    seen: u64,
}

/// The latest set of each kind and id: at most 32 SPS and 256 PPS.
#[derive(Debug, Default)]
pub(super) struct ParameterSets {
    sets: Vec<Set>,
    access_unit: u64,
}

impl ParameterSets {
    /// Remembers the sets of an access unit.
    pub(super) fn learn(&mut self, units: &[&[u8]]) {
        self.access_unit += 1;
        for unit in units {
            let kind = nal::kind(unit);
            let id = match kind {
                nal::SPS => sps_id(unit),
                nal::PPS => pps_id(unit),
                _ => continue,
            };
            if let Some(id) = id.filter(|_| unit.len() <= MAX_SET) {
                self.remember(kind, id, unit);
            }
        }
    }

    fn remember(&mut self, kind: u8, id: u32, unit: &[u8]) {
        let seen = self.access_unit;
        if let Some(set) = self
            .sets
            .iter_mut()
            .find(|set| set.kind == kind && set.id == id)
        {
            set.seen = seen;
            if set.unit == unit {
                return;
            }
            set.unit = unit.to_vec();
        } else {
            self.sets.push(Set {
                kind,
                id,
                unit: unit.to_vec(),
                seen,
            });
        }
        if kind == nal::SPS {
            // A new sequence: what referred to the old one has no meaning any more.
            self.sets
                .retain(|set| set.kind == nal::SPS || set.seen == seen);
        }
    }

    /// Whether the access unit last learned from lacks a set that an earlier one had.
    pub(super) fn lacking(&self) -> bool {
        self.sets.iter().any(|set| set.seen != self.access_unit)
    }

    /// Every set, SPS before PPS.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let of = |kind| {
            self.sets
                .iter()
                .filter(move |set| set.kind == kind)
                .map(|set| set.unit.as_slice())
        };
        of(nal::SPS).chain(of(nal::PPS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 66, 0xc0, 30, 0xd9];
    const OTHER_SPS: &[u8] = &[0x67, 66, 0xc0, 31, 0xd9];
    const PPS: &[u8] = &[0x68, 0xce, 0x3c];
    const SECOND_PPS: &[u8] = &[0x68, 0x5e, 0x3c];

    #[test]
    fn sets_are_lacking_only_after_an_access_unit_without_them() {
        let mut sets = ParameterSets::default();
        assert!(!sets.lacking());
        sets.learn(&[SPS, PPS, &[0x65, 1]]);
        assert!(!sets.lacking());
        sets.learn(&[SPS, &[0x65, 1]]);
        assert!(sets.lacking());
        sets.learn(&[SECOND_PPS, SPS, PPS]);
        assert!(!sets.lacking());
        assert_eq!(sets.iter().collect::<Vec<_>>(), [SPS, PPS, SECOND_PPS]);
    }

    #[test]
    fn a_new_sequence_forgets_the_picture_sets_of_the_old() {
        let mut sets = ParameterSets::default();
        sets.learn(&[SPS, PPS, SECOND_PPS]);
        sets.learn(&[OTHER_SPS, PPS]);
        assert_eq!(sets.iter().collect::<Vec<_>>(), [OTHER_SPS, PPS]);
        assert!(!sets.lacking());
    }
}
