// SPDX-License-Identifier: MPL-2.0
//! Peers that fall silent, come back, were never there, or say goodbye.
use rtc_payload::MediaKind;
use rtc_session::{Command, ConnectionState, Direction, IceConnectionState, SessionError};
use rtc_tests::link::LinkConfig;
use rtc_tests::pair::{Pair, PairConfig, sending};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_peer_that_vanishes_is_disconnected_then_failed_then_closed_within_a_minute() {
    // Nothing gets through, or only what one side sends is lost: consent needs answers.
    for down in [[true, true], [true, false], [false, true]] {
        let mut pair = Pair::connected(PairConfig::default());
        pair.stream(0, 1, MediaKind::Video, 0, 30 * 5);
        for (link, down) in pair.links.iter_mut().zip(down) {
            link.up = !down;
        }
        let gone = pair.now;
        // Signalling is gone with it.
        pair.peers[0].negotiates = false;
        pair.run(62 * SECOND);
        let peer = &pair.peers[0];
        let after = |state| peer.when(state).expect("this state was told") - gone;
        let disconnected = after(ConnectionState::Disconnected);
        assert!(
            (3 * SECOND..8 * SECOND).contains(&disconnected),
            "{disconnected:?}"
        );
        let failed = after(ConnectionState::Failed);
        assert!((25 * SECOND..31 * SECOND).contains(&failed), "{failed:?}");
        let (at, error) = peer.closed.clone().expect("closed");
        assert_eq!(error, Some(SessionError::Vanished));
        assert!(at - gone > 55 * SECOND, "time for a restart");
        assert!(at - gone <= 62 * SECOND);
        assert!(peer.session.is_closed());
    }
}

#[test]
fn nothing_is_sent_without_consent() {
    let mut pair = Pair::connected(PairConfig::default());
    pair.links[1].up = false;
    pair.peers[0].negotiates = false;
    pair.peers[1].negotiates = false;
    pair.run(32 * SECOND);
    let before = pair.links[0].carried;
    assert_eq!(pair.peers[0].state(), ConnectionState::Failed);
    pair.stream(0, 1, MediaKind::Video, 0, 10);
    let media = pair.links[0].carried - before;
    assert!(media < 8, "{media} datagrams, of which some may be checks");
}

#[test]
fn a_short_silence_is_survived() {
    let mut pair = Pair::connected(PairConfig::default());
    pair.stream(0, 1, MediaKind::Video, 0, 10);
    pair.links.iter_mut().for_each(|link| link.up = false);
    pair.run(15 * SECOND);
    assert_eq!(pair.peers[0].state(), ConnectionState::Disconnected);
    pair.links.iter_mut().for_each(|link| link.up = true);
    pair.run_until_connected(5 * SECOND);
    let seen = pair.peers[1].frames.len();
    pair.stream(0, 1, MediaKind::Video, 10, 30);
    assert!(pair.peers[1].frames.len() > seen + 20);
    assert_eq!(pair.peers[0].closed, None);
}

#[test]
fn a_peer_that_was_never_reachable_is_given_up() {
    let mut pair = Pair::new(PairConfig::default());
    pair.links.iter_mut().for_each(|link| link.up = false);
    pair.command(0, sending(1, MediaKind::Video, Direction::SendOnly));
    let start = pair.now;
    pair.run(45 * SECOND);
    for peer in &pair.peers {
        let (at, error) = peer.closed.clone().expect("closed");
        assert_eq!(error, Some(SessionError::Unreachable));
        // RFC 8863: not before 39.5 s.
        assert!(at - start > Duration::from_millis(39_500));
        let told: Vec<IceConnectionState> = peer.ice.iter().map(|(_, state)| *state).collect();
        let (failed, closed) = (IceConnectionState::Failed, IceConnectionState::Closed);
        assert_eq!(told, [IceConnectionState::Checking, failed, closed]);
    }
}

#[test]
fn a_goodbye_ends_both_sides_at_once() {
    for side in 0..2 {
        let mut pair = Pair::connected(PairConfig::default());
        pair.command(side, Command::Close);
        let (_, error) = pair.peers[side].closed.clone().expect("closed");
        assert_eq!(error, None);
        pair.run(SECOND);
        let (_, error) = pair.peers[1 - side].closed.clone().expect("closed");
        assert_eq!(error, Some(SessionError::PeerClosed));
        for peer in &pair.peers {
            assert_eq!(peer.state(), ConnectionState::Closed);
        }
    }
}

#[test]
fn a_closed_session_does_nothing_more() {
    let mut pair = Pair::connected(PairConfig::default());
    pair.command(0, Command::Close);
    pair.run(SECOND);
    let carried = pair.links[0].carried;
    pair.command(0, sending(2, MediaKind::Audio, Direction::SendOnly));
    pair.command(0, Command::Negotiate);
    pair.command(0, Command::Close);
    pair.stream(0, 1, MediaKind::Video, 0, 3);
    pair.run(60 * SECOND);
    assert_eq!(pair.links[0].carried, carried);
}

#[test]
fn a_session_never_connected_closes_without_a_word() {
    let mut pair = Pair::new(PairConfig::default());
    pair.command(0, Command::Close);
    assert_eq!(
        pair.peers[0].closed.clone().map(|(_, error)| error),
        Some(None)
    );
    assert_eq!(pair.links[0].carried + pair.links[0].lost, 0);
}

#[test]
fn an_idle_connection_sleeps_most_of_the_time() {
    let mut pair = Pair::connected(PairConfig::default());
    pair.run(10 * SECOND);
    let before = [0, 1].map(|side: usize| pair.peers[side].wakeups);
    pair.run(60 * SECOND);
    for (side, before) in before.into_iter().enumerate() {
        let woken = pair.peers[side].wakeups - before;
        assert!(woken < 60 * 5, "side {side} wakes {woken} times a minute");
    }
}

#[test]
fn a_lossy_path_is_not_taken_for_a_dead_one() {
    for (loss, may_doubt) in [(0.1, false), (0.3, true)] {
        for seed in 0..5 {
            let link = LinkConfig {
                loss,
                ..LinkConfig::default()
            };
            let mut pair = Pair::connected(PairConfig {
                link,
                seed,
                ..PairConfig::default()
            });
            pair.run(600 * SECOND);
            for peer in &pair.peers {
                assert_eq!(peer.closed, None);
                assert!(may_doubt || peer.connection.len() == 2, "{peer:#?}");
            }
        }
    }
}
