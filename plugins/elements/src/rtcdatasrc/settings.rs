// SPDX-License-Identifier: MPL-2.0
//! What the user wishes of an `rtcdatasrc`, and what becomes of it at NULL -> READY.
use crate::data::Leaky;
use crate::endpoint;
use crate::network::Network;
use gst::glib;
use rtc_driver::DriverConfig;
use rtc_signaller::Signaller;

pub(super) const DEFAULT_WEB_ADDRESS: &str = "127.0.0.1:8080";
pub(super) const DEFAULT_UDP_PORT: u32 = 8189;
pub(super) const DEFAULT_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// `on-close`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcOnClose")]
pub enum OnClose {
    /// For the next channel.
    #[default]
    #[enum_value(name = "Wait for the next channel", nick = "wait")]
    Wait,
    /// For files.
    #[enum_value(
        name = "End the stream with the last channel that closes",
        nick = "eos"
    )]
    Eos,
}

/// The properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) endpoint: String,
    pub(super) uri: String,
    pub(super) signaller: Option<Signaller>,
    /// Made for a uri, at the start or because a property of it was set or read as `signaller::name`.
    pub(super) made: Option<(String, Signaller)>,
    pub(super) web_address: String,
    pub(super) auth_token: String,
    pub(super) udp_port: u32,
    pub(super) label: String,
    pub(super) protocol: String,
    pub(super) max_bytes: u64,
    pub(super) leaky: Leaky,
    pub(super) on_close: OnClose,
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
            label: String::new(),
            protocol: String::new(),
            max_bytes: DEFAULT_MAX_BYTES,
            leaky: Leaky::None,
            on_close: OnClose::Wait,
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
        let signaller = rtc_signaller::registry::from_uri(&self.uri)?;
        // Of two equals the one that sends makes the offer.
        endpoint::set_if_there(&signaller, "role", "source");
        self.made = Some((self.uri.clone(), signaller.clone()));
        Ok(signaller)
    }

    /// What to make an endpoint with; the error is for the user.
    pub(super) fn endpoint_options(
        &mut self,
        network: &Network,
    ) -> Result<endpoint::Options, String> {
        let mut driver = DriverConfig {
            udp_port: u16::try_from(self.udp_port).map_err(|_| "udp-port is above 65535")?,
            ..DriverConfig::default()
        };
        network.apply(&mut driver);
        let signaller = self.signaller()?;
        if self.signaller.is_none() {
            if self.web_address != DEFAULT_WEB_ADDRESS {
                endpoint::set_if_there(&signaller, "web-address", &self.web_address);
            }
            if !self.auth_token.is_empty() {
                endpoint::set_if_there(&signaller, "auth-token", &self.auth_token);
            }
        }
        Ok(endpoint::Options {
            name: self.endpoint.clone(),
            signaller,
            driver,
            sessions: endpoint::SessionSettings {
                ice: network.ice()?,
                ..endpoint::SessionSettings::default()
            },
        })
    }
}
