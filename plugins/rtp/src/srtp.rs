// SPDX-License-Identifier: MPL-2.0
//! SRTP and SRTCP: sealing and opening packets in place (RFC 3711, RFC 7714).
use crate::RtpError;
use crate::keys::{Label, Master, SrtpProfile, derive};
use crate::replay::ReplayWindow;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const GCM_TAG: usize = 16;
const SHA1_TAG: usize = 10;
/// E flag and 31-bit index behind an SRTCP packet (RFC 3711 §3.4).
const RTCP_TRAILER: usize = 4;
const RTCP_HEADER: usize = 8;
const ENCRYPTED: u32 = 1 << 31;
/// Replay state is kept for so many SSRCs a kind; a session has at most 64 streams, each with RTX.
const MAX_CONTEXTS: usize = 256;
/// When the table is full, only a context idle for so long makes room.
const IDLE: Duration = Duration::from_secs(60);

/// Key of one direction and one of RTP, RTCP.
enum Cipher {
    Gcm {
        key: Box<LessSafeKey>,
        salt: [u8; 12],
    },
    Cm {
        key: Box<EncryptingKey>,
        auth: Box<hmac::Key>,
        salt: [u8; 14],
    },
}

impl Cipher {
    fn new(
        profile: SrtpProfile,
        master: &Master<'_>,
        labels: [Label; 3],
    ) -> Result<Self, RtpError> {
        let mut key = [0u8; 32];
        let key = &mut key[..profile.key_len()];
        derive(master, labels[0], key)?;
        if profile == SrtpProfile::Aes128CmSha1_80 {
            let mut auth = [0u8; 20];
            let mut salt = [0u8; 14];
            derive(master, labels[1], &mut auth)?;
            derive(master, labels[2], &mut salt)?;
            let key = UnboundCipherKey::new(&AES_128, key).map_err(|_| RtpError::Key)?;
            return Ok(Self::Cm {
                key: Box::new(EncryptingKey::ctr(key).map_err(|_| RtpError::Key)?),
                auth: Box::new(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth)),
                salt,
            });
        }
        let algorithm = match profile {
            SrtpProfile::AeadAes256Gcm => &AES_256_GCM,
            _ => &AES_128_GCM,
        };
        let mut salt = [0u8; 12];
        derive(master, labels[2], &mut salt)?;
        let key = UnboundKey::new(algorithm, key).map_err(|_| RtpError::Key)?;
        Ok(Self::Gcm {
            key: Box::new(LessSafeKey::new(key)),
            salt,
        })
    }

    fn rtp(profile: SrtpProfile, master: &Master<'_>) -> Result<Self, RtpError> {
        Self::new(
            profile,
            master,
            [Label::RtpKey, Label::RtpAuth, Label::RtpSalt],
        )
    }

    fn rtcp(profile: SrtpProfile, master: &Master<'_>) -> Result<Self, RtpError> {
        Self::new(
            profile,
            master,
            [Label::RtcpKey, Label::RtcpAuth, Label::RtcpSalt],
        )
    }
}

/// RFC 7714 §8.1 for RTP and §9.1 for RTCP: 16 zero bits, SSRC, 48-bit index, all xor salt.
fn gcm_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    let mut nonce = *salt;
    for (byte, x) in nonce[2..6].iter_mut().zip(ssrc.to_be_bytes()) {
        *byte ^= x;
    }
    for (byte, x) in nonce[6..].iter_mut().zip(&index.to_be_bytes()[2..]) {
        *byte ^= x;
    }
    Nonce::assume_unique_for_key(nonce)
}

/// RFC 3711 §4.1.1.
fn cm_crypt(
    key: &EncryptingKey,
    salt: &[u8; 14],
    ssrc: u32,
    index: u64,
    data: &mut [u8],
) -> Result<(), RtpError> {
    let mut iv = [0u8; 16];
    iv[..14].copy_from_slice(salt);
    for (byte, x) in iv[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
        *byte ^= x;
    }
    for (byte, x) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
        *byte ^= x;
    }
    key.less_safe_encrypt(data, EncryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| RtpError::Key)?;
    Ok(())
}

fn sha1_tag(auth: &hmac::Key, parts: [&[u8]; 2]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(auth);
    for part in parts {
        context.update(part);
    }
    context.sign()
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_be_bytes)
}

/// Our direction's keys.
pub(crate) struct Sealer {
    rtp: Cipher,
    rtcp: Cipher,
    rtcp_index: u32,
}

