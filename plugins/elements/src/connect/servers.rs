// SPDX-License-Identifier: MPL-2.0
//! The servers by which peers behind NATs are reached: what users write, and what sessions get.
use super::login;
use super::settings::{Connect, words};
use gst::glib;
use rtc_session::{IceServer, IceTransportPolicy, Login, rest_credential};
use std::time::{Duration, SystemTime};

/// How long a credential made of `turn-secret` is good for. Only new allocations and their renewals
/// are checked, each of these by its age.
const CREDENTIAL_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The name in such a credential.
const CREDENTIAL_NAME: &str = "rtc";

/// `ice-transport-policy`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcIceTransportPolicy")]
pub enum TransportPolicy {
    /// Every candidate.
    #[default]
    #[enum_value(name = "Every way to the peer", nick = "all")]
    All,
    /// TURN alone.
    #[enum_value(name = "By TURN servers alone", nick = "relay")]
    Relay,
}

/// What sessions are made with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IceSettings {
    servers: Vec<IceServer>,
    /// TURN servers that share this secret with us.
    shared: Vec<String>,
    secret: String,
    pub(crate) policy: IceTransportPolicy,
}

impl IceSettings {
    /// The servers for a session that begins now.
    pub(crate) fn servers(&self, now: SystemTime) -> Vec<IceServer> {
        let mut servers = self.servers.clone();
        if !self.shared.is_empty() {
            // Checked before, when the settings were read.
            servers.extend(IceServer::with_login(&self.shared, self.made_login(now)));
        }
        servers
    }

    /// A login for a server that shares the secret; `None` for another one.
    pub(crate) fn login(&self, url: &str, now: SystemTime) -> Option<Login> {
        let is_shared = self.shared.iter().any(|known| known == url);
        is_shared.then(|| self.made_login(now)).flatten()
    }

    fn made_login(&self, now: SystemTime) -> Option<Login> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        let expires = (since.unwrap_or_default() + CREDENTIAL_LIFE).as_secs();
        let (username, credential) = rest_credential(&self.secret, CREDENTIAL_NAME, expires);
        Login::with_password(&username, &credential)
    }
}

impl Connect {
    /// What concerns sessions; errors are for the user.
    pub(crate) fn ice(&self) -> Result<IceSettings, String> {
        let mut settings = IceSettings {
            secret: self.turn_secret.clone(),
            policy: match self.ice_transport_policy {
                TransportPolicy::All => IceTransportPolicy::All,
                TransportPolicy::Relay => IceTransportPolicy::Relay,
            },
            ..IceSettings::default()
        };
        if !self.stun_server.is_empty() {
            let url = normal(&self.stun_server, "stun");
            let server = IceServer::new(&[url], None, None);
            let server = server.map_err(|error| format!("stun-server: {error}"))?;
            settings.servers.push(server);
        }
        for word in words(&self.turn_servers) {
            let (url, credential) = turn_server(word)?;
            match credential {
                Some((username, password)) => {
                    let server = IceServer::new(&[url], Some(&username), Some(&password));
                    settings
                        .servers
                        .push(server.map_err(|error| format!("turn-servers: {error}"))?);
                }
                None if self.turn_secret.is_empty() => {
                    return Err(format!(
                        "turn-servers: `{word}` has no user; write turn://USER:PASSWORD@HOST:PORT, \
                         or set turn-secret"
                    ));
                }
                None => {
                    IceServer::new(&[&url], Some("u"), Some("p"))
                        .map_err(|error| format!("turn-servers: {error}"))?;
                    settings.shared.push(url);
                }
            }
        }
        for value in self.ice_servers.iter() {
            settings
                .servers
                .push(login::server(value).map_err(|what| format!("ice-servers: {what}"))?);
        }
        if settings.policy == IceTransportPolicy::Relay
            && settings.shared.is_empty()
            && !settings
                .servers
                .iter()
                .any(|server| server.urls().iter().any(|url| url.relays()))
        {
            return Err("ice-transport-policy=relay needs a TURN server: set turn-servers".into());
        }
        Ok(settings)
    }
}

/// The URI and the credential of a word of `turn-servers`.
fn turn_server(word: &str) -> Result<(String, Option<(String, String)>), String> {
    let url = normal(word, "turn");
    let Some((scheme, rest)) = url.split_once(':') else {
        return Ok((url, None));
    };
    let Some((user, host)) = rest.rsplit_once('@') else {
        return Ok((url, None));
    };
    let (username, password) = user
        .split_once(':')
        .ok_or_else(|| format!("turn-servers: `{scheme}:…@{host}` has a user but no password"))?;
    let credential = (decoded(username), decoded(password));
    Ok((format!("{scheme}:{host}"), Some(credential)))
}

/// `stun://host:port`, as GStreamer's webrtcbin writes it, or `host:port`, as the URI that RFC 7064 and
/// RFC 7065 define.
fn normal(text: &str, scheme: &str) -> String {
    let known = ["stun:", "stuns:", "turn:", "turns:"];
    match known.iter().find(|known| text.starts_with(**known)) {
        Some(known) => {
            let rest = &text[known.len()..];
            format!("{known}{}", rest.strip_prefix("//").unwrap_or(rest))
        }
        None if text.contains("://") => text.to_owned(),
        None => format!("{scheme}:{text}"),
    }
}

/// Percent-decoding (RFC 3986 §2.1); what is no code stays.
fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
#[path = "servers_test.rs"]
mod tests;
