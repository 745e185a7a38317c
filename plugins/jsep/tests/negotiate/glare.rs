// SPDX-License-Identifier: MPL-2.0
//! Offers that cross, are taken back or fail: states, rollback and ICE restarts (PC-40 to PC-51).
use crate::kit::*;
use DescriptionKind::{Answer, Offer, Pranswer, Rollback};
use rtc_jsep::*;
use rtc_payload::{Codec, TrackId};

fn sender(id: u32, codec: Codec) -> Negotiator {
    let mut negotiator = receiver();
    negotiator.add_transceiver(track(id, &[codec], Direction::SendRecv));
    negotiator
}

#[test]
fn crossing_offers_end_with_the_impolite_one() {
    let (mut polite, mut impolite) = (sender(1, Codec::Vp8), sender(2, Codec::Vp8));
    let lost = polite.create_offer(&transport("aaaa")).unwrap();
    let offer = impolite.create_offer(&transport("bbbb")).unwrap();
    // The impolite side drops `lost`; the polite one gives way.
    polite.apply_remote(Offer, &offer).unwrap();
    assert_eq!(polite.signaling_state(), SignalingState::HaveRemoteOffer);
    let answer = polite
        .create_answer(&transport("aaaa"), Setup::Passive)
        .unwrap();
    impolite.apply_remote(Answer, &answer).unwrap();
    assert!(!polite.negotiation_needed() && !impolite.negotiation_needed());
    assert!(polite.media().send[0].active && impolite.media().send[0].active);
    assert_eq!(
        polite.media().lines.len(),
        1,
        "its track went to the offered m-line"
    );
    assert!(lost.contains("m=video"));
}

#[test]
fn two_hundred_crossing_offers_end_stable() {
    let (mut polite, mut impolite) = (sender(1, Codec::Opus), sender(2, Codec::Opus));
    negotiate(&mut impolite, &mut polite);
    for round in 0..200 {
        let id = 10 + round;
        let codec = if round % 2 == 0 {
            Codec::Vp8
        } else {
            Codec::Opus
        };
        polite.add_transceiver(track(id, &[codec], Direction::SendOnly));
        impolite.add_transceiver(track(id, &[Codec::Vp8], Direction::SendRecv));
        polite.create_offer(&transport("aaaa")).unwrap();
        let offer = impolite.create_offer(&transport("bbbb")).unwrap();
        polite.apply_remote(Offer, &offer).unwrap();
        let answer = polite
            .create_answer(&transport("aaaa"), Setup::Active)
            .unwrap();
        impolite.apply_remote(Answer, &answer).unwrap();
        for _ in 0..2 {
            if polite.negotiation_needed() {
                negotiate(&mut polite, &mut impolite);
            }
            if impolite.negotiation_needed() {
                negotiate(&mut impolite, &mut polite);
            }
        }
        assert!(!polite.negotiation_needed(), "{round}");
        assert!(!impolite.negotiation_needed(), "{round}");
        assert_eq!(polite.media().send.len(), 2);
        assert!(polite.media().send.iter().all(|send| send.active));
        polite.remove_track(TrackId(id));
        impolite.remove_track(TrackId(id));
    }
    assert!(polite.media().lines.len() <= 4, "m-lines are used again");
}

#[test]
fn a_track_outlives_the_peer_s_own_on_its_m_line() {
    let (mut ours, mut page) = (sender(1, Codec::Opus), sender(2, Codec::Opus));
    negotiate(&mut page, &mut ours);
    let shared = page.transceivers()[0].id;
    page.stop(shared).unwrap();
    // As it is when an offer of ours is on its way: the answer already sends no more.
    negotiate(&mut ours, &mut page);
    assert!(ours.media().lines.is_empty());
    assert!(ours.negotiation_needed(), "what we send goes on");
    let (offer, _) = negotiate(&mut ours, &mut page);
    assert_eq!(
        offer.matches("m=audio").count(),
        1,
        "on the m-line that is free"
    );
    assert!(ours.media().send[0].active);
    // Now it is ours alone: stopping it is a refusal.
    let ours_alone = page.transceivers()[0].id;
    page.stop(ours_alone).unwrap();
    negotiate(&mut page, &mut ours);
    assert!(!ours.negotiation_needed());
}

#[test]
fn rollback_of_our_offer_takes_its_mids_back() {
    let (mut a, mut b) = (sender(1, Codec::Vp8), receiver());
    let first = a.create_offer(&transport("aaaa")).unwrap();
    a.rollback().unwrap();
    assert_eq!(a.signaling_state(), SignalingState::Stable);
    assert!(a.negotiation_needed());
    assert!(a.transport_line().is_none());
    let (second, _) = negotiate(&mut a, &mut b);
    assert!(first.contains("a=mid:0\r\n") && second.contains("a=mid:0\r\n"));
}

#[test]
fn rollback_of_a_remote_offer_removes_what_it_made() {
    let (mut a, mut b) = (sender(1, Codec::Vp8), receiver());
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    b.apply_remote(Offer, &offer).unwrap();
    b.apply_remote(Rollback, "").unwrap();
    assert!(!b.negotiation_needed(), "nothing is left to offer");
    assert_eq!(
        b.create_offer(&transport("bbbb")),
        Err(JsepError::NothingToOffer)
    );
    b.apply_remote(Offer, &offer).unwrap();
    b.add_transceiver(track(5, &[Codec::Vp8], Direction::SendOnly));
    b.rollback().unwrap();
    assert!(b.negotiation_needed(), "a track was added to it (JSEP 5.7)");
    let text = b.create_offer(&transport("bbbb")).unwrap();
    assert_eq!(text.matches("m=video").count(), 1);
}

