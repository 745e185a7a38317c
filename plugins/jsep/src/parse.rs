// SPDX-License-Identifier: MPL-2.0
//! SDP text to [`Description`]: limits first, then the grammar, in time linear in the text.
use crate::description::{Description, Section};
use crate::parse_section::SectionParser;
use crate::{Direction, JsepError, Setup, candidate::is_ice_char};
use rtc_payload::Mid;
use sdp_types::{Attribute, ParserError, Session};

/// Reads a description of the peer.
pub(crate) fn parse(sdp: &str) -> Result<Description, JsepError> {
    check_limits(sdp)?;
    let session = Session::parse(sdp.as_bytes())
        .map_err(|error| JsepError::syntax(line_of(&error), error.to_string()))?;
    let lines = Lines::new(sdp);
    let mut level = SessionLevel::default();
    for (index, attribute) in session.attributes.iter().enumerate() {
        level
            .read(attribute)
            .map_err(|fault| fault.at(lines.attribute(0, index)))?;
    }
    let mut sections = Vec::with_capacity(session.medias.len());
    for (number, media) in session.medias.iter().enumerate() {
        let at = number + 1;
        let mut parser =
            SectionParser::new(media).map_err(|fault| fault.at(lines.media(number)))?;
        for (index, attribute) in level.extmaps.iter().chain(&media.attributes).enumerate() {
            // The session's own extmaps were in order when they were collected.
            let line = match index.checked_sub(level.extmaps.len()) {
                Some(index) => lines.attribute(at, index),
                None => 0,
            };
            parser.read(attribute).map_err(|fault| fault.at(line))?;
        }
        sections.push(
            parser
                .finish(&level)
                .map_err(|fault| fault.at(lines.media(number)))?,
        );
    }
    let description = Description {
        origin: (0, 0),
        bundles: level.bundles,
        ice_lite: level.ice_lite,
        trickle: sections
            .iter()
            .filter_map(|(_, trickle)| *trickle)
            .chain(level.trickle)
            .max(),
        sections: sections.into_iter().map(|(section, _)| section).collect(),
    };
    check_mids(&description)?;
    Ok(description)
}

/// What is wrong with one attribute, before its line number is known.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Breaks the grammar.
    Grammar(String),
    /// Keeps the grammar but not what we demand.
    Content(String),
    /// Too much of something.
    TooMany(&'static str, usize),
}

impl Fault {
    /// A grammar fault of an attribute.
    pub(crate) fn of(name: &str, reason: &str) -> Self {
        Self::Grammar(format!("a={name}: {reason}"))
    }

    fn at(self, line: usize) -> JsepError {
        match self {
            Self::Grammar(reason) => JsepError::syntax(line, reason),
            Self::Content(reason) => JsepError::Invalid(format!("line {line}: {reason}")),
            Self::TooMany(what, limit) => JsepError::TooLarge { what, limit },
        }
    }
}

/// Attributes above the first m-line, which m-lines inherit.
#[derive(Debug, Default)]
pub(crate) struct SessionLevel {
    pub(crate) transport: TransportAttributes,
    pub(crate) direction: Option<Direction>,
    bundles: Vec<Vec<Mid>>,
    ice_lite: bool,
    trickle: Option<bool>,
    extmaps: Vec<Attribute>,
}

impl SessionLevel {
    fn read(&mut self, attribute: &Attribute) -> Result<(), Fault> {
        let value = attribute.value.as_deref().unwrap_or_default();
        match attribute.attribute.as_str() {
            "group" => self.group(value)?,
            "ice-lite" => self.ice_lite = true,
            "extmap" if self.extmaps.len() >= MAX_EXTMAPS => {
                return Err(Fault::TooMany("header extensions", MAX_EXTMAPS));
            }
            "extmap" => self.extmaps.push(attribute.clone()),
            name => {
                if let Some(direction) = direction(name) {
                    self.direction = Some(direction);
                } else if let Some(trickle) = self.transport.read(name, value)? {
                    self.trickle = Some(trickle);
                }
            }
        }
        Ok(())
    }

    fn group(&mut self, value: &str) -> Result<(), Fault> {
        let mut words = value.split_ascii_whitespace();
        if words.next() != Some("BUNDLE") {
            return Ok(());
        }
        let mids: Vec<Mid> = words.take(MAX_SECTIONS + 1).map(Mid::from).collect();
        if mids.len() > MAX_SECTIONS || self.bundles.len() >= MAX_SECTIONS {
            return Err(Fault::TooMany("members of BUNDLE groups", MAX_SECTIONS));
        }
        self.bundles.push(mids);
        Ok(())
    }
}

/// What stands at session or media level alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct TransportAttributes {
    pub(crate) ufrag: Option<String>,
    pub(crate) pwd: Option<String>,
    pub(crate) fingerprints: Vec<(String, String)>,
    /// A fingerprint stood there, though of a hash we do not take.
    pub(crate) weak_fingerprint: bool,
    pub(crate) setup: Option<Setup>,
    pub(crate) end_of_candidates: bool,
}

impl TransportAttributes {
    /// Reads one attribute if it is one of these; gives whether trickle is among the ice-options.
    pub(crate) fn read(&mut self, name: &str, value: &str) -> Result<Option<bool>, Fault> {
        match name {
            "ice-ufrag" => self.ufrag = Some(ice_text(name, value, 4)?),
            "ice-pwd" => self.pwd = Some(ice_text(name, value, 22)?),
            "fingerprint" => self.fingerprint(value)?,
            "setup" => {
                let setup = Setup::from_text(value);
                let fault = || Fault::of(name, "neither actpass, active nor passive");
                self.setup = Some(setup.ok_or_else(fault)?);
            }
            "end-of-candidates" => self.end_of_candidates = true,
            "ice-options" => return Ok(Some(value.split(' ').any(|word| word == "trickle"))),
            _ => (),
        }
        Ok(None)
    }

