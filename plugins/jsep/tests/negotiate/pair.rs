// SPDX-License-Identifier: MPL-2.0
//! Two negotiators: what one offers the other answers, again and again.
use crate::kit::*;
use rtc_jsep::*;
use rtc_payload::{Codec, TrackId};

#[test]
fn sender_offers_and_receiver_answers() {
    let (mut sink, mut source) = (peer(&[]), receiver());
    sink.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    sink.add_transceiver(track(2, &[Codec::H264, Codec::Vp8], Direction::SendOnly));
    assert!(sink.negotiation_needed());
    negotiate(&mut sink, &mut source);
    assert!(!sink.negotiation_needed() && !source.negotiation_needed());
    let (sent, received) = (sink.media(), source.media());
    assert_eq!(sent.send.len(), 2);
    for (send, recv) in sent.send.iter().zip(&received.recv) {
        assert!(send.active && recv.active);
        assert_eq!(send.mid, recv.mid);
        assert!(recv.codecs.iter().any(|codec| codec.pt == send.codec.pt));
        assert_eq!(recv.ssrcs[0].0, send.ssrc);
        assert_eq!(recv.ssrcs[0].1, send.codec.rtx_pt.map(|_| send.rtx_ssrc));
    }
    assert_eq!(sink.local_setup(), Some(Setup::Active));
    assert_eq!(source.local_setup(), Some(Setup::Passive));
}

#[test]
fn receiver_offers_and_sender_answers() {
    let (mut sink, mut source) = (peer(&[]), receiver());
    source.add_transceiver(trackless(Video, Direction::RecvOnly));
    sink.add_transceiver(track(2, &[Codec::Av1, Codec::Vp8], Direction::SendOnly));
    let (_, answer) = negotiate(&mut source, &mut sink);
    assert!(answer.contains("a=sendonly"));
    assert_eq!(sink.media().send[0].codec.codec, Codec::Av1);
    assert!(source.media().recv[0].active);
    assert!(!sink.negotiation_needed() && !source.negotiation_needed());
}

#[test]
fn the_roles_stay_when_the_other_side_offers() {
    let (mut a, mut b) = (receiver(), receiver());
    a.add_transceiver(track(1, &[Codec::Opus], Direction::SendRecv));
    negotiate(&mut a, &mut b);
    b.add_transceiver(track(2, &[Codec::Opus], Direction::SendRecv));
    assert!(b.negotiation_needed());
    let (offer, _) = negotiate(&mut b, &mut a);
    assert!(offer.contains("a=setup:actpass"));
    assert_eq!(
        offer.matches("m=").count(),
        1,
        "the m-line is used both ways"
    );
    assert_eq!(a.local_setup(), Some(Setup::Active));
    assert_eq!(b.local_setup(), Some(Setup::Passive));
    assert!(a.media().send[0].active && b.media().send[0].active);
}

#[test]
fn tracks_come_and_go_twenty_times_without_growth() {
    let (mut a, mut b) = (receiver(), receiver());
    a.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    negotiate(&mut a, &mut b);
    let mut versions = Vec::new();
    for round in 0..20 {
        let id = 10 + round;
        a.add_transceiver(track(id, &[Codec::Vp8], Direction::SendOnly));
        assert!(a.negotiation_needed(), "round {round}: added");
        let (offer, _) = negotiate(&mut a, &mut b);
        versions.push(offer.lines().nth(1).unwrap().to_owned());
        assert_eq!(a.media().send.len(), 2);
        assert!(b.media().recv[1].active);
        a.remove_track(TrackId(id));
        assert!(a.negotiation_needed(), "round {round}: removed");
        let (offer, _) = negotiate(&mut a, &mut b);
        assert_eq!(a.media().send.len(), 1);
        assert!(!b.media().recv[1].active);
        assert_eq!(offer.matches("m=").count(), 2);
        assert!(!a.negotiation_needed() && !b.negotiation_needed());
    }
    versions.dedup();
    assert_eq!(
        versions.len(),
        20,
        "every changed offer has a version of its own"
    );
}

#[test]
fn a_removed_track_stops_at_once() {
    let (mut a, mut b) = (peer(&[]), receiver());
    a.add_transceiver(track(1, &[Codec::Vp8], Direction::SendOnly));
    negotiate(&mut a, &mut b);
    a.remove_track(TrackId(1));
    assert!(a.media().send.is_empty());
    assert_eq!(a.media().lines.len(), 1);
}

#[test]
fn a_track_added_while_an_offer_is_under_way_waits_for_the_next() {
    let (mut a, mut b) = (peer(&[]), receiver());
    a.add_transceiver(track(1, &[Codec::Vp8], Direction::SendOnly));
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    a.add_transceiver(track(2, &[Codec::Opus], Direction::SendOnly));
    assert!(!a.negotiation_needed(), "not stable");
    b.apply_remote(DescriptionKind::Offer, &offer).unwrap();
    let answer = b.create_answer(&transport("bbbb"), Setup::Passive).unwrap();
    a.apply_remote(DescriptionKind::Answer, &answer).unwrap();
    assert_eq!(a.media().send.len(), 1);
    assert!(a.negotiation_needed());
    negotiate(&mut a, &mut b);
    assert_eq!(a.media().send.len(), 2);
}

