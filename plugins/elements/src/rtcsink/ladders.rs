// SPDX-License-Identifier: MPL-2.0
//! What the encodings of a raw video input cost, for each codec it may be encoded with.
use crate::encode::layers;
use crate::endpoint::Endpoint;
use rtc_payload::{Codec, MediaKind, TrackId};
use rtc_rtp::Ladder;
use std::sync::Arc;

/// Shared with the endpoint and, by the packets, with every session.
#[derive(Clone, Debug, Default)]
pub(super) struct Ladders {
    /// Encodings asked for.
    asked: u32,
    ladders: Vec<(Codec, Arc<Ladder>)>,
}

impl Ladders {
    /// None for audio, and for video with one encoding.
    pub(super) fn new(kind: MediaKind, asked: u32, codecs: &[Codec]) -> Self {
        if kind == MediaKind::Audio || asked < 2 {
            return Self::default();
        }
        let video = codecs.iter().filter(|codec| codec.kind() == kind);
        Self {
            asked,
            ladders: video.map(|codec| (*codec, Arc::default())).collect(),
        }
    }

    /// Tells the endpoint of them.
    pub(super) fn tell(&self, endpoint: &Endpoint, track: TrackId) {
        for (codec, ladder) in &self.ladders {
            endpoint.set_track_ladder(track, *codec, Arc::clone(ladder));
        }
    }

    /// Follows the size of raw input; without caps the input is encoded already.
    pub(super) fn follow(&self, caps: Option<&gst::CapsRef>) {
        let structure = caps.and_then(|caps| caps.structure(0));
        let pixels = |name| structure.and_then(|s| s.get::<i32>(name).ok());
        for (codec, ladder) in &self.ladders {
            let floors = match (pixels("width"), pixels("height")) {
                (Some(width), Some(height)) => {
                    let (width, height) = (width.unsigned_abs(), height.unsigned_abs());
                    layers::floors(*codec, width, height, self.asked)
                }
                _ => Vec::new(),
            };
            ladder.set_floors(&floors);
        }
    }

    /// That of a codec.
    pub(super) fn of(&self, codec: Codec) -> Option<Arc<Ladder>> {
        let found = self.ladders.iter().find(|(of, _)| *of == codec)?;
        Some(Arc::clone(&found.1))
    }
}
