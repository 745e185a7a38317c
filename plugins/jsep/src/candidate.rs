// SPDX-License-Identifier: MPL-2.0
//! Candidate lines: checked against the grammar of RFC 8839 §5.1, otherwise opaque text.
use crate::JsepError;
use std::net::IpAddr;

/// Checks a candidate line, `candidate:…` with or without `a=`, and gives it back without `a=`.
///
/// Refused: a line above 512 bytes, a broken field, port 0 (and port 9 but for active TCP), addresses that
/// are unspecified, multicast or broadcast, and names that do not end in `.local`. Unknown extensions pass.
pub fn check_candidate(text: &str) -> Result<&str, JsepError> {
    if text.len() > MAX_CANDIDATE_LEN {
        return Err(JsepError::TooLarge {
            what: "bytes of a candidate",
            limit: MAX_CANDIDATE_LEN,
        });
    }
    let text = text.trim_end_matches(['\r', '\n']);
    let text = text.strip_prefix("a=").unwrap_or(text);
    check(text)
        .map(|()| text)
        .map_err(|reason| JsepError::Invalid(format!("candidate: {reason}")))
}

fn check(text: &str) -> Result<(), &'static str> {
    let value = text
        .strip_prefix("candidate:")
        .ok_or("does not start with candidate:")?;
    if value.contains(|c: char| c.is_control()) {
        return Err("has a control character");
    }
    let mut fields = value.split(' ');
    let mut next = || {
        fields
            .next()
            .filter(|field| !field.is_empty())
            .ok_or("ends too early")
    };
    let foundation = next()?;
    if foundation.len() > 32 || !foundation.bytes().all(is_ice_char) {
        return Err("foundation is not 1-32 ice-chars");
    }
    number(next()?, 1, 256).ok_or("component is not 1-256")?;
    let transport = next()?.to_ascii_lowercase();
    number(next()?, 0, u32::MAX).ok_or("priority is not a 32-bit number")?;
    let address = next()?;
    let port = number(next()?, 0, 65_535).ok_or("port is not 0-65535")?;
    if next()? != "typ" {
        return Err("has no typ");
    }
    if !matches!(next()?, "host" | "srflx" | "prflx" | "relay") {
        return Err("is of unknown type");
    }
    let rest: Vec<&str> = fields.collect();
    // Extensions come in pairs; a trailing space is the one liberty taken.
    if rest.iter().filter(|field| !field.is_empty()).count() % 2 != 0 {
        return Err("has an extension without value");
    }
    check_address(address)?;
    check_port(&transport, port, &rest)
}

fn check_port(transport: &str, port: u32, rest: &[&str]) -> Result<(), &'static str> {
    let active = rest.windows(2).any(|pair| pair == ["tcptype", "active"]);
    match (transport, port) {
        ("tcp", 0 | 9) if active => Ok(()),
        (_, 0) => Err("has port 0"),
        (_, 9) => Err("has the discard port 9"),
        _ => Ok(()),
    }
}

fn check_address(address: &str) -> Result<(), &'static str> {
    let Ok(ip) = address.parse::<IpAddr>() else {
        let name = address
            .strip_suffix(".local")
            .ok_or("address is neither an IP address nor a .local name")?;
        let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        return match name.is_empty() || address.len() > 253 || !name.bytes().all(fine) {
            true => Err("address is a broken .local name"),
            false => Ok(()),
        };
    };
    let ip = match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    };
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] == 0);
    if ip.is_unspecified() || ip.is_multicast() || broadcast {
        return Err("address is unspecified, multicast or broadcast");
    }
    Ok(())
}

/// RFC 8839 §5.1: ALPHA / DIGIT / "+" / "/".
pub(crate) fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

fn number(text: &str, min: u32, max: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let value = digits.then(|| text.parse().ok()).flatten()?;
    (min..=max).contains(&value).then_some(value)
}

/// Longest line we read; real ones stay below 200.
const MAX_CANDIDATE_LEN: usize = 512;

#[cfg(test)]
#[path = "candidate_test.rs"]
mod tests;