#[test]
fn a_rejected_m_line_is_recycled() {
    let (mut a, mut b) = (peer(&[]), peer(&[Codec::Opus, Codec::Vp8]));
    a.add_transceiver(track(1, &[Codec::H264], Direction::SendOnly));
    a.add_transceiver(track(2, &[Codec::Opus], Direction::SendOnly));
    let (_, answer) = negotiate(&mut a, &mut b);
    assert!(answer.contains("m=video 0 "), "b can't take H.264");
    assert!(answer.contains("a=group:BUNDLE 1\r\n"));
    assert_eq!(a.media().lines.len(), 1);
    assert!(
        !a.negotiation_needed(),
        "a refused track is not offered over and over"
    );
    a.add_transceiver(track(3, &[Codec::Vp8], Direction::SendOnly));
    let (offer, _) = negotiate(&mut a, &mut b);
    let lines: Vec<&str> = offer
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("m=video 9 ") && lines[1].starts_with("m=audio 9 "));
    assert!(offer.contains("a=mid:2\r\n") && offer.contains("a=mid:1\r\n"));
    assert_eq!(a.media().send.len(), 2);
    assert!(b.media().recv.iter().all(|recv| recv.active));
}

#[test]
fn a_rejected_m_line_without_heir_keeps_its_place() {
    let (mut a, mut b) = (peer(&[]), peer(&[Codec::Opus]));
    a.add_transceiver(track(1, &[Codec::Vp8], Direction::SendOnly));
    a.add_transceiver(track(2, &[Codec::Opus], Direction::SendOnly));
    negotiate(&mut a, &mut b);
    let (offer, answer) = negotiate(&mut a, &mut b);
    assert!(offer.contains("m=video 0 ") && answer.contains("m=video 0 "));
    let (offer, _) = negotiate(&mut b, &mut a);
    assert!(offer.contains("m=video 0 ") && offer.contains("m=audio 9 "));
}

#[test]
fn a_refused_track_is_offered_again_with_new_codecs() {
    let (mut a, mut b) = (peer(&[]), peer(&[Codec::Vp8, Codec::Opus]));
    a.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    a.add_transceiver(track(2, &[Codec::H264], Direction::SendOnly));
    let (_, answer) = negotiate(&mut a, &mut b);
    assert!(answer.contains("m=video 0 "));
    a.set_track_codecs(TrackId(2), vec![offer(Codec::H264, "")]);
    assert!(!a.negotiation_needed());
    a.set_track_codecs(TrackId(2), vec![offer(Codec::Vp8, "")]);
    assert!(a.negotiation_needed());
    negotiate(&mut a, &mut b);
    assert_eq!(a.media().send[1].codec.codec, Codec::Vp8);
    assert_eq!(a.media().send[1].track, TrackId(2));
}

#[test]
fn codecs_that_change_ask_for_a_negotiation_only_where_needed() {
    let (mut a, mut b) = (peer(&[]), receiver());
    a.add_transceiver(track(1, &[Codec::Vp8, Codec::H264], Direction::SendOnly));
    negotiate(&mut a, &mut b);
    a.set_track_codecs(TrackId(1), vec![offer(Codec::H264, "")]);
    assert!(!a.negotiation_needed(), "H.264 was agreed on too");
    assert_eq!(a.media().send[0].codec.codec, Codec::H264);
    a.set_track_codecs(TrackId(1), vec![offer(Codec::Av1, "")]);
    assert!(a.negotiation_needed());
    assert!(a.media().send.is_empty());
    negotiate(&mut a, &mut b);
    assert_eq!(a.media().send[0].codec.codec, Codec::Av1);
}

#[test]
fn the_answer_puts_the_inputs_codecs_first() {
    let (mut a, mut b) = (receiver(), receiver());
    a.add_transceiver(trackless(Video, Direction::SendRecv));
    b.add_transceiver(track(1, &[Codec::Av1, Codec::Vp9], Direction::SendRecv));
    let (_, answer) = negotiate(&mut a, &mut b);
    let names: Vec<&str> = answer
        .lines()
        .filter_map(|line| {
            line.strip_prefix("a=rtpmap:")?
                .split_once(' ')?
                .1
                .split_once('/')
        })
        .map(|(name, _)| name)
        .filter(|name| *name != "rtx")
        .collect();
    assert_eq!(names[..2], ["AV1", "VP9"]);
}

#[test]
fn each_h264_stream_offered_has_an_entry_of_its_own() {
    let (mut a, mut b) = (peer(&[]), receiver());
    let mut init = track(1, &[Codec::H264], Direction::SendOnly);
    init.codecs = vec![
        offer(Codec::H264, "profile-level-id=640028;packetization-mode=1"),
        offer(Codec::H264, "profile-level-id=42e01f"),
        offer(Codec::H264, "profile-level-id=42e034"),
    ];
    a.add_transceiver(init);
    let (offer, _) = negotiate(&mut a, &mut b);
    assert_eq!(offer.matches(" H264/90000").count(), 2, "one a profile");
    assert!(offer.contains("profile-level-id=640028") && offer.contains("profile-level-id=42e01f"));
    assert!(
        a.media().send[0]
            .codec
            .fmtp
            .contains("profile-level-id=640028")
    );
}

#[test]
fn without_retransmission_no_rtx_and_no_nack() {
    let mut a = Negotiator::new(JsepConfig {
        receive_codecs: Vec::new(),
        retransmission: false,
        cname: "c".into(),
    });
    a.add_transceiver(track(1, &[Codec::Vp8], Direction::SendOnly));
    let (offer, answer) = negotiate(&mut a, &mut receiver());
    for text in [offer, answer] {
        assert!(!text.contains("rtx") && !text.contains("nack\r\n") && text.contains("nack pli"));
    }
    assert!(!a.media().send[0].codec.nack && a.media().send[0].codec.pli);
}
