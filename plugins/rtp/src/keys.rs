// SPDX-License-Identifier: MPL-2.0
//! SRTP profiles, and session keys from the DTLS handshake (RFC 3711 §4.3, RFC 5764 §4.2).
use crate::RtpError;
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

/// An SRTP protection profile of DTLS-SRTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrtpProfile {
    /// `SRTP_AEAD_AES_128_GCM`, 0x0007 (RFC 7714).
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`, 0x0008 (RFC 7714).
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`, 0x0001 (RFC 5764).
    Aes128CmSha1_80,
}

impl SrtpProfile {
    /// Master key length in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::Aes128CmSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Master salt length in bytes.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::Aes128CmSha1_80 => 14,
        }
    }

    /// Bytes of keying material to export from DTLS: two keys and two salts.
    pub const fn keying_material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }

    /// Length of the authentication tag, bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            Self::Aes128CmSha1_80 => 10,
        }
    }
}

/// Master key and salt of one direction.
pub(crate) struct Master<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) salt: &'a [u8],
}

/// Splits exported keying material into (ours, the peer's): client key, server key, client salt,
/// server salt stand in this order (RFC 5764 §4.2).
pub(crate) fn split(
    profile: SrtpProfile,
    material: &[u8],
    client: bool,
) -> Result<(Master<'_>, Master<'_>), RtpError> {
    let (key_len, salt_len) = (profile.key_len(), profile.salt_len());
    let expected = profile.keying_material_len();
    if material.len() != expected {
        return Err(RtpError::KeyLength {
            expected,
            actual: material.len(),
        });
    }
    let (keys, salts) = material.split_at(2 * key_len);
    let (client_key, server_key) = keys.split_at(key_len);
    let (client_salt, server_salt) = salts.split_at(salt_len);
    let of_client = Master {
        key: client_key,
        salt: client_salt,
    };
    let of_server = Master {
        key: server_key,
        salt: server_salt,
    };
    Ok(if client {
        (of_client, of_server)
    } else {
        (of_server, of_client)
    })
}

/// What a derived key is for (RFC 3711 §4.3.2).
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Label {
    RtpKey = 0,
    RtpAuth = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpAuth = 4,
    RtcpSalt = 5,
}

/// AES in counter mode as key derivation function with a key derivation rate of 0 (RFC 3711 §4.3.3;
/// RFC 7714 §11 keeps it for the AEAD profiles, a 12-byte salt being padded at its right).
pub(crate) fn derive(master: &Master<'_>, label: Label, out: &mut [u8]) -> Result<(), RtpError> {
    let mut iv = [0u8; 16];
    iv.get_mut(..master.salt.len())
        .ok_or(RtpError::Key)?
        .copy_from_slice(master.salt);
    iv[7] ^= label as u8;
    let algorithm = if master.key.len() == 16 {
        &AES_128
    } else {
        &AES_256
    };
    let key = UnboundCipherKey::new(algorithm, master.key).map_err(|_| RtpError::Key)?;
    let key = EncryptingKey::ctr(key).map_err(|_| RtpError::Key)?;
    out.fill(0);
    key.less_safe_encrypt(out, EncryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| RtpError::Key)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn derived_keys_equal_those_of_rfc_3711_b_3() {
        let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
        let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
        let master = Master {
            key: &key,
            salt: &salt,
        };
        let mut cipher = [0u8; 16];
        derive(&master, Label::RtpKey, &mut cipher).unwrap();
        assert_eq!(cipher[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
        let mut salt_out = [0u8; 14];
        derive(&master, Label::RtpSalt, &mut salt_out).unwrap();
        assert_eq!(salt_out[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        let mut auth = [0u8; 94];
        derive(&master, Label::RtpAuth, &mut auth).unwrap();
        assert_eq!(
            auth[..],
            hex(concat!(
                "CEBE321F6FF7716B6FD4AB49AF256A15",
                "6D38BAA48F0A0ACF3C34E2359E6CDBCE",
                "E049646C43D9327AD175578EF7227098",
                "6371C10C9A369AC2F94A8C5FBCDDDC25",
                "6D6E919A48B610EF17C2041E47403576",
                "6B68642C59BBFC2F34DB60DBDFB2",
            ))
        );
    }

    #[test]
    fn keying_material_of_a_wrong_length_is_refused() {
        let refused = split(SrtpProfile::AeadAes128Gcm, &[0; 55], true).map(|_| ());
        assert_eq!(
            refused,
            Err(RtpError::KeyLength {
                expected: 56,
                actual: 55
            })
        );
    }

    #[test]
    fn each_side_seals_with_what_the_other_opens_with() {
        let material: Vec<u8> = (0..60).collect();
        let (ours, theirs) = split(SrtpProfile::Aes128CmSha1_80, &material, true).unwrap();
        let (ours_b, theirs_b) = split(SrtpProfile::Aes128CmSha1_80, &material, false).unwrap();
        assert_eq!((ours.key, ours.salt), (theirs_b.key, theirs_b.salt));
        assert_eq!((theirs.key, theirs.salt), (ours_b.key, ours_b.salt));
        assert_ne!(ours.key, theirs.key);
    }
}
