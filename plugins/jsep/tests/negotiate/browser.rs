// SPDX-License-Identifier: MPL-2.0
//! Recorded offers of browsers answered (JS-T3), and our own offers (JS-T1), as golden files.
use crate::kit::*;
use rtc_jsep::*;
use rtc_payload::{Codec, Pt, Ssrc};

fn sink() -> Negotiator {
    let mut sink = peer(&[]);
    sink.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    sink.add_transceiver(track(2, &[Codec::H264, Codec::Vp8], Direction::SendOnly));
    sink
}

fn answered(mut negotiator: Negotiator, offer: &str) -> (Negotiator, String) {
    negotiator
        .apply_remote(DescriptionKind::Offer, offer)
        .unwrap();
    let answer = negotiator
        .create_answer(&transport("ufrag"), Setup::Passive)
        .unwrap();
    (negotiator, answer)
}

#[test]
fn chromium_is_answered_by_a_sender() {
    let (sink, answer) = answered(sink(), CHROMIUM);
    assert_golden("answer-chromium156-send.sdp", &answer, &sink);
    let media = sink.media();
    let video = &media.send[1];
    assert_eq!((video.codec.codec, video.codec.pt), (Codec::H264, Pt(108)));
    assert_eq!(video.codec.rtx_pt, Some(Pt(109)));
    assert!(video.active && video.codec.nack && video.codec.pli && video.codec.fir);
    assert!(video.codec.transport_cc && video.codec.remb);
    assert_eq!(video.extensions.transport_cc, Some(3));
    assert_eq!(media.send[0].codec.pt, Pt(111));
    assert!(media.recv.iter().all(|recv| !recv.active));
    assert_eq!(sink.local_setup(), Some(Setup::Passive));
}

#[test]
fn chromium_is_answered_by_a_receiver() {
    let (source, answer) = answered(receiver(), CHROMIUM);
    assert_golden("answer-chromium156-receive.sdp", &answer, &source);
    let media = source.media();
    assert!(media.send.is_empty());
    assert!(media.recv.iter().all(|recv| recv.active));
    assert_eq!(
        media.recv[1].ssrcs,
        [(Ssrc(160_032_848), Some(Ssrc(3_068_867_005)))]
    );
    assert_eq!(media.recv[0].ssrcs, [(Ssrc(233_268_790), None)]);
    assert_eq!(
        media.lines[0].streams,
        ["2fea66d9-ceaa-403e-80d6-bcc746f7c76a"]
    );
    assert!(media.recv[1].extensions.rid.is_some());
}

#[test]
fn firefox_is_answered_by_a_sender() {
    let (sink, answer) = answered(sink(), FIREFOX);
    assert_golden("answer-firefox153-send.sdp", &answer, &sink);
    let video = &sink.media().send[1];
    assert_eq!((video.codec.codec, video.codec.pt), (Codec::Vp8, Pt(120)));
    assert_eq!(video.codec.fmtp, "max-fs=12288;max-fr=60");
}

#[test]
fn firefox_is_answered_by_a_receiver() {
    let (source, answer) = answered(receiver(), FIREFOX);
    assert_golden("answer-firefox153-receive.sdp", &answer, &source);
    let media = source.media();
    assert_eq!(
        media.recv[1].ssrcs,
        [(Ssrc(842_984_580), Some(Ssrc(3_393_887_541)))]
    );
    assert_eq!(media.recv[1].codecs[0].codec, Codec::Vp8);
}

#[test]
fn both_ways_at_once_with_a_browser() {
    let mut both = receiver();
    both.add_transceiver(track(1, &[Codec::Opus], Direction::SendRecv));
    both.add_transceiver(track(2, &[Codec::Vp9], Direction::SendRecv));
    let (both, answer) = answered(both, CHROMIUM);
    assert_eq!(answer.matches("a=sendrecv").count(), 2);
    let media = both.media();
    assert_eq!(media.send[1].codec.codec, Codec::Vp9);
    assert!(media.send.iter().all(|send| send.active));
    assert!(media.recv.iter().all(|recv| recv.active));
}

