// SPDX-License-Identifier: MPL-2.0
//! What the user wishes of an `rtcsrc`, and what becomes of it at NULL -> READY.
use crate::{decode, endpoint};
use rtc_payload::{Codec, MediaKind};

pub(super) const DEFAULT_MAX_LATENCY: u32 = 500;

/// The properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) latency: u32,
    pub(super) max_latency: u32,
    pub(super) do_retransmission: bool,
    pub(super) dtmf_audible: bool,
    /// Names as the user wrote them; empty for every codec that can be decoded here.
    pub(super) video_codecs: Vec<String>,
    pub(super) audio_codecs: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency: 0,
            max_latency: DEFAULT_MAX_LATENCY,
            do_retransmission: true,
            dtmf_audible: false,
            video_codecs: Vec::new(),
            audio_codecs: Vec::new(),
        }
    }
}

impl Settings {
    /// What this element asks of its sessions.
    pub(super) fn sessions(&self) -> endpoint::SessionSettings {
        endpoint::SessionSettings {
            retransmission: self.do_retransmission,
            max_latency_ms: self.max_latency,
            ..endpoint::SessionSettings::default()
        }
    }

    /// Every codec that may be received, most wanted first; the error is for the user.
    pub(super) fn receive_codecs(&self) -> Result<Vec<Codec>, String> {
        let mut codecs = codecs_of(MediaKind::Video, &self.video_codecs)?;
        codecs.extend(codecs_of(MediaKind::Audio, &self.audio_codecs)?);
        Ok(codecs)
    }

    /// The least and the most latency.
    pub(super) fn latency(&self) -> (gst::ClockTime, gst::ClockTime) {
        let ms = |ms: u32| gst::ClockTime::from_mseconds(u64::from(ms));
        (ms(self.latency), ms(self.max_latency.max(self.latency)))
    }
}

/// The codecs named, or by default all that can be decoded here, in [`PREFERENCE`]'s order.
fn codecs_of(kind: MediaKind, names: &[String]) -> Result<Vec<Codec>, String> {
    let of_kind = || PREFERENCE.into_iter().filter(|codec| codec.kind() == kind);
    if names.is_empty() {
        return Ok(of_kind()
            .filter(|codec| decode::is_installed(*codec))
            .collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let codec = Codec::from_name(name)
            .filter(|codec| codec.kind() == kind)
            .ok_or_else(|| {
                let known: Vec<_> = of_kind().map(Codec::name).collect();
                format!(
                    "{}-codecs names `{name}`; known are {}",
                    kind.as_str(),
                    known.join(", ")
                )
            })?;
        if !chosen.contains(&codec) {
            chosen.push(codec);
        }
    }
    Ok(chosen)
}

/// VP8 before H.264: both browsers encode it everywhere, and Debian's decoder for it is the lighter one.
/// AV1 last: its software encoder is a burden to a phone.
const PREFERENCE: [Codec; 7] = [
    Codec::Vp8,
    Codec::H264,
    Codec::Vp9,
    Codec::Av1,
    Codec::Opus,
    Codec::Pcmu,
    Codec::Pcma,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_taken_in_the_users_order_and_wrong_names_are_explained() {
        gst::init().unwrap();
        let mut settings = Settings {
            video_codecs: vec!["vp9".into(), "H264".into(), "VP9".into()],
            audio_codecs: vec!["PCMU".into()],
            ..Settings::default()
        };
        assert_eq!(
            settings.receive_codecs(),
            Ok(vec![Codec::Vp9, Codec::H264, Codec::Pcmu])
        );
        settings.video_codecs = vec!["opus".into()];
        let error = settings.receive_codecs().unwrap_err();
        assert!(
            error.contains("`opus`") && error.contains("VP8, H264, VP9, AV1"),
            "{error}"
        );
    }

    #[test]
    fn by_default_every_codec_with_a_decoder_is_received() {
        gst::init().unwrap();
        let codecs = Settings::default().receive_codecs().unwrap();
        assert_eq!(codecs.first(), Some(&Codec::Vp8));
        assert!(codecs.contains(&Codec::Opus));
    }

    #[test]
    fn the_latency_asked_for_may_exceed_the_bound() {
        let settings = Settings {
            latency: 900,
            ..Settings::default()
        };
        let (least, most) = settings.latency();
        assert_eq!((least.mseconds(), most.mseconds()), (900, 900));
    }
}