#[test]
fn a_rolled_back_rejection_leaves_the_m_line_alive() {
    let (mut a, mut b) = (sender(1, Codec::Vp8), receiver());
    let (offer, _) = negotiate(&mut a, &mut b);
    let stop = offer
        .replace("m=video 9", "m=video 0")
        .replace("a=group:BUNDLE 0\r\n", "");
    b.apply_remote(Offer, &stop).unwrap();
    b.rollback().unwrap();
    assert!(b.media().recv[0].active);
    b.apply_remote(Offer, &stop).unwrap();
    b.create_answer(&transport("bbbb"), Setup::Passive).unwrap();
    assert!(b.media().lines.is_empty());
}

#[test]
fn every_call_in_a_wrong_state_is_refused_and_changes_nothing() {
    let local = transport("aaaa");
    let (mut a, mut b) = (sender(1, Codec::Vp8), receiver());
    let refused = |result: Result<(), JsepError>| {
        assert!(
            matches!(result, Err(JsepError::WrongState { .. })),
            "{result:?}"
        );
    };
    refused(a.rollback());
    refused(a.create_answer(&local, Setup::Active).map(drop));
    refused(a.apply_remote(Answer, CHROMIUM).map(drop));
    refused(a.apply_remote(Rollback, "").map(drop));
    let offer = a.create_offer(&local).unwrap();
    refused(a.create_answer(&local, Setup::Active).map(drop));
    assert_eq!(
        a.create_offer(&local).unwrap(),
        offer,
        "may be made again, unchanged"
    );
    b.apply_remote(Offer, &offer).unwrap();
    refused(b.create_offer(&local).map(drop));
    refused(b.apply_remote(Answer, &offer).map(drop));
    b.apply_remote(Offer, &offer).unwrap();
    let answer = b.create_answer(&local, Setup::Passive).unwrap();
    refused(b.rollback());
    a.apply_remote(Pranswer, &answer).unwrap();
    assert_eq!(a.signaling_state(), SignalingState::HaveRemotePranswer);
    assert!(a.media().send[0].active, "a pranswer starts media");
    refused(a.rollback());
    refused(a.create_offer(&local).map(drop));
    refused(a.apply_remote(Offer, CHROMIUM).map(drop));
    a.apply_remote(Answer, &answer).unwrap();
    assert_eq!(a.signaling_state(), SignalingState::Stable);
}

#[test]
fn a_failed_remote_offer_does_not_roll_ours_back() {
    let (mut a, mut b) = (sender(1, Codec::Vp8), receiver());
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    for broken in ["", "v=0", "v=0\r\nm=video\r\n", "nonsense"] {
        assert!(a.apply_remote(Offer, broken).is_err());
        assert_eq!(a.signaling_state(), SignalingState::HaveLocalOffer);
    }
    b.apply_remote(Offer, &offer).unwrap();
    let answer = b.create_answer(&transport("bbbb"), Setup::Passive).unwrap();
    a.apply_remote(Answer, &answer).unwrap();
    assert!(a.media().send[0].active);
}

#[test]
fn new_credentials_of_the_peer_are_an_ice_restart() {
    let (mut a, mut b) = (sender(1, Codec::Vp8), receiver());
    negotiate(&mut a, &mut b);
    let same = a.create_offer(&transport("aaaa")).unwrap();
    assert!(!b.apply_remote(Offer, &same).unwrap().ice_restart);
    b.rollback().unwrap();
    let restart = a.create_offer(&transport("cccc")).unwrap();
    let applied = b.apply_remote(Offer, &restart).unwrap();
    assert!(applied.ice_restart);
    assert_eq!(applied.transport.unwrap().ufrag, "cccc");
    let answer = b.create_answer(&transport("dddd"), Setup::Passive).unwrap();
    assert!(a.apply_remote(Answer, &answer).unwrap().ice_restart);
}

#[test]
fn an_answer_may_not_restart_ice_unasked() {
    let (mut a, mut b) = (sender(1, Codec::Vp8), receiver());
    negotiate(&mut a, &mut b);
    let offer = a.create_offer(&transport("aaaa")).unwrap();
    b.apply_remote(Offer, &offer).unwrap();
    let answer = b.create_answer(&transport("dddd"), Setup::Passive).unwrap();
    assert!(matches!(
        a.apply_remote(Answer, &answer),
        Err(JsepError::Invalid(_))
    ));
    assert_eq!(a.signaling_state(), SignalingState::HaveLocalOffer);
}

#[test]
fn setup_of_the_peer_decides_our_role() {
    for (theirs, wish, ours) in [
        ("actpass", Setup::Passive, Setup::Passive),
        ("actpass", Setup::Active, Setup::Active),
        ("active", Setup::Active, Setup::Passive),
        ("passive", Setup::Passive, Setup::Active),
    ] {
        let mut negotiator = receiver();
        let offer = CHROMIUM.replace("actpass", theirs);
        negotiator.apply_remote(Offer, &offer).unwrap();
        let answer = negotiator.create_answer(&transport("aaaa"), wish).unwrap();
        assert!(
            answer.contains(&format!("a=setup:{}\r\n", ours.as_str())),
            "{theirs}"
        );
        assert_eq!(negotiator.local_setup(), Some(ours));
    }
}
