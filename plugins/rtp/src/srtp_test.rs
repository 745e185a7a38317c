// SPDX-License-Identifier: MPL-2.0
//! SRTP against the test vectors of RFC 7714 §16, and against hostile packets.
use super::*;

fn hex(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

const SALT: &str = "51756964207072 6f2071756f";
const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 \
    69736120 696e2070 61727465 73207472 6573";
const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 \
    deadbeef deadbeef deadbeef deadbeef deadbeef";
const KEY_128: &str = "000102030405060708090a0b0c0d0e0f";
const KEY_256: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The RFC gives session keys, not master keys.
fn gcm(key: &str) -> Cipher {
    let key = hex(key);
    let algorithm = match key.len() {
        16 => &AES_128_GCM,
        _ => &AES_256_GCM,
    };
    Cipher::Gcm {
        key: Box::new(LessSafeKey::new(UnboundKey::new(algorithm, &key).unwrap())),
        salt: hex(SALT).try_into().unwrap(),
    }
}

fn gcm_pair(key: &str, rtcp_index: u32) -> (Sealer, Opener) {
    let sealer = Sealer {
        rtp: gcm(key),
        rtcp: gcm(key),
        rtcp_index,
    };
    let opener = Opener {
        rtp: gcm(key),
        rtcp: gcm(key),
        rtp_contexts: Contexts::default(),
        rtcp_contexts: Contexts::default(),
    };
    (sealer, opener)
}

#[test]
fn rtp_sealed_by_gcm_equals_rfc_7714_16() {
    let sealed = [
        (
            KEY_128,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f \
             42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        ),
        (
            KEY_256,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 \
             b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        ),
    ];
    for (key, expected) in sealed {
        let (sealer, mut opener) = gcm_pair(key, 0);
        let mut packet = hex(RTP);
        sealer
            .seal_rtp(&mut packet, 0, 12, 0x5501_a0b2, 0xf17b)
            .unwrap();
        assert_eq!(packet, hex(expected), "{key}");
        let now = Instant::now();
        assert_eq!(opener.open_rtp(&mut packet, 12, now), Ok(0xf17b));
        assert_eq!(packet, hex(RTP));
    }
}

#[test]
fn rtcp_sealed_by_gcm_equals_rfc_7714_17() {
    let expected = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d \
        c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";
    let (mut sealer, mut opener) = gcm_pair(KEY_128, 0x5d4);
    let mut packet = hex(RTCP);
    sealer.seal_rtcp(&mut packet).unwrap();
    assert_eq!(packet, hex(expected));
    let now = Instant::now();
    assert_eq!(opener.open_rtcp(&mut packet.clone(), now), Ok(()));
    assert_eq!(opener.open_rtcp(&mut packet, now), Err(RtpError::Replayed));
}

/// The vectors of libsrtp's own self-test, which every implementation is compared with.
#[test]
fn aes_cm_with_sha1_equals_libsrtp() {
    let master = Master {
        key: &hex("e1f97a0d3e018be0d64fa32c06de4139"),
        salt: &hex("0ec675ad498afeebb6960b3aabe6"),
    };
    let profile = SrtpProfile::Aes128CmSha1_80;
    let mut sealer = Sealer::new(profile, &master).unwrap();
    let mut packet = hex("800f1234 decafbad cafebabe abababab abababab abababab abababab");
    sealer
        .seal_rtp(&mut packet, 0, 12, 0xcafe_babe, 0x1234)
        .unwrap();
    assert_eq!(
        packet,
        hex(
            "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb"
        )
    );
    sealer.rtcp_index = 1;
    let mut packet = hex("81c8000b cafebabe abababab abababab abababab abababab");
    sealer.seal_rtcp(&mut packet).unwrap();
    assert_eq!(
        packet,
        hex(
            "81c8000b cafebabe 7128035b e487b9bd bef89041 f977a5a8 80000001 993e08cd 54d6c123 0798"
        )
    );
}

const PROFILES: [SrtpProfile; 3] = [
    SrtpProfile::AeadAes128Gcm,
    SrtpProfile::AeadAes256Gcm,
    SrtpProfile::Aes128CmSha1_80,
];

fn pair(profile: SrtpProfile) -> (Sealer, Opener) {
    let key: Vec<u8> = (0..profile.key_len() as u8).collect();
    let salt: Vec<u8> = (50..50 + profile.salt_len() as u8).collect();
    let master = Master {
        key: &key,
        salt: &salt,
    };
    (
        Sealer::new(profile, &master).unwrap(),
        Opener::new(profile, &master).unwrap(),
    )
}

fn rtp(seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 96, 0, 0, 0, 0, 0, 9, 0, 0, 0, 7];
    packet[2..4].copy_from_slice(&seq.to_be_bytes());
    packet.extend_from_slice(&[seq as u8; 50]);
    packet
}

#[test]
fn the_roll_over_counter_follows_three_wraps_with_loss() {
    for profile in PROFILES {
        let (sealer, mut opener) = pair(profile);
        let now = Instant::now();
        for index in (100..200_000u64).step_by(997) {
            let mut packet = rtp(index as u16);
            sealer.seal_rtp(&mut packet, 0, 12, 7, index).unwrap();
            assert_eq!(packet.len(), 62 + profile.tag_len());
            let mut copy = packet.clone();
            assert_eq!(opener.open_rtp(&mut packet, 12, now), Ok(index));
            assert_eq!(packet, rtp(index as u16));
            assert!(
                opener.open_rtp(&mut copy, 12, now).is_err(),
                "replayed {index}"
            );
        }
    }
}

#[test]
fn a_changed_bit_anywhere_is_noticed() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        let now = Instant::now();
        let mut packet = rtp(5);
        sealer.seal_rtp(&mut packet, 0, 12, 7, 5).unwrap();
        let mut report = hex(RTCP);
        sealer.seal_rtcp(&mut report).unwrap();
        for bit in 0..packet.len() * 8 {
            let mut bad = packet.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(opener.open_rtp(&mut bad, 12, now).is_err(), "RTP bit {bit}");
        }
        for bit in 0..report.len() * 8 {
            let mut bad = report.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(opener.open_rtcp(&mut bad, now).is_err(), "RTCP bit {bit}");
        }
        for len in 0..packet.len() {
            let _ = opener
                .open_rtp(&mut packet[..len].to_vec(), len.min(12), now)
                .unwrap_err();
        }
        for len in 0..report.len() {
            let _ = opener
                .open_rtcp(&mut report[..len].to_vec(), now)
                .unwrap_err();
        }
        assert_eq!(opener.open_rtp(&mut packet, 12, now), Ok(5));
        assert_eq!(opener.open_rtcp(&mut report, now), Ok(()));
    }
}

#[test]
fn replay_state_is_bounded_and_made_by_authentic_packets_only() {
    let (sealer, mut opener) = pair(SrtpProfile::AeadAes128Gcm);
    let now = Instant::now();
    let _ = opener.open_rtp(&mut rtp(1), 12, now).unwrap_err();
    assert!(opener.rtp_contexts.0.is_empty());
    let mut open = |ssrc: u32, now| {
        let mut packet = rtp(1);
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        sealer.seal_rtp(&mut packet, 0, 12, ssrc, 1).unwrap();
        opener.open_rtp(&mut packet, 12, now)
    };
    for ssrc in 0..MAX_CONTEXTS as u32 {
        assert_eq!(open(ssrc, now), Ok(1));
    }
    assert_eq!(open(9999, now), Err(RtpError::TooManyStreams));
    assert_eq!(open(9999, now + 2 * IDLE), Ok(1));
}
