// SPDX-License-Identifier: MPL-2.0
//! H.264 payloads byte by byte, and what the packetiser does with parameter sets.
use super::{Depacketizer, Packetizer};
use crate::{Codec, Depacketize, EncodedFrame, FrameInfo, Packetize, PayloadError, Payloads};

const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x61, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00,
    0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16,
];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x21];
const SLICE: &[u8] = &[0x41, 0x9a, 0x21, 0x6c];
const AUD: &[u8] = &[0x09, 0xf0];

fn annexb(units: &[&[u8]]) -> Vec<u8> {
    units
        .iter()
        .flat_map(|unit| [&[0, 0, 0, 1], *unit].concat())
        .collect()
}

fn packetize(
    packetizer: &mut Packetizer,
    data: Vec<u8>,
    opaque: bool,
    max_payload: usize,
) -> Result<Vec<Vec<u8>>, PayloadError> {
    let frame = EncodedFrame {
        codec: Codec::H264,
        data: data.into(),
        rtp_time: 0,
        info: FrameInfo {
            opaque,
            ..FrameInfo::default()
        },
    };
    let mut out = Payloads::default();
    packetizer.packetize(&frame, max_payload, &mut out)?;
    Ok(out.iter().map(<[u8]>::to_vec).collect())
}

fn join(payloads: &[Vec<u8>]) -> Result<crate::Depacketized, PayloadError> {
    let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    Depacketizer.depacketize(&payloads)
}

#[test]
fn small_units_share_a_stap_a_and_delimiters_fall() {
    let data = annexb(&[AUD, SPS, PPS, IDR]);
    let payloads = packetize(&mut Packetizer::default(), data, false, 1200).unwrap();
    let mut expected = vec![0x78, 0, 22];
    expected.extend_from_slice(SPS);
    expected.extend_from_slice(&[0, 4]);
    expected.extend_from_slice(PPS);
    expected.extend_from_slice(&[0, 4]);
    expected.extend_from_slice(IDR);
    assert_eq!(payloads, [expected]);
    assert!(Depacketizer.is_keyframe_start(&payloads[0]));
    let joined = join(&payloads).unwrap();
    assert_eq!(joined.data, annexb(&[SPS, PPS, IDR]));
    assert!(joined.info.keyframe && !joined.info.discardable);
    assert_eq!(
        (joined.info.width, joined.info.height),
        (Some(640), Some(360))
    );
}

#[test]
fn parameter_sets_are_repeated_before_a_keyframe_that_lacks_them() {
    let mut packetizer = Packetizer::default();
    packetize(&mut packetizer, annexb(&[SPS, PPS, IDR]), false, 1200).unwrap();
    let delta = packetize(&mut packetizer, annexb(&[SLICE]), false, 1200).unwrap();
    assert_eq!(delta, [SLICE]);
    for lacking in [
        annexb(&[IDR]),
        annexb(&[PPS, IDR]),
        annexb(&[AUD, SPS, IDR]),
    ] {
        let payloads = packetize(&mut packetizer, lacking, false, 1200).unwrap();
        assert_eq!(join(&payloads).unwrap().data, annexb(&[SPS, PPS, IDR]));
    }
}

#[test]
fn a_large_unit_is_fragmented_evenly() {
    let mut unit = vec![0x65];
    unit.extend((0..100).map(|byte| byte | 1));
    let payloads = packetize(&mut Packetizer::default(), annexb(&[&unit]), false, 40).unwrap();
    let lens: Vec<usize> = payloads.iter().map(Vec::len).collect();
    assert_eq!(lens, [36, 36, 34]);
    let heads: Vec<[u8; 2]> = payloads
        .iter()
        .map(|payload| [payload[0], payload[1]])
        .collect();
    assert_eq!(heads, [[0x7c, 0x85], [0x7c, 0x05], [0x7c, 0x45]]);
    assert!(Depacketizer.is_keyframe_start(&payloads[0]));
    assert!(Depacketizer.starts_frame(&payloads[0]) && !Depacketizer.starts_frame(&payloads[1]));
    assert_eq!(join(&payloads).unwrap().data, annexb(&[&unit]));
    assert!(join(&payloads[1..]).is_err());
    assert!(join(&payloads[..2]).is_err());
}

#[test]
fn opaque_bytes_come_through_whatever_they_look_like() {
    let mut opaque: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte; 300]).collect();
    opaque.extend((0..=255).map(|byte| annexb(&[&[byte], &[byte, 9], &[byte, 9, 9, 0, 0]])));
    for data in opaque {
        let payloads = packetize(&mut Packetizer::default(), data.clone(), true, 100).unwrap();
        let joined = join(&payloads).unwrap().data;
        let expected = match data.starts_with(&[0, 0, 0, 1]) {
            true => data,
            false => annexb(&[&data]),
        };
        assert_eq!(joined, expected);
    }
}

#[test]
fn packetization_mode_0_is_a_unit_a_payload() {
    let payloads = [SPS, PPS, IDR].map(<[u8]>::to_vec);
    assert_eq!(join(&payloads).unwrap().data, annexb(&[SPS, PPS, IDR]));
}

#[test]
fn a_frame_nothing_refers_to_is_discardable() {
    assert!(join(&[vec![0x01, 0x9a]]).unwrap().info.discardable);
    assert!(
        !join(&[vec![0x01, 0x9a], vec![0x41, 0x9a]])
            .unwrap()
            .info
            .discardable
    );
    assert!(!join(&[vec![0x06, 0x9a]]).unwrap().info.discardable);
}

#[test]
fn payloads_the_mode_forbids_are_refused() {
    let unsupported = |payload: &[u8]| {
        matches!(
            Depacketizer.depacketize(&[payload]),
            Err(PayloadError::Unsupported(_))
        )
    };
    for kind in [25, 26, 27, 29] {
        assert!(unsupported(&[kind | 0x60, 0, 0, 0, 4, 0x65, 1, 2, 3]));
    }
    let bad: [&[u8]; 9] = [
        &[],
        &[0x00, 1],
        &[0x7e, 1],
        &[0x78],
        &[0x78, 0],
        &[0x78, 0, 5, 0x65, 1],
        &[0x78, 0, 0],
        &[0x78, 0, 2, 0x78, 1],
        &[0x7c],
    ];
    for payload in bad {
        let result = Depacketizer.depacketize(&[payload]);
        assert!(result.is_err() && !unsupported(payload), "{payload:?}");
    }
    assert!(Depacketizer.depacketize(&[]).is_err());
    assert!(
        Depacketizer
            .depacketize(&[&[0x7c, 0x85, 1], SLICE])
            .is_err()
    );
    assert!(
        Depacketizer
            .depacketize(&[&[0x7c, 0x85, 1], &[0x7c, 0x41, 1]])
            .is_err()
    );
}

#[test]
fn a_frame_in_avc_format_is_refused() {
    let error = packetize(
        &mut Packetizer::default(),
        vec![0, 0, 0, 2, 0x65, 1],
        false,
        1200,
    );
    assert!(matches!(error, Err(PayloadError::Malformed(_))));
    let error = packetize(&mut Packetizer::default(), annexb(&[AUD]), false, 1200);
    assert_eq!(error, Err(PayloadError::Empty));
}
