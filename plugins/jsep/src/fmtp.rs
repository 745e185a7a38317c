// SPDX-License-Identifier: MPL-2.0
//! `a=fmtp` parameters and what of them tells one variant of a codec from another.
use crate::description::Format;
use rtc_payload::Codec;

/// The value of a parameter, compared without case (RFC 6838 §4.3).
pub(crate) fn value<'a>(fmtp: &'a str, key: &str) -> Option<&'a str> {
    fmtp.split(';')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(key))
        .map(|(_, value)| value.trim())
}

/// What two formats must have in common to be one codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodecKey {
    pub(crate) codec: Codec,
    pub(crate) variant: Variant,
}

/// The variant within a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// All formats of the codec are alike.
    Plain,
    /// VP9 `profile-id`, AV1 `profile`.
    Profile(u8),
    /// H.264 profile and packetization-mode (RFC 6184 §8.2.2: both symmetric; the level is not).
    H264(H264Profile, u8),
}

/// H.264 profiles, as profile_idc and profile-iop name them (RFC 6184 §8.1 table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum H264Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    High,
    ConstrainedHigh,
    Other(u8, u8),
    /// No profile-level-id. RFC 6184 §8.1 would have it Baseline; the peers that leave it out (GStreamer's
    /// webrtcbin) take any.
    Unstated,
}

impl CodecKey {
    /// The key of a format; `None` for what is no codec of ours or has broken parameters.
    pub(crate) fn of(format: &Format) -> Option<Self> {
        Self::new(format.codec()?, &format.fmtp)
    }

    /// The key of a codec with parameters.
    pub(crate) fn new(codec: Codec, fmtp: &str) -> Option<Self> {
        let number =
            |key, default| value(fmtp, key).map_or(Some(default), |text| text.parse().ok());
        let variant = match codec {
            // RFC 9628 §6, AV1 RTP specification §7.2.3: profile 0 where not given.
            Codec::Vp9 => Variant::Profile(number("profile-id", 0)?),
            Codec::Av1 => Variant::Profile(number("profile", 0)?),
            Codec::H264 => Variant::H264(
                H264Profile::parse(value(fmtp, "profile-level-id"))?,
                // RFC 6184 §8.1 would have it 0; who leaves it out (webrtcbin) takes both.
                number("packetization-mode", 1)?,
            ),
            _ => Variant::Plain,
        };
        Some(Self { codec, variant })
    }

    /// Whether a stream of `self` may be sent to who takes `other`: equal, or H.264 of a profile whose
    /// streams every decoder of the other's decodes (H.264 annex A.2).
    pub(crate) fn plays_as(self, other: Self) -> bool {
        use H264Profile::{Baseline, ConstrainedBaseline, ConstrainedHigh, High, Main};
        let (Variant::H264(ours, our_mode), Variant::H264(theirs, their_mode)) =
            (self.variant, other.variant)
        else {
            return self == other;
        };
        let contained = match ours {
            ConstrainedBaseline => matches!(theirs, Baseline | Main | High | ConstrainedHigh),
            Main | ConstrainedHigh => theirs == High,
            _ => false,
        };
        our_mode == their_mode && (ours == theirs || contained || other.is_unstated())
    }

    /// H.264 of whatever profile.
    pub(crate) fn is_unstated(self) -> bool {
        matches!(self.variant, Variant::H264(H264Profile::Unstated, _))
    }
}

impl H264Profile {
    /// From a `profile-level-id`.
    fn parse(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else {
            return Some(Self::Unstated);
        };
        if text.len() != 6 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let number = u32::from_str_radix(text, 16).ok()?;
        let (idc, iop) = ((number >> 16) as u8, (number >> 8) as u8);
        Some(match idc {
            0x42 if iop & 0x4f == 0x40 => Self::ConstrainedBaseline,
            0x4d if iop & 0x8f == 0x80 => Self::ConstrainedBaseline,
            0x58 if iop & 0xcf == 0xc0 => Self::ConstrainedBaseline,
            0x42 if iop & 0x4f == 0 => Self::Baseline,
            0x58 if iop & 0xcf == 0x80 => Self::Baseline,
            0x4d if iop & 0xaf == 0 => Self::Main,
            0x64 if iop == 0 => Self::High,
            0x64 if iop == 0x0c => Self::ConstrainedHigh,
            _ => Self::Other(idc, iop),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h264(profile_level_id: &str, mode: u8) -> CodecKey {
        let fmtp = format!("profile-level-id={profile_level_id};packetization-mode={mode}");
        CodecKey::new(Codec::H264, &fmtp).unwrap()
    }

    #[test]
    fn values_are_found_whatever_their_case_and_spacing() {
        let fmtp = "a=1; Profile-Level-Id = 42E01F ;b";
        assert_eq!(value(fmtp, "profile-level-id"), Some("42E01F"));
        assert_eq!(value(fmtp, "b"), None);
        assert_eq!(value("", "a"), None);
    }

    #[test]
    fn h264_matches_by_profile_not_level() {
        assert_eq!(h264("42e01f", 1), h264("42E034", 1));
        assert_eq!(h264("42e01f", 1), h264("42c00b", 1));
        assert_eq!(h264("42e01f", 1), h264("4d8015", 1));
        assert_ne!(h264("42e01f", 1), h264("42001f", 1));
        assert_ne!(h264("42e01f", 1), h264("42e01f", 0));
        assert_eq!(h264("4d401f", 1), h264("4d001f", 1));
        assert_eq!(CodecKey::new(Codec::H264, "profile-level-id=42e01"), None);
        assert_eq!(CodecKey::new(Codec::H264, "profile-level-id=+2e01f"), None);
    }

    #[test]
    fn h264_plays_on_decoders_of_larger_profiles_only() {
        assert!(h264("42e01f", 1).plays_as(h264("42001f", 1)));
        assert!(h264("42e01f", 1).plays_as(h264("64001f", 1)));
        assert!(h264("4d001f", 1).plays_as(h264("640028", 1)));
        assert!(!h264("64001f", 1).plays_as(h264("42e01f", 1)));
        assert!(!h264("42e01f", 1).plays_as(h264("42001f", 0)));
        let unstated = CodecKey::new(Codec::H264, "").unwrap();
        assert!(h264("640028", 1).plays_as(unstated));
        assert!(!unstated.plays_as(h264("640028", 1)));
    }

    #[test]
    fn profiles_default_to_zero() {
        let key = |codec, fmtp| CodecKey::new(codec, fmtp).unwrap();
        assert_eq!(key(Codec::Vp9, ""), key(Codec::Vp9, "profile-id=0"));
        assert_ne!(key(Codec::Vp9, ""), key(Codec::Vp9, "profile-id=2"));
        assert_eq!(
            key(Codec::Av1, ""),
            key(Codec::Av1, "level-idx=5;profile=0")
        );
        assert_eq!(CodecKey::new(Codec::Av1, "profile=x"), None);
    }
}
