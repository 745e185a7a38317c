// SPDX-License-Identifier: MPL-2.0
//! The corpus of broken descriptions: every line of both browsers' offers, broken in every way that must
//! not pass. Each is an error, told within a second, and leaves the negotiation as it was.
use crate::kit::*;
use rtc_jsep::*;
use rtc_payload::Codec;
use std::time::{Duration, Instant};

/// What replaces the value of an attribute; none of it may pass.
const BROKEN_VALUES: &[(&str, &[&str])] = &[
    ("ice-ufrag", &["", "abc", "a b c d", "äöüß", "<257>"]),
    (
        "ice-pwd",
        &["", "short", "with space in the middle of it", "<257>"],
    ),
    (
        "fingerprint",
        &[
            "",
            "sha-256",
            "sha-256 AA",
            "sha-256 AA:BB",
            "sha-512 AA",
            "md5 AA",
            "none AA:BB",
            "sha-256 ::::",
        ],
    ),
    ("setup", &["", "holdconn", "ACT PASS", "1"]),
    ("mid", &["", "a b", "a:b", "nobody-has-it", "<257>"]),
    ("msid", &["", " "]),
    (
        "rtpmap",
        &["", "x", "128 VP8/90000", "-1 VP8/90000", "VP8/90000"],
    ),
    ("fmtp", &["", "x", "apt=96", "128 a=b"]),
    ("rtcp-fb", &["", "nack", "128 nack", "-1 nack"]),
    (
        "extmap",
        &[
            "",
            "1",
            "0 urn:x",
            "x urn:x",
            "1/sideways urn:x",
            "65536 urn:x",
            "-1 urn:x",
        ],
    ),
    (
        "ssrc",
        &["", "1", "x cname:y", "4294967296 cname:y", "-1 cname:y"],
    ),
    ("ssrc-group", &["FID", "FID 1", "FID x y", "FID -1 2"]),
    ("sctp-port", &["", "0", "x", "65536", "-1"]),
    ("max-message-size", &["", "x", "-1", "1e6"]),
    ("group", &["BUNDLE 0 0", "BUNDLE nobody-has-it"]),
];

/// What follows the payload type of a format that its m-line has.
const BROKEN_FORMATS: &[(&str, &[&str])] = &[
    (
        "rtpmap",
        &[
            "",
            "/90000",
            "VP8",
            "VP8/",
            "VP8/0",
            "VP8/-1",
            "VP8/x",
            "VP8/90000/x",
            "opus/48000/2/2",
        ],
    ),
    ("fmtp", &["", " "]),
    ("rtcp-fb", &["", " "]),
];

/// Whole m-lines, `#` being the media.
const BROKEN_SECTIONS: &[&str] = &[
    "m=#",
    "m=# 9",
    "m=# 9 UDP/TLS/RTP/SAVPF",
    "m=# x UDP/TLS/RTP/SAVPF 96",
    "m=# 65536 UDP/TLS/RTP/SAVPF 96",
    "m=# -1 UDP/TLS/RTP/SAVPF 96",
];

/// Lines before the first m-line, and what may not replace them. Their absence is let go, as nothing in
/// them is used.
const BROKEN_HEADS: &[(&str, &[&str])] = &[
    ("v=", &["", "v=", "v=1", "v=x", "nonsense"]),
    (
        "o=",
        &["o=", "o=-", "o=- 1 x IN IP4 0.0.0.0", "o=- 1 1 IN IP4"],
    ),
    ("s=", &["s=-\r\ns=-", "s"]),
    ("t=", &["t=", "t=0", "t=x 0", "t=0 x", "t"]),
];

fn replaced(lines: &[&str], at: usize, with: &str) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let line = if index == at { with } else { line };
        if !line.is_empty() {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    text
}

fn broken_line(lines: &[&str], at: usize) -> Vec<String> {
    let line = lines[at];
    let longest = "a".repeat(257);
    let mut broken: Vec<String> = Vec::new();
    if let Some(rest) = line.strip_prefix("m=") {
        let media = rest.split(' ').next().unwrap_or_default();
        broken.extend(BROKEN_SECTIONS.iter().map(|text| text.replace('#', media)));
    }
    for (_, texts) in BROKEN_HEADS
        .iter()
        .filter(|(start, _)| line.starts_with(start))
    {
        broken.extend(texts.iter().map(|text| (*text).to_owned()));
    }
    let attribute = line.strip_prefix("a=").unwrap_or_default();
    let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
    for (_, values) in BROKEN_VALUES.iter().filter(|(of, _)| *of == name) {
        broken.extend(
            values
                .iter()
                .map(|v| format!("a={name}:{}", v.replace("<257>", &longest))),
        );
    }
    let (pt, _) = value.split_once(' ').unwrap_or_default();
    for (_, rests) in BROKEN_FORMATS.iter().filter(|(of, _)| *of == name) {
        broken.extend(rests.iter().map(|rest| format!("a={name}:{pt} {rest}")));
    }
    // Not even an attribute, wherever it stands.
    broken.push(format!("{line}\r\nnot a line of SDP"));
    broken.push(format!("{line}\r\n=no type"));
    broken
}

fn corpus() -> Vec<String> {
    let mut texts = Vec::new();
    for offer in [CHROMIUM, FIREFOX] {
        let lines: Vec<&str> = offer.lines().collect();
        for at in 0..lines.len() {
            texts.extend(
                broken_line(&lines, at)
                    .iter()
                    .map(|line| replaced(&lines, at, line)),
            );
        }
    }
    texts
}

#[test]
fn every_description_of_the_corpus_is_an_error_at_once() {
    let texts = corpus();
    let mut passed = Vec::new();
    for text in &texts {
        let mut negotiator = peer(&[Codec::Opus, Codec::Vp8]);
        let start = Instant::now();
        match negotiator.apply_remote(DescriptionKind::Offer, text) {
            Err(_) => assert_eq!(negotiator.signaling_state(), SignalingState::Stable),
            Ok(_) => passed.push(text),
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{text}");
    }
    let told: Vec<_> = passed.iter().map(|text| difference(text)).collect();
    assert!(
        passed.is_empty(),
        "{} of {} passed: {told:#?}",
        passed.len(),
        texts.len()
    );
    assert!(texts.len() >= 544, "{}", texts.len());
}

/// Where a text first differs from the offer it was made of.
fn difference(text: &str) -> String {
    let differs = |offer: &str| offer.lines().zip(text.lines()).position(|(a, b)| a != b);
    let at = differs(CHROMIUM).max(differs(FIREFOX)).unwrap_or_default();
    format!("line {}: {:?}", at + 1, text.lines().nth(at))
}
