// SPDX-License-Identifier: MPL-2.0
//! Offers and answers after the first: more tracks, fewer tracks, glare, nonsense.
use rtc_payload::{MediaKind, TrackId};
use rtc_session::{
    Command, ConnectionState, DescriptionKind, Direction, SessionError, SignalingState,
};
use rtc_tests::link::Random;
use rtc_tests::pair::{Pair, PairConfig, sending};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn tracks(pair: &Pair, side: usize) -> Vec<u32> {
    let media = pair.peers[side]
        .media
        .last()
        .expect("something was negotiated");
    let sent = media.iter().filter_map(|line| line.sending.as_ref());
    sent.map(|(track, _)| track.0).collect()
}

fn received_kinds(pair: &Pair, side: usize) -> usize {
    let media = pair.peers[side]
        .media
        .last()
        .expect("something was negotiated");
    media
        .iter()
        .filter(|line| !line.receiving.is_empty())
        .count()
}

#[test]
fn a_track_is_added_and_removed_while_another_goes_on() {
    let mut pair = Pair::connected(PairConfig::default());
    let next = pair.stream(0, 1, MediaKind::Video, 0, 10);
    pair.command(0, sending(2, MediaKind::Audio, Direction::SendOnly));
    let next = pair.stream(0, 1, MediaKind::Video, next, 10);
    assert_eq!(tracks(&pair, 0), [1, 2]);
    assert_eq!(received_kinds(&pair, 1), 2);
    pair.stream(0, 2, MediaKind::Audio, 1000, 10);
    pair.command(0, Command::RemoveTrack(TrackId(1)));
    pair.run(SECOND);
    assert_eq!(tracks(&pair, 0), [2]);
    assert_eq!(received_kinds(&pair, 1), 1);
    pair.stream(0, 2, MediaKind::Audio, 1010, 10);
    let mut numbers = pair.peers[1].numbers();
    numbers.sort_unstable();
    let expected: Vec<u32> = (0..next).chain(1000..1020).collect();
    assert_eq!(numbers, expected);
    assert_eq!(pair.peers[1].connection.len(), 2, "nothing was interrupted");
}

#[test]
fn the_answerer_of_the_first_offer_may_offer_next() {
    let mut pair = Pair::connected(PairConfig::default());
    let roles =
        |pair: &Pair| [0, 1].map(|side: usize| pair.peers[side].session.stats().dtls.client);
    let before = roles(&pair);
    pair.command(1, sending(5, MediaKind::Video, Direction::SendRecv));
    pair.run(SECOND);
    assert_eq!(roles(&pair), before);
    assert_eq!(tracks(&pair, 1), [5]);
    pair.stream(1, 5, MediaKind::Video, 0, 10);
    pair.stream(0, 1, MediaKind::Video, 100, 10);
    assert_eq!(pair.peers[0].numbers(), (0..10).collect::<Vec<_>>());
    assert_eq!(pair.peers[1].numbers(), (100..110).collect::<Vec<_>>());
}

#[test]
fn many_changes_need_one_negotiation() {
    let mut pair = Pair::new(PairConfig::default());
    let now = pair.now;
    for track in 0..3 {
        let command = sending(track, MediaKind::Video, Direction::SendOnly);
        pair.peers[0].session.handle_command(command, now);
    }
    pair.command(0, sending(9, MediaKind::Audio, Direction::SendOnly));
    pair.run_until_connected(5 * SECOND);
    assert_eq!(pair.peers[0].needed, 1);
    assert_eq!(tracks(&pair, 0), [0, 1, 2, 9]);
}

#[test]
fn offers_that_collide_end_with_all_tracks_on_both_sides() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let mut pair = Pair::connected(PairConfig {
            seed,
            ..PairConfig::default()
        });
        for round in 0..3 {
            let track = 10 + round;
            for side in [seed as usize % 2, 1 - seed as usize % 2] {
                pair.command(side, sending(track, MediaKind::Video, Direction::SendRecv));
                pair.run(Duration::from_micros(random.below(12_000) as u64));
            }
        }
        pair.run(2 * SECOND);
        for (side, expected) in [(0, vec![1, 10, 11, 12]), (1, vec![10, 11, 12])] {
            let peer = &pair.peers[side];
            assert_eq!(peer.session.signaling_state(), SignalingState::Stable);
            assert!(peer.refused.is_empty(), "{seed} {:?}", peer.refused);
            let mut sent = tracks(&pair, side);
            sent.sort_unstable();
            assert_eq!(sent, expected, "seed {seed} side {side}");
        }
        assert_eq!(received_kinds(&pair, 1), 4);
        assert_eq!(received_kinds(&pair, 0), 3);
    }
}

