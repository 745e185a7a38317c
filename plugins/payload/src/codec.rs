// SPDX-License-Identifier: MPL-2.0
//! The codec table: one row a codec, with the names and numbers of its RTP payload format.

/// Audio or video: the kinds of an RTP m-line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// `m=audio`
    Audio,
    /// `m=video`
    Video,
}

impl MediaKind {
    /// The media name of the m-line (`audio`, `video`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

/// A codec with an RTP payload format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Codec {
    /// VP8, RFC 7741.
    Vp8,
    /// VP9, RFC 9628.
    Vp9,
    /// H.264, RFC 6184.
    H264,
    /// AV1, AOM RTP specification 1.0.
    Av1,
    /// Opus, RFC 7587.
    Opus,
    /// G.711 µ-law, RFC 3551.
    Pcmu,
    /// G.711 A-law, RFC 3551.
    Pcma,
}

struct Row {
    codec: Codec,
    kind: MediaKind,
    name: &'static str,
    clock_rate: u32,
    channels: u8,
    static_pt: Option<u8>,
    fmtp: &'static str,
}

const fn row(
    codec: Codec,
    kind: MediaKind,
    name: &'static str,
    clock_rate: u32,
    channels: u8,
    static_pt: Option<u8>,
    fmtp: &'static str,
) -> Row {
    Row {
        codec,
        kind,
        name,
        clock_rate,
        channels,
        static_pt,
        fmtp,
    }
}

/// In the order of the enum's variants, so that a codec's number is its row.
const TABLE: [Row; 7] = [
    row(Codec::Vp8, MediaKind::Video, "VP8", 90_000, 0, None, ""),
    row(
        Codec::Vp9,
        MediaKind::Video,
        "VP9",
        90_000,
        0,
        None,
        VP9_FMTP,
    ),
    row(
        Codec::H264,
        MediaKind::Video,
        "H264",
        90_000,
        0,
        None,
        H264_FMTP,
    ),
    row(
        Codec::Av1,
        MediaKind::Video,
        "AV1",
        90_000,
        0,
        None,
        AV1_FMTP,
    ),
    row(
        Codec::Opus,
        MediaKind::Audio,
        "opus",
        48_000,
        2,
        None,
        OPUS_FMTP,
    ),
    row(Codec::Pcmu, MediaKind::Audio, "PCMU", 8_000, 1, Some(0), ""),
    row(Codec::Pcma, MediaKind::Audio, "PCMA", 8_000, 1, Some(8), ""),
];

/// Profile 0: 8 bit, 4:2:0 (RFC 9628 §6).
const VP9_FMTP: &str = "profile-id=0";
/// Constrained Baseline, level 3.1, which both directions may exceed on their own; fragmentation
/// units (RFC 6184 §8.1, RFC 7742 §6.2).
const H264_FMTP: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
/// Main profile, level 3.1, main tier: also what a missing parameter means (AV1 RTP specification §7.2).
const AV1_FMTP: &str = "level-idx=5;profile=0;tier=0";
/// Packets of 10 ms and up, in-band repair wanted (RFC 7587 §6.1).
const OPUS_FMTP: &str = "minptime=10;useinbandfec=1";

impl Codec {
    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Every codec of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.codec)
    }

    /// Audio or video.
    pub fn kind(self) -> MediaKind {
        self.row().kind
    }

    /// The encoding name as `a=rtpmap` writes it (`VP8`, `opus`).
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The codec of an encoding name, compared without case (RFC 8866 §6.6).
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE
            .iter()
            .find(|row| row.name.eq_ignore_ascii_case(name))
            .map(|row| row.codec)
    }

    /// RTP clock rate in Hz.
    pub fn clock_rate(self) -> u32 {
        self.row().clock_rate
    }

    /// Channels as `a=rtpmap` writes them; 0 for video.
    pub fn channels(self) -> u8 {
        self.row().channels
    }

    /// The static payload type (RFC 3551 §6), if it has one.
    pub fn static_pt(self) -> Option<u8> {
        self.row().static_pt
    }

    /// The format parameters offered if nothing better is known of the stream, as `a=fmtp` writes them
    /// behind the payload type; empty if the line is left out.
    pub fn default_fmtp(self) -> &'static str {
        self.row().fmtp
    }

    /// The MIME type (`video/VP8`).
    pub fn mime(self) -> String {
        format!("{}/{}", self.kind().as_str(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_at_its_codec_s_number() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.codec as usize, i);
            assert_eq!(Codec::from_name(&row.name.to_lowercase()), Some(row.codec));
        }
    }
}
