// SPDX-License-Identifier: MPL-2.0
//! The connectivity properties as the user wrote them, and the endpoint's options made of them.
use super::servers::TransportPolicy;
use crate::certificate;
use crate::endpoint::{self, IdentitySettings, SessionSettings};
use crate::object::TriState;
use gst::glib;
use gst::prelude::*;
use rtc_driver::{DriverConfig, IpFamilies, IpHandling};
use rtc_identity::IdentityProvider;
use rtc_session::DtlsVersion;
use rtc_signaller::Signaller;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

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

/// `ip-handling`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcIpHandling")]
pub enum Handling {
    /// Mode 1.
    #[default]
    #[enum_value(name = "Addresses of all interfaces", nick = "all-interfaces")]
    All,
    /// Mode 2.
    #[enum_value(
        name = "The address the default route starts from",
        nick = "default-route-with-local"
    )]
    DefaultWithLocal,
    /// Mode 3.
    #[enum_value(
        name = "That route, its local address told to nobody",
        nick = "default-route"
    )]
    Default,
}

/// `mdns`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcMdns")]
pub enum Mdns {
    /// Not at all.
    #[enum_value(name = "Names of peers are not looked up", nick = "off")]
    Off,
    /// Theirs.
    #[default]
    #[enum_value(name = "Names of peers are looked up", nick = "resolve")]
    Resolve,
    /// Theirs and ours.
    #[enum_value(
        name = "The same, and peers are told names in place of our addresses",
        nick = "conceal"
    )]
    Conceal,
}

/// `bundle-policy`: W3C's, as far as there is more than a name to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcBundlePolicy")]
pub enum Bundle {
    /// BUNDLE is required.
    #[default]
    #[enum_value(name = "One transport for all m-lines", nick = "max-bundle")]
    MaxBundle,
}

