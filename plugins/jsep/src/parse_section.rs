// SPDX-License-Identifier: MPL-2.0
//! One m-line of an SDP text to [`Section`].
use crate::Direction;
use crate::candidate::check_candidate;
use crate::description::{Feedback, Format, Ice, Section};
use crate::extension::mask;
use crate::parse::{Fault, SessionLevel, TransportAttributes, direction};
use rtc_payload::{Codec, Mid, Pt, Ssrc};
use sdp_types::{Attribute, Media};

/// Gathers the attributes of one m-line; they come in any order.
pub(crate) struct SectionParser {
    section: Section,
    transport: TransportAttributes,
    trickle: Option<bool>,
    direction: Option<Direction>,
    /// `a=rtcp-fb:*`
    wildcard: Feedback,
    /// Position of each payload type in `section.codecs`.
    positions: [Option<u8>; 128],
}

impl SectionParser {
    /// Starts with the m-line itself.
    pub(crate) fn new(media: &Media) -> Result<Self, Fault> {
        let mut section = Section::new(&media.media, &media.proto);
        section.port = media.port;
        section.formats = media
            .fmt
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect();
        let mut parser = Self {
            section,
            transport: TransportAttributes::default(),
            trickle: None,
            direction: None,
            wildcard: Feedback::default(),
            positions: [None; 128],
        };
        if parser.section.kind().is_some() {
            parser.formats()?;
        }
        Ok(parser)
    }

    /// Reads one attribute; unknown ones are let go (RFC 8866 §5.13).
    pub(crate) fn read(&mut self, attribute: &Attribute) -> Result<(), Fault> {
        let name = attribute.attribute.as_str();
        let value = attribute.value.as_deref().unwrap_or_default();
        match name {
            "rtpmap" => self.rtpmap(value),
            "fmtp" => self.fmtp(value),
            "rtcp-fb" => self.feedback(value),
            "extmap" => self.extmap(value),
            "ssrc" => self.ssrc(value),
            "ssrc-group" => self.ssrc_group(value),
            "msid" => self.msid(value),
            "candidate" => self.candidate(value),
            "mid" => self.mid(value),
            "rtcp-mux" => set(&mut self.section.rtcp_mux),
            "rtcp-rsize" => set(&mut self.section.rtcp_rsize),
            "bundle-only" => set(&mut self.section.bundle_only),
            "sctp-port" => self.sctp_port(value),
            "max-message-size" => self.max_message_size(value),
            _ => self.other(name, value),
        }
    }

    /// Inherits from the session level; gives the section and whether it speaks of trickle.
    pub(crate) fn finish(
        mut self,
        session: &SessionLevel,
    ) -> Result<(Section, Option<bool>), Fault> {
        let (own, outer) = (self.transport, &session.transport);
        self.section.own_ice = own.ufrag.is_some();
        let (ufrag, pwd) = match own.ufrag.is_some() || own.pwd.is_some() {
            true => (own.ufrag, own.pwd),
            false => (outer.ufrag.clone(), outer.pwd.clone()),
        };
        self.section.ice = match (ufrag, pwd) {
            (Some(ufrag), Some(pwd)) => Some(Ice { ufrag, pwd }),
            (None, None) => None,
            _ => {
                return Err(Fault::Content(
                    "ice-ufrag and ice-pwd must stand together".into(),
                ));
            }
        };
        let inherit = own.fingerprints.is_empty() && !own.weak_fingerprint;
        self.section.fingerprints = match inherit {
            true => outer.fingerprints.clone(),
            false => own.fingerprints,
        };
        if self.section.fingerprints.is_empty() && (own.weak_fingerprint || outer.weak_fingerprint)
        {
            let text = "no fingerprint of sha-256, sha-384 or sha-512";
            return Err(Fault::Content(text.into()));
        }
        self.section.setup = own.setup.or(outer.setup);
        self.section.end_of_candidates = own.end_of_candidates || outer.end_of_candidates;
        self.section.direction = self
            .direction
            .or(session.direction)
            .unwrap_or(Direction::SendRecv);
        self.section.codecs.retain(|format| !format.name.is_empty());
        Ok((self.section, self.trickle))
    }

    /// Payload types of the m-line, static ones with their names (RFC 3551 §6).
    fn formats(&mut self) -> Result<(), Fault> {
        for text in &self.section.formats {
            let pt = payload_type(text).ok_or_else(|| {
                Fault::Grammar(format!(
                    "m= line: payload type {} is not 0-127",
                    shown(text)
                ))
            })?;
            let position = &mut self.positions[usize::from(pt.0)];
            if position.is_some() {
                continue;
            }
            // At most 128 payload types, so a position fits.
            *position = Some(self.section.codecs.len() as u8);
            let fixed = Codec::all().find(|codec| codec.static_pt() == Some(pt.0));
            self.section.codecs.push(Format {
                pt,
                name: fixed.map_or("", Codec::name).to_owned(),
                clock_rate: fixed.map_or(0, Codec::clock_rate),
                channels: fixed.map_or(0, Codec::channels),
                fmtp: String::new(),
                feedback: Feedback::default(),
            });
        }
        Ok(())
    }

