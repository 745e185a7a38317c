// SPDX-License-Identifier: MPL-2.0
//! What passes between a TURN client and its server: ChannelData, indications, and both on a stream.
use std::net::SocketAddr;
use stun_proto::types::attribute::AttributeStaticType;
use stun_proto::types::message::{
    Message, MessageClass, MessageWrite, MessageWriteExt, MessageWriteVec,
};
use turn_types::attribute::{Data, XorPeerAddress};
use turn_types::message::{DATA, SEND};

const HEADER: usize = 4;
const STUN_HEADER: usize = 20;
/// What may wait of a stream: the largest message, and a read more.
const MAX_BUFFERED: usize = 3 * 65_536;

/// A datagram of the server.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    /// ChannelData.
    Channel(u16, &'a [u8]),
    /// A Data indication.
    Data(SocketAddr, &'a [u8]),
    /// Any other message.
    Stun(Message<'a>),
}

impl<'a> Received<'a> {
    pub(crate) fn parse(contents: &'a [u8]) -> Option<Self> {
        match contents.first()? {
            0x40..=0x7f => {
                let number = word(contents, 0)?;
                let length = usize::from(word(contents, 2)?);
                Some(Self::Channel(
                    number,
                    contents.get(HEADER..HEADER + length)?,
                ))
            }
            0..=3 => {
                let message = Message::from_bytes(contents).ok()?;
                if !message.has_method(DATA) || !message.has_class(MessageClass::Indication) {
                    return Some(Self::Stun(message));
                }
                let peer = message.attribute::<XorPeerAddress>().ok()?;
                let (at, _) = message.raw_attribute_and_offset(Data::TYPE)?;
                let length = usize::from(word(contents, at + 2)?);
                let data = contents.get(at + HEADER..at + HEADER + length)?;
                Some(Self::Data(peer.addr(message.transaction_id()), data))
            }
            _ => None,
        }
    }
}

/// ChannelData messages for datagrams of `size` each, the last of which may be shorter; and the size
/// of all framed ones but the last. On a stream each is padded (RFC 8656 §12.5).
pub(crate) fn channel_data(
    number: u16,
    contents: &[u8],
    size: usize,
    stream: bool,
) -> (Vec<u8>, usize) {
    let parts = contents.len().div_ceil(size.max(1)).max(1);
    let mut out = Vec::with_capacity(contents.len() + parts * (HEADER + 3));
    for part in contents.chunks(size.max(1)) {
        out.extend_from_slice(&number.to_be_bytes());
        // A datagram is shorter than 64 KiB.
        out.extend_from_slice(&(part.len() as u16).to_be_bytes());
        out.extend_from_slice(part);
        if stream {
            out.resize(out.len().next_multiple_of(4), 0);
        }
    }
    (out, size + HEADER)
}

/// A Send indication.
pub(crate) fn send_indication(peer: SocketAddr, contents: &[u8]) -> Option<Vec<u8>> {
    let mut message = Message::builder_indication(SEND, MessageWriteVec::new());
    let id = message.transaction_id();
    message.add_attribute(&XorPeerAddress::new(peer, id)).ok()?;
    message.add_attribute(&Data::new(contents)).ok()?;
    Some(message.finish())
}

/// Bytes of a stream that are not yet whole messages.
#[derive(Debug, Default)]
pub(crate) struct StreamBuffer {
    bytes: Vec<u8>,
    taken: usize,
}

impl StreamBuffer {
    /// False if this is no TURN, or nobody takes the messages.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        if self.bytes.len() + bytes.len() > MAX_BUFFERED {
            return false;
        }
        self.bytes.extend_from_slice(bytes);
        self.bytes.first().is_none_or(|first| *first < 0x80)
    }

    pub(crate) fn next_message(&mut self) -> Option<Vec<u8>> {
        let rest = self.bytes.get(self.taken..)?;
        let (whole, padded) = match rest.first()? {
            0x40..=0x7f => {
                let whole = HEADER + usize::from(word(rest, 2)?);
                (whole, whole.next_multiple_of(4))
            }
            _ => {
                let whole = STUN_HEADER + usize::from(word(rest, 2)?);
                (whole, whole)
            }
        };
        let message = rest.get(..padded)?.get(..whole)?.to_vec();
        self.taken += padded;
        Some(message)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_train_keeps_its_equal_parts() {
        let (framed, step) = channel_data(0x4001, &[7; 25], 10, false);
        assert_eq!((framed.len(), step), (25 + 3 * HEADER, 14));
        let sizes: Vec<usize> = framed
            .chunks(step)
            .map(|part| match Received::parse(part).unwrap() {
                Received::Channel(0x4001, data) => data.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sizes, [10, 10, 5]);
    }

    #[test]
    fn messages_come_whole_out_of_a_stream_cut_anywhere() {
        let peer = "192.0.2.7:9".parse().unwrap();
        let mut bytes = channel_data(0x4001, &[1, 2, 3], 3, true).0;
        assert_eq!(bytes.len() % 4, 0);
        bytes.extend(send_indication(peer, &[5; 6]).unwrap());
        bytes.extend(channel_data(0x4002, &[], 1, true).0);
        for cut in 0..=bytes.len() {
            let mut buffer = StreamBuffer::default();
            let mut found = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                assert!(buffer.push(part));
                found.extend(std::iter::from_fn(|| buffer.next_message()));
            }
            assert_eq!(found[0], [0x40, 1, 0, 3, 1, 2, 3], "{cut}");
            assert!(Message::from_bytes(&found[1]).is_ok());
        }
    }

    #[test]
    fn what_is_no_turn_or_too_much_ends_the_stream() {
        assert!(!StreamBuffer::default().push(b"\x80"));
        let mut buffer = StreamBuffer::default();
        assert!(buffer.push(&[0x40, 0, 0xff, 0xff]));
        assert!(!buffer.push(&vec![0; MAX_BUFFERED]));
    }

    #[test]
    fn cut_or_changed_datagrams_yield_nothing_and_no_panic() {
        let peer = "[2001:db8::7]:9".parse().unwrap();
        let mut whole = send_indication(peer, &[5; 9]).unwrap();
        whole[1] = 0x17;
        assert!(
            matches!(Received::parse(&whole), Some(Received::Data(at, data)) if at == peer && data == [5; 9])
        );
        for end in 0..whole.len() {
            assert!(
                !matches!(Received::parse(&whole[..end]), Some(Received::Data(..))),
                "{end}"
            );
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x40, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = Received::parse(&changed);
            }
        }
    }
}
