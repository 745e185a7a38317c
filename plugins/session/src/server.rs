// SPDX-License-Identifier: MPL-2.0
//! STUN and TURN servers: their URIs (RFC 7064, RFC 7065 as W3C webrtc-pc §4.2.1 narrows them),
//! credentials, and which candidates may be used.
use aws_lc_rs::hmac;
use base64::prelude::{BASE64_STANDARD as STANDARD, Engine};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Servers used of those given; further ones are ignored (W3C webrtc-pc §4.2.1 asks for 32 at least).
pub(crate) const MAX_SERVERS: usize = 32;
/// Ports of RFC 8489 §18.6 and of its TLS form.
const PLAIN_PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;
/// Longest access token and key, bytes: with all else in one STUN message.
const MAX_TOKEN: usize = 4096;

/// Which candidates may be used (W3C webrtc-pc §4.2.5 RTCIceTransportPolicy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IceTransportPolicy {
    /// All of them.
    #[default]
    All,
    /// Those of TURN servers alone: the peer sees no address of ours, and gets no packet but by the
    /// server. Names in the peer's candidates are not resolved.
    Relay,
}

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerTransport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
}

/// What is wrong with a server's URI or credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The text is no URI of a STUN or TURN server (W3C: SyntaxError).
    #[error("'{url}' is no STUN or TURN URI: {reason}")]
    Syntax {
        /// The text.
        url: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Well-formed, but there is no such client here (W3C: NotSupportedError).
    #[error("'{url}' can't be used: {reason}")]
    Unsupported {
        /// The text.
        url: String,
        /// What is missing.
        reason: &'static str,
    },
    /// A TURN server needs a user name and a credential (W3C: InvalidAccessError).
    #[error("'{url}' needs a user name and a credential")]
    Credential {
        /// The server's URI.
        url: String,
    },
    /// There is no URI at all (W3C: SyntaxError).
    #[error("an ICE server needs at least one URI")]
    NoUrl,
}

/// The URI of a server, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    text: String,
    host: String,
    port: u16,
    relays: bool,
    transport: ServerTransport,
}

impl ServerUrl {
    /// Name, or address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is a TURN server.
    pub fn relays(&self) -> bool {
        self.relays
    }

    /// How it is reached.
    pub fn transport(&self) -> ServerTransport {
        self.transport
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ServerUrl {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let syntax = |reason| ServerError::Syntax {
            url: text.to_owned(),
            reason,
        };
        let unsupported = |reason| ServerError::Unsupported {
            url: text.to_owned(),
            reason,
        };
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| syntax("write stun:HOST:PORT or turn:HOST:PORT?transport=udp"))?;
        let (relays, secure) = match scheme.to_ascii_lowercase().as_str() {
            "stun" => (false, false),
            "stuns" => (false, true),
            "turn" => (true, false),
            "turns" => (true, true),
            _ => return Err(syntax("it must begin with stun:, turn: or turns:")),
        };
        if rest.starts_with("//") {
            return Err(syntax("there are no slashes behind the scheme's colon"));
        }
        if rest.contains(['/', '@', '#']) || rest.contains(char::is_whitespace) {
            return Err(syntax("it has neither path, user, fragment nor spaces"));
        }
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (rest, None),
        };
        let transport = match (query, secure) {
            (Some(_), _) if !relays => return Err(syntax("a stun: URI has no ?transport=")),
            (Some("transport=udp"), true) => {
                return Err(unsupported(
                    "TURN over DTLS is not there; use transport=tcp",
                ));
            }
            (None, false) | (Some("transport=udp"), false) => ServerTransport::Udp,
            (Some("transport=tcp"), false) => ServerTransport::Tcp,
            (None | Some("transport=tcp"), true) => ServerTransport::Tls,
            (Some(_), _) => return Err(syntax("only ?transport=udp or ?transport=tcp may follow")),
        };
        if !relays && secure {
            return Err(unsupported("STUN over TLS finds no UDP address; use stun:"));
        }
        let (host, port) = host_and_port(authority).map_err(syntax)?;
        let port = port.unwrap_or(if secure { TLS_PORT } else { PLAIN_PORT });
        Ok(Self {
            text: text.to_owned(),
            host,
            port,
            relays,
            transport,
        })
    }
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("the bracket is not closed")?;
            host.parse::<Ipv6Addr>()
                .map_err(|_| "an IPv6 address must stand in the brackets")?;
            match rest {
                "" => (host, None),
                rest => (
                    host,
                    Some(rest.strip_prefix(':').ok_or("a port follows a colon")?),
                ),
            }
        }
        None => match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err("an IPv6 address needs brackets"),
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:".contains(&byte);
    if host.is_empty() || host.len() > 253 || !host.bytes().all(known) {
        return Err("the host is missing or has characters no host has");
    }
    let port = match port {
        None => None,
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            match text.parse() {
                Ok(port @ 1..) => Some(port),
                _ => return Err("a port is 1 to 65535"),
            }
        }
        Some(_) => return Err("a port is 1 to 65535"),
    };
    Ok((host.to_owned(), port))
}

