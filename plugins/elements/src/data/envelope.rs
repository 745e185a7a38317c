// SPDX-License-Identifier: MPL-2.0
//! The envelope of a message that goes in step with a video: `docs/sync-envelope.md`, byte by byte.
//!
//! A channel whose subprotocol is `rtc-sync` carries nothing else.
use bytes::{BufMut, Bytes, BytesMut};

/// What the message in an envelope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes of no known meaning.
    Bytes,
    /// UTF-8.
    Text,
    /// UTF-8 that is JSON.
    Json,
    /// SMPTE 336 key, length, value.
    Klv,
}

impl Kind {
    /// Of a buffer with these caps.
    pub(crate) fn of(caps: &str) -> Self {
        match caps {
            "text/x-raw" => Self::Text,
            "application/x-json" => Self::Json,
            "meta/x-klv" => Self::Klv,
            _ => Self::Bytes,
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Bytes => 0,
            Self::Text => 1,
            Self::Json => 2,
            Self::Klv => 3,
        }
    }

    /// Kinds of later versions are bytes to us.
    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Text,
            2 => Self::Json,
            3 => Self::Klv,
            _ => Self::Bytes,
        }
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Json)
    }
}

/// A message with the RTP timestamp of the frame it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) kind: Kind,
    /// In the video's clock, 90 kHz.
    pub(crate) rtp_time: u32,
    pub(crate) payload: Bytes,
}

impl Envelope {
    /// As it goes over the wire, as a binary message.
    pub(crate) fn seal(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(HEADER + self.payload.len());
        out.put_u8(VERSION);
        out.put_u8(self.kind.code());
        out.put_u16(HEADER as u16);
        out.put_u32(self.rtp_time);
        out.extend_from_slice(&self.payload);
        out.freeze()
    }

    /// `None` for what is none: another version, or too short.
    pub(crate) fn open(message: &Bytes) -> Option<Self> {
        let [version, kind, high, low, time @ ..] = *message.first_chunk::<HEADER>()?;
        // What a later sender of this version puts behind our header is skipped.
        let header = usize::from(u16::from_be_bytes([high, low]));
        if version != VERSION || header < HEADER || header > message.len() {
            return None;
        }
        Some(Self {
            kind: Kind::from_code(kind),
            rtp_time: u32::from_be_bytes(time),
            payload: message.slice(header..),
        })
    }
}

/// The subprotocol of a channel whose messages belong to the video at this position of the m-lines of video.
pub(crate) fn protocol(video: usize) -> String {
    format!("{PROTOCOL};video={video}")
}

/// The position that a subprotocol names; `None` if messages are in no envelope.
pub(crate) fn video_of(protocol: &str) -> Option<usize> {
    let rest = protocol.strip_prefix(PROTOCOL)?;
    if rest.is_empty() {
        return Some(0);
    }
    rest.strip_prefix(";video=")?.parse().ok()
}

/// The fixed part of the subprotocol's name.
const PROTOCOL: &str = "rtc-sync";
const VERSION: u8 = 1;
/// Bytes before the message.
pub(crate) const HEADER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let envelope = Envelope {
            kind: Kind::Json,
            rtp_time: 0x1234_5678,
            payload: Bytes::from_static(b"{}"),
        };
        let bytes = envelope.seal();
        assert_eq!(bytes[..], *b"\x01\x02\x00\x08\x12\x34\x56\x78{}");
        assert_eq!(Envelope::open(&bytes), Some(envelope));
    }

    #[test]
    fn a_longer_header_is_skipped_and_a_broken_one_refused() {
        let longer = Bytes::from_static(b"\x01\x09\x00\x0a\0\0\0\x07??klv");
        let opened = Envelope::open(&longer).unwrap();
        assert_eq!((opened.kind, opened.rtp_time), (Kind::Bytes, 7));
        assert_eq!(opened.payload[..], *b"klv");
        for broken in [
            &b""[..],
            b"\x01\x00\x00\x08\0\0\0",
            b"\x02\x00\x00\x08\0\0\0\0",
            b"\x01\x00\x00\x07\0\0\0\0",
            b"\x01\x00\x00\x09\0\0\0\0",
        ] {
            assert_eq!(Envelope::open(&Bytes::copy_from_slice(broken)), None);
        }
    }

    #[test]
    fn the_subprotocol_names_the_video() {
        for video in [0, 7] {
            assert_eq!(video_of(&protocol(video)), Some(video));
        }
        assert_eq!(video_of("rtc-sync"), Some(0));
        for other in [
            "",
            "rtc-sync;video=",
            "rtc-sync;video=-1",
            "rtc-synced",
            "x",
        ] {
            assert_eq!(video_of(other), None, "{other}");
        }
    }
}
