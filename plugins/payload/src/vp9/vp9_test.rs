// SPDX-License-Identifier: MPL-2.0
//! VP9 payload descriptors byte by byte.
use super::{Depacketizer, Packetizer};
use crate::{Codec, Depacketize, EncodedFrame, FrameInfo, Packetize, PayloadError, Payloads};

fn frame(rtp_time: u32, keyframe: bool, temporal: u8, spatial: u8) -> EncodedFrame {
    EncodedFrame {
        codec: Codec::Vp9,
        data: vec![0xaa; 10].into(),
        rtp_time,
        info: FrameInfo {
            keyframe,
            temporal,
            spatial,
            opaque: true,
            ..FrameInfo::default()
        },
    }
}

fn first_payload(packetizer: &mut Packetizer, frame: &EncodedFrame) -> Vec<u8> {
    let mut out = Payloads::default();
    packetizer.packetize(frame, 1200, &mut out).unwrap();
    out.get(0).unwrap().to_vec()
}

#[test]
fn a_keyframe_names_its_resolution_and_a_delta_frame_its_prediction() {
    let mut packetizer = Packetizer::default();
    let mut key = frame(0x0001_2300, true, 0, 0);
    key.info.width = Some(640);
    key.info.height = Some(480);
    let payload = first_payload(&mut packetizer, &key);
    // I, B, E, V; picture id 0x123; one layer, Y; 640x480.
    assert_eq!(payload[..8], [0x8e, 0x81, 0x23, 0x10, 2, 128, 1, 224]);
    let payload = first_payload(&mut packetizer, &frame(0x0001_2301, false, 0, 0));
    assert_eq!(payload[..4], [0xcc, 0x81, 0x24, 0xaa]);
}

#[test]
fn temporal_layers_use_flexible_mode_from_the_next_keyframe_on() {
    let mut packetizer = Packetizer::default();
    first_payload(&mut packetizer, &frame(0, true, 0, 0));
    let early = first_payload(&mut packetizer, &frame(1, false, 1, 0));
    assert_eq!(early[0] & 0x30, 0, "no layer fields inside a group");
    let key = first_payload(&mut packetizer, &frame(2, true, 0, 0));
    // I, L, F, B, E, V; no P.
    assert_eq!(key[..5], [0xbe, 0x80, 0x02, 0x00, 0x00]);
    let upper = first_payload(&mut packetizer, &frame(3, false, 1, 0));
    assert_eq!(upper[..5], [0xfc, 0x80, 0x03, 0x20, 1 << 1]);
    let base = first_payload(&mut packetizer, &frame(4, false, 0, 0));
    assert_eq!(base[..5], [0xfc, 0x80, 0x04, 0x00, 2 << 1]);
    let upper = first_payload(&mut packetizer, &frame(5, false, 1, 0));
    // Refers to the base (1 back) and to the upper layer (2 back).
    assert_eq!(upper[..6], [0xfc, 0x80, 0x05, 0x20, 1 << 1 | 1, 2 << 1]);
}

#[test]
fn spatial_layers_share_the_picture_id_and_join_to_one_frame() {
    let mut packetizer = Packetizer::default();
    first_payload(&mut packetizer, &frame(0, true, 0, 0));
    let mut out = Payloads::default();
    let early = packetizer.packetize(&frame(0, false, 0, 1), 1200, &mut out);
    assert!(matches!(early, Err(PayloadError::Unsupported(_))));
    let base = first_payload(&mut packetizer, &frame(9, true, 0, 0));
    let upper = first_payload(&mut packetizer, &frame(9, false, 0, 1));
    assert_eq!(base[..5], [0xbe, 0x80, 0x01, 0x00, 0x20]);
    // Not predicted from another picture, but dependent on the layer below.
    assert_eq!(upper[..4], [0xbc, 0x80, 0x01, 0x03]);
    assert!(Depacketizer.starts_frame(&base) && !Depacketizer.starts_frame(&upper));
    let joined = Depacketizer.depacketize(&[&base, &upper]).unwrap();
    assert_eq!(joined.data.len(), 20);
    assert!(joined.info.keyframe);
    assert_eq!(joined.info.spatial, 1);
}

#[test]
fn a_full_scalability_structure_is_read() {
    // Two spatial layers with resolutions and a group of two pictures, as Chromium sends for L2T2.
    let payload = [
        0xaa | 0x04,
        0x12,
        0x00,
        0x07,
        0x38,
        0x01,
        0x40,
        0x00,
        0xb4,
        0x02,
        0x80,
        0x01,
        0x68,
        0x02,
        0x04,
        0x02,
        0x34,
        0x01,
        0x99,
    ];
    let joined = Depacketizer.depacketize(&[&payload]).unwrap();
    assert_eq!(joined.data, vec![0x99]);
    assert_eq!(joined.info.width, Some(320));
    assert_eq!(joined.info.height, Some(180));
    for len in 0..payload.len() {
        let error = Depacketizer.depacketize(&[&payload[..len]]);
        assert!(matches!(error, Err(PayloadError::Truncated(_))), "{len}");
    }
}

#[test]
fn misplaced_starts_and_ends_are_refused() {
    let start = [0x88, 1, 7];
    let middle = [0x80, 1, 7];
    let end = [0x84, 1, 7];
    let join = |payloads: &[&[u8]]| Depacketizer.depacketize(payloads).is_ok();
    assert!(join(&[&start, &middle, &end]));
    assert!(!join(&[&middle, &end]));
    assert!(!join(&[&start, &middle]));
    assert!(!join(&[&start, &start, &end]));
    assert!(!join(&[]));
}
