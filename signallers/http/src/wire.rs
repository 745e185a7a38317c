// SPDX-License-Identifier: MPL-2.0
//! The texts of WHIP and WHEP: candidates in offers and fragments, Link and Retry-After, reasons of refusals.
use rtc_signaller::EndCode;
use std::fmt::Write;
use std::time::Duration;

/// Largest answer that is read, bytes.
pub(crate) const MAX_ANSWER: usize = 128 * 1024;

/// Of a refusal so much is read for its reason, bytes.
pub(crate) const MAX_REASON: usize = 4 * 1024;

/// The longest that a server's Retry-After is obeyed.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

/// STUN and TURN servers taken from one answer.
const MAX_ICE_SERVERS: usize = 16;

/// A candidate of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// `candidate:…`; `None` for the end.
    pub(crate) candidate: Option<String>,
    pub(crate) mid: Option<String>,
}

impl Candidate {
    fn line(&self) -> String {
        match &self.candidate {
            Some(candidate) => format!("a={candidate}\r\n"),
            None => "a=end-of-candidates\r\n".to_owned(),
        }
    }
}

/// Whether an offer already says that it holds every candidate.
pub(crate) fn is_complete(sdp: &str) -> bool {
    sdp.lines()
        .any(|line| line.trim_end() == "a=end-of-candidates")
}

/// An offer with candidates that came after it, put into their m-lines; without a mid, into the first.
pub(crate) fn with_candidates(sdp: &str, candidates: &[Candidate]) -> String {
    let mut out = String::with_capacity(sdp.len() + 128 * candidates.len());
    for (number, section) in sections(sdp).into_iter().enumerate() {
        out.push_str(section);
        if number == 0 {
            continue;
        }
        let mid = mid_of(section);
        let own = candidates.iter().filter(|candidate| match &candidate.mid {
            Some(named) => Some(named.as_str()) == mid,
            None => number == 1,
        });
        for line in own.map(Candidate::line) {
            if !section.contains(line.trim_end()) {
                out.push_str(&line);
            }
        }
    }
    out
}

/// Candidates as the body of a PATCH (RFC 8840 §9), for the session of that offer.
pub(crate) fn fragment(sdp: &str, candidates: &[Candidate]) -> String {
    let find = |text: &str, start: &str| {
        let found = text
            .lines()
            .map(str::trim_end)
            .find(|line| line.starts_with(start));
        found.map(str::to_owned)
    };
    let mut out = String::new();
    for start in ["a=ice-options:", "a=group:BUNDLE"] {
        if let Some(line) = find(sdp, start) {
            // Writing to a String can't fail.
            let _ = write!(out, "{line}\r\n");
        }
    }
    for (number, section) in sections(sdp).into_iter().enumerate().skip(1) {
        let mid = mid_of(section);
        let mut own = candidates
            .iter()
            .filter(|candidate| match &candidate.mid {
                Some(named) => Some(named.as_str()) == mid,
                None => number == 1,
            })
            .peekable();
        if own.peek().is_none() {
            continue;
        }
        for start in ["m=", "a=mid:", "a=ice-ufrag:", "a=ice-pwd:"] {
            if let Some(line) = find(section, start).or_else(|| find(sdp, start)) {
                let _ = write!(out, "{line}\r\n");
            }
        }
        out.extend(own.map(Candidate::line));
    }
    out
}

/// The session part and each m-line's part of a description, with their line ends.
fn sections(sdp: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = sdp.match_indices("\nm=").map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([sdp.len()]);
    let parts = starts
        .iter()
        .zip(ends)
        .map(|(start, end)| &sdp[*start..end]);
    parts.collect()
}

fn mid_of(section: &str) -> Option<&str> {
    section
        .lines()
        .find_map(|line| line.trim_end().strip_prefix("a=mid:"))
}

/// A server named by `Link: <turn:…>; rel="ice-server"` (RFC 9725 §4.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IceServer {
    pub(crate) url: String,
    pub(crate) username: String,
    pub(crate) credential: String,
}

/// The ICE servers in the values of all Link headers of an answer.
pub(crate) fn ice_servers<'a>(values: impl Iterator<Item = &'a str>) -> Vec<IceServer> {
    let links = values.flat_map(|value| split_outside_quotes(value, ','));
    links.filter_map(ice_server).take(MAX_ICE_SERVERS).collect()
}

fn ice_server(link: &str) -> Option<IceServer> {
    let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let known = ["stun:", "stuns:", "turn:", "turns:"];
    if !known.iter().any(|scheme| url.starts_with(scheme)) {
        return None;
    }
    let mut server = IceServer {
        url: url.to_owned(),
        ..IceServer::default()
    };
    let mut is_ice_server = false;
    for parameter in split_outside_quotes(parameters, ';') {
        let Some((name, value)) = parameter.split_once('=') else {
            continue;
        };
        let value = unquoted(value.trim());
        match name.trim().to_ascii_lowercase().as_str() {
            "rel" => is_ice_server = value.split(' ').any(|rel| rel == "ice-server"),
            "username" => server.username = value,
            "credential" => server.credential = value,
            _ => {}
        }
    }
    is_ice_server.then_some(server)
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped, mut in_url) = (false, false, false);
    let at_separator = |c: char| {
        let splits = c == separator && !quoted && !in_url;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => in_url = true,
            '>' if !quoted => in_url = false,
            _ => {}
        }
        splits
    };
    text.split(at_separator).collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut escaped = false;
    let keep = |c: &char| {
        escaped = *c == '\\' && !escaped;
        !escaped
    };
    inner.chars().filter(keep).collect()
}

/// Retry-After in seconds; its other form, a date, is as good as none.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    let seconds = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// The reason in the body of a refusal, on one line.
pub(crate) fn reason(content_type: &str, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let json = content_type.to_ascii_lowercase().contains("json");
    let detail = json.then(|| problem(&text)).flatten();
    // A page made for eyes says nothing in a log.
    if detail.is_none() && text.trim_start().starts_with('<') {
        return String::new();
    }
    let text = detail.unwrap_or_else(|| text.into_owned());
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What RFC 9457's members, or those that servers have in their place, say.
fn problem(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let found = ["detail", "message", "error", "title"]
        .iter()
        .find_map(|name| value.get(name)?.as_str());
    found.map(str::to_owned)
}

/// Whether a refusal with this status may be otherwise a little later.
pub(crate) fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429) || (500..600).contains(&status) && status != 501
}

/// The word of the signaller's interface for a status.
pub(crate) fn end_code(status: u16) -> EndCode {
    match status {
        400 => EndCode::BadRequest,
        404 | 410 => EndCode::NotFound,
        406 | 415 | 422 => EndCode::NotAcceptable,
        409 | 425 | 429 | 503 => EndCode::Busy,
        413 => EndCode::TooLarge,
        _ => EndCode::Error,
    }
}

#[cfg(test)]
#[path = "wire_test.rs"]
mod tests;