impl Sealer {
    pub(crate) fn new(profile: SrtpProfile, master: &Master<'_>) -> Result<Self, RtpError> {
        Ok(Self {
            rtp: Cipher::rtp(profile, master)?,
            rtcp: Cipher::rtcp(profile, master)?,
            rtcp_index: 0,
        })
    }

    /// Seals the RTP packet that stands from `start` to the end of `buffer`; the tag is appended.
    /// `index` is roll-over counter and sequence number and must never be used for two contents.
    pub(crate) fn seal_rtp(
        &self,
        buffer: &mut Vec<u8>,
        start: usize,
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<(), RtpError> {
        let packet = buffer
            .get_mut(start..)
            .ok_or(RtpError::Malformed("start"))?;
        let (header, body) = packet
            .split_at_mut_checked(header_len)
            .ok_or(RtpError::Malformed("header"))?;
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                let tag = key
                    .seal_in_place_separate_tag(
                        gcm_nonce(salt, ssrc, index),
                        Aad::from(header),
                        body,
                    )
                    .map_err(|_| RtpError::Key)?;
                buffer.extend_from_slice(tag.as_ref());
            }
            Cipher::Cm { key, auth, salt } => {
                cm_crypt(key, salt, ssrc, index, body)?;
                let roc = ((index >> 16) as u32).to_be_bytes();
                let tag = sha1_tag(auth, [packet, &roc]);
                buffer.extend_from_slice(&tag.as_ref()[..SHA1_TAG]);
            }
        }
        Ok(())
    }

    /// Seals an RTCP compound packet.
    pub(crate) fn seal_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), RtpError> {
        let ssrc = read_u32(packet, 4).ok_or(RtpError::Malformed("RTCP"))?;
        let index = self.rtcp_index;
        // 2^31 RTCP packets take years; afterwards the index repeats and sealing must end.
        if index >= ENCRYPTED {
            return Err(RtpError::Key);
        }
        self.rtcp_index += 1;
        let trailer = (index | ENCRYPTED).to_be_bytes();
        let (header, body) = packet.split_at_mut(RTCP_HEADER);
        match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let mut aad = [0u8; RTCP_HEADER + RTCP_TRAILER];
                aad[..RTCP_HEADER].copy_from_slice(header);
                aad[RTCP_HEADER..].copy_from_slice(&trailer);
                let nonce = gcm_nonce(salt, ssrc, u64::from(index));
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(aad), body)
                    .map_err(|_| RtpError::Key)?;
                packet.extend_from_slice(tag.as_ref());
                packet.extend_from_slice(&trailer);
            }
            Cipher::Cm { key, auth, salt } => {
                cm_crypt(key, salt, ssrc, u64::from(index), body)?;
                packet.extend_from_slice(&trailer);
                let tag = sha1_tag(auth, [packet, &[]]);
                packet.extend_from_slice(&tag.as_ref()[..SHA1_TAG]);
            }
        }
        Ok(())
    }
}

struct Context {
    window: ReplayWindow,
    used: Instant,
}

/// Replay state a SSRC, made only by authentic packets and bounded.
#[derive(Default)]
struct Contexts(HashMap<u32, Context>);

impl Contexts {
    fn accept(&mut self, ssrc: u32, index: u64, now: Instant) -> Result<(), RtpError> {
        if !self.0.contains_key(&ssrc) && self.0.len() >= MAX_CONTEXTS {
            let oldest = self.0.iter().min_by_key(|(_, context)| context.used);
            match oldest.map(|(ssrc, context)| (*ssrc, context.used)) {
                Some((oldest, used)) if now.saturating_duration_since(used) > IDLE => {
                    self.0.remove(&oldest);
                }
                _ => return Err(RtpError::TooManyStreams),
            }
        }
        let context = self.0.entry(ssrc).or_insert_with(|| Context {
            window: ReplayWindow::new(),
            used: now,
        });
        context.window.accept(index);
        context.used = now;
        Ok(())
    }
}

/// The peer's direction: keys and replay state.
pub(crate) struct Opener {
    rtp: Cipher,
    rtcp: Cipher,
    rtp_contexts: Contexts,
    rtcp_contexts: Contexts,
}

impl Opener {
    pub(crate) fn new(profile: SrtpProfile, master: &Master<'_>) -> Result<Self, RtpError> {
        Ok(Self {
            rtp: Cipher::rtp(profile, master)?,
            rtcp: Cipher::rtcp(profile, master)?,
            rtp_contexts: Contexts::default(),
            rtcp_contexts: Contexts::default(),
        })
    }

