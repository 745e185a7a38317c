// SPDX-License-Identifier: MPL-2.0
//! The m-line of data channels.
use crate::kit::*;
use DescriptionKind::{Answer, Offer};
use rtc_jsep::*;
use rtc_payload::Codec;

const LINE: &str = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";

fn only_data() -> String {
    let (_, data) = CHROMIUM.split_once("m=application").unwrap();
    format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application{data}")
}

fn line_of(sdp: &str) -> String {
    let (_, data) = sdp.split_once("m=application").unwrap();
    let end = data.find("\r\nm=").map_or(data.len(), |end| end + 2);
    format!("m=application{}", &data[..end])
}

#[test]
fn the_first_data_channel_alone_needs_a_negotiation() {
    let (mut a, mut b) = (receiver(), receiver());
    assert!(!a.negotiation_needed());
    a.add_data();
    assert!(a.negotiation_needed());
    let (offer, answer) = negotiate(&mut a, &mut b);
    for sdp in [&offer, &answer] {
        assert!(
            sdp.contains(LINE) && sdp.contains("a=group:BUNDLE 0\r\n"),
            "{sdp}"
        );
        for attribute in [
            "ice-ufrag:",
            "ice-pwd:",
            "fingerprint:sha-256 ",
            "setup:",
            "mid:0",
        ] {
            assert!(
                line_of(sdp).contains(&format!("a={attribute}")),
                "{attribute}"
            );
        }
        assert!(sdp.contains("a=sctp-port:5000\r\n"));
        assert!(sdp.contains(&format!("a=max-message-size:{MAX_MESSAGE_SIZE}\r\n")));
        assert!(!sdp.contains("rtcp-mux") && !sdp.contains("a=sendrecv"));
        assert!(sdp.contains("a=candidate:1 "));
    }
    let expected = NegotiatedData {
        mid: "0".into(),
        index: 0,
        local_port: 5000,
        remote_port: 5000,
        max_message_size: MAX_MESSAGE_SIZE,
    };
    assert_eq!(a.media().data, Some(expected.clone()));
    assert_eq!(b.media().data, Some(expected));
    for side in [&mut a, &mut b] {
        side.add_data();
        assert!(!side.negotiation_needed(), "the m-line is there");
    }
}

#[test]
fn data_comes_after_media_in_one_bundle() {
    let (mut a, mut b) = (peer(&[]), receiver());
    a.add_data();
    a.add_transceiver(track(1, &[Codec::Vp8], Direction::SendOnly));
    let (offer, answer) = negotiate(&mut a, &mut b);
    for sdp in [offer, answer] {
        assert!(sdp.contains("a=group:BUNDLE 0 1\r\n"));
        assert!(sdp.find("m=video").unwrap() < sdp.find("m=application").unwrap());
    }
    assert_eq!(a.media().lines.len(), 1);
    assert_eq!(a.media().data.unwrap().mid.as_str(), "1");
}

#[test]
fn data_added_to_a_call_gets_an_m_line_and_the_others_stay() {
    let (mut a, mut b) = (peer(&[]), receiver());
    a.add_transceiver(track(1, &[Codec::Vp8], Direction::SendOnly));
    negotiate(&mut a, &mut b);
    assert_eq!(a.media().data, None);
    b.add_data();
    assert!(b.negotiation_needed());
    negotiate(&mut b, &mut a);
    assert_eq!(a.media().data.unwrap().index, 1);
    assert_eq!(a.media().lines.len(), 1);
    a.add_transceiver(track(2, &[Codec::Opus], Direction::SendOnly));
    let (offer, _) = negotiate(&mut a, &mut b);
    assert_eq!(offer.matches("\r\nm=").count(), 3);
    assert_eq!(b.media().data.unwrap().index, 1);
}

#[test]
fn an_offer_of_data_alone_is_answered() {
    let offer = only_data();
    let offer = offer.replace("a=sctp-port:5000", "a=sctp-port:5001");
    let mut side = peer(&[]);
    let applied = side.apply_remote(Offer, &offer).unwrap();
    assert!(applied.transport.is_some());
    let answer = side
        .create_answer(&transport("bbbb"), Setup::Passive)
        .unwrap();
    assert!(answer.contains(LINE));
    let data = side.media().data.unwrap();
    assert_eq!((data.remote_port, data.local_port), (5001, 5000));
    assert_eq!(data.max_message_size, 262_144);
}

#[test]
fn older_profiles_are_echoed_and_absent_attributes_have_their_defaults() {
    for proto in ["DTLS/SCTP", "TCP/DTLS/SCTP"] {
        let offer = only_data()
            .replace("UDP/DTLS/SCTP", proto)
            .replace("a=sctp-port:5000\r\n", "")
            .replace("a=max-message-size:262144\r\n", "");
        let mut side = peer(&[]);
        side.apply_remote(Offer, &offer).unwrap();
        let answer = side
            .create_answer(&transport("bbbb"), Setup::Passive)
            .unwrap();
        assert!(answer.contains(&format!("m=application 9 {proto} webrtc-datachannel\r\n")));
        let data = side.media().data.unwrap();
        assert_eq!((data.remote_port, data.max_message_size), (5000, 65536));
    }
}

