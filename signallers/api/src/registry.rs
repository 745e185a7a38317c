// SPDX-License-Identifier: MPL-2.0
//! Which signaller serves which URI scheme.
use crate::Signaller;
use gst::glib::prelude::*;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Makes a signaller for a whole URI; the error says what was wrong and what to write instead.
pub type Constructor = fn(uri: &str) -> Result<Signaller, String>;

static TABLE: LazyLock<Mutex<BTreeMap<&'static str, Constructor>>> = LazyLock::new(|| {
    let application: Constructor = |_| Ok(crate::ApplicationSignaller::default().into());
    Mutex::new(BTreeMap::from([("application", application)]))
});

/// Makes `constructor` serve the URIs of `schemes` (without `:`); the empty scheme is the empty URI.
pub fn register(schemes: &[&'static str], constructor: Constructor) {
    // Languages that know types by name alone can make one from then on.
    crate::ApplicationSignaller::ensure_type();
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    for scheme in schemes {
        table.insert(scheme, constructor);
    }
}

/// Makes the signaller of a URI.
pub fn from_uri(uri: &str) -> Result<Signaller, String> {
    let scheme = match uri.split_once(':') {
        Some((scheme, _)) => scheme.to_ascii_lowercase(),
        None if uri.is_empty() => String::new(),
        None => return Err(format!("uri `{uri}` has no scheme; {}", known())),
    };
    let constructor = {
        let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        table.get(scheme.as_str()).copied()
    };
    match constructor {
        Some(constructor) => constructor(uri),
        None => Err(format!(
            "no signaller for scheme `{scheme}` of `{uri}`; {}",
            known()
        )),
    }
}

/// The schemes that [`from_uri`] knows, in order; without the empty one.
pub fn schemes() -> Vec<&'static str> {
    let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    table
        .keys()
        .copied()
        .filter(|scheme| !scheme.is_empty())
        .collect()
}

fn known() -> String {
    format!(
        "known are {}: and the empty uri (serve)",
        schemes().join(":, ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scheme_is_named_with_those_known() {
        let error = from_uri("gopher://x").unwrap_err();
        assert!(
            error.contains("`gopher`") && error.contains("application:"),
            "{error}"
        );
        let error = from_uri("plain words").unwrap_err();
        assert!(error.contains("has no scheme"), "{error}");
    }

    #[test]
    fn a_registered_scheme_gets_the_whole_uri_whatever_its_case() {
        register(&["echo-error"], |uri| Err(uri.to_owned()));
        assert_eq!(
            from_uri("ECHO-Error:some/path").unwrap_err(),
            "ECHO-Error:some/path"
        );
        assert!(schemes().contains(&"echo-error"));
    }

    #[test]
    fn the_application_signaller_is_always_there() {
        assert!(from_uri("application:").is_ok());
    }
}
