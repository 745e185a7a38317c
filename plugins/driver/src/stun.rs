// SPDX-License-Identifier: MPL-2.0
//! As much of STUN (RFC 8489) as routing needs: kind, transaction and the username's first half.

const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// RFC 8489 §14.3
const USERNAME: u16 = 0x0006;

/// Kind of a Binding message (RFC 8489 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Indication,
    Success,
    Error,
}

/// Number of a transaction: 96 random bits.
pub(crate) type Transaction = [u8; 12];

/// A Binding message, not verified in any way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding<'a> {
    pub(crate) kind: Kind,
    pub(crate) transaction: Transaction,
    contents: &'a [u8],
}

/// Whether a datagram is STUN by its first byte (RFC 7983 §7).
pub(crate) fn is_stun(contents: &[u8]) -> bool {
    matches!(contents.first(), Some(0..=3))
}

impl<'a> Binding<'a> {
    pub(crate) fn parse(contents: &'a [u8]) -> Option<Self> {
        let header = contents.get(..HEADER)?;
        if header.get(4..8)? != COOKIE {
            return None;
        }
        let kind = match header.get(..2)? {
            [0x00, 0x01] => Kind::Request,
            [0x00, 0x11] => Kind::Indication,
            [0x01, 0x01] => Kind::Success,
            [0x01, 0x11] => Kind::Error,
            _ => return None,
        };
        let transaction = header.get(8..)?.try_into().ok()?;
        Some(Self {
            kind,
            transaction,
            contents,
        })
    }

    /// The username fragment of whom the request is for: what stands before the colon
    /// (RFC 8445 §7.2.2).
    pub(crate) fn ufrag(&self) -> Option<&'a str> {
        let mut rest = self.contents.get(HEADER..)?;
        loop {
            let (kind, length) = (word(rest, 0)?, usize::from(word(rest, 2)?));
            let value = rest.get(4..4 + length)?;
            if kind == USERNAME {
                return std::str::from_utf8(value).ok()?.split(':').next();
            }
            rest = rest.get(4 + length.next_multiple_of(4)..)?;
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A Binding message with an odd attribute before the username.
    pub(crate) fn message(kind: [u8; 2], transaction: u8, username: Option<&str>) -> Vec<u8> {
        let mut attributes = vec![0x80, 0x22, 0, 3, b'a', b'b', b'c', 0];
        if let Some(username) = username {
            attributes.extend_from_slice(&USERNAME.to_be_bytes());
            attributes.extend_from_slice(&(username.len() as u16).to_be_bytes());
            attributes.extend_from_slice(username.as_bytes());
            attributes.resize(attributes.len().next_multiple_of(4), 0);
        }
        let mut message = kind.to_vec();
        message.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
        message.extend_from_slice(&COOKIE);
        message.extend_from_slice(&[transaction; 12]);
        message.extend_from_slice(&attributes);
        message
    }

    #[test]
    fn the_first_half_of_the_username_is_found() {
        let message = message([0, 1], 7, Some("ours:theirs"));
        let binding = Binding::parse(&message).unwrap();
        assert_eq!(binding.kind, Kind::Request);
        assert_eq!(binding.transaction, [7; 12]);
        assert_eq!(binding.ufrag(), Some("ours"));
    }

    #[test]
    fn cut_or_changed_messages_yield_no_username_and_no_panic() {
        let whole = message([0, 1], 7, Some("ours:theirs"));
        for end in 0..whole.len() {
            if let Some(binding) = Binding::parse(&whole[..end]) {
                assert!(binding.ufrag().is_none() || end + 4 > whole.len(), "{end}");
            }
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                if let Some(binding) = Binding::parse(&changed) {
                    let _ = binding.ufrag();
                }
            }
        }
        assert!(Binding::parse(&message([0, 3], 7, None)).is_none());
    }
}
