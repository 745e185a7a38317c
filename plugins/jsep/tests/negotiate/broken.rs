// SPDX-License-Identifier: MPL-2.0
//! Broken descriptions: each is refused with its kind of error, and nothing panics on damaged ones.
use crate::kit::*;
use DescriptionKind::{Answer, Offer};
use rtc_jsep::*;
use rtc_payload::Codec;
use std::time::{Duration, Instant};

/// What kind of error is due.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Due {
    Syntax,
    Invalid,
    TooLarge,
    NotAcceptable,
}
use Due::{Invalid, NotAcceptable, Syntax, TooLarge};

fn due(error: &JsepError) -> Due {
    match error {
        JsepError::Syntax { .. } => Syntax,
        JsepError::Invalid(_) => Invalid,
        JsepError::TooLarge { .. } => TooLarge,
        JsepError::NotAcceptable(_) => NotAcceptable,
        other => panic!("{other}"),
    }
}

/// Chromium's offer with a text replaced.
type Case = (&'static str, &'static str, Due);

const REPLACED: &[Case] = &[
    ("v=0", "v=1", Syntax),
    ("v=0\r\n", "", Syntax),
    ("v=0\r\n", "v=0\r\nbroken\r\n", Syntax),
    ("v=0\r\n", "v=0\r\na\r\n", Syntax),
    (
        "o=- 6748957728942363080 2 IN",
        "o=- 6748957728942363080 x IN",
        Syntax,
    ),
    (
        "o=- 6748957728942363080 2 IN IP4 127.0.0.1",
        "o=- 1 2",
        Syntax,
    ),
    ("s=-\r\n", "s=-\r\ns=-\r\n", Syntax),
    ("t=0 0", "t=x 0", Syntax),
    ("m=audio 9 UDP", "m=audio nine UDP", Syntax),
    ("m=audio 9 UDP", "m=audio 70000 UDP", Syntax),
    ("m=audio 9 UDP", "m=audio -9 UDP", Syntax),
    (
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "m=audio",
        Syntax,
    ),
    (
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=audio 9 UDP/TLS/RTP/SAVPF 128",
        Syntax,
    ),
    (
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=audio 9 UDP/TLS/RTP/SAVPF x",
        Syntax,
    ),
    (
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=audio 9 UDP/TLS/RTP/SAVPF -1",
        Syntax,
    ),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 opus", Syntax),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 opus/x", Syntax),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 opus/0/2", Syntax),
    (
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:111 opus/48000/2/2",
        Syntax,
    ),
    (
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:111 opus/48000/300",
        Syntax,
    ),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 /48000", Syntax),
    (
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:999 opus/48000/2",
        Syntax,
    ),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap:opus", Syntax),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap", Syntax),
    (
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=fmtp:111",
        Syntax,
    ),
    (
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=fmtp:x y=1",
        Syntax,
    ),
    ("a=rtcp-fb:111 transport-cc", "a=rtcp-fb:111", Syntax),
    ("a=rtcp-fb:111 transport-cc", "a=rtcp-fb:abc nack", Syntax),
    ("a=extmap:1 urn", "a=extmap:0 urn", Syntax),
    ("a=extmap:1 urn", "a=extmap:x urn", Syntax),
    ("a=extmap:1 urn", "a=extmap:1/up urn", Syntax),
    ("a=extmap:1 urn", "a=extmap:9999 urn", Syntax),
    (
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:1",
        Syntax,
    ),
    ("a=extmap:1 urn", "a=extmap:2 urn", Invalid),
    ("a=mid:0", "a=mid:", Syntax),
    ("a=mid:0", "a=mid:a b", Syntax),
    ("a=mid:0", "a=mid:1", Invalid),
    ("a=mid:0", "a=mid:9", Invalid),
    ("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 0 1 2", Invalid),
    ("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1 2 3", Invalid),
    (
        "a=group:BUNDLE 0 1 2",
        "a=group:BUNDLE 0 1\r\na=group:BUNDLE 1 2",
        Invalid,
    ),
    ("a=setup:actpass", "a=setup:holdconn", Syntax),
    ("a=setup:actpass", "a=setup:", Syntax),
    ("a=ice-ufrag:7Pqv", "a=ice-ufrag:7Pq", Syntax),
    ("a=ice-ufrag:7Pqv", "a=ice-ufrag:7P-v", Syntax),
    ("a=ice-ufrag:7Pqv\r\n", "", Invalid),
    (
        "a=ice-pwd:s+USe/OfOequ10F1rA5oROXo",
        "a=ice-pwd:s+USe/OfOequ10F1rA5oR",
        Syntax,
    ),
    (
        "a=ice-pwd:s+USe/OfOequ10F1rA5oROXo",
        "a=ice-pwd:s+USe/OfOequ10F1rA5oRO o",
        Syntax,
    ),
    ("a=ice-pwd:s+USe/OfOequ10F1rA5oROXo\r\n", "", Invalid),
    (
        "a=fingerprint:sha-256 72:01",
        "a=fingerprint:sha-256 7201",
        Syntax,
    ),
    (
        "a=fingerprint:sha-256 72:01",
        "a=fingerprint:sha-256 7:201",
        Syntax,
    ),
    (
        "a=fingerprint:sha-256 72:",
        "a=fingerprint:sha-256 ",
        Syntax,
    ),
    (
        "a=fingerprint:sha-256 72:",
        "a=fingerprint:sha-256 7G:",
        Syntax,
    ),
    (
        "a=fingerprint:sha-256 72:",
        "a=fingerprint:sha-384 72:",
        Syntax,
    ),
    (
        "a=fingerprint:sha-256 72:",
        "a=fingerprint:sha-1 72:",
        Invalid,
    ),
    (
        "a=fingerprint:sha-256 72:",
        "a=fingerprint:md5 72:",
        Invalid,
    ),
    (
        "a=fingerprint:sha-256 72:",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:",
        Invalid,
    ),
    ("a=fingerprint:sha-256 72:", "a=fingerprint:", Syntax),
    ("a=rtcp-mux\r\n", "", Invalid),
    ("a=ssrc:233268790 cname", "a=ssrc:4294967296 cname", Syntax),
    ("a=ssrc:233268790 cname", "a=ssrc:x cname", Syntax),
    (
        "a=ssrc:233268790 cname:cAQjJVkVt+lL8MPn",
        "a=ssrc:233268790",
        Syntax,
    ),
    (
        "a=ssrc-group:FID 160032848 3068867005",
        "a=ssrc-group:FID 160032848",
        Syntax,
    ),
    (
        "a=ssrc-group:FID 160032848 3068867005",
        "a=ssrc-group:FID a b",
        Syntax,
    ),
    (
        "a=msid:2fea66d9-ceaa-403e-80d6-bcc746f7c76a f898b9a1-10df-4501-b5cb-350c4d34ab5e",
        "a=msid:",
        Syntax,
    ),
    ("UDP/TLS/RTP/SAVPF", "RTP/FOO", NotAcceptable),
    (" opus/", " spus/", NotAcceptable),
    ("m=audio 9", "m=audio 0", NotAcceptable),
];