#[test]
fn the_transport_of_a_browser_is_read() {
    let mut negotiator = receiver();
    let applied = negotiator
        .apply_remote(DescriptionKind::Offer, FIREFOX)
        .unwrap();
    let transport = applied.transport.unwrap();
    assert_eq!(transport.ufrag, "5676f625");
    assert_eq!(transport.setup, Setup::ActPass);
    assert_eq!(transport.trickle, Some(true));
    assert_eq!(transport.fingerprints[0].0, "sha-256");
    assert!(transport.fingerprints[0].1.starts_with("3D:D0:F4"));
    assert!(!applied.ice_restart && !transport.end_of_candidates && !transport.ice_lite);
}

#[test]
fn our_offers_are_golden() {
    let mut receiver = receiver();
    let mut golden = |name: &str, tracks: &[TransceiverInit]| {
        let mut sink = peer(&[]);
        for track in tracks {
            sink.add_transceiver(track.clone());
        }
        receiver.rollback().ok();
        let mut viewer = receiver.clone();
        let (offer, _) = negotiate(&mut sink, &mut viewer);
        assert_golden(name, &offer, &sink);
    };
    let audio = track(
        1,
        &[Codec::Opus, Codec::Pcmu, Codec::Pcma],
        Direction::SendOnly,
    );
    let every = [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1];
    let video = track(2, &every, Direction::SendOnly);
    golden("offer-audio.sdp", std::slice::from_ref(&audio));
    golden("offer-video.sdp", std::slice::from_ref(&video));
    golden("offer-audio-video.sdp", &[audio, video]);
}

#[test]
fn an_offer_to_receive_is_golden() {
    let mut source = receiver();
    source.add_transceiver(trackless(Audio, Direction::RecvOnly));
    source.add_transceiver(trackless(Video, Direction::RecvOnly));
    let offer = source.create_offer(&transport("ufrag")).unwrap();
    assert_golden("offer-receive.sdp", &offer, &source);
    assert!(!offer.contains("a=ssrc") && !offer.contains("a=msid:"));
}

/// The browsers' recorded answers to an offer of the same tracks.
#[test]
fn answers_of_browsers_are_taken() {
    for (name, answer, sent) in [
        (
            "chromium",
            include_str!("../../../../tests/golden/sdp/answer-of-chromium156.sdp"),
            Codec::H264,
        ),
        (
            "firefox",
            include_str!("../../../../tests/golden/sdp/answer-of-firefox153.sdp"),
            Codec::Vp8,
        ),
    ] {
        let mut both = receiver();
        both.add_transceiver(track(1, &[Codec::Opus], Direction::SendRecv));
        let every = [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1];
        both.add_transceiver(track(2, &every, Direction::SendRecv));
        both.create_offer(&transport("ufrag")).unwrap();
        let applied = both.apply_remote(DescriptionKind::Answer, answer).unwrap();
        assert_eq!(applied.transport.unwrap().setup, Setup::Active, "{name}");
        assert_eq!(both.local_setup(), Some(Setup::Passive));
        let media = both.media();
        assert_eq!(media.send[1].codec.codec, sent, "{name}");
        for (send, recv) in media.send.iter().zip(&media.recv) {
            assert!(
                send.active && recv.active && send.codec.transport_cc,
                "{name}"
            );
            assert!(
                send.extensions.mid.is_some() && recv.ssrcs.len() == 1,
                "{name}"
            );
        }
        assert!(
            media.recv[1].ssrcs[0].1.is_some(),
            "{name}: retransmissions are grouped"
        );
        assert!(
            media.send[1].codec.rtx_pt.is_some() && media.send[1].codec.nack,
            "{name}"
        );
        assert!(!both.negotiation_needed());
    }
}
