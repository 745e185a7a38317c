// SPDX-License-Identifier: MPL-2.0
//! Payload types of a BUNDLE group, where one number means one format (RFC 8843 §10.1.2).
use crate::description::{Format, Section};
use crate::fmtp::CodecKey;
use crate::tones;
use rtc_payload::{Codec, Pt};

/// Numbers already given away, and what for.
#[derive(Debug, Default)]
pub(crate) struct PayloadTypes {
    used: Vec<(Pt, Meaning)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Codec(CodecKey),
    Rtx(Pt),
    /// `telephone-event` of a clock rate.
    Tones(u32),
    /// A format we have no use for.
    Foreign,
}

impl PayloadTypes {
    /// Notes the formats of a section in use; what a number meant first stays.
    pub(crate) fn note(&mut self, section: &Section) {
        for format in &section.codecs {
            if !self.is_used(format.pt) {
                self.used.push((format.pt, Meaning::of(format)));
            }
        }
    }

    /// The number of a codec: the one it has, or a free one; `None` when all are gone.
    pub(crate) fn codec(&mut self, key: CodecKey) -> Option<Pt> {
        let favourite = match key.codec {
            Codec::Opus => Some(Pt(111)),
            codec => codec.static_pt().map(Pt),
        };
        self.number(Meaning::Codec(key), favourite)
    }

    /// The number of the retransmissions of `apt`.
    pub(crate) fn rtx(&mut self, apt: Pt) -> Option<Pt> {
        self.number(Meaning::Rtx(apt), None)
    }

    /// The number of the tones of a clock rate; favourites are Chromium's.
    pub(crate) fn tones(&mut self, clock_rate: u32) -> Option<Pt> {
        let favourite = if clock_rate == 8_000 {
            Pt(126)
        } else {
            Pt(110)
        };
        self.number(Meaning::Tones(clock_rate), Some(favourite))
    }

    fn number(&mut self, meaning: Meaning, favourite: Option<Pt>) -> Option<Pt> {
        if let Some((pt, _)) = self.used.iter().find(|(_, used)| *used == meaning) {
            return Some(*pt);
        }
        // RFC 5761 §4 and RFC 3551 §6: dynamic ones, then the unassigned below the RTCP range.
        let pt = favourite
            .into_iter()
            .chain((96..=127).chain(35..=63).map(Pt))
            .find(|pt| !self.is_used(*pt))?;
        self.used.push((pt, meaning));
        Some(pt)
    }

    fn is_used(&self, pt: Pt) -> bool {
        self.used.iter().any(|(used, _)| *used == pt)
    }
}

impl Meaning {
    fn of(format: &Format) -> Self {
        if let Some(rate) = tones::clock_rate(format) {
            return Self::Tones(rate);
        }
        match (CodecKey::of(format), format.apt()) {
            (Some(key), _) => Self::Codec(key),
            (None, Some(apt)) => Self::Rtx(apt),
            (None, None) => Self::Foreign,
        }
    }
}
