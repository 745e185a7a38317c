// SPDX-License-Identifier: MPL-2.0
//! What the tests share: peers, tracks, texts.
use rtc_jsep::*;
use rtc_payload::{Codec, MediaKind, TrackId};

pub(crate) use MediaKind::{Audio, Video};

pub(crate) const CHROMIUM: &str =
    include_str!("../../../../tests/golden/sdp/offer-chromium156.sdp");
pub(crate) const FIREFOX: &str = include_str!("../../../../tests/golden/sdp/offer-firefox153.sdp");

const FINGERPRINT: &str = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:\
00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

pub(crate) fn peer(receive: &[Codec]) -> Negotiator {
    Negotiator::new(JsepConfig {
        receive_codecs: receive.to_vec(),
        retransmission: true,
        cname: "cname".into(),
    })
}

/// A peer that receives every codec.
pub(crate) fn receiver() -> Negotiator {
    peer(&Codec::all().collect::<Vec<_>>())
}

pub(crate) fn transport(ufrag: &str) -> LocalTransport {
    LocalTransport {
        ufrag: ufrag.into(),
        pwd: format!("{ufrag}pwdpwdpwdpwdpwdpwdpwdpwd"),
        fingerprint: FINGERPRINT.into(),
        candidates: vec!["candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host".into()],
        gathering_done: true,
    }
}

pub(crate) fn offer(codec: Codec, fmtp: &str) -> CodecOffer {
    CodecOffer {
        codec,
        fmtp: fmtp.into(),
    }
}

pub(crate) fn track(id: u32, codecs: &[Codec], direction: Direction) -> TransceiverInit {
    TransceiverInit {
        kind: codecs[0].kind(),
        direction,
        track: Some(TrackId(id)),
        codecs: codecs.iter().map(|codec| offer(*codec, "")).collect(),
        stream: "stream".into(),
    }
}

pub(crate) fn trackless(kind: MediaKind, direction: Direction) -> TransceiverInit {
    TransceiverInit {
        kind,
        direction,
        track: None,
        codecs: Vec::new(),
        stream: String::new(),
    }
}

/// One whole negotiation, `a` offering; gives offer and answer.
pub(crate) fn negotiate(a: &mut Negotiator, b: &mut Negotiator) -> (String, String) {
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    b.apply_remote(DescriptionKind::Offer, &offer).unwrap();
    let answer = b.create_answer(&transport("bbbb"), Setup::Passive).unwrap();
    a.apply_remote(DescriptionKind::Answer, &answer).unwrap();
    assert_eq!(a.signaling_state(), SignalingState::Stable);
    assert_eq!(b.signaling_state(), SignalingState::Stable);
    (offer, answer)
}

/// Compares a text with a golden file, after session id and SSRCs are replaced by names; the environment
/// variable `UPDATE_GOLDEN` writes the file anew.
pub(crate) fn assert_golden(name: &str, sdp: &str, negotiator: &Negotiator) {
    let mut text = String::new();
    for line in sdp.lines() {
        match line
            .strip_prefix("o=- ")
            .and_then(|rest| rest.split_once(' '))
        {
            Some((_, rest)) => text.push_str(&format!("o=- SESSION {rest}")),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    for (index, send) in negotiator.media().send.iter().enumerate() {
        text = text.replace(&send.rtx_ssrc.to_string(), &format!("RTX{index}"));
        text = text.replace(&send.ssrc.to_string(), &format!("SSRC{index}"));
    }
    let path = format!(
        "{}/../../tests/golden/sdp/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, golden, "differs from {path}");
}