#[test]
fn broken_offers_are_refused_with_the_right_error() {
    for (from, to, kind) in REPLACED {
        assert!(CHROMIUM.contains(from), "{from}");
        let mut source = peer(&[Codec::Opus]);
        let error = source.apply_remote(Offer, &CHROMIUM.replace(from, to));
        let error = error.expect_err(&format!("{from} -> {to}"));
        assert_eq!(due(&error), *kind, "{from} -> {to}: {error}");
        assert_eq!(source.signaling_state(), SignalingState::Stable);
        source.apply_remote(Offer, CHROMIUM).unwrap();
    }
}

#[test]
fn rubbish_is_refused() {
    for text in [
        "",
        "\r\n",
        "v",
        "v=",
        "{\"sdp\":1}",
        "m=audio 9 X 0",
        "\0\0",
        "v=0\ra=b",
        "é=0",
    ] {
        let error = receiver().apply_remote(Offer, text).unwrap_err();
        assert_eq!(due(&error), Syntax, "{text:?}");
    }
    let empty = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    assert_eq!(
        due(&receiver().apply_remote(Offer, empty).unwrap_err()),
        NotAcceptable
    );
}

#[test]
fn errors_name_the_line() {
    let line_of = |text: &str| match receiver().apply_remote(Offer, text) {
        Err(JsepError::Syntax { line, .. }) => line,
        other => panic!("{other:?}"),
    };
    let line = |needle: &str| {
        1 + CHROMIUM
            .lines()
            .position(|line| line.starts_with(needle))
            .unwrap()
    };
    assert_eq!(line_of(&CHROMIUM.replace("t=0 0", "t=x")), line("t=0 0"));
    assert_eq!(
        line_of(&CHROMIUM.replace("rtpmap:96 VP8/90000", "rtpmap:96 VP8")),
        line("a=rtpmap:96")
    );
    assert_eq!(
        line_of(&CHROMIUM.replace("m=video 9", "m=video x")),
        line("m=video")
    );
    assert_eq!(
        line_of(&CHROMIUM.replace("SAVPF 96", "SAVPF 196")),
        line("m=video")
    );
    let session = CHROMIUM.replace("a=extmap-allow-mixed", "a=ice-ufrag:x");
    assert_eq!(line_of(&session), line("a=extmap-allow-mixed"));
}

