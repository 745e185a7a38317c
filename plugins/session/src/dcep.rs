// SPDX-License-Identifier: MPL-2.0
//! Messages of the Data Channel Establishment Protocol (RFC 8832 §5).

/// Payload protocol identifiers of data channels (RFC 8831 §8).
pub(crate) mod ppid {
    pub(crate) const DCEP: u32 = 50;
    pub(crate) const STRING: u32 = 51;
    pub(crate) const BINARY: u32 = 53;
    pub(crate) const EMPTY_STRING: u32 = 56;
    pub(crate) const EMPTY_BINARY: u32 = 57;
}

const ACK: u8 = 0x02;
const OPEN: u8 = 0x03;
const HEADER: usize = 12;
const RELIABLE: u8 = 0x00;
const RETRANSMITS: u8 = 0x01;
const LIFETIME: u8 = 0x02;
const UNORDERED: u8 = 0x80;

/// DATA_CHANNEL_OPEN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) label: String,
    pub(crate) protocol: String,
    pub(crate) ordered: bool,
    pub(crate) max_retransmits: Option<u16>,
    pub(crate) max_packet_lifetime_ms: Option<u16>,
    pub(crate) priority: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dcep {
    Open(Open),
    Ack,
}

impl Dcep {
    /// `None`: neither of the two, or too short. What is behind the protocol's name is let go, and text
    /// that is not UTF-8 is mended.
    pub(crate) fn parse(message: &[u8]) -> Option<Self> {
        match *message.first()? {
            ACK => Some(Self::Ack),
            OPEN => Open::parse(message).map(Self::Open),
            _ => None,
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Self::Ack => vec![ACK],
            Self::Open(open) => open.write(),
        }
    }
}

impl Open {
    fn parse(message: &[u8]) -> Option<Self> {
        let header = message.first_chunk::<HEADER>()?;
        let u16_at = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let parameter = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        // Larger ones than an application could ask for mean no less than the largest.
        let limit = u16::try_from(parameter).unwrap_or(u16::MAX);
        let (max_retransmits, max_packet_lifetime_ms) = match header[1] & !UNORDERED {
            RELIABLE => (None, None),
            RETRANSMITS => (Some(limit), None),
            LIFETIME => (None, Some(limit)),
            _ => return None,
        };
        let (label_len, protocol_len) = (usize::from(u16_at(8)), usize::from(u16_at(10)));
        let label = message.get(HEADER..HEADER + label_len)?;
        let rest = message.get(HEADER + label_len..)?;
        let protocol = rest.get(..protocol_len)?;
        Some(Self {
            label: String::from_utf8_lossy(label).into_owned(),
            protocol: String::from_utf8_lossy(protocol).into_owned(),
            ordered: header[1] & UNORDERED == 0,
            max_retransmits,
            max_packet_lifetime_ms,
            priority: u16_at(2),
        })
    }

    fn write(&self) -> Vec<u8> {
        let (kind, parameter) = match (self.max_retransmits, self.max_packet_lifetime_ms) {
            (Some(count), _) => (RETRANSMITS, count),
            (None, Some(lifetime)) => (LIFETIME, lifetime),
            (None, None) => (RELIABLE, 0),
        };
        let order = if self.ordered { 0 } else { UNORDERED };
        let len =
            |text: &str| u16::try_from(text.len()).expect("labels are checked when asked for");
        let mut message = vec![OPEN, kind | order];
        message.extend_from_slice(&self.priority.to_be_bytes());
        message.extend_from_slice(&u32::from(parameter).to_be_bytes());
        message.extend_from_slice(&len(&self.label).to_be_bytes());
        message.extend_from_slice(&len(&self.protocol).to_be_bytes());
        message.extend_from_slice(self.label.as_bytes());
        message.extend_from_slice(self.protocol.as_bytes());
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Open {
        Open {
            label: "chat ☕".into(),
            protocol: "json".into(),
            ordered: true,
            max_retransmits: None,
            max_packet_lifetime_ms: None,
            priority: 512,
        }
    }

    #[test]
    fn every_kind_of_channel_survives_the_round_trip() {
        for (ordered, max_retransmits, max_packet_lifetime_ms) in [
            (true, None, None),
            (false, None, None),
            (true, Some(0), None),
            (false, Some(65535), None),
            (true, None, Some(1)),
            (false, None, Some(3000)),
        ] {
            let dcep = Dcep::Open(Open {
                ordered,
                max_retransmits,
                max_packet_lifetime_ms,
                ..open()
            });
            assert_eq!(Dcep::parse(&dcep.write()), Some(dcep));
        }
        assert_eq!(Dcep::parse(&Dcep::Ack.write()), Some(Dcep::Ack));
    }

    #[test]
    fn an_open_is_written_as_the_rfc_draws_it() {
        let bytes = Dcep::Open(Open {
            label: "ab".into(),
            protocol: "c".into(),
            ordered: false,
            max_retransmits: Some(7),
            ..open()
        })
        .write();
        assert_eq!(
            bytes,
            [3, 0x81, 2, 0, 0, 0, 0, 7, 0, 2, 0, 1, b'a', b'b', b'c']
        );
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_no_message() {
        let whole = Dcep::Open(open()).write();
        for len in 0..whole.len() {
            assert_eq!(Dcep::parse(&whole[..len]), None, "{len}");
        }
        for (at, byte) in [(0, 4), (1, 3), (1, 0x83), (1, 0x40)] {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            assert_eq!(Dcep::parse(&bytes), None, "{at} {byte}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_mended_and_large_limits_are_clamped() {
        let bytes = [3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0xff];
        let Some(Dcep::Open(open)) = Dcep::parse(&bytes) else {
            panic!("it is an open");
        };
        assert_eq!(open.label, "\u{fffd}");
        assert_eq!(open.max_retransmits, Some(65535));
    }
}
