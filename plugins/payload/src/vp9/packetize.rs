// SPDX-License-Identifier: MPL-2.0
//! VP9 frames to payloads.
//!
//! A stream without layers is sent in non-flexible mode, with picture id and, on keyframes, a
//! scalability structure that names the resolution. Once a frame of an upper layer was seen, the next
//! keyframe switches to flexible mode (the mode may change at keyframes only). We don't know what a
//! frame really refers to, so each names the latest picture of every temporal layer up to its own: more
//! than it needs, never less.
use super::descriptor::{Fields, Layer};
use super::header;
use crate::split::even_size;
use crate::{EncodedFrame, Packetize, PayloadError, Payloads};

const PICTURE_ID_MASK: u16 = 0x7fff;

/// Numbers pictures and remembers which ones may be referred to.
#[derive(Debug, Default)]
pub(crate) struct Packetizer {
    /// Id and RTP time of the latest picture.
    picture: Option<(u16, u32)>,
    /// The latest picture began with a keyframe.
    key_picture: bool,
    saw_layers: bool,
    /// Highest spatial layer seen.
    top_spatial: u8,
    layered: bool,
    /// `[spatial][temporal]`: id of the latest picture that later ones may refer to.
    references: [[Option<u16>; 8]; 8],
}

impl Packetizer {
    /// The picture id of this frame; layer frames of one RTP time are one picture.
    fn number(&mut self, frame: &EncodedFrame) -> u16 {
        let id = match self.picture {
            // The id SHOULD start at a random number; RTP timestamps do, and so need no second die.
            None => (frame.rtp_time >> 8) as u16 & PICTURE_ID_MASK,
            Some((id, time)) if time == frame.rtp_time && frame.info.spatial > 0 => id,
            Some((id, _)) => (id + 1) & PICTURE_ID_MASK,
        };
        self.picture = Some((id, frame.rtp_time));
        id
    }

    fn fields(&mut self, frame: &EncodedFrame) -> Result<Fields, PayloadError> {
        let temporal = frame.info.temporal.min(7);
        let spatial = frame.info.spatial.min(7);
        let picture_id = self.number(frame);
        self.saw_layers |= temporal > 0 || spatial > 0;
        self.top_spatial = self.top_spatial.max(spatial);
        if spatial == 0 {
            self.key_picture = frame.info.keyframe;
            if self.key_picture {
                self.layered = self.saw_layers;
                self.references = Default::default();
            }
        }
        if !self.layered && spatial > 0 {
            return Err(PayloadError::Unsupported(
                "VP9 spatial layer before a keyframe that announces it",
            ));
        }
        let layer = self
            .layered
            .then(|| self.layer(picture_id, temporal, spatial));
        if !frame.info.discardable {
            self.references[usize::from(spatial)][usize::from(temporal)] = Some(picture_id);
        }
        let structure =
            (self.key_picture && spatial == 0).then(|| (self.top_spatial, resolution(frame)));
        Ok(Fields {
            picture_id,
            predicted: !self.key_picture,
            layer,
            structure,
        })
    }

    fn layer(&self, picture_id: u16, temporal: u8, spatial: u8) -> Layer {
        let mut layer = Layer {
            temporal,
            spatial,
            ..Layer::default()
        };
        let mut diffs: Vec<u16> = self.references[usize::from(spatial)][..=usize::from(temporal)]
            .iter()
            .flatten()
            .map(|id| picture_id.wrapping_sub(*id) & PICTURE_ID_MASK)
            .filter(|diff| (1..=127).contains(diff))
            .collect();
        if diffs.is_empty() {
            diffs.push(1);
        }
        diffs.sort_unstable();
        diffs.truncate(layer.diffs.len());
        for (slot, diff) in layer.diffs.iter_mut().zip(&diffs) {
            *slot = *diff as u8;
        }
        layer.diff_count = diffs.len();
        layer
    }
}

/// From the metadata, else from the frame's own header.
fn resolution(frame: &EncodedFrame) -> Option<(u16, u16)> {
    match (frame.info.width, frame.info.height) {
        (Some(width), Some(height)) => Some((width, height)),
        _ if frame.info.opaque => None,
        _ => header::dimensions(&frame.data),
    }
}

impl Packetize for Packetizer {
    fn packetize(
        &mut self,
        frame: &EncodedFrame,
        max_payload: usize,
        out: &mut Payloads,
    ) -> Result<(), PayloadError> {
        let fields = self.fields(frame)?;
        let mut first = fields.write(true);
        let rest = fields.write(false);
        let (first_len, rest_len) = (first.as_slice().len(), rest.as_slice().len());
        let size = even_size(frame.data.len(), first_len, rest_len, max_payload)?;
        let (head, tail) = frame.data.split_at(frame.data.len().min(size - first_len));
        if tail.is_empty() {
            first.end_frame();
        }
        out.extend(first.as_slice());
        out.extend(head);
        out.finish();
        let mut chunks = tail.chunks(size - rest_len).peekable();
        while let Some(chunk) = chunks.next() {
            let mut descriptor = rest;
            if chunks.peek().is_none() {
                descriptor.end_frame();
            }
            out.extend(descriptor.as_slice());
            out.extend(chunk);
            out.finish();
        }
        Ok(())
    }
}
