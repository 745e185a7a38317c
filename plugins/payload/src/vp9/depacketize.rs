// SPDX-License-Identifier: MPL-2.0
//! VP9 payloads to frames; the layer frames of a picture come out as one superframe.
use super::descriptor::Descriptor;
use super::header;
use crate::split::Joiner;
use crate::{Depacketize, Depacketized, FrameInfo, PayloadError};

/// Joins the payloads of a picture; keeps nothing from one to the next.
#[derive(Debug)]
pub(crate) struct Depacketizer;

/// Whether the payload opens a picture: a frame of the base layer.
fn starts_picture(descriptor: &Descriptor) -> bool {
    descriptor.start && descriptor.spatial == 0
}

impl Depacketize for Depacketizer {
    fn starts_frame(&self, payload: &[u8]) -> bool {
        Descriptor::parse(payload).is_ok_and(|(descriptor, _)| starts_picture(&descriptor))
    }

    fn is_keyframe_start(&self, payload: &[u8]) -> bool {
        Descriptor::parse(payload)
            .is_ok_and(|(descriptor, _)| starts_picture(&descriptor) && !descriptor.predicted)
    }

    fn depacketize(&mut self, payloads: &[&[u8]]) -> Result<Depacketized, PayloadError> {
        let mut frame = Joiner::for_payloads(payloads);
        let mut info = FrameInfo::default();
        let mut resolution = None;
        let mut ended = true;
        for (index, payload) in payloads.iter().enumerate() {
            let (descriptor, rest) = Descriptor::parse(payload)?;
            if descriptor.start != ended {
                return Err(PayloadError::Malformed("VP9 frame start misplaced"));
            }
            if index == 0 {
                info.keyframe = !descriptor.predicted && descriptor.spatial == 0;
            }
            info.temporal = descriptor.temporal;
            info.spatial = descriptor.spatial;
            resolution = descriptor.resolution.or(resolution);
            ended = descriptor.end;
            frame.push(rest)?;
        }
        if !ended {
            return Err(PayloadError::Malformed("VP9 frame without end"));
        }
        if info.keyframe {
            resolution = resolution.or_else(|| header::dimensions(frame.bytes()));
        }
        if let Some((width, height)) = resolution {
            info.width = Some(width);
            info.height = Some(height);
        }
        Ok(Depacketized {
            data: frame.finish()?,
            info,
        })
    }
}
