// SPDX-License-Identifier: MPL-2.0
//! The peer's first ClientHello, put together from its fragments, to choose an implementation by it.
//!
//! Browsers and GStreamer all send it in two datagrams, so the first datagram alone says nothing.

/// What a ClientHello offers, as far as the choice needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) dtls12: bool,
    pub(crate) dtls13: bool,
    /// SRTP protection profiles in the client's order (RFC 5764 §4.1.1).
    pub(crate) srtp_profiles: Vec<u16>,
}

/// Collects the fragments of the first ClientHello, and the datagrams they came in.
#[derive(Debug, Default)]
pub(crate) struct Hello {
    held: Vec<Vec<u8>>,
    body: Vec<u8>,
    seen: Vec<bool>,
}

pub(super) const RECORD_HEADER: usize = 13;
pub(super) const HANDSHAKE_HEADER: usize = 12;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const EXT_USE_SRTP: u16 = 14;
const EXT_SUPPORTED_VERSIONS: u16 = 43;
const DTLS12: u16 = 0xfefd;
const DTLS13: u16 = 0xfefc;
/// The largest hello seen of a browser is 1.5 kB; with post-quantum keys of a larger kind it may
/// reach a few kB.
const MAX_HELLO: usize = 16 * 1024;
/// A hello of [`MAX_HELLO`] in fragments of 1 kB, with room for retransmission.
const MAX_HELD: usize = 24;

impl Hello {
    /// Takes a datagram; returns what the hello offers once it is whole. A datagram that belongs to
    /// no hello is not kept.
    pub(crate) fn add(&mut self, datagram: &[u8]) -> Option<Offer> {
        let mut useful = false;
        for record in records(datagram) {
            if record[0] == HANDSHAKE {
                useful |= self.add_fragment(&record[RECORD_HEADER..]).is_some();
            }
        }
        if useful && self.held.len() < MAX_HELD {
            self.held.push(datagram.to_vec());
        }
        if self.body.is_empty() || self.seen.contains(&false) {
            return None;
        }
        parse(&self.body)
    }

    /// The datagrams kept, for the chosen implementation to read again.
    pub(crate) fn into_datagrams(self) -> Vec<Vec<u8>> {
        self.held
    }

    fn add_fragment(&mut self, message: &[u8]) -> Option<()> {
        let header = message.get(..HANDSHAKE_HEADER)?;
        let u24 = |at: usize| {
            usize::from(header[at]) << 16
                | usize::from(header[at + 1]) << 8
                | usize::from(header[at + 2])
        };
        let (total, offset, length) = (u24(1), u24(6), u24(9));
        let fragment = message.get(HANDSHAKE_HEADER..HANDSHAKE_HEADER + length)?;
        if header[0] != CLIENT_HELLO || total == 0 || total > MAX_HELLO || offset + length > total {
            return None;
        }
        if self.body.len() != total {
            // Another hello than the one begun: the newer one counts.
            self.body = vec![0; total];
            self.seen = vec![false; total];
            self.held.clear();
        }
        self.body[offset..offset + length].copy_from_slice(fragment);
        self.seen[offset..offset + length].fill(true);
        Some(())
    }
}

/// The records of a datagram; ends at the first that is malformed.
pub(super) fn records(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_be_bytes([*rest.get(11)?, *rest.get(12)?]));
        let record = rest.get(..RECORD_HEADER + length)?;
        rest = &rest[RECORD_HEADER + length..];
        Some(record)
    })
}

/// Parses the body of a ClientHello (RFC 6347 §4.2.1, RFC 5246 §7.4.1.4).
fn parse(body: &[u8]) -> Option<Offer> {
    let mut reader = Reader(body);
    let legacy_version = reader.u16()?;
    reader.take(32)?;
    reader.vec8()?;
    reader.vec8()?;
    reader.vec16()?;
    reader.vec8()?;
    let mut offer = Offer {
        // Before 1.3 a client names its newest version here; 1's complement, so less is newer.
        dtls12: legacy_version <= DTLS12,
        ..Offer::default()
    };
    let Some(extensions) = reader.vec16() else {
        return Some(offer);
    };
    let mut reader = Reader(extensions);
    while let Some(kind) = reader.u16() {
        let mut content = Reader(reader.vec16()?);
        match kind {
            EXT_SUPPORTED_VERSIONS => {
                let versions = u16s(content.vec8()?);
                offer.dtls12 = versions.contains(&DTLS12);
                offer.dtls13 = versions.contains(&DTLS13);
            }
            EXT_USE_SRTP => offer.srtp_profiles = u16s(content.vec16()?),
            _ => {}
        }
    }
    Some(offer)
}

