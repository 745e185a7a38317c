// SPDX-License-Identifier: MPL-2.0
//! AV1 payloads byte by byte.
use super::{Depacketizer, Packetizer};
use crate::{
    Codec, Depacketize, Depacketized, EncodedFrame, FrameInfo, Packetize, PayloadError, Payloads,
};

fn packetize(data: &[u8], keyframe: bool, opaque: bool, max_payload: usize) -> Vec<Vec<u8>> {
    let frame = EncodedFrame {
        codec: Codec::Av1,
        data: data.to_vec().into(),
        rtp_time: 0,
        info: FrameInfo {
            keyframe,
            opaque,
            ..FrameInfo::default()
        },
    };
    let mut out = Payloads::default();
    Packetizer.packetize(&frame, max_payload, &mut out).unwrap();
    out.iter().map(<[u8]>::to_vec).collect()
}

fn join(payloads: &[&[u8]]) -> Result<Depacketized, PayloadError> {
    Depacketizer.depacketize(payloads)
}

#[test]
fn a_keyframe_starts_a_sequence_and_loses_its_delimiter() {
    let data = [0x12, 0, 0x0a, 3, 1, 2, 3, 0x32, 4, 0x10, 5, 6, 7];
    let payloads = packetize(&data, true, false, 1200);
    // Two elements, N; the sequence header with length 4, the frame without.
    assert_eq!(payloads, [[0x28, 4, 0x08, 1, 2, 3, 0x30, 0x10, 5, 6, 7]]);
    assert!(Depacketizer.is_keyframe_start(&payloads[0]));
    let joined = join(&[&payloads[0]]).unwrap();
    assert_eq!(joined.data, &data[..]);
    assert!(joined.info.keyframe);
    let delta = packetize(&data[7..], false, false, 1200);
    assert_eq!(delta, [[0x10, 0x30, 0x10, 5, 6, 7]]);
    assert!(!Depacketizer.is_keyframe_start(&delta[0]));
}

#[test]
fn a_large_obu_is_fragmented_evenly() {
    let mut data = vec![0x32, 26];
    data.extend(1..=26);
    let payloads = packetize(&data, false, false, 12);
    // 27 bytes behind three aggregation headers: 10 each; Y, then Z and Y, then Z.
    let lens: Vec<usize> = payloads.iter().map(Vec::len).collect();
    assert_eq!(lens, [10, 10, 10]);
    let heads: Vec<u8> = payloads.iter().map(|payload| payload[0]).collect();
    assert_eq!(heads, [0x50, 0xd0, 0x90]);
    assert!(Depacketizer.starts_frame(&payloads[0]) && !Depacketizer.starts_frame(&payloads[1]));
    let joined = join(&[&payloads[0], &payloads[1], &payloads[2]]).unwrap();
    assert_eq!(joined.data, [&[0x12, 0], &data[..]].concat());
    assert!(join(&[&payloads[1], &payloads[2]]).is_err());
    assert!(join(&[&payloads[0], &payloads[1]]).is_err());
}

#[test]
fn frames_of_one_temporal_unit_do_not_share_a_payload() {
    let data = [0x0a, 1, 0, 0x32, 2, 0x10, 5, 0x2a, 1, 9, 0x32, 2, 0x30, 7];
    let payloads = packetize(&data, false, false, 1200);
    assert_eq!(payloads.len(), 2);
    assert_eq!(payloads[1], [0x10, 0x30, 0x30, 7]);
    let joined = join(&[&payloads[0], &payloads[1]]).unwrap();
    assert_eq!(joined.data, [&[0x12, 0], &data[..]].concat());
}

#[test]
fn many_obus_and_sizes_inside_elements_are_read() {
    // W = 0, five elements, all with length; the third has its own size, the fourth is a delimiter.
    let payload = [
        0x00, 2, 0x28, 1, 3, 0x2c, 0x48, 2, 3, 0x2a, 1, 3, 1, 0x10, 1, 0x30,
    ];
    let joined = join(&[&payload]).unwrap();
    let expected = [0x12, 0, 0x2a, 1, 1, 0x2e, 0x48, 1, 2, 0x2a, 1, 3, 0x32, 0];
    assert_eq!(joined.data, &expected[..]);
    assert_eq!((joined.info.temporal, joined.info.spatial), (2, 1));
}

#[test]
fn opaque_bytes_are_wrapped_and_come_out_as_they_were() {
    for len in [1, 2, 50, 1000] {
        let data: Vec<u8> = (0..len).map(|byte| (byte * 7) as u8).collect();
        let payloads = packetize(&data, true, true, 100);
        let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let joined = join(&payloads).unwrap();
        assert_eq!(joined.data, data);
        assert!(joined.info.opaque && joined.info.keyframe);
    }
}

#[test]
fn what_the_format_forbids_is_refused() {
    let bad: [&[u8]; 10] = [
        &[],
        &[0x10],
        &[0x90, 0x30, 1],
        &[0x98, 0x30, 1],
        &[0x50, 0x30, 1],
        &[0x20, 1, 0x30],
        &[0x20, 9, 0x30, 1],
        &[0x00, 0],
        &[0x10, 0xb0, 1],
        &[0x10, 0x32, 9, 1],
    ];
    for payload in bad {
        assert!(join(&[payload]).is_err(), "{payload:?}");
    }
    assert_eq!(join(&[&[0x10, 0x10]]).unwrap_err(), PayloadError::Empty);
    assert!(join(&[]).is_err());
}
