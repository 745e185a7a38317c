// SPDX-License-Identifier: MPL-2.0
//! What the user wishes of an `rtcsink`, and what becomes of it at NULL -> READY.
use crate::network::Network;
use crate::{caps, endpoint};
use gst::glib;
use rtc_driver::{DriverConfig, IpFamilies};
use rtc_payload::{Codec, MediaKind};
use rtc_session::DtlsVersion;
use rtc_signaller::Signaller;

pub(super) const DEFAULT_WEB_ADDRESS: &str = "127.0.0.1:8080";
pub(super) const DEFAULT_UDP_PORT: u32 = 8189;
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

/// `dtls-version`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcDtlsVersion")]
pub enum Dtls {
    /// What the peer offers.
    #[default]
    #[enum_value(name = "The newest the peer offers", nick = "auto")]
    Auto,
    /// 1.2 alone.
    #[enum_value(name = "DTLS 1.2 alone", nick = "1.2")]
    V12,
}

/// `ip-families`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcIpFamilies")]
pub enum Families {
    /// Both.
    #[default]
    #[enum_value(name = "IPv4 and IPv6", nick = "both")]
    Both,
    /// IPv4.
    #[enum_value(name = "IPv4 alone", nick = "ipv4")]
    V4,
    /// IPv6.
    #[enum_value(name = "IPv6 alone", nick = "ipv6")]
    V6,
}

/// The properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) endpoint: String,
    pub(super) uri: String,
    pub(super) signaller: Option<Signaller>,
    /// Made for a uri because a property of it was set or read as `signaller::name`.
    pub(super) made: Option<(String, Signaller)>,
    pub(super) web_address: String,
    pub(super) auth_token: String,
    pub(super) udp_port: u32,
    pub(super) ip_families: Families,
    /// Comma-separated, as the user wrote them.
    pub(super) interfaces: String,
    pub(super) announced_addresses: String,
    pub(super) dtls_version: Dtls,
    pub(super) video_caps: gst::Caps,
    pub(super) audio_caps: gst::Caps,
    pub(super) start_bitrate: u32,
    pub(super) min_bitrate: u32,
    pub(super) max_bitrate: u32,
    pub(super) congestion_control: CongestionControl,
    pub(super) do_retransmission: bool,
    pub(super) max_consumers: u32,
    pub(super) quiet: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            uri: String::new(),
            signaller: None,
            made: None,
            web_address: DEFAULT_WEB_ADDRESS.into(),
            auth_token: String::new(),
            udp_port: DEFAULT_UDP_PORT,
            ip_families: Families::default(),
            interfaces: String::new(),
            announced_addresses: String::new(),
            dtls_version: Dtls::default(),
            video_caps: caps::every(MediaKind::Video),
            audio_caps: caps::every(MediaKind::Audio),
            start_bitrate: DEFAULT_START_BITRATE,
            min_bitrate: DEFAULT_MIN_BITRATE,
            max_bitrate: DEFAULT_MAX_BITRATE,
            congestion_control: CongestionControl::default(),
            do_retransmission: true,
            max_consumers: 0,
            quiet: false,
        }
    }
}

impl Settings {
    /// The signaller set, or that of `uri`, made at most once a uri; errors are for the user.
    pub(super) fn signaller(&mut self) -> Result<Signaller, String> {
        if let Some(signaller) = &self.signaller {
            return Ok(signaller.clone());
        }
        if let Some((_, signaller)) = self.made.as_ref().filter(|(uri, _)| *uri == self.uri) {
            return Ok(signaller.clone());
        }
        endpoint::check_direction(&self.uri, "whep", "rtcsink sends; write whip")?;
        let signaller = endpoint::signaller(&self.uri, &[])?;
        self.made = Some((self.uri.clone(), signaller.clone()));
        Ok(signaller)
    }

    /// Hands the properties of this element on to a signaller made here. Those left alone are not, so
    /// that `signaller::web-address` may say what `web-address` does not.
    fn hand_on(&self, signaller: &Signaller) {
        if self.signaller.is_some() {
            return;
        }
        if self.web_address != DEFAULT_WEB_ADDRESS {
            endpoint::set_if_there(signaller, "web-address", &self.web_address);
        }
        if !self.auth_token.is_empty() {
            endpoint::set_if_there(signaller, "auth-token", &self.auth_token);
        }
    }

    /// What to make an endpoint with; errors are for the user.
    pub(super) fn endpoint_options(
        &mut self,
        network: &Network,
    ) -> Result<endpoint::Options, String> {
        if !(self.min_bitrate..=self.max_bitrate).contains(&self.start_bitrate) {
            return Err(format!(
                "start-bitrate={} lies outside min-bitrate={} and max-bitrate={} (all bit/s); move one of them",
                self.start_bitrate, self.min_bitrate, self.max_bitrate
            ));
        }
        let dtls_version = match self.dtls_version {
            Dtls::Auto => DtlsVersion::Auto,
            Dtls::V12 => DtlsVersion::V12,
        };
        let signaller = self.signaller()?;
        self.hand_on(&signaller);
        Ok(endpoint::Options {
            name: self.endpoint.clone(),
            signaller,
            driver: self.driver_config(network)?,
            sessions: endpoint::SessionSettings {
                start_bitrate: self.start_bitrate.into(),
                min_bitrate: self.min_bitrate.into(),
                max_bitrate: self.max_bitrate.into(),
                congestion_control: self.congestion_control == CongestionControl::Gcc,
                retransmission: self.do_retransmission,
                dtls_version,
                max_sessions: self.max_consumers,
                ice: network.ice()?,
                ..endpoint::SessionSettings::default()
            },
        })
    }

    fn driver_config(&self, network: &Network) -> Result<DriverConfig, String> {
        let udp_port = u16::try_from(self.udp_port)
            .map_err(|_| format!("udp-port={} is above 65535", self.udp_port))?;
        let announced = words(&self.announced_addresses)
            .map(|word| {
                word.parse().map_err(|_| {
                    format!(
                        "announced-addresses names `{word}`, which is no IP address; write addresses \
                         separated by commas, as 203.0.113.7,2001:db8::7"
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        let mut driver = DriverConfig {
            udp_port,
            ip_families: match self.ip_families {
                Families::Both => IpFamilies::Both,
                Families::V4 => IpFamilies::V4,
                Families::V6 => IpFamilies::V6,
            },
            interfaces: words(&self.interfaces).map(ToOwned::to_owned).collect(),
            announced,
            ..DriverConfig::default()
        };
        network.apply(&mut driver);
        Ok(driver)
    }

    /// What raw inputs are offered as; errors are for the user.
    pub(super) fn codecs(&self) -> Result<Vec<Codec>, String> {
        let mut codecs = caps::codecs_in(&self.video_caps, MediaKind::Video)?;
        codecs.extend(caps::codecs_in(&self.audio_caps, MediaKind::Audio)?);
        Ok(codecs)
    }
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}
