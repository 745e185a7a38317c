// SPDX-License-Identifier: MPL-2.0
//! RTP header extensions, one-byte and two-byte form (RFC 8285), read and written.
use crate::{ExtensionIds, PlayoutDelay};

/// Profile of the one-byte form.
const ONE_BYTE: u16 = 0xbede;
/// Profile of the two-byte form; its low four bits are for the application.
const TWO_BYTE: u16 = 0x1000;
/// MIDs above this length are not written: they would not leave room for the payload.
pub(crate) const MAX_MID: usize = 16;
/// Bytes the extensions of one packet take at most, with their head: in the two-byte form a mid of
/// [`MAX_MID`] bytes, a transport-wide number, a send time and a playout delay.
pub(crate) const MAX_EXTENSIONS: usize = 4 + 32;

/// What the known header extensions of a packet say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions<'a> {
    pub(crate) mid: Option<&'a str>,
    pub(crate) rid: Option<&'a str>,
    pub(crate) repaired_rid: Option<&'a str>,
    pub(crate) transport_cc: Option<u16>,
    pub(crate) audio_level: Option<(u8, bool)>,
}

impl<'a> Extensions<'a> {
    /// Reads what is there; elements cut short end the reading, unknown ones are passed over.
    pub(crate) fn parse(profile: u16, data: &'a [u8], ids: &ExtensionIds) -> Self {
        let mut found = Self::default();
        let two_byte = match profile {
            ONE_BYTE => false,
            _ if profile & 0xfff0 == TWO_BYTE => true,
            _ => return found,
        };
        let mut rest = data;
        while let Some((&head, tail)) = rest.split_first() {
            if head == 0 {
                rest = tail;
                continue;
            }
            let (id, len, tail) = if two_byte {
                let Some((&len, tail)) = tail.split_first() else {
                    break;
                };
                (head, usize::from(len), tail)
            } else if head >> 4 == 15 {
                break; // reserved: the rest must be ignored (RFC 8285 §4.2)
            } else {
                (head >> 4, usize::from(head & 15) + 1, tail)
            };
            let Some((value, tail)) = tail.split_at_checked(len) else {
                break;
            };
            found.take(id, value, ids);
            rest = tail;
        }
        found
    }

    fn take(&mut self, id: u8, value: &'a [u8], ids: &ExtensionIds) {
        let id = Some(id);
        if id == ids.mid {
            self.mid = std::str::from_utf8(value).ok();
        } else if id == ids.rid {
            self.rid = std::str::from_utf8(value).ok();
        } else if id == ids.repaired_rid {
            self.repaired_rid = std::str::from_utf8(value).ok();
        } else if id == ids.transport_cc {
            self.transport_cc = value.first_chunk().copied().map(u16::from_be_bytes);
        } else if id == ids.audio_level {
            self.audio_level = value.first().map(|byte| (byte & 0x7f, byte & 0x80 != 0));
        }
    }
}

/// Where the parts that differ from packet to packet stand in a written header.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slots {
    pub(crate) transport_cc: Option<usize>,
    pub(crate) abs_send_time: Option<usize>,
}

/// What a stream's packets tell until the peer has heard of the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Once<'a> {
    pub(crate) mid: Option<&'a str>,
    pub(crate) playout_delay: Option<PlayoutDelay>,
}