#[test]
fn limits_hold() {
    let padded = |what: String| CHROMIUM.replacen("a=mid:0\r\n", &format!("a=mid:0\r\n{what}"), 1);
    let many = |line: &str, count: u32| {
        (0..count)
            .map(|i| line.replace('#', &i.to_string()) + "\r\n")
            .collect::<String>()
    };
    let candidate = "a=candidate:# 1 udp 1 192.0.2.7 4000 typ host";
    let section = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=x:#";
    let fingerprint = CHROMIUM
        .lines()
        .find(|line| line.starts_with("a=fing"))
        .unwrap();
    for text in [
        padded(many("a=x-padding:################", 8_000)),
        padded(many(candidate, 101)),
        CHROMIUM.to_owned() + &many(section, 62),
        padded(many("a=ssrc:1# cname:x", 65)),
        padded(many("a=ssrc-group:FID 1# 2#", 65)),
        padded(many(fingerprint, 9)),
        CHROMIUM.replace(
            "a=group:BUNDLE 0",
            &format!("a=group:BUNDLE {} 0", "9 ".repeat(65)),
        ),
    ] {
        let error = receiver().apply_remote(Offer, &text).unwrap_err();
        assert_eq!(due(&error), TooLarge, "{error}");
    }
    receiver()
        .apply_remote(Offer, &padded(many(candidate, 100)))
        .unwrap();
    let ten_mebibytes = "a".repeat(10 << 20);
    assert_eq!(
        due(&receiver().apply_remote(Offer, &ten_mebibytes).unwrap_err()),
        TooLarge
    );
}

