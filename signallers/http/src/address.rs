// SPDX-License-Identifier: MPL-2.0
//! What a `whip:` or `whep:` URI says: the protocol and the HTTP address of its endpoint.
use rtc_signaller::Wish;
use url::Url;

/// Which of the two protocols is spoken; they differ in direction alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// RFC 9725: we publish.
    Whip,
    /// draft-ietf-wish-whep-03: we view.
    Whep,
}

impl Protocol {
    /// What the server wants of the endpoint: to see what we send, or to send to us.
    pub(crate) fn wish(self) -> Wish {
        match self {
            Self::Whip => Wish::View,
            Self::Whep => Wish::Publish,
        }
    }

    /// For the user's eye.
    pub(crate) fn doing(self) -> &'static str {
        match self {
            Self::Whip => "publishes",
            Self::Whep => "views",
        }
    }
}

/// Where a session is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) protocol: Protocol,
    pub(crate) url: Url,
}

/// One row a scheme: what it speaks, over what.
const SCHEMES: [(&str, Protocol, &str); 8] = [
    ("whip", Protocol::Whip, "http"),
    ("whips", Protocol::Whip, "https"),
    ("whip+http", Protocol::Whip, "http"),
    ("whip+https", Protocol::Whip, "https"),
    ("whep", Protocol::Whep, "http"),
    ("wheps", Protocol::Whep, "https"),
    ("whep+http", Protocol::Whep, "http"),
    ("whep+https", Protocol::Whep, "https"),
];

/// Every scheme that [`parse`] knows.
pub(crate) fn schemes() -> [&'static str; SCHEMES.len()] {
    SCHEMES.map(|(scheme, ..)| scheme)
}

/// Reads a URI; the error says what to write instead.
pub(crate) fn parse(uri: &str) -> Result<Address, String> {
    let (scheme, rest) = uri.split_once(':').unwrap_or((uri, ""));
    let row = SCHEMES
        .into_iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(scheme));
    let Some((scheme, protocol, http)) = row else {
        return Err(format!(
            "`{uri}` is none of {}://HOST:PORT/PATH",
            schemes().join("://, ")
        ));
    };
    let wrong = |why: &str| {
        Err(format!(
            "`{uri}`: {why}; write {scheme}://HOST:PORT/PATH, as {scheme}://127.0.0.1:8080/{}",
            &scheme[..4]
        ))
    };
    if !rest.starts_with("//") {
        return wrong("no host");
    }
    match Url::parse(&format!("{http}:{rest}")) {
        Ok(url) if url.has_host() => Ok(Address { protocol, url }),
        Ok(_) => wrong("no host"),
        Err(error) => wrong(&error.to_string()),
    }
}

/// An address without what may be secret in it: user, password, query.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // These fail for addresses without a host alone, which have none of it.
    let _none = url.set_username("");
    let _none = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_names_its_protocol_and_transport() {
        for (uri, protocol, url) in [
            ("whip://a.example/x", Protocol::Whip, "http://a.example/x"),
            ("whips://a.example/x", Protocol::Whip, "https://a.example/x"),
            (
                "WHEP://127.0.0.1:8080/whep",
                Protocol::Whep,
                "http://127.0.0.1:8080/whep",
            ),
            (
                "wheps://[::1]:8443/a?token=b",
                Protocol::Whep,
                "https://[::1]:8443/a?token=b",
            ),
            ("whep+https://h", Protocol::Whep, "https://h/"),
            ("whip+http://h:1/", Protocol::Whip, "http://h:1/"),
        ] {
            let address = parse(uri).unwrap();
            assert_eq!((address.protocol, address.url.as_str()), (protocol, url));
        }
    }

    #[test]
    fn what_is_no_address_is_explained() {
        for uri in [
            "whip:",
            "whep:host/path",
            "whep://",
            "whip://h:99999/",
            "http://h/whep",
        ] {
            let error = parse(uri).unwrap_err();
            assert!(error.contains("://HOST:PORT/PATH"), "{uri}: {error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let address = parse("whep://me:secret@h:80/p?token=secret#secret").unwrap();
        assert_eq!(shown(&address.url), "http://h/p");
    }
}