/// Appends the extensions a stream sends, with zeros in the slots; nothing if it sends none.
pub(crate) fn write(header: &mut Vec<u8>, ids: &ExtensionIds, once: Once<'_>) -> Slots {
    let delay = once.playout_delay.zip(ids.playout_delay);
    let mid = once
        .mid
        .filter(|mid| !mid.is_empty() && mid.len() <= MAX_MID)
        .and_then(|mid| ids.mid.map(|id| (id, mid.as_bytes())));
    let short = |id: Option<u8>| id.is_none_or(|id| (1..=14).contains(&id));
    let one_byte = [
        mid.map(|(id, _)| id),
        delay.map(|(_, id)| id),
        ids.transport_cc,
        ids.abs_send_time,
    ]
    .into_iter()
    .all(short);
    let mut slots = Slots::default();
    if mid.is_none() && delay.is_none() && ids.transport_cc.is_none() && ids.abs_send_time.is_none()
    {
        return slots;
    }
    let profile = if one_byte { ONE_BYTE } else { TWO_BYTE };
    let start = header.len();
    header.extend_from_slice(&profile.to_be_bytes());
    header.extend_from_slice(&[0, 0]);
    let mut element = |id: u8, value: &[u8]| {
        if one_byte {
            header.push(id << 4 | (value.len() - 1) as u8);
        } else {
            header.extend_from_slice(&[id, value.len() as u8]);
        }
        let at = header.len();
        header.extend_from_slice(value);
        at
    };
    slots.transport_cc = ids.transport_cc.map(|id| element(id, &[0; 2]));
    slots.abs_send_time = ids.abs_send_time.map(|id| element(id, &[0; 3]));
    if let Some((id, value)) = mid {
        element(id, value);
    }
    if let Some((delay, id)) = delay {
        element(id, &delay.bytes());
    }
    while !(header.len() - start).is_multiple_of(4) {
        header.push(0);
    }
    let words = ((header.len() - start) / 4 - 1) as u16;
    header[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    slots
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ids(mid: u8, cc: u8) -> ExtensionIds {
        ExtensionIds {
            mid: Some(mid),
            rid: Some(10),
            transport_cc: Some(cc),
            abs_send_time: Some(3),
            audio_level: Some(1),
            ..ExtensionIds::default()
        }
    }

    #[test]
    fn what_is_written_is_read_back_in_both_forms() {
        for ids in [ids(4, 5), ids(4, 200)] {
            let mut header = Vec::new();
            let once = Once {
                mid: Some("video0"),
                ..Once::default()
            };
            let slots = write(&mut header, &ids, once);
            assert!(header.len().is_multiple_of(4) && header.len() <= MAX_EXTENSIONS);
            let at = slots.transport_cc.unwrap();
            header[at..at + 2].copy_from_slice(&[0x12, 0x34]);
            let profile = u16::from_be_bytes([header[0], header[1]]);
            let read = Extensions::parse(profile, &header[4..], &ids);
            assert_eq!(
                (read.mid, read.transport_cc),
                (Some("video0"), Some(0x1234))
            );
        }
    }

    #[test]
    fn padding_unknown_and_cut_elements_do_no_harm() {
        let ids = ids(4, 5);
        let data = [0, 0x91, 7, 7, 0, 0x10, 0x85, 0x40, b'7', 0x5f, 1];
        let read = Extensions::parse(ONE_BYTE, &data, &ids);
        assert_eq!(read.audio_level, Some((5, true)));
        assert_eq!((read.mid, read.transport_cc), (Some("7"), None));
        assert_eq!(
            Extensions::parse(0x1234, &data, &ids),
            Extensions::default()
        );
    }

    #[test]
    fn a_stream_without_extensions_writes_none() {
        let mut header = Vec::new();
        let once = Once {
            mid: Some("0"),
            playout_delay: Some(PlayoutDelay { min: 1, max: 1 }),
        };
        write(&mut header, &ExtensionIds::default(), once);
        assert!(header.is_empty());
    }

    #[test]
    fn a_playout_delay_is_two_numbers_of_12_bits_and_fits_beside_all_else() {
        let delay = PlayoutDelay {
            min: 0x123,
            max: 0xabc,
        };
        assert_eq!(delay.bytes(), [0x12, 0x3a, 0xbc]);
        assert_eq!(PlayoutDelay::exactly(Duration::from_millis(400)).min, 40);
        assert_eq!(PlayoutDelay::exactly(Duration::from_secs(60)).max, 4_095);
        for cc in [5, 200] {
            let mut ids = ids(4, cc);
            ids.playout_delay = Some(6);
            let mut header = Vec::new();
            let once = Once {
                mid: Some("sixteen letters."),
                playout_delay: Some(delay),
            };
            write(&mut header, &ids, once);
            assert!(header.len() <= MAX_EXTENSIONS, "{}", header.len());
            let at = header.windows(3).position(|bytes| *bytes == delay.bytes());
            assert!(at.is_some());
        }
    }
}