#[test]
fn hostile_texts_of_full_size_are_read_fast() {
    let fill = |line: &str| {
        let count = 120_000 / (line.len() + 2);
        let lines: String = (0..count).map(|i| format!("{line}{i}\r\n")).collect();
        CHROMIUM.replacen("a=mid:1\r\n", &format!("a=mid:1\r\n{lines}"), 1)
    };
    let start = Instant::now();
    for line in [
        "a=x",
        "a=rtcp-fb:* nack ",
        "a=fmtp:96 x",
        "a=fmtp:97 apt=96;x",
        "a=rtpmap:96 VP8/9",
        "a=extmap:4000 u",
        "a=msid:",
        "c=IN IP4 0.0.0.",
        "b=AS:",
        "a=sendrecv:",
    ] {
        // Some are refused, some taken: it is the time that counts.
        let _ = receiver().apply_remote(Offer, &fill(line));
    }
    let payload_types: String = (0..128).map(|pt| format!(" {pt}")).collect();
    let maps: String = (0..128)
        .map(|pt| {
            format!(
                "a=rtpmap:{pt} rtx/90000\r\na=fmtp:{pt} apt={pt};{}\r\n",
                "x;".repeat(400)
            )
        })
        .collect();
    let text = CHROMIUM.replace("a=mid:1\r\n", &format!("a=mid:1\r\n{maps}"));
    let _ = receiver().apply_remote(
        Offer,
        &text.replace("SAVPF 96", &format!("SAVPF{payload_types}")),
    );
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn answers_that_do_not_fit_the_offer_are_refused() {
    let mut sink = peer(&[]);
    sink.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    sink.add_transceiver(track(2, &[Codec::Vp8], Direction::SendOnly));
    let offer = sink.create_offer(&transport("aaaa")).unwrap();
    let mut viewer = receiver();
    viewer.apply_remote(Offer, &offer).unwrap();
    let answer = viewer
        .create_answer(&transport("bbbb"), Setup::Active)
        .unwrap();
    let (first, _) = answer.split_once("m=video").unwrap();
    let reduced = first.replace("BUNDLE 0 1", "BUNDLE 0");
    for (name, text) in [
        ("m-line missing", reduced.clone()),
        (
            "m-line added",
            answer.clone() + "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n",
        ),
        ("kind changed", answer.replace("m=audio", "m=video")),
        (
            "mid changed",
            answer
                .replace("a=mid:1", "a=mid:x")
                .replace("BUNDLE 0 1", "BUNDLE 0 x"),
        ),
        (
            "setup actpass",
            answer.replace("setup:active", "setup:actpass"),
        ),
        ("not bundled", answer.replace("a=group:BUNDLE 0 1\r\n", "")),
        ("half bundled", answer.replace("BUNDLE 0 1", "BUNDLE 0")),
        ("no mux", answer.replace("a=rtcp-mux\r\n", "")),
        (
            "no fingerprint",
            answer.replace("a=fingerprint:sha-256", "a=x:"),
        ),
        ("foreign codec", answer.replace("VP8", "VP9")),
        (
            "foreign profile",
            answer.replace("UDP/TLS/RTP/SAVPF", "RTP/FOO"),
        ),
    ] {
        let error = sink.apply_remote(Answer, &text).expect_err(name);
        assert_eq!(due(&error), Invalid, "{name}: {error}");
        assert_eq!(sink.signaling_state(), SignalingState::HaveLocalOffer);
    }
    sink.apply_remote(Answer, &answer).unwrap();
}

#[test]
fn re_offers_that_break_with_the_past_are_refused() {
    let mut source = receiver();
    source.apply_remote(Offer, CHROMIUM).unwrap();
    source
        .create_answer(&transport("bbbb"), Setup::Passive)
        .unwrap();
    let (first, rest) = CHROMIUM.split_once("m=video").unwrap();
    let (video, data) = rest.split_once("m=application").unwrap();
    let head = first.split_once("m=audio").unwrap().0;
    let audio = first.split_once("m=audio").unwrap().1;
    for (name, text) in [
        ("m-lines missing", first.replace("BUNDLE 0 1 2", "BUNDLE 0")),
        (
            "order changed",
            format!("{head}m=video{video}m=audio{audio}m=application{data}"),
        ),
        (
            "mid changed",
            CHROMIUM
                .replace("a=mid:1", "a=mid:x")
                .replace("0 1 2", "0 x 2"),
        ),
        ("kind changed", CHROMIUM.replace("m=video", "m=audio")),
        ("role changed", CHROMIUM.replace("actpass", "passive")),
    ] {
        let error = source.apply_remote(Offer, &text).expect_err(name);
        assert_eq!(due(&error), Invalid, "{name}: {error}");
        assert_eq!(source.signaling_state(), SignalingState::Stable);
    }
    source.apply_remote(Offer, CHROMIUM).unwrap();
}