    /// The format an attribute is about, with the rest of its value; `None` if the m-line lacks it.
    fn format<'a>(
        &mut self,
        name: &str,
        value: &'a str,
    ) -> Result<Option<(&mut Format, &'a str)>, Fault> {
        let (pt, rest) = value
            .split_once(' ')
            .ok_or_else(|| Fault::of(name, "nothing after the payload type"))?;
        let rest = rest.trim();
        if rest.is_empty() {
            return Err(Fault::of(name, "nothing after the payload type"));
        }
        let pt = payload_type(pt).ok_or_else(|| Fault::of(name, "payload type is not 0-127"))?;
        let position = self.positions[usize::from(pt.0)];
        let format = position.and_then(|at| self.section.codecs.get_mut(usize::from(at)));
        Ok(format.map(|format| (format, rest)))
    }

    /// `<pt> <name>/<clock rate>[/<channels>]`
    fn rtpmap(&mut self, value: &str) -> Result<(), Fault> {
        let fault = |reason| Fault::of("rtpmap", reason);
        let Some((format, rest)) = self.format("rtpmap", value)? else {
            return Ok(());
        };
        let mut parts = rest.split('/');
        let name = parts.next().filter(|name| is_token(name));
        let name = name.ok_or_else(|| fault("no encoding name"))?;
        let clock_rate = parts
            .next()
            .and_then(|text| text.parse().ok())
            .filter(|rate| *rate > 0);
        let clock_rate = clock_rate.ok_or_else(|| fault("clock rate is not a positive number"))?;
        let channels = parts.next().map_or(Some(0), |text| text.parse().ok());
        let channels = channels.ok_or_else(|| fault("channels are not a number"))?;
        if parts.next().is_some() {
            return Err(fault("too many slashes"));
        }
        format.name = name.to_owned();
        (format.clock_rate, format.channels) = (clock_rate, channels);
        Ok(())
    }

    /// `<pt> <parameters>`; of several lines for one format the first counts.
    fn fmtp(&mut self, value: &str) -> Result<(), Fault> {
        if let Some((format, rest)) = self.format("fmtp", value)?
            && format.fmtp.is_empty()
        {
            format.fmtp = rest.to_owned();
        }
        Ok(())
    }

    /// `<pt or *> <message>`
    fn feedback(&mut self, value: &str) -> Result<(), Fault> {
        if let Some(rest) = value.strip_prefix("* ") {
            self.wildcard.add(rest.trim());
            let wildcard = self.wildcard;
            for format in &mut self.section.codecs {
                format.feedback = format.feedback.or(wildcard);
            }
        } else if let Some((format, rest)) = self.format("rtcp-fb", value)? {
            format.feedback.add(rest);
        }
        Ok(())
    }

    /// `<id>[/<direction>] <uri> [<attributes>]`; extensions of one direction only are let go.
    fn extmap(&mut self, value: &str) -> Result<(), Fault> {
        let fault = |reason| Fault::of("extmap", reason);
        let mut words = value.split_ascii_whitespace();
        let id = words.next().ok_or_else(|| fault("no id"))?;
        let (id, way) = id
            .split_once('/')
            .map_or((id, None), |(id, way)| (id, Some(way)));
        let id: u16 = id.parse().map_err(|_| fault("id is not a number"))?;
        let uri = words.next().ok_or_else(|| fault("no URI"))?;
        let two_way = match way {
            None | Some("sendrecv") => true,
            Some(way) if direction(way).is_some() => false,
            Some(_) => return Err(fault("unknown direction")),
        };
        // RFC 8285 §7: 0 is padding; 4096 and up ask for an id to be chosen.
        if id == 0 || id > 4351 {
            return Err(fault("id is out of range"));
        }
        let bit = u8::try_from(id).map_or(0, mask);
        if bit == 0 {
            return Ok(());
        }
        if self.section.extension_ids & bit != 0 {
            return Err(Fault::Content(format!(
                "extmap id {id} stands for two extensions"
            )));
        }
        self.section.extension_ids |= bit;
        if two_way {
            self.section.extensions.set(uri, id as u8);
        }
        Ok(())
    }

    /// `<ssrc> <attribute>`
    fn ssrc(&mut self, value: &str) -> Result<(), Fault> {
        let (ssrc, _) = value
            .split_once(' ')
            .ok_or_else(|| Fault::of("ssrc", "no attribute"))?;
        let ssrc = ssrc.parse().map(Ssrc);
        let ssrc = ssrc.map_err(|_| Fault::of("ssrc", "not a 32-bit number"))?;
        if self.section.ssrcs.contains(&ssrc) {
            return Ok(());
        }
        if self.section.ssrcs.len() >= MAX_SSRCS {
            return Err(Fault::TooMany("SSRCs of an m-line", MAX_SSRCS));
        }
        self.section.ssrcs.push(ssrc);
        Ok(())
    }

    /// `FID <ssrc> <rtx ssrc>` (RFC 5576 §4.2); other semantics are let go.
    fn ssrc_group(&mut self, value: &str) -> Result<(), Fault> {
        let mut words = value.split_ascii_whitespace();
        if words.next() != Some("FID") {
            return Ok(());
        }
        let mut next = || words.next().and_then(|word| word.parse().ok()).map(Ssrc);
        let (Some(media), Some(rtx)) = (next(), next()) else {
            return Err(Fault::of("ssrc-group", "FID without two SSRCs"));
        };
        if self.section.fid.len() >= MAX_SSRCS {
            return Err(Fault::TooMany("SSRC groups of an m-line", MAX_SSRCS));
        }
        self.section.fid.push((media, rtx));
        Ok(())
    }

    /// `<stream> [<track>]` (RFC 8830 §2)
    fn msid(&mut self, value: &str) -> Result<(), Fault> {
        let stream = value.split_ascii_whitespace().next();
        let stream = stream.ok_or_else(|| Fault::of("msid", "no identifier"))?;
        if self.section.streams.len() < MAX_STREAMS {
            self.section.streams.push(stream.to_owned());
        }
        Ok(())
    }

    /// Unusable candidates are let go (RFC 8839 §5.1), too many are not.
    fn candidate(&mut self, value: &str) -> Result<(), Fault> {
        if self.section.candidates.len() >= MAX_CANDIDATES {
            return Err(Fault::TooMany("candidates of an m-line", MAX_CANDIDATES));
        }
        let text = format!("candidate:{value}");
        match check_candidate(&text) {
            Ok(text) => self.section.candidates.push(text.to_owned()),
            Err(error) => tracing::debug!(%error, "candidate in a description let go"),
        }
        Ok(())
    }

    /// `<port>`, not 0 (RFC 8841 §5.2)
    fn sctp_port(&mut self, value: &str) -> Result<(), Fault> {
        let port = value.parse().ok().filter(|port| *port != 0);
        self.section.sctp_port =
            Some(port.ok_or_else(|| Fault::of("sctp-port", "not a port number"))?);
        Ok(())
    }

    /// `<bytes>`, 0 for any size (RFC 8841 §6.1)
    fn max_message_size(&mut self, value: &str) -> Result<(), Fault> {
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        if !digits {
            return Err(Fault::of("max-message-size", "not a number"));
        }
        // More digits than fit are more bytes than there are.
        self.section.max_message_size = Some(value.parse().unwrap_or(u64::MAX));
        Ok(())
    }

    fn mid(&mut self, value: &str) -> Result<(), Fault> {
        if value.len() > MAX_MID_LEN || !is_token(value) {
            return Err(Fault::Grammar(format!(
                "a=mid: not a token of 1-{MAX_MID_LEN} bytes"
            )));
        }
        self.section.mid = Some(Mid::from(value));
        Ok(())
    }

    fn other(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        if let Some(direction) = direction(name) {
            self.direction = Some(direction);
        } else if let Some(trickle) = self.transport.read(name, value)? {
            self.trickle = Some(trickle);
        }
        Ok(())
    }
}

fn set(flag: &mut bool) -> Result<(), Fault> {
    *flag = true;
    Ok(())
}

fn payload_type(text: &str) -> Option<Pt> {
    let digits = text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    let pt: u8 = digits.then(|| text.parse().ok()).flatten()?;
    (pt < 128).then_some(Pt(pt))
}

/// RFC 8866 §9 `token`.
fn is_token(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&b);
    !text.is_empty() && text.bytes().all(fine)
}

/// The start of a peer's word, for an error text.
fn shown(text: &str) -> String {
    text.chars().take(20).collect()
}

/// Simulcast with retransmission needs a dozen.
const MAX_SSRCS: usize = 64;
/// A track is in one or two streams.
const MAX_STREAMS: usize = 8;
/// is's pair limit makes more useless.
const MAX_CANDIDATES: usize = 100;
/// JSEP asks for 3; the MID extension carries at most 255 (RFC 9143 §15.2).
const MAX_MID_LEN: usize = 64;