fn u16s(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }

    fn vec8(&mut self) -> Option<&'a [u8]> {
        let length = self.take(1)?[0];
        self.take(length.into())
    }

    fn vec16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(versions: &[u16], profiles: &[u16]) -> Vec<u8> {
        let list = |values: &[u16]| {
            values
                .iter()
                .flat_map(|v| v.to_be_bytes())
                .collect::<Vec<_>>()
        };
        let mut body = DTLS12.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.extend([0, 0]);
        body.extend([0, 2, 0xc0, 0x2b, 1, 0]);
        let mut extensions = vec![0, 0, 0, 0];
        if !versions.is_empty() {
            let list = list(versions);
            extensions.extend([0, 43, 0, list.len() as u8 + 1, list.len() as u8]);
            extensions.extend(list);
        }
        let list = list(profiles);
        extensions.extend([0, 14, 0, list.len() as u8 + 3, 0, list.len() as u8]);
        extensions.extend(list);
        extensions.push(0);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        body
    }

    fn fragment(body: &[u8], from: usize, to: usize) -> Vec<u8> {
        let u24 = |n: usize| (n as u32).to_be_bytes()[1..].to_vec();
        let mut message = vec![CLIENT_HELLO];
        message.extend(u24(body.len()));
        message.extend([0, 0]);
        message.extend(u24(from));
        message.extend(u24(to - from));
        message.extend(&body[from..to]);
        let mut record = vec![HANDSHAKE, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        record.extend((message.len() as u16).to_be_bytes());
        record.extend(message);
        record
    }

    #[test]
    fn a_hello_in_fragments_of_any_order_is_understood() {
        let body = hello(&[DTLS13, DTLS12], &[1, 8, 7]);
        let parts = [
            fragment(&body, 0, 40),
            fragment(&body, 40, 50),
            fragment(&body, 50, body.len()),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let mut collector = Hello::default();
            assert_eq!(collector.add(&parts[order[0]]), None);
            assert_eq!(collector.add(&parts[order[0]]), None);
            assert_eq!(collector.add(&parts[order[1]]), None);
            let offer = collector.add(&parts[order[2]]).unwrap();
            assert_eq!(
                offer,
                Offer {
                    dtls12: true,
                    dtls13: true,
                    srtp_profiles: vec![1, 8, 7]
                }
            );
            assert_eq!(collector.into_datagrams().len(), 4);
        }
    }

    #[test]
    fn a_hello_without_versions_offers_1_2_alone() {
        let body = hello(&[], &[7]);
        let offer = Hello::default()
            .add(&fragment(&body, 0, body.len()))
            .unwrap();
        assert_eq!(
            offer,
            Offer {
                dtls12: true,
                dtls13: false,
                srtp_profiles: vec![7]
            }
        );
    }

    #[test]
    fn no_prefix_and_no_flipped_byte_panics() {
        let body = hello(&[DTLS13], &[1, 7]);
        let whole = fragment(&body, 0, body.len());
        for end in 0..whole.len() {
            Hello::default().add(&whole[..end]);
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[end] = value;
                Hello::default().add(&changed);
            }
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let body = vec![0; MAX_HELLO];
        let mut collector = Hello::default();
        for _ in 0..1000 {
            assert_eq!(collector.add(&fragment(&body, 0, 900)), None);
        }
        assert!(collector.into_datagrams().len() <= MAX_HELD);
        let mut too_long = fragment(&body, 0, 900);
        too_long[14] = 0xff;
        let mut collector = Hello::default();
        assert_eq!(collector.add(&too_long), None);
        assert!(collector.body.is_empty());
    }
}