#[test]
fn glare_on_the_very_first_offer_connects() {
    let mut pair = Pair::new(PairConfig::default());
    for side in 0..2 {
        pair.command(side, sending(1, MediaKind::Video, Direction::SendRecv));
    }
    pair.run_until_connected(5 * SECOND);
    pair.run(SECOND);
    for side in 0..2 {
        pair.stream(side, 1, MediaKind::Video, 0, 5);
        assert_eq!(pair.peers[1 - side].numbers(), [0, 1, 2, 3, 4]);
        assert!(pair.peers[side].refused.is_empty());
    }
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let mut pair = Pair::connected(PairConfig::default());
    let offer = pair.peers[0].descriptions[0].1.clone();
    let without = |what: &str| {
        let kept = offer.lines().filter(|line| !line.starts_with(what));
        kept.collect::<Vec<_>>().join("\r\n") + "\r\n"
    };
    let nonsense = [
        String::new(),
        "v=0".into(),
        "\u{1f600}".repeat(1000),
        offer[..offer.len() / 2].to_owned() + "\r\nm=video",
        without("a=ice-ufrag"),
        without("a=fingerprint"),
        without("a=rtcp-mux"),
        offer.clone() + &"a=x:y\r\n".repeat(2_000_000 / 7),
    ];
    for (count, sdp) in nonsense.into_iter().enumerate() {
        let kind = DescriptionKind::Offer;
        pair.command(1, Command::RemoteDescription { kind, sdp });
        let refused = &pair.peers[1].refused;
        assert_eq!(refused.len(), count + 1, "number {count}");
        assert!(matches!(refused[count], SessionError::Description { .. }));
    }
    for kind in [
        DescriptionKind::Answer,
        DescriptionKind::Pranswer,
        DescriptionKind::Rollback,
    ] {
        pair.command(
            1,
            Command::RemoteDescription {
                kind,
                sdp: offer.clone(),
            },
        );
    }
    assert_eq!(pair.peers[1].refused.len(), 11);
    pair.command(0, sending(2, MediaKind::Audio, Direction::SendOnly));
    pair.run(SECOND);
    assert_eq!(received_kinds(&pair, 1), 2);
    pair.stream(0, 1, MediaKind::Video, 0, 5);
    assert_eq!(pair.peers[1].numbers(), [0, 1, 2, 3, 4]);
}

#[test]
fn bad_candidates_are_refused_and_no_more_than_a_hundred_are_kept() {
    let mut pair = Pair::connected(PairConfig::default());
    let add = |pair: &mut Pair, candidate: String| {
        let command = Command::RemoteCandidate {
            candidate,
            mid: None,
            index: Some(0),
        };
        pair.command(1, command);
    };
    for bad in [
        "candidate:",
        "candidate:1 1 udp 1 1.2.3.4 0 typ host",
        "candidate:1 1 udp 1 255.255.255.255 5 typ host",
        "candidate:1 1 udp 1 224.0.0.1 5000 typ host",
        "candidate:1 1 udp 1 example.com 5000 typ host",
        "nonsense",
    ] {
        add(&mut pair, bad.into());
    }
    assert_eq!(
        pair.peers[1].refused.len(),
        5,
        "the first is an end of candidates"
    );
    add(&mut pair, String::new());
    for at in 0..200 {
        add(
            &mut pair,
            format!(
                "candidate:1 1 udp 1 10.1.0.{} {} typ host",
                at % 250,
                6000 + at
            ),
        );
    }
    let refused = pair.peers[1].refused.len();
    assert!((100..120).contains(&refused), "{refused}");
    assert_eq!(pair.peers[1].state(), ConnectionState::Connected);
}
