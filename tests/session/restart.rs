// SPDX-License-Identifier: MPL-2.0
//! ICE restarts: asked for by either side, by both, and after the path died.
use rtc_payload::MediaKind;
use rtc_session::{Command, ConnectionState, IceConnectionState, SessionError};
use rtc_tests::pair::{Pair, PairConfig};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn ufrags(pair: &Pair) -> [String; 2] {
    [0, 1].map(|side: usize| pair.peers[side].session.local_ufrag().to_owned())
}

#[test]
fn a_restart_drops_no_frame() {
    for side in 0..2 {
        let mut pair = Pair::connected(PairConfig::default());
        let before = ufrags(&pair);
        let next = pair.stream(0, 1, MediaKind::Video, 0, 30);
        pair.command(side, Command::RestartIce);
        let next = pair.stream(0, 1, MediaKind::Video, next, 300);
        let after = ufrags(&pair);
        for at in 0..2 {
            assert_ne!(before[at], after[at]);
            assert_eq!(
                pair.peers[at].connection.len(),
                2,
                "nothing was interrupted"
            );
        }
        assert_eq!(pair.peers[1].numbers(), (0..next).collect::<Vec<_>>());
        // Consent is renewed on the new credentials alone.
        pair.run(40 * SECOND);
        assert_eq!(pair.peers[0].state(), ConnectionState::Connected);
        assert!(pair.peers.iter().all(|peer| peer.refused.is_empty()));
    }
}

#[test]
fn restarts_of_both_sides_at_once_come_to_one() {
    for first in 0..2 {
        let mut pair = Pair::connected(PairConfig::default());
        let before = ufrags(&pair);
        pair.command(first, Command::RestartIce);
        pair.command(1 - first, Command::RestartIce);
        let next = pair.stream(0, 1, MediaKind::Video, 0, 60);
        let after = ufrags(&pair);
        assert!(before[0] != after[0] && before[1] != after[1]);
        assert_eq!(pair.peers[1].numbers(), (0..next).collect::<Vec<_>>());
        pair.run(40 * SECOND);
        assert_eq!(pair.peers[0].state(), ConnectionState::Connected);
        assert!(pair.peers.iter().all(|peer| peer.refused.is_empty()));
    }
}

#[test]
fn a_restart_revives_a_path_that_died() {
    let mut pair = Pair::connected(PairConfig::default());
    pair.links.iter_mut().for_each(|link| link.up = false);
    pair.run(20 * SECOND);
    assert_eq!(pair.peers[0].state(), ConnectionState::Disconnected);
    // The peer moved: signalling works, the old path does not come back for a while.
    pair.command(0, Command::RestartIce);
    pair.run(15 * SECOND);
    assert_eq!(pair.peers[0].closed, None);
    pair.links.iter_mut().for_each(|link| link.up = true);
    pair.run_until_connected(5 * SECOND);
    pair.stream(0, 1, MediaKind::Video, 0, 10);
    assert_eq!(pair.peers[1].numbers(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_path_that_failed_is_looked_for_by_itself() {
    let mut pair = Pair::connected(PairConfig::default());
    let before = ufrags(&pair);
    pair.links.iter_mut().for_each(|link| link.up = false);
    pair.run(40 * SECOND);
    use IceConnectionState::{Checking, Disconnected, Failed};
    let mut failed = 0;
    for (side, before) in before.iter().enumerate() {
        let told = pair.peers[side].ice.iter().map(|(_, state)| *state);
        let told: Vec<_> = told.skip_while(|state| *state != Disconnected).collect();
        // The first to fail restarts for both.
        let fails = told.contains(&Failed);
        failed += u32::from(fails);
        match fails {
            true => assert_eq!(told, [Disconnected, Failed, Checking]),
            false => assert_eq!(told, [Disconnected, Checking]),
        }
        assert_ne!(pair.peers[side].session.local_ufrag(), before);
    }
    assert!(failed > 0);
    pair.links.iter_mut().for_each(|link| link.up = true);
    pair.run_until_connected(5 * SECOND);
    pair.stream(0, 1, MediaKind::Video, 0, 10);
    assert_eq!(pair.peers[1].numbers(), (0..10).collect::<Vec<_>>());
    // The next outage has its own restart, and its own end.
    pair.links.iter_mut().for_each(|link| link.up = false);
    pair.run(130 * SECOND);
    for peer in &pair.peers {
        let (_, error) = peer.closed.clone().expect("closed");
        assert_eq!(error, Some(SessionError::Vanished));
    }
}

#[test]
fn a_failed_session_waits_for_the_peer_to_restart() {
    let mut pair = Pair::connected(PairConfig::default());
    pair.peers
        .iter_mut()
        .for_each(|peer| peer.negotiates = false);
    pair.links.iter_mut().for_each(|link| link.up = false);
    pair.run(55 * SECOND);
    assert_eq!(pair.peers[0].state(), ConnectionState::Failed);
    pair.links.iter_mut().for_each(|link| link.up = true);
    pair.run(SECOND);
    assert_eq!(
        pair.peers[0].state(),
        ConnectionState::Failed,
        "until it is restarted"
    );
    pair.command(1, Command::Negotiate);
    pair.run_until_connected(5 * SECOND);
    pair.stream(0, 1, MediaKind::Video, 0, 10);
    assert_eq!(pair.peers[1].numbers(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_restart_before_the_first_description_changes_nothing() {
    let mut pair = Pair::new(PairConfig::default());
    pair.peers[0].negotiates = false;
    pair.command(0, Command::RestartIce);
    pair.command(
        0,
        rtc_tests::pair::sending(1, MediaKind::Video, rtc_session::Direction::SendOnly),
    );
    pair.command(0, Command::Negotiate);
    pair.run_until_connected(5 * SECOND);
}
