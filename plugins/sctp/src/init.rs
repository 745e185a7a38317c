// SPDX-License-Identifier: MPL-2.0
//! What both sides tell each other at the beginning, and the cookie that carries it (RFC 9260 §3.3.2, §5).
use crate::wire::{kind, parameters, put_parameter, u16_at, u32_at};

/// Fixed part of INIT and INIT ACK, bytes.
const FIXED: usize = 16;
const COOKIE: u16 = 7;
/// RFC 5061 §4.2.7.
const EXTENSIONS: u16 = 0x8008;
/// RFC 9653 §4.
const ZERO_CHECKSUM: u16 = 0x8001;
/// DTLS below finds every error.
const LOWER_LAYER_DTLS: u32 = 1;
const FORWARD_TSN: u16 = 0xc000;
/// Begins our cookies, so that others are not mistaken for one.
const MARK: [u8; 8] = *b"rtc-sctp";

/// What a side knows besides RFC 9260.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// RFC 3758.
    pub(crate) partial_reliability: bool,
    /// RFC 8260.
    pub(crate) interleaving: bool,
    /// RFC 6525.
    pub(crate) resets: bool,
    /// RFC 9653, with DTLS below.
    pub(crate) zero_checksum: bool,
}

impl Abilities {
    /// All there are.
    pub(crate) const OURS: Self = Self {
        partial_reliability: true,
        interleaving: true,
        resets: true,
        zero_checksum: true,
    };

    fn bits(self) -> u8 {
        let flags = [
            self.partial_reliability,
            self.interleaving,
            self.resets,
            self.zero_checksum,
        ];
        flags
            .iter()
            .rev()
            .fold(0, |bits, flag| bits << 1 | u8::from(*flag))
    }

    fn from_bits(bits: u8) -> Self {
        Self {
            partial_reliability: bits & 1 != 0,
            interleaving: bits & 2 != 0,
            resets: bits & 4 != 0,
            zero_checksum: bits & 8 != 0,
        }
    }
}

/// INIT or INIT ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) tag: u32,
    pub(crate) window: u32,
    pub(crate) streams_out: u16,
    pub(crate) streams_in: u16,
    pub(crate) tsn: u32,
    pub(crate) abilities: Abilities,
}

impl Init {
    /// `None`: what no peer may send.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let init = Self {
            tag: u32_at(body, 0)?,
            window: u32_at(body, 4)?,
            streams_out: u16_at(body, 8)?,
            streams_in: u16_at(body, 10)?,
            tsn: u32_at(body, 12)?,
            abilities: abilities(body.get(FIXED..)?),
        };
        let valid = init.tag != 0 && init.streams_out != 0 && init.streams_in != 0;
        valid.then_some(init)
    }

    /// Writes the chunk's body.
    pub(crate) fn put(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(&self.tag.to_be_bytes());
        body.extend_from_slice(&self.window.to_be_bytes());
        body.extend_from_slice(&self.streams_out.to_be_bytes());
        body.extend_from_slice(&self.streams_in.to_be_bytes());
        body.extend_from_slice(&self.tsn.to_be_bytes());
        if self.abilities.partial_reliability {
            put_parameter(body, FORWARD_TSN, &[]);
        }
        let extensions = [
            kind::FORWARD_TSN,
            kind::RE_CONFIG,
            kind::I_DATA,
            kind::I_FORWARD_TSN,
        ];
        put_parameter(body, EXTENSIONS, &extensions);
        if self.abilities.zero_checksum {
            put_parameter(body, ZERO_CHECKSUM, &LOWER_LAYER_DTLS.to_be_bytes());
        }
    }
}

/// The cookie in an INIT ACK.
pub(crate) fn cookie_of(body: &[u8]) -> Option<&[u8]> {
    let all = body.get(FIXED..)?;
    parameters(all)
        .find(|(kind, _)| *kind == COOKIE)
        .map(|(_, value)| value)
}

fn abilities(bytes: &[u8]) -> Abilities {
    let mut found = Abilities::default();
    for (parameter, value) in parameters(bytes) {
        match parameter {
            FORWARD_TSN => found.partial_reliability = true,
            EXTENSIONS => {
                let has = |chunk| value.contains(&chunk);
                found.resets = has(kind::RE_CONFIG);
                found.interleaving = has(kind::I_DATA);
                found.partial_reliability |= has(kind::FORWARD_TSN);
            }
            ZERO_CHECKSUM => found.zero_checksum = u32_at(value, 0) == Some(LOWER_LAYER_DTLS),
            _ => {}
        }
    }
    found
}

/// What we remember of a peer's INIT in the cookie alone.
///
/// It bears no signature: whoever can send to us has proven to DTLS who it is, and harms itself alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) our_tag: u32,
    pub(crate) our_tsn: u32,
    pub(crate) peer: Init,
}

impl Cookie {
    pub(crate) fn put(&self, body: &mut Vec<u8>) {
        let mut value = MARK.to_vec();
        for number in [
            self.our_tag,
            self.our_tsn,
            self.peer.tag,
            self.peer.window,
            self.peer.tsn,
        ] {
            value.extend_from_slice(&number.to_be_bytes());
        }
        value.extend_from_slice(&self.peer.streams_out.to_be_bytes());
        value.extend_from_slice(&self.peer.streams_in.to_be_bytes());
        value.extend_from_slice(&[self.peer.abilities.bits(), 0, 0, 0]);
        put_parameter(body, COOKIE, &value);
    }

    /// `None`: not one of ours.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let rest = value.strip_prefix(&MARK)?;
        Some(Self {
            our_tag: u32_at(rest, 0)?,
            our_tsn: u32_at(rest, 4)?,
            peer: Init {
                tag: u32_at(rest, 8)?,
                window: u32_at(rest, 12)?,
                tsn: u32_at(rest, 16)?,
                streams_out: u16_at(rest, 20)?,
                streams_in: u16_at(rest, 22)?,
                abilities: Abilities::from_bits(*rest.get(24)?),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT: Init = Init {
        tag: 0x1122_3344,
        window: 5_000_000,
        streams_out: 1024,
        streams_in: 65_535,
        tsn: u32::MAX,
        abilities: Abilities::OURS,
    };

    #[test]
    fn an_init_survives_the_round_trip_and_so_does_the_cookie() {
        let mut body = Vec::new();
        INIT.put(&mut body);
        let cookie = Cookie {
            our_tag: 1,
            our_tsn: 2,
            peer: INIT,
        };
        cookie.put(&mut body);
        assert_eq!(Init::parse(&body), Some(INIT));
        assert_eq!(Cookie::parse(cookie_of(&body).unwrap()), Some(cookie));
        for end in 0..body.len() {
            let cut = &body[..end];
            assert!(Init::parse(cut).is_none() || end >= FIXED);
            assert!(cookie_of(cut).is_none_or(|value| Cookie::parse(value).is_none()));
        }
    }

    #[test]
    fn what_is_not_offered_is_not_there() {
        let plain = Abilities::default();
        let mut body = Vec::new();
        Init {
            abilities: plain,
            ..INIT
        }
        .put(&mut body);
        assert_eq!(Init::parse(&body[..FIXED]).unwrap().abilities, plain);
        let no_tag = Init { tag: 0, ..INIT };
        let mut body = Vec::new();
        no_tag.put(&mut body);
        assert_eq!(Init::parse(&body), None);
    }
}
