// SPDX-License-Identifier: MPL-2.0
//! `telephone-event` formats (RFC 4733 §2.4.1): no codec, but beside each audio codec.
use crate::NegotiatedTones;
use crate::description::{Format, Section};
use rtc_payload::{MediaKind, Pt};

/// The clock rates offered, the better one first: that of Opus, and the one every peer has.
pub(crate) const CLOCK_RATES: [u32; 2] = [48_000, FALLBACK];

/// The clock rate where that of the codec was not negotiated (DT-13).
const FALLBACK: u32 = 8_000;

/// What we send and take: the sixteen keys (RFC 7874 §3).
const EVENTS: &str = "0-15";

const NAME: &str = "telephone-event";

/// The format of a payload type.
pub(crate) fn format(pt: Pt, clock_rate: u32) -> Format {
    Format {
        pt,
        name: NAME.to_owned(),
        clock_rate,
        channels: 0,
        fmtp: EVENTS.to_owned(),
        feedback: Default::default(),
    }
}

/// The clock rate of a format for tones, if it is one.
pub(crate) fn clock_rate(format: &Format) -> Option<u32> {
    format
        .name
        .eq_ignore_ascii_case(NAME)
        .then_some(format.clock_rate)
}

/// Whether tones of a clock rate are of use beside these codecs.
pub(crate) fn suits(clock_rate: u32, codecs: &[Format]) -> bool {
    let same = |format: &Format| format.codec().is_some() && format.clock_rate == clock_rate;
    !codecs.is_empty() && (clock_rate == FALLBACK || codecs.iter().any(same))
}

/// Our answer to the formats a section offers, beside the codecs accepted of it.
pub(crate) fn answered(section: &Section, accepted: &[Format]) -> Vec<Format> {
    if section.kind() != Some(MediaKind::Audio) {
        return Vec::new();
    }
    let mut list: Vec<Format> = Vec::new();
    for offered in &section.codecs {
        let Some(rate) = clock_rate(offered).filter(|rate| CLOCK_RATES.contains(rate)) else {
            continue;
        };
        let is_new = list.iter().all(|format| format.clock_rate != rate);
        if is_new && suits(rate, accepted) {
            list.push(format(offered.pt, rate));
        }
    }
    list
}

/// The formats that both sections name; `numbered` says whose payload types count, `receiver` whose events.
pub(crate) fn agreed(
    local: &Section,
    remote: &Section,
    numbered: &Section,
    receiver: &Section,
) -> Vec<NegotiatedTones> {
    let of = |section: &Section, rate| {
        let tones = section.codecs.iter();
        let mut tones = tones.filter(|format| clock_rate(format) == Some(rate));
        tones.next().cloned()
    };
    let both = |rate: &u32| of(local, *rate).is_some() && of(remote, *rate).is_some();
    let formats = CLOCK_RATES.into_iter().filter(both).filter_map(|rate| {
        Some(NegotiatedTones {
            pt: of(numbered, rate)?.pt,
            clock_rate: rate,
            events: events(&of(receiver, rate)?.fmtp),
        })
    });
    formats.collect()
}

/// The one to send in beside a codec of a clock rate.
pub(crate) fn best(tones: &[NegotiatedTones], codec_rate: u32) -> Option<NegotiatedTones> {
    let of = |rate| tones.iter().find(|tones| tones.clock_rate == rate).copied();
    of(codec_rate).or_else(|| of(FALLBACK))
}

/// The events of `a=fmtp:<pt> 0-11,66` or `events=0-15`; all sixteen where nothing is named.
fn events(fmtp: &str) -> u16 {
    let list = fmtp.trim();
    let list = list.strip_prefix("events=").unwrap_or(list);
    if list.is_empty() {
        return u16::MAX;
    }
    let mut mask = 0;
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.trim().parse::<u8>(), last.trim().parse::<u8>()) else {
            continue;
        };
        for event in first..=last.min(15) {
            mask |= 1u16.checked_shl(event.into()).unwrap_or_default();
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_peers_write_them() {
        for (fmtp, mask) in [
            ("", u16::MAX),
            ("0-15", u16::MAX),
            ("0-16", u16::MAX),
            ("events=0-9", 0x3ff),
            ("0-11,66,70", 0xfff),
            ("1, 3", 0b1010),
            ("200-255", 0),
            ("x", 0),
            ("9-2", 0),
        ] {
            assert_eq!(events(fmtp), mask, "{fmtp}");
        }
    }

    #[test]
    fn the_codec_s_clock_rate_goes_before_8000() {
        let tones = CLOCK_RATES.map(|clock_rate| NegotiatedTones {
            pt: Pt(100),
            clock_rate,
            events: u16::MAX,
        });
        let rate = |tones: &[NegotiatedTones], codec| best(tones, codec).map(|t| t.clock_rate);
        assert_eq!(rate(&tones, 48_000), Some(48_000));
        assert_eq!(rate(&tones, 8_000), Some(8_000));
        assert_eq!(rate(&tones[1..], 48_000), Some(8_000));
        assert_eq!(rate(&tones[..1], 8_000), None);
    }
}
