// SPDX-License-Identifier: MPL-2.0
//! What the user wishes of an `rtcsink`, and what becomes of it at NULL -> READY.
use super::gop::GopCache;
use crate::encode::hint::{ContentHint, Tuning};
use crate::{caps, control, endpoint};
use gst::glib;
use rtc_payload::{Codec, MediaKind};
use std::time::Duration;

pub(super) const DEFAULT_START_BITRATE: u32 = 2_048_000;
pub(super) const DEFAULT_MIN_BITRATE: u32 = 50_000;
pub(super) const DEFAULT_MAX_BITRATE: u32 = 8_192_000;

/// `congestion-control`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcCongestionControl")]
pub enum CongestionControl {
    /// Every viewer gets start-bitrate.
    #[enum_value(name = "Disabled: start-bitrate is kept", nick = "disabled")]
    Disabled,
    /// The path is estimated.
    #[default]
    #[enum_value(name = "Estimate by delay and loss", nick = "gcc")]
    Gcc,
}

/// The properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) video_caps: gst::Caps,
    pub(super) audio_caps: gst::Caps,
    pub(super) layers: u32,
    pub(super) start_bitrate: u32,
    pub(super) min_bitrate: u32,
    pub(super) max_bitrate: u32,
    pub(super) congestion_control: CongestionControl,
    pub(super) do_retransmission: bool,
    pub(super) max_consumers: u32,
    pub(super) content_hint: ContentHint,
    pub(super) latency_budget: u32,
    pub(super) gop_cache: GopCache,
    pub(super) on_demand: bool,
    pub(super) enable_control_data_channel: bool,
    pub(super) enable_data_channel_navigation: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            video_caps: caps::every(MediaKind::Video),
            audio_caps: caps::every(MediaKind::Audio),
            layers: 1,
            start_bitrate: DEFAULT_START_BITRATE,
            min_bitrate: DEFAULT_MIN_BITRATE,
            max_bitrate: DEFAULT_MAX_BITRATE,
            congestion_control: CongestionControl::default(),
            do_retransmission: true,
            max_consumers: 0,
            content_hint: ContentHint::default(),
            latency_budget: 0,
            gop_cache: GopCache::default(),
            on_demand: false,
            enable_control_data_channel: false,
            enable_data_channel_navigation: false,
        }
    }
}

impl Settings {
    /// Which channels steer the pipeline.
    pub(super) fn steering(&self) -> control::Enabled {
        control::Enabled {
            control: self.enable_control_data_channel,
            input: self.enable_data_channel_navigation,
        }
    }

    /// What encoders are tuned for.
    pub(super) fn tuning(&self) -> Tuning {
        Tuning {
            hint: self.content_hint,
            budget: Duration::from_millis(self.latency_budget.into()),
        }
    }

    /// What this element asks of its sessions; errors are for the user.
    pub(super) fn sessions(&self) -> Result<endpoint::SessionSettings, String> {
        if !(self.min_bitrate..=self.max_bitrate).contains(&self.start_bitrate) {
            return Err(format!(
                "start-bitrate={} lies outside min-bitrate={} and max-bitrate={} (all bit/s); move one of them",
                self.start_bitrate, self.min_bitrate, self.max_bitrate
            ));
        }
        Ok(endpoint::SessionSettings {
            start_bitrate: self.start_bitrate.into(),
            min_bitrate: self.min_bitrate.into(),
            max_bitrate: self.max_bitrate.into(),
            congestion_control: self.congestion_control == CongestionControl::Gcc,
            retransmission: self.do_retransmission,
            max_sessions: self.max_consumers,
            playout_delay_ms: self.latency_budget,
            ..endpoint::SessionSettings::default()
        })
    }

    /// What raw inputs are offered as; errors are for the user.
    pub(super) fn codecs(&self) -> Result<Vec<Codec>, String> {
        let mut codecs = caps::codecs_in(&self.video_caps, MediaKind::Video)?;
        codecs.extend(caps::codecs_in(&self.audio_caps, MediaKind::Audio)?);
        Ok(codecs)
    }
}
