// SPDX-License-Identifier: MPL-2.0
//! Formats whose payload is the frame itself: Opus (RFC 7587 §4.2) and G.711 (RFC 3551 §4.5.14).
use crate::{
    Depacketize, Depacketized, EncodedFrame, FrameInfo, Packetize, PayloadError, Payloads,
};
use bytes::Bytes;

/// One frame, one payload: neither format can fragment.
#[derive(Debug)]
pub(crate) struct Packetizer;

impl Packetize for Packetizer {
    fn packetize(
        &mut self,
        frame: &EncodedFrame,
        max_payload: usize,
        out: &mut Payloads,
    ) -> Result<(), PayloadError> {
        let len = frame.data.len();
        if len == 0 {
            return Err(PayloadError::Empty);
        }
        if len > max_payload {
            return Err(PayloadError::TooLarge {
                len,
                max: max_payload,
            });
        }
        out.extend(&frame.data);
        out.finish();
        Ok(())
    }
}

/// One payload, one frame.
#[derive(Debug)]
pub(crate) struct Depacketizer;

impl Depacketize for Depacketizer {
    fn starts_frame(&self, payload: &[u8]) -> bool {
        !payload.is_empty()
    }

    fn is_keyframe_start(&self, payload: &[u8]) -> bool {
        !payload.is_empty()
    }

    fn depacketize(&mut self, payloads: &[&[u8]]) -> Result<Depacketized, PayloadError> {
        match payloads {
            [] | [[]] => Err(PayloadError::Empty),
            [payload] => Ok(Depacketized {
                data: Bytes::copy_from_slice(payload),
                info: FrameInfo {
                    keyframe: true,
                    ..FrameInfo::default()
                },
            }),
            _ => Err(PayloadError::Malformed(
                "two audio payloads of one timestamp",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    fn frame(len: usize) -> EncodedFrame {
        EncodedFrame {
            codec: Codec::Opus,
            data: vec![7; len].into(),
            rtp_time: 0,
            info: FrameInfo::default(),
        }
    }

    #[test]
    fn a_frame_is_its_payload() {
        let mut out = Payloads::default();
        Packetizer.packetize(&frame(60), 60, &mut out).unwrap();
        assert_eq!(out.len(), 1);
        let joined = Depacketizer.depacketize(&[out.get(0).unwrap()]).unwrap();
        assert_eq!(joined.data, vec![7; 60]);
        assert!(joined.info.keyframe);
    }

    #[test]
    fn a_frame_that_does_not_fit_is_refused() {
        let error = Packetizer.packetize(&frame(61), 60, &mut Payloads::default());
        assert_eq!(error, Err(PayloadError::TooLarge { len: 61, max: 60 }));
    }

    #[test]
    fn two_payloads_of_one_timestamp_are_refused() {
        assert!(Depacketizer.depacketize(&[&[1], &[2]]).is_err());
        assert!(Depacketizer.depacketize(&[]).is_err());
        assert!(Depacketizer.depacketize(&[&[]]).is_err());
    }
}
