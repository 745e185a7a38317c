// SPDX-License-Identifier: MPL-2.0
//! Binding responses without XOR-MAPPED-ADDRESS, as FFmpeg's WHIP muxer sends them, made whole.
//!
//! RFC 8489 §6.3.1.1 demands the attribute, and the ICE agent refuses a response that lacks it. Such a
//! peer sees us at the address the response came to, so that address is put in. The response is
//! authenticated with the peer's password before, and signed anew with it after.
use aws_lc_rs::hmac;
use std::net::{IpAddr, SocketAddr};

const SUCCESS: [u8; 2] = [0x01, 0x01];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const MESSAGE_INTEGRITY: u16 = 0x0008;
/// Attribute header and HMAC-SHA1.
const INTEGRITY_LEN: usize = 24;

/// The response with `mapped` as XOR-MAPPED-ADDRESS; `None` if it has one, is no authentic binding
/// response of the peer with this password, or is damaged.
pub(crate) fn with_mapped_address(
    response: &[u8],
    mapped: SocketAddr,
    password: &str,
) -> Option<Vec<u8>> {
    if response.get(..2)? != SUCCESS || response.get(4..8)? != COOKIE {
        return None;
    }
    let signed = end_of_unmapped(response)?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let digest = response.get(signed + 4..signed + INTEGRITY_LEN)?;
    let original = with_length(response.get(..signed)?, signed + INTEGRITY_LEN)?;
    hmac::verify(&key, &original, digest).ok()?;

    let mut whole = response.get(..signed)?.to_vec();
    push_mapped(&mut whole, mapped);
    let end = whole.len() + INTEGRITY_LEN;
    let mut whole = with_length(&whole, end)?;
    let tag = hmac::sign(&key, &whole);
    whole.extend_from_slice(&MESSAGE_INTEGRITY.to_be_bytes());
    whole.extend_from_slice(&20_u16.to_be_bytes());
    whole.extend_from_slice(tag.as_ref());
    Some(whole)
}

/// Where MESSAGE-INTEGRITY begins, if no mapped address stands before it.
fn end_of_unmapped(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        let head = message.get(at..at + 4)?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        match kind {
            XOR_MAPPED_ADDRESS => return None,
            MESSAGE_INTEGRITY => return (length == 20).then_some(at),
            _ => at += 4 + length.next_multiple_of(4),
        }
    }
}

/// The bytes with the header's length field set for a message of `total` bytes.
fn with_length(message: &[u8], total: usize) -> Option<Vec<u8>> {
    let mut out = message.to_vec();
    let length = u16::try_from(total.checked_sub(HEADER)?).ok()?;
    out.get_mut(2..4)?.copy_from_slice(&length.to_be_bytes());
    Some(out)
}

/// Appends XOR-MAPPED-ADDRESS (RFC 8489 §14.2); `message` begins with its 20-byte header.
fn push_mapped(message: &mut Vec<u8>, mapped: SocketAddr) {
    let mask: Vec<u8> = message[4..HEADER].to_vec();
    let (family, octets) = match mapped.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let port = mapped.port() ^ u16::from_be_bytes([mask[0], mask[1]]);
    message.extend_from_slice(&XOR_MAPPED_ADDRESS.to_be_bytes());
    // Octets are 4 or 16, so the length is 8 or 20.
    message.extend_from_slice(&(octets.len() as u16 + 4).to_be_bytes());
    message.extend_from_slice(&[0, family]);
    message.extend_from_slice(&port.to_be_bytes());
    message.extend(octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
}

#[cfg(test)]
mod tests {
    use super::*;
    use is::stun::StunMessage;

    const PASSWORD: &str = "peers-password-of-22-chars";

    /// A success response as FFmpeg's muxer writes it: integrity and fingerprint alone.
    fn bare_response() -> Vec<u8> {
        let mut out = vec![0x01, 0x01, 0, 24, 0x21, 0x12, 0xa4, 0x42];
        out.extend_from_slice(&[7; 12]);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, PASSWORD.as_bytes());
        let tag = hmac::sign(&key, &out);
        out.extend_from_slice(&[0, 8, 0, 20]);
        out.extend_from_slice(tag.as_ref());
        out.extend_from_slice(&[0x80, 0x28, 0, 4, 1, 2, 3, 4]);
        out[3] = 32;
        out
    }

    #[test]
    fn a_response_without_the_address_becomes_one_that_the_agent_reads() {
        for address in ["192.0.2.7:8189", "[2001:db8::7]:8189"] {
            let address: SocketAddr = address.parse().unwrap();
            let whole = with_mapped_address(&bare_response(), address, PASSWORD).unwrap();
            let message = StunMessage::parse(&whole).unwrap();
            assert_eq!(message.mapped_address(), Some(address));
            // Whole now, so nothing is left to mend.
            assert_eq!(with_mapped_address(&whole, address, PASSWORD), None);
        }
    }

    #[test]
    fn a_response_signed_with_another_password_is_left_alone() {
        let address = "192.0.2.7:8189".parse().unwrap();
        assert_eq!(
            with_mapped_address(&bare_response(), address, "other"),
            None
        );
    }

    #[test]
    fn damaged_responses_are_left_alone() {
        let address = "192.0.2.7:8189".parse().unwrap();
        let response = bare_response();
        for length in 0..response.len() - 8 {
            assert_eq!(
                with_mapped_address(&response[..length], address, PASSWORD),
                None
            );
        }
        for at in 0..response.len() - 8 {
            let mut damaged = response.clone();
            damaged[at] ^= 0x10;
            // The length field is set anew either way, so damage there is mended too.
            if !(2..4).contains(&at) {
                assert_eq!(
                    with_mapped_address(&damaged, address, PASSWORD),
                    None,
                    "{at}"
                );
            }
        }
    }
}
