// SPDX-License-Identifier: MPL-2.0
//! What arrives on the one port a session shares with all protocols (RFC 7983).
use std::net::SocketAddr;

/// What carries a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    #[default]
    Udp,
    /// A TCP connection with the framing of RFC 4571, as ICE has it (RFC 6544); the frame is the
    /// driver's business.
    Tcp,
}

/// A received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What carried it.
    pub transport: Transport,
    /// Who sent it.
    pub source: SocketAddr,
    /// The local address it arrived at: one of the session's host addresses.
    pub destination: SocketAddr,
    /// Its bytes.
    pub contents: &'a [u8],
}

/// The protocol of a datagram by its first byte (RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Stun,
    Dtls,
    Rtp,
    Unknown,
}

impl Protocol {
    pub(crate) fn of(contents: &[u8]) -> Self {
        match contents.first() {
            Some(0..=3) => Self::Stun,
            Some(20..=63) => Self::Dtls,
            Some(128..=191) => Self::Rtp,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_decides() {
        for (byte, protocol) in [
            (0, Protocol::Stun),
            (3, Protocol::Stun),
            (4, Protocol::Unknown),
            (16, Protocol::Unknown),
            (20, Protocol::Dtls),
            (63, Protocol::Dtls),
            (64, Protocol::Unknown),
            (128, Protocol::Rtp),
            (191, Protocol::Rtp),
            (192, Protocol::Unknown),
        ] {
            assert_eq!(Protocol::of(&[byte, 9]), protocol, "{byte}");
        }
        assert_eq!(Protocol::of(&[]), Protocol::Unknown);
    }
}
