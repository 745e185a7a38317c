// SPDX-License-Identifier: MPL-2.0
//! VP8 payload descriptors byte by byte.
use super::{Depacketizer, Packetizer};
use crate::{Codec, Depacketize, EncodedFrame, FrameInfo, Packetize, PayloadError, Payloads};

/// A key frame's first ten bytes: 320x240, with scaling bits set.
const KEY: [u8; 12] = [
    0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x41, 0xf0, 0x80, 7, 7,
];

fn payloads(packetizer: &mut Packetizer, data: &[u8], info: FrameInfo, max: usize) -> Payloads {
    let frame = EncodedFrame {
        codec: Codec::Vp8,
        data: data.to_vec().into(),
        rtp_time: 0x7fff00,
        info,
    };
    let mut out = Payloads::default();
    packetizer.packetize(&frame, max, &mut out).unwrap();
    out
}

fn info(keyframe: bool, temporal: u8) -> FrameInfo {
    FrameInfo {
        keyframe,
        temporal,
        ..FrameInfo::default()
    }
}

#[test]
fn the_picture_id_has_15_bits_and_wraps() {
    let mut packetizer = Packetizer::default();
    let out = payloads(&mut packetizer, &KEY, info(true, 0), 12);
    assert_eq!(out.get(0).unwrap()[..4], [0x90, 0x80, 0xff, 0xff]);
    assert_eq!(out.get(1).unwrap()[..4], [0x80, 0x80, 0xff, 0xff]);
    assert_eq!(out.len(), 2);
    let mut delta = info(false, 0);
    delta.discardable = true;
    let out = payloads(&mut packetizer, &[1, 2], delta, 1200);
    assert_eq!(out.get(0).unwrap(), [0xb0, 0x80, 0x80, 0x00, 1, 2]);
}

#[test]
fn temporal_layers_are_told_from_the_next_keyframe_on() {
    let mut packetizer = Packetizer::default();
    let lens = |packetizer: &mut Packetizer, keyframe, temporal| {
        let out = payloads(packetizer, &[1], info(keyframe, temporal), 1200);
        out.get(0).unwrap().to_vec()
    };
    assert_eq!(lens(&mut packetizer, true, 0).len(), 5);
    assert_eq!(lens(&mut packetizer, false, 2).len(), 5);
    assert_eq!(lens(&mut packetizer, true, 0)[4..6], [2, 0x00]);
    let upper = lens(&mut packetizer, false, 2);
    assert_eq!(upper[1], 0xe0);
    assert_eq!(upper[4..6], [2, 0x80]);
    assert_eq!(lens(&mut packetizer, false, 0)[4..6], [3, 0x00]);
    let joined = Depacketizer.depacketize(&[&upper]).unwrap();
    assert_eq!(joined.info.temporal, 2);
}

#[test]
fn a_keyframe_tells_its_size() {
    let mut packetizer = Packetizer::default();
    let out = payloads(&mut packetizer, &KEY, info(true, 0), 9);
    let parts: Vec<&[u8]> = out.iter().collect();
    assert_eq!(parts.len(), 3);
    assert!(Depacketizer.is_keyframe_start(parts[0]));
    assert!(!Depacketizer.is_keyframe_start(parts[1]) && !Depacketizer.starts_frame(parts[1]));
    let joined = Depacketizer.depacketize(&parts).unwrap();
    assert_eq!(joined.data, &KEY[..]);
    assert!(joined.info.keyframe);
    assert_eq!(
        (joined.info.width, joined.info.height),
        (Some(320), Some(240))
    );
}

/// RFC 7741 §4.2: every optional field, and the examples of §4.6 as far as their descriptors go.
#[test]
fn every_form_of_the_descriptor_is_read() {
    let forms: [(&[u8], u8); 8] = [
        (&[0x10], 0),
        (&[0x90, 0x00], 0),
        (&[0x90, 0x80, 0x11], 0),
        (&[0x90, 0x80, 0x92, 0x34], 0),
        (&[0x90, 0x40, 0x07], 0),
        (&[0x90, 0xe0, 0x12, 0x07, 0x40], 1),
        (&[0x90, 0xf0, 0x92, 0x34, 0x07, 0xe5], 3),
        (&[0x90, 0x10, 0x25], 0),
    ];
    for (descriptor, temporal) in forms {
        let payload = [descriptor, &[0x31, 0x41]].concat();
        let joined = Depacketizer.depacketize(&[&payload]).unwrap();
        assert_eq!(joined.data, &[0x31, 0x41][..], "{descriptor:x?}");
        assert_eq!(joined.info.temporal, temporal, "{descriptor:x?}");
        for len in 0..=descriptor.len() {
            let error = Depacketizer.depacketize(&[&payload[..len]]);
            assert!(
                matches!(error, Err(PayloadError::Truncated(_))),
                "{descriptor:x?}"
            );
        }
    }
}

#[test]
fn partitions_join_and_misplaced_starts_are_refused() {
    let start: &[u8] = &[0x10, 0x31];
    let second_partition: &[u8] = &[0x11, 0x41];
    let rest: &[u8] = &[0x01, 0x59];
    let joined = Depacketizer.depacketize(&[start, second_partition, rest]);
    assert_eq!(joined.unwrap().data, &[0x31, 0x41, 0x59][..]);
    assert!(Depacketizer.depacketize(&[second_partition, rest]).is_err());
    assert!(Depacketizer.depacketize(&[start, start]).is_err());
    assert!(Depacketizer.depacketize(&[]).is_err());
}