/// The properties; lists are comma-separated texts.
#[derive(Clone, Debug)]
pub(crate) struct Connect {
    pub(super) endpoint: String,
    pub(crate) uri: String,
    pub(super) signaller: Option<Signaller>,
    /// Made for a uri, at the start or because a property of it was set or read as `signaller::name`.
    pub(super) made: Option<(String, Signaller)>,
    pub(super) web_address: String,
    pub(super) auth_token: String,
    pub(super) udp_port: u32,
    pub(super) port_range: String,
    pub(super) ip_families: Families,
    pub(super) ip_handling: Handling,
    pub(super) mdns: Mdns,
    pub(super) bundle_policy: Bundle,
    pub(super) certificate: String,
    pub(super) identity_provider: Option<IdentityProvider>,
    pub(super) peer_identity: String,
    pub(super) manual_negotiation: bool,
    pub(super) polite: TriState,
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
    pub(super) tls_insecure: bool,
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
            port_range: String::new(),
            ip_families: Families::default(),
            ip_handling: Handling::default(),
            mdns: Mdns::default(),
            bundle_policy: Bundle::default(),
            certificate: String::new(),
            identity_provider: None,
            peer_identity: String::new(),
            manual_negotiation: false,
            polite: TriState::default(),
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
            tls_insecure: false,
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
                manual: self.manual_negotiation,
                polite: match self.polite {
                    TriState::Null => None,
                    polite => Some(polite == TriState::True),
                },
                ice: self.ice()?,
                identity: self.identity()?,
                ..sessions
            },
            certificate: match self.certificate.is_empty() {
                true => None,
                false => Some(certificate::read(&self.certificate, SystemTime::now())?),
            },
        })
    }

    /// Who vouches for us, and who the peer must be; errors are for the user.
    fn identity(&self) -> Result<IdentitySettings, String> {
        let target = &self.peer_identity;
        if !target.is_empty() && self.identity_provider.is_none() {
            return Err(format!(
                "peer-identity={target} can't be verified: set identity-provider to the object to ask"
            ));
        }
        if !target.is_empty() && self.manual_negotiation {
            return Err(format!(
                "peer-identity={target} is verified by the element, which with manual-negotiation=true \
                 applies no description; unset one of them"
            ));
        }
        Ok(IdentitySettings {
            provider: self.identity_provider.clone(),
            target: target.clone(),
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
        if !self.tls_ca.is_empty() {
            endpoint::set_if_there(signaller, "tls-ca", &self.tls_ca);
        }
        if self.tls_insecure && signaller.has_property("tls-insecure") {
            signaller.set_property("tls-insecure", true);
        }
    }

    fn driver(&self) -> Result<DriverConfig, String> {
        let udp_port = u16::try_from(self.udp_port)
            .map_err(|_| format!("udp-port={} is above 65535", self.udp_port))?;
        let (announced, announced_names) = announced(&self.announced_addresses)?;
        Ok(DriverConfig {
            udp_port,
            port_range: port_range(&self.port_range)?,
            ip_families: match self.ip_families {
                Families::Both => IpFamilies::Both,
                Families::V4 => IpFamilies::V4,
                Families::V6 => IpFamilies::V6,
            },
            interfaces: words(&self.interfaces).map(ToOwned::to_owned).collect(),
            announced,
            announced_names,
            ip_handling: match self.ip_handling {
                Handling::All => IpHandling::AllInterfaces,
                Handling::DefaultWithLocal => IpHandling::DefaultRouteWithLocal,
                Handling::Default => IpHandling::DefaultRoute,
            },
            resolve_mdns: self.mdns != Mdns::Off,
            conceal: self.mdns == Mdns::Conceal,
            ice_tcp: self.ice_tcp,
            tls_ca: (!self.tls_ca.is_empty()).then(|| PathBuf::from(&self.tls_ca)),
            ..DriverConfig::default()
        })
    }
}

/// The addresses and the names of a list.
fn announced(list: &str) -> Result<(Vec<IpAddr>, Vec<String>), String> {
    let (mut addresses, mut names) = (Vec::new(), Vec::new());
    for word in words(list) {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        // What looks like an address but is none would be asked of DNS else.
        let digits = word.rsplit('.').next().unwrap_or_default();
        let digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        match word.parse() {
            Ok(address) => addresses.push(address),
            Err(_) if word.bytes().all(is_name) && !digits => names.push(word.to_owned()),
            Err(_) => {
                return Err(format!(
                    "announced-addresses names `{word}`, which is neither an IP address nor a name; write \
                     them separated by commas, as 203.0.113.7,2001:db8::7,host.example.org"
                ));
            }
        }
    }
    Ok((addresses, names))
}

/// `FIRST-LAST`, or one port.
fn port_range(text: &str) -> Result<Option<(u16, u16)>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => Ok(Some((first, last))),
        _ => Err(format!(
            "port-range={text} is none; write FIRST-LAST, ports from 1 to 65535, as 50000-50100"
        )),
    }
}

pub(super) fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_ranges_are_two_ports_or_one() {
        for (text, expected) in [
            ("", None),
            ("50000-50100", Some((50000, 50100))),
            (" 7 - 7 ", Some((7, 7))),
            ("443", Some((443, 443))),
        ] {
            assert_eq!(port_range(text), Ok(expected), "{text}");
        }
        for text in ["0-5", "9-5", "a-b", "1-70000", "-"] {
            assert!(
                port_range(text).unwrap_err().contains("50000-50100"),
                "{text}"
            );
        }
    }

    #[test]
    fn addresses_are_told_from_names() {
        let (addresses, names) = announced("203.0.113.7, 2001:db8::7,host.example.org").unwrap();
        assert_eq!(
            (addresses.len(), names.as_slice()),
            (2, &["host.example.org".to_owned()][..])
        );
        for wrong in ["203.0.113.300", "a b", "http://x", "7"] {
            let error = announced(wrong).unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
