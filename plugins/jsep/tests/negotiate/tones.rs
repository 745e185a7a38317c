// SPDX-License-Identifier: MPL-2.0
//! `telephone-event` beside audio codecs: which clock rate, whose numbers, whose events.
use crate::kit::*;
use rtc_jsep::{DescriptionKind, Direction, NegotiatedTones, Setup};
use rtc_payload::{Codec, Pt};

const ALL: u16 = u16::MAX;

fn tones(pt: u8, clock_rate: u32) -> NegotiatedTones {
    NegotiatedTones {
        pt: Pt(pt),
        clock_rate,
        events: ALL,
    }
}

#[test]
fn opus_has_tones_in_its_own_clock() {
    let (mut a, mut b) = (peer(&[]), peer(&[Codec::Opus]));
    a.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    negotiate(&mut a, &mut b);
    assert_eq!(a.media().send[0].tones, Some(tones(110, 48_000)));
    let expected = [tones(110, 48_000), tones(126, 8_000)];
    assert_eq!(b.media().recv[0].tones, expected);
}

#[test]
fn g711_has_tones_of_8000_alone() {
    let (mut a, mut b) = (peer(&[]), peer(&[Codec::Pcmu]));
    a.add_transceiver(track(1, &[Codec::Pcmu], Direction::SendOnly));
    let (offer, _) = negotiate(&mut a, &mut b);
    assert!(!offer.contains("telephone-event/48000"), "{offer}");
    assert_eq!(a.media().send[0].tones, Some(tones(126, 8_000)));
}

#[test]
fn video_has_none() {
    let (mut a, mut b) = (peer(&[]), peer(&[Codec::Vp8]));
    a.add_transceiver(track(1, &[Codec::Vp8], Direction::SendOnly));
    let (offer, answer) = negotiate(&mut a, &mut b);
    assert!(!offer.contains("telephone-event") && !answer.contains("telephone-event"));
    assert_eq!(a.media().send[0].tones, None);
}

#[test]
fn firefox_gets_tones_of_8000_beside_opus_under_its_number() {
    let mut sink = peer(&[]);
    sink.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    sink.apply_remote(DescriptionKind::Offer, FIREFOX).unwrap();
    sink.create_answer(&transport("bbbb"), Setup::Passive)
        .unwrap();
    assert_eq!(sink.media().send[0].tones, Some(tones(101, 8_000)));
}

#[test]
fn events_are_those_of_the_receiver() {
    let (mut a, mut b) = (peer(&[]), peer(&[Codec::Opus]));
    a.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    b.apply_remote(DescriptionKind::Offer, &offer).unwrap();
    let answer = b.create_answer(&transport("bbbb"), Setup::Passive).unwrap();
    let only_digits = answer.replace("fmtp:110 0-15", "fmtp:110 0-9");
    a.apply_remote(DescriptionKind::Answer, &only_digits)
        .unwrap();
    assert_eq!(a.media().send[0].tones.unwrap().events, 0x3ff);
    assert_eq!(b.media().recv[0].tones[0].events, ALL);
}

#[test]
fn a_peer_that_takes_none_gets_none() {
    let (mut a, mut b) = (peer(&[]), peer(&[Codec::Opus]));
    a.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    let deaf: String = offer
        .replace("111 110 126", "111")
        .lines()
        .filter(|line| !line.contains("telephone-event") && !line.contains(" 0-15"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    b.apply_remote(DescriptionKind::Offer, &deaf).unwrap();
    let answer = b.create_answer(&transport("bbbb"), Setup::Passive).unwrap();
    assert!(!answer.contains("telephone-event"), "{answer}");
    a.apply_remote(DescriptionKind::Answer, &answer).unwrap();
    assert_eq!(a.media().send[0].tones, None);
    assert!(b.media().recv[0].tones.is_empty());
}

#[test]
fn numbers_stay_in_a_later_offer() {
    let mut a = peer(&[]);
    a.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    a.apply_remote(DescriptionKind::Offer, FIREFOX).unwrap();
    a.create_answer(&transport("aaaa"), Setup::Passive).unwrap();
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    assert!(
        offer.contains("a=rtpmap:101 telephone-event/8000"),
        "{offer}"
    );
}