    fn fingerprint(&mut self, value: &str) -> Result<(), Fault> {
        let fault = |reason| Fault::of("fingerprint", reason);
        let (hash, digest) = value.split_once(' ').ok_or_else(|| fault("no digest"))?;
        let hash = hash.to_ascii_lowercase();
        let Some((_, len)) = HASHES.iter().find(|(name, _)| *name == hash) else {
            self.weak_fingerprint = true;
            return Ok(());
        };
        let digest = digest.trim_end().to_ascii_uppercase();
        let fine = digest.len() == len * 3 - 1
            && digest.bytes().enumerate().all(|(i, byte)| match i % 3 {
                2 => byte == b':',
                _ => byte.is_ascii_hexdigit(),
            });
        if !fine {
            return Err(fault("digest does not fit its hash function"));
        }
        if self.fingerprints.len() >= MAX_FINGERPRINTS {
            return Err(Fault::TooMany(
                "fingerprints of an m-line",
                MAX_FINGERPRINTS,
            ));
        }
        self.fingerprints.push((hash, digest));
        Ok(())
    }
}

/// The direction an attribute name stands for.
pub(crate) fn direction(name: &str) -> Option<Direction> {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    [SendRecv, SendOnly, RecvOnly, Inactive]
        .into_iter()
        .find(|direction| direction.as_str() == name)
}

fn ice_text(name: &str, value: &str, min: usize) -> Result<String, Fault> {
    let fine = (min..=256).contains(&value.len()) && value.bytes().all(is_ice_char);
    match fine {
        true => Ok(value.to_owned()),
        false => Err(Fault::Grammar(format!("a={name}: not {min}-256 ice-chars"))),
    }
}

fn check_limits(sdp: &str) -> Result<(), JsepError> {
    let limit = |what, limit| Err(JsepError::TooLarge { what, limit });
    if sdp.len() > MAX_SIZE {
        return limit("bytes of SDP", MAX_SIZE);
    }
    if sdp.lines().filter(|line| line.starts_with("m=")).count() > MAX_SECTIONS {
        return limit("m-lines", MAX_SECTIONS);
    }
    Ok(())
}

/// Mids are unique, and BUNDLE groups name none that does not exist nor one twice (RFC 5888 §9.1).
fn check_mids(description: &Description) -> Result<(), JsepError> {
    let invalid = |text| Err(JsepError::Invalid(text));
    let mids: Vec<&Mid> = description
        .sections
        .iter()
        .filter_map(|s: &Section| s.mid.as_ref())
        .collect();
    for (index, mid) in mids.iter().enumerate() {
        if mids[..index].contains(mid) {
            return invalid(format!("two m-lines have the mid {mid}"));
        }
    }
    let mut seen: Vec<&Mid> = Vec::new();
    for mid in description.bundles.iter().flatten() {
        if !mids.contains(&mid) {
            return invalid(format!("BUNDLE names the mid {mid}, which no m-line has"));
        }
        if seen.contains(&mid) {
            return invalid(format!("BUNDLE names the mid {mid} twice"));
        }
        seen.push(mid);
    }
    Ok(())
}

/// 1-based numbers of the `m=` lines, and of the `a=` lines of each level in order.
struct Lines {
    medias: Vec<usize>,
    attributes: Vec<Vec<usize>>,
}

impl Lines {
    fn new(sdp: &str) -> Self {
        let mut lines = Self {
            medias: Vec::new(),
            attributes: vec![Vec::new()],
        };
        for (index, line) in sdp.lines().enumerate() {
            if line.starts_with("m=") {
                lines.medias.push(index + 1);
                lines.attributes.push(Vec::new());
            } else if line.starts_with("a=")
                && let Some(level) = lines.attributes.last_mut()
            {
                level.push(index + 1);
            }
        }
        lines
    }

    fn media(&self, number: usize) -> usize {
        self.medias.get(number).copied().unwrap_or_default()
    }

    fn attribute(&self, level: usize, index: usize) -> usize {
        let line = self
            .attributes
            .get(level)
            .and_then(|lines| lines.get(index));
        line.copied().unwrap_or_default()
    }
}

fn line_of(error: &ParserError) -> usize {
    use ParserError::*;
    match error {
        InvalidLineFormat(line, _)
        | InvalidFieldEncoding(line, _)
        | InvalidFieldFormat(line, _)
        | MissingField(line, _)
        | FieldTrailingData(line, _)
        | InvalidVersion(line, _)
        | MultipleVersions(line)
        | MultipleOrigins(line)
        | MultipleSessionNames(line)
        | MultipleSessionDescription(line)
        | MultipleUris(line)
        | MultipleConnections(line)
        | MultipleTimeZones(line)
        | MultipleMediaTitles(line)
        | MultipleKeys(line)
        | RepeatWithoutTime(line) => *line,
        _ => 1,
    }
}

/// Real descriptions of many m-lines stay below 64 KiB.
const MAX_SIZE: usize = 128 * 1024;
/// Most m-lines of a description.
pub(crate) const MAX_SECTIONS: usize = 64;
/// Most fingerprints at one level.
const MAX_FINGERPRINTS: usize = 8;
/// Most header extensions at session level; each is read for every m-line.
const MAX_EXTMAPS: usize = 32;
/// Hash functions and their octets (RFC 8122 §5, less what RFC 8827 §6.5 forbids).
const HASHES: [(&str, usize); 3] = [("sha-256", 32), ("sha-384", 48), ("sha-512", 64)];
