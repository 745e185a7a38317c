// SPDX-License-Identifier: MPL-2.0
//! Who may come in: the Host a request names, the page it comes from, the token it bears.
//!
//! A server on a loopback address answers only requests that name a loopback host, so that no foreign page
//! reaches it by rebinding its own name (DNS rebinding), and no page of a foreign site may use it unless
//! `allowed-origins` names that site.
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;

/// What the gate is told by the signaller's properties.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    token: String,
    loopback: bool,
    /// Origins named by the user; `*` is any.
    origins: Vec<String>,
}

impl Gate {
    /// `origins` is a list separated by commas; empty: this host's pages, or any if bound for the network.
    pub(crate) fn new(token: &str, bound: SocketAddr, origins: &str) -> Self {
        let origins = origins
            .split(',')
            .map(|origin| origin.trim().trim_end_matches('/'));
        Self {
            token: token.to_owned(),
            loopback: bound.ip().is_loopback(),
            origins: origins
                .filter(|origin| !origin.is_empty())
                .map(str::to_ascii_lowercase)
                .collect(),
        }
    }

    /// Whether a request that names this host is for us.
    pub(crate) fn host_allowed(&self, host: Option<&str>) -> bool {
        !self.loopback || host.is_none_or(|host| is_loopback_name(host_of(host)))
    }

    /// Whether a page of `origin` may open `/ws`: our own pages, those named, and what is no browser.
    pub(crate) fn socket_origin_allowed(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else {
            return true;
        };
        self.is_named(origin)
            || authority_of(origin)
                .is_some_and(|own| host.is_some_and(|host| host.eq_ignore_ascii_case(own)))
    }

    /// Whether a page of `origin` may use WHIP and WHEP.
    pub(crate) fn http_origin_allowed(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        if self.socket_origin_allowed(origin, host) {
            return true;
        }
        if !self.origins.is_empty() {
            return false;
        }
        !self.loopback
            || origin
                .and_then(authority_of)
                .is_some_and(|authority| is_loopback_name(host_of(authority)))
    }

    /// Whether the token matches, in a time that does not tell how much of it does.
    pub(crate) fn token_allowed(&self, authorization: Option<&str>, query: Option<&str>) -> bool {
        if self.token.is_empty() {
            return true;
        }
        let bearer = authorization.and_then(bearer_token);
        let queried = query.and_then(|query| {
            url::form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == "token")
                .map(|(_, value)| value.into_owned())
        });
        [bearer, queried.as_deref()]
            .into_iter()
            .flatten()
            .any(|given| given.as_bytes().ct_eq(self.token.as_bytes()).into())
    }

    fn is_named(&self, origin: &str) -> bool {
        self.origins
            .iter()
            .any(|named| named == "*" || named.eq_ignore_ascii_case(origin))
    }
}

fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// `host:port` of an origin; `None` for `null` and what is no web origin.
fn authority_of(origin: &str) -> Option<&str> {
    let (scheme, authority) = origin.split_once("://")?;
    matches!(scheme, "http" | "https").then_some(authority)
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority.split(':').next().unwrap_or_default()
}

fn is_loopback_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(bound: &str, token: &str, origins: &str) -> Gate {
        Gate::new(token, bound.parse().unwrap(), origins)
    }

    #[test]
    fn a_loopback_server_answers_loopback_names_only() {
        let local = gate("127.0.0.1:8080", "", "");
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LOCALHOST",
            "[::1]:8080",
            "app.localhost",
            "127.8.8.8",
        ] {
            assert!(local.host_allowed(Some(host)), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "",
            "10.0.0.1",
            "127.0.0.1.evil.example",
        ] {
            assert!(!local.host_allowed(Some(host)), "{host}");
        }
        assert!(local.host_allowed(None));
        assert!(gate("0.0.0.0:8080", "", "").host_allowed(Some("studio.lan:8080")));
    }

    #[test]
    fn sockets_are_for_our_own_pages_and_named_origins() {
        let local = gate("127.0.0.1:8080", "", "");
        let host = Some("127.0.0.1:8080");
        assert!(local.socket_origin_allowed(None, host));
        assert!(local.socket_origin_allowed(Some("http://127.0.0.1:8080"), host));
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:9999",
            "null",
            "http://127.0.0.1:8080.evil.example",
            "file://127.0.0.1:8080",
        ] {
            assert!(!local.socket_origin_allowed(Some(origin), host), "{origin}");
        }
        let named = gate(
            "127.0.0.1:8080",
            "",
            "https://a.example, https://b.example/",
        );
        assert!(named.socket_origin_allowed(Some("https://b.example"), host));
        assert!(!named.socket_origin_allowed(Some("https://c.example"), host));
        assert!(gate("127.0.0.1:8080", "", "*").socket_origin_allowed(Some("null"), host));
    }

    #[test]
    fn http_is_open_to_this_host_s_pages_and_on_the_network_to_all() {
        let host = Some("127.0.0.1:8080");
        let local = gate("127.0.0.1:8080", "", "");
        assert!(local.http_origin_allowed(Some("http://localhost:3000"), host));
        assert!(!local.http_origin_allowed(Some("https://evil.example"), host));
        assert!(!local.http_origin_allowed(Some("null"), host));
        let open = gate("0.0.0.0:8080", "", "");
        assert!(open.http_origin_allowed(Some("https://player.example"), Some("10.0.0.1:8080")));
        let named = gate("0.0.0.0:8080", "", "https://a.example");
        assert!(!named.http_origin_allowed(Some("https://player.example"), Some("10.0.0.1:8080")));
    }

    #[test]
    fn a_token_is_taken_from_the_header_or_the_query() {
        let gate = gate("127.0.0.1:8080", "s3cret &", "");
        assert!(gate.token_allowed(Some("Bearer s3cret &"), None));
        assert!(gate.token_allowed(Some("bearer s3cret &"), Some("token=wrong")));
        assert!(gate.token_allowed(None, Some("a=b&token=s3cret+%26")));
        for (header, query) in [
            (None, None),
            (Some("Basic s3cret &"), None),
            (Some("Bearer s3cret"), None),
            (None, Some("token=")),
        ] {
            assert!(!gate.token_allowed(header, query), "{header:?} {query:?}");
        }
    }
}