/// Who asks a TURN server, and how that is proved.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub(crate) username: String,
    pub(crate) secret: Secret,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    Password(String),
    Token { token: Vec<u8>, mac_key: Vec<u8> },
}

impl Login {
    /// A long-term credential (RFC 8489 §9.2); `None` if either is empty.
    pub fn with_password(username: &str, password: &str) -> Option<Self> {
        let login = Self {
            username: username.to_owned(),
            secret: Secret::Password(password.to_owned()),
        };
        (!username.is_empty() && !password.is_empty()).then_some(login)
    }

    /// An access token of an authorization server (RFC 7635): the identifier of the key it is sealed
    /// with (`kid`), the token, at most 4096 bytes, and its `mac_key`. `None` if one is empty or too long.
    pub fn with_token(key_id: &str, token: &[u8], mac_key: &[u8]) -> Option<Self> {
        let fits = |bytes: &[u8]| (1..=MAX_TOKEN).contains(&bytes.len());
        let login = Self {
            username: key_id.to_owned(),
            secret: Secret::Token {
                token: token.to_owned(),
                mac_key: mac_key.to_owned(),
            },
        };
        (!key_id.is_empty() && fits(token) && fits(mac_key)).then_some(login)
    }
}

impl fmt::Debug for Login {
    /// Without what is secret, which has no business in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// A server to gather candidates from (W3C webrtc-pc §4.2.1 RTCIceServer).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceServer {
    pub(crate) urls: Vec<ServerUrl>,
    pub(crate) login: Option<Login>,
}

impl IceServer {
    /// A server under its URIs, with the long-term credential that TURN needs.
    pub fn new<T: AsRef<str>>(
        urls: &[T],
        username: Option<&str>,
        credential: Option<&str>,
    ) -> Result<Self, ServerError> {
        let login = username
            .zip(credential)
            .and_then(|(username, credential)| Login::with_password(username, credential));
        Self::with_login(urls, login)
    }

    /// A server under its URIs; one of TURN needs a login.
    pub fn with_login<T: AsRef<str>>(
        urls: &[T],
        login: Option<Login>,
    ) -> Result<Self, ServerError> {
        let urls = urls
            .iter()
            .map(|url| url.as_ref().parse())
            .collect::<Result<Vec<ServerUrl>, _>>()?;
        if urls.is_empty() {
            return Err(ServerError::NoUrl);
        }
        match urls.iter().find(|url| url.relays && login.is_none()) {
            Some(url) => Err(ServerError::Credential {
                url: url.to_string(),
            }),
            None => Ok(Self { urls, login }),
        }
    }

    /// Its URIs.
    pub fn urls(&self) -> &[ServerUrl] {
        &self.urls
    }
}

/// A time-limited credential for a TURN server that shares `secret` with us (the "REST API" of
/// draft-uberti-behave-turn-rest-00 §2.2): user name `expires:name`, and the Base64 of its HMAC-SHA1.
/// `expires` is in seconds since 1970.
pub fn rest_credential(secret: &str, name: &str, expires: u64) -> (String, String) {
    let username = match name {
        "" => expires.to_string(),
        name => format!("{expires}:{name}"),
    };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let tag = hmac::sign(&key, username.as_bytes());
    (username, STANDARD.encode(tag))
}

/// The host as an address, if it is one.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    host.parse().ok()
}

#[cfg(test)]
#[path = "server_test.rs"]
mod tests;
