// SPDX-License-Identifier: MPL-2.0
//! The connectivity properties as the user wrote them, and the endpoint's options made of them.
use super::servers::TransportPolicy;
use crate::endpoint::{self, SessionSettings};
use gst::glib;
use rtc_driver::{DriverConfig, IpFamilies};
use rtc_session::DtlsVersion;
use rtc_signaller::Signaller;
use std::path::PathBuf;

pub(super) const DEFAULT_WEB_ADDRESS: &str = "127.0.0.1:8080";
pub(super) const DEFAULT_UDP_PORT: u32 = 8189;

/// Which element connects: some texts differ, and the directions that make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `rtcsink`
    Sink,
    /// `rtcsrc`
    Source,
    /// `rtcdatasrc`
    Data,
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

/// The properties; lists are comma-separated texts.
#[derive(Clone, Debug)]
pub(crate) struct Connect {
    pub(super) endpoint: String,
    pub(crate) uri: String,
    pub(super) signaller: Option<Signaller>,
    /// Made for a uri, at the start or because a property of it was set or read as `signaller::name`.
    made: Option<(String, Signaller)>,
    pub(super) web_address: String,
    pub(super) auth_token: String,
    pub(super) udp_port: u32,
    pub(super) ip_families: Families,
    pub(super) interfaces: String,
    pub(super) announced_addresses: String,
    pub(super) dtls_version: Dtls,
    pub(crate) quiet: bool,
    pub(super) stun_server: String,
    pub(super) turn_servers: String,
    pub(super) turn_secret: String,
    pub(super) ice_servers: gst::Array,
    pub(super) ice_transport_policy: TransportPolicy,
    pub(super) ice_tcp: bool,
    pub(super) tls_ca: String,
}

impl Default for Connect {
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
            quiet: false,
            stun_server: String::new(),
            turn_servers: String::new(),
            turn_secret: String::new(),
            ice_servers: gst::Array::default(),
            ice_transport_policy: TransportPolicy::default(),
            ice_tcp: true,
            tls_ca: String::new(),
        }
    }
}

impl Connect {
    /// The signaller set, or that of `uri`, made at most once a uri; errors are for the user.
    pub(crate) fn signaller(&mut self, role: Role) -> Result<Signaller, String> {
        if let Some(signaller) = &self.signaller {
            return Ok(signaller.clone());
        }
        if let Some((_, signaller)) = self.made.as_ref().filter(|(uri, _)| *uri == self.uri) {
            return Ok(signaller.clone());
        }
        match role {
            Role::Sink => {
                endpoint::check_direction(&self.uri, "whep", "rtcsink sends; write whip")?;
            }
            Role::Source => {
                endpoint::check_direction(&self.uri, "whip", "rtcsrc receives; write whep")?;
            }
            Role::Data => {}
        }
        let signaller = rtc_signaller::registry::from_uri(&self.uri)?;
        if role != Role::Sink {
            // Of two equals the one that sends makes the offer.
            endpoint::set_if_there(&signaller, "role", "source");
        }
        self.made = Some((self.uri.clone(), signaller.clone()));
        Ok(signaller)
    }

    /// What to make an endpoint with, `sessions` completed by what is known here; errors are for the
    /// user.
    pub(crate) fn options(
        &mut self,
        role: Role,
        sessions: SessionSettings,
    ) -> Result<endpoint::Options, String> {
        let signaller = self.signaller(role)?;
        self.hand_on(&signaller);
        Ok(endpoint::Options {
            name: self.endpoint.clone(),
            signaller,
            driver: self.driver()?,
            sessions: SessionSettings {
                dtls_version: match self.dtls_version {
                    Dtls::Auto => DtlsVersion::Auto,
                    Dtls::V12 => DtlsVersion::V12,
                },
                ice: self.ice()?,
                ..sessions
            },
        })
    }

    /// Hands properties of the element on to a signaller made here. Those left alone are not, so that
    /// `signaller::web-address` may say what `web-address` does not.
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

    fn driver(&self) -> Result<DriverConfig, String> {
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
        Ok(DriverConfig {
            udp_port,
            ip_families: match self.ip_families {
                Families::Both => IpFamilies::Both,
                Families::V4 => IpFamilies::V4,
                Families::V6 => IpFamilies::V6,
            },
            interfaces: words(&self.interfaces).map(ToOwned::to_owned).collect(),
            announced,
            ice_tcp: self.ice_tcp,
            tls_ca: (!self.tls_ca.is_empty()).then(|| PathBuf::from(&self.tls_ca)),
            ..DriverConfig::default()
        })
    }
}

pub(super) fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}
