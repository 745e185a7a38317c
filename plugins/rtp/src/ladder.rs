// SPDX-License-Identifier: MPL-2.0
//! What the encodings of one input cost: told by whoever runs the encoders, read by every session.
use std::sync::atomic::{AtomicU64, Ordering};

/// Encodings of one input at most.
pub const MAX_LAYERS: usize = 4;

/// The encodings of one input in one codec, layer 0 the largest, each of half the size of the one above.
///
/// A session takes of them the largest that its share of the path pays for. Shared by `Arc` through
/// [`crate::PacketBlock`]; the figures may change at any time.
#[derive(Debug, Default)]
pub struct Ladder {
    rungs: [Rung; MAX_LAYERS],
}

/// Bit/s; a floor of zero: there is no such layer.
#[derive(Debug, Default)]
struct Rung {
    floor: AtomicU64,
    need: AtomicU64,
}

impl Ladder {
    /// Takes the layers there are, by the bit/s below which each is not worth having; more than
    /// [`MAX_LAYERS`] are passed over.
    pub fn set_floors(&self, floors: &[u64]) {
        for (layer, rung) in self.rungs.iter().enumerate() {
            let floor = floors.get(layer).map_or(0, |floor| (*floor).max(1));
            rung.floor.store(floor, Ordering::Relaxed);
        }
    }

    /// Takes what a session must be able to carry to take a layer that others take as well, bit/s; 0 if
    /// nobody does.
    pub fn set_need(&self, layer: u8, bits_per_second: u64) {
        if let Some(rung) = self.rungs.get(usize::from(layer)) {
            rung.need.store(bits_per_second, Ordering::Relaxed);
        }
    }

    /// The bit/s below which a layer is not worth having; `None` if there is no such layer.
    pub fn floor(&self, layer: u8) -> Option<u64> {
        let rung = self.rungs.get(usize::from(layer))?;
        let floor = rung.floor.load(Ordering::Relaxed);
        (floor > 0).then_some(floor)
    }

    /// What a session must be able to carry for it, bit/s; `None` if there is no such layer.
    pub fn cost(&self, layer: u8) -> Option<u64> {
        let floor = self.floor(layer)?;
        let rung = self.rungs.get(usize::from(layer))?;
        Some(floor.max(rung.need.load(Ordering::Relaxed)))
    }

    /// Number of layers.
    pub fn len(&self) -> u8 {
        (0..MAX_LAYERS as u8)
            .take_while(|layer| self.floor(*layer).is_some())
            .count() as u8
    }

    /// Whether there is none: nothing is known of the input yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The largest layer that a share of so many bit/s pays for, else the smallest.
    pub fn affordable(&self, bits_per_second: u64) -> u8 {
        let layers = self.len();
        (0..layers)
            .find(|layer| {
                self.cost(*layer)
                    .is_some_and(|cost| cost <= bits_per_second)
            })
            .unwrap_or_else(|| layers.saturating_sub(1))
    }
}

/// What one video stream of a session gets of its estimate: audio takes what it needs first, and the video
/// streams share the rest alike. All in bit/s.
pub fn share(estimate: u64, audio_streams: u64, video_streams: u64) -> u64 {
    estimate.saturating_sub(audio_streams * AUDIO) / video_streams.max(1)
}

/// What an audio stream takes on the wire with headers, bit/s: Opus at 64 kbit/s in 20 ms packets.
const AUDIO: u64 = 90_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_layer_that_is_paid_for_is_taken() {
        let ladder = Ladder::default();
        assert!(ladder.is_empty() && ladder.affordable(1_000_000) == 0);
        ladder.set_floors(&[600_000, 150_000, 30_000]);
        assert_eq!((ladder.len(), ladder.cost(3)), (3, None));
        for (share, layer) in [
            (600_000, 0),
            (599_999, 1),
            (150_000, 1),
            (40_000, 2),
            (1, 2),
        ] {
            assert_eq!(ladder.affordable(share), layer, "{share}");
        }
        ladder.set_need(0, 2_000_000);
        assert_eq!(ladder.affordable(1_999_999), 1);
        ladder.set_need(0, 0);
        ladder.set_floors(&[600_000]);
        assert_eq!((ladder.len(), ladder.affordable(1)), (1, 0));
    }

    #[test]
    fn audio_comes_first_and_video_shares_the_rest() {
        assert_eq!(share(1_090_000, 1, 2), 500_000);
        assert_eq!(share(10_000, 1, 1), 0);
    }
}