    /// Opens an RTP packet in place, cuts the tag off and returns the packet's 48-bit index.
    pub(crate) fn open_rtp(
        &mut self,
        packet: &mut Vec<u8>,
        header_len: usize,
        now: Instant,
    ) -> Result<u64, RtpError> {
        let ssrc = read_u32(packet, 8).ok_or(RtpError::Malformed("RTP header"))?;
        let seq = u16::from_be_bytes([packet[2], packet[3]]);
        let index = match self.rtp_contexts.0.get(&ssrc) {
            Some(context) => {
                let index = context.window.estimate(seq)?;
                context.window.check(index)?;
                index
            }
            None => u64::from(seq),
        };
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                let (header, body) = packet
                    .split_at_mut_checked(header_len)
                    .ok_or(RtpError::Malformed("RTP header"))?;
                let nonce = gcm_nonce(salt, ssrc, index);
                key.open_in_place(nonce, Aad::from(header), body)
                    .map_err(|_| RtpError::NotAuthentic)?;
                packet.truncate(packet.len() - GCM_TAG);
            }
            Cipher::Cm { key, auth, salt } => {
                let roc = ((index >> 16) as u32).to_be_bytes();
                let split = packet.len().checked_sub(SHA1_TAG);
                let split = split
                    .filter(|split| *split >= header_len)
                    .ok_or(RtpError::Malformed("RTP tag"))?;
                let (content, tag) = packet.split_at(split);
                let expected = sha1_tag(auth, [content, &roc]);
                verify_slices_are_equal(&expected.as_ref()[..SHA1_TAG], tag)
                    .map_err(|_| RtpError::NotAuthentic)?;
                packet.truncate(split);
                cm_crypt(key, salt, ssrc, index, &mut packet[header_len..])?;
            }
        }
        self.rtp_contexts.accept(ssrc, index, now)?;
        Ok(index)
    }

    /// Opens an RTCP packet in place and cuts index and tag off.
    pub(crate) fn open_rtcp(&mut self, packet: &mut Vec<u8>, now: Instant) -> Result<(), RtpError> {
        let too_short = RtpError::Malformed("SRTCP");
        let ssrc = read_u32(packet, 4).ok_or(too_short)?;
        let index = match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let split = packet.len().checked_sub(RTCP_TRAILER).ok_or(too_short)?;
                let trailer = read_u32(packet, split).ok_or(too_short)?;
                let index = Self::rtcp_index(&self.rtcp_contexts, ssrc, trailer)?;
                packet.truncate(split);
                let (header, body) = packet.split_at_mut_checked(RTCP_HEADER).ok_or(too_short)?;
                let mut aad = [0u8; RTCP_HEADER + RTCP_TRAILER];
                aad[..RTCP_HEADER].copy_from_slice(header);
                aad[RTCP_HEADER..].copy_from_slice(&trailer.to_be_bytes());
                key.open_in_place(gcm_nonce(salt, ssrc, index), Aad::from(aad), body)
                    .map_err(|_| RtpError::NotAuthentic)?;
                packet.truncate(split - GCM_TAG);
                index
            }
            Cipher::Cm { key, auth, salt } => {
                let split = packet.len().checked_sub(SHA1_TAG + RTCP_TRAILER);
                let split = split.filter(|at| *at >= RTCP_HEADER).ok_or(too_short)?;
                let trailer = read_u32(packet, split).ok_or(too_short)?;
                let index = Self::rtcp_index(&self.rtcp_contexts, ssrc, trailer)?;
                let (content, tag) = packet.split_at(split + RTCP_TRAILER);
                let expected = sha1_tag(auth, [content, &[]]);
                verify_slices_are_equal(&expected.as_ref()[..SHA1_TAG], tag)
                    .map_err(|_| RtpError::NotAuthentic)?;
                packet.truncate(split);
                cm_crypt(key, salt, ssrc, index, &mut packet[RTCP_HEADER..])?;
                index
            }
        };
        self.rtcp_contexts.accept(ssrc, index, now)
    }

    fn rtcp_index(contexts: &Contexts, ssrc: u32, trailer: u32) -> Result<u64, RtpError> {
        // Both profiles encrypt always; a clear packet is none of the peer's (RFC 8827 §6.5).
        if trailer & ENCRYPTED == 0 {
            return Err(RtpError::Malformed("unencrypted SRTCP"));
        }
        let index = u64::from(trailer & !ENCRYPTED);
        match contexts.0.get(&ssrc) {
            Some(context) => context.window.check(index).map(|()| index),
            None => Ok(index),
        }
    }
}

#[cfg(test)]
#[path = "srtp_test.rs"]
mod srtp_test;