#[test]
fn what_is_no_data_channel_is_declined() {
    for (from, to) in [
        ("UDP/DTLS/SCTP webrtc-datachannel", "UDP/DTLS/SCTP bfcp"),
        ("UDP/DTLS/SCTP webrtc-datachannel", "UDP/BFCP *"),
    ] {
        let error = peer(&[])
            .apply_remote(Offer, &only_data().replace(from, to))
            .unwrap_err();
        assert!(error.to_string().contains("application over"), "{error}");
    }
}

#[test]
fn attributes_that_break_the_grammar_are_named() {
    for (from, to) in [
        ("a=sctp-port:5000", "a=sctp-port:0"),
        ("a=sctp-port:5000", "a=sctp-port:65536"),
        ("a=sctp-port:5000", "a=sctp-port:x"),
        ("a=max-message-size:262144", "a=max-message-size:-1"),
        ("a=max-message-size:262144", "a=max-message-size:"),
        ("a=max-message-size:262144", "a=max-message-size:1e3"),
    ] {
        let offer = only_data();
        assert!(offer.contains(from));
        let error = peer(&[])
            .apply_remote(Offer, &offer.replace(from, to))
            .unwrap_err();
        assert!(matches!(error, JsepError::Syntax { .. }), "{to}: {error}");
    }
    let huge = only_data().replace("262144", &"9".repeat(40));
    let mut side = peer(&[]);
    side.apply_remote(Offer, &huge).unwrap();
    side.create_answer(&transport("bbbb"), Setup::Passive)
        .unwrap();
    assert_eq!(side.media().data.unwrap().max_message_size, u64::MAX);
}

#[test]
fn a_refusal_is_final_until_another_channel_is_asked_for() {
    let (mut a, mut b) = (receiver(), receiver());
    a.add_data();
    a.add_transceiver(trackless(Video, Direction::RecvOnly));
    b.add_transceiver(track(1, &[Codec::Vp8], Direction::SendOnly));
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    b.apply_remote(Offer, &offer).unwrap();
    let answer = b.create_answer(&transport("bbbb"), Setup::Passive).unwrap();
    let refused = answer
        .replace("m=application 9", "m=application 0")
        .replace("BUNDLE 0 1", "BUNDLE 0");
    a.apply_remote(Answer, &refused).unwrap();
    assert_eq!(a.media().data, None);
    assert!(!a.wants_data() && !a.negotiation_needed());
    a.add_data();
    assert!(a.wants_data() && a.negotiation_needed());
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    assert_eq!(
        offer.matches("m=application 9").count(),
        1,
        "the dead m-line is used again"
    );
    assert_eq!(offer.matches("\r\nm=").count(), 2);
}

#[test]
fn a_peer_may_switch_data_off_and_on_again() {
    let (mut a, mut b) = (receiver(), receiver());
    a.add_data();
    a.add_transceiver(track(1, &[Codec::Vp8], Direction::SendRecv));
    negotiate(&mut a, &mut b);
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    let off = offer
        .replace("m=application 9", "m=application 0")
        .replace("BUNDLE 0 1", "BUNDLE 0");
    b.apply_remote(Offer, &off).unwrap();
    let answer = b.create_answer(&transport("bbbb"), Setup::Passive).unwrap();
    assert!(answer.contains("m=application 0 "));
    assert_eq!(b.media().data, None);
    b.apply_remote(Offer, &offer).unwrap();
    let answer = b.create_answer(&transport("bbbb"), Setup::Passive).unwrap();
    assert!(answer.contains(LINE));
    assert!(b.media().data.is_some());
}

#[test]
fn a_rollback_takes_the_m_line_back_but_not_the_wish() {
    let mut side = receiver();
    side.add_data();
    side.create_offer(&transport("aaaa")).unwrap();
    side.rollback().unwrap();
    assert!(side.negotiation_needed());
    side.apply_remote(Offer, &only_data()).unwrap();
    side.rollback().unwrap();
    assert!(side.negotiation_needed());
    let offer = side.create_offer(&transport("aaaa")).unwrap();
    assert_eq!(offer.matches("m=application 9").count(), 1);
}

#[test]
fn glare_ends_in_one_m_line_of_data() {
    let (mut a, mut b) = (receiver(), receiver());
    a.add_data();
    b.add_data();
    b.create_offer(&transport("bbbb")).unwrap();
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    b.apply_remote(Offer, &offer).unwrap();
    let answer = b.create_answer(&transport("bbbb"), Setup::Passive).unwrap();
    a.apply_remote(Answer, &answer).unwrap();
    assert!(!a.negotiation_needed() && !b.negotiation_needed());
    assert!(a.media().data.is_some() && b.media().data.is_some());
}

#[test]
fn a_second_data_m_line_is_declined() {
    let data = line_of(CHROMIUM);
    let second = data.replace("a=mid:2", "a=mid:3");
    let offer = CHROMIUM.replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 3") + &second;
    let mut side = receiver();
    side.apply_remote(Offer, &offer).unwrap();
    let answer = side
        .create_answer(&transport("bbbb"), Setup::Passive)
        .unwrap();
    assert_eq!(answer.matches("m=application 9").count(), 1);
    assert_eq!(answer.matches("m=application 0").count(), 1);
    assert_eq!(side.media().data.unwrap().index, 2);
}
