// SPDX-License-Identifier: MPL-2.0
//! ICE is completed when the peer has no more candidates, and fails when it has none that works.
use rtc_payload::MediaKind;
use rtc_session::{Command, ConnectionState, Direction, IceConnectionState};
use rtc_tests::pair::{Pair, PairConfig, sending};
use std::time::Duration;

/// A pair whose first end never hears that the other's candidates have ended.
fn endless() -> Pair {
    let mut pair = Pair::new(PairConfig::default());
    pair.munger = Some(Box::new(|side, sdp| {
        assert!(sdp.contains("a=end-of-candidates\r\n") && sdp.contains("a=ice-options:trickle"));
        if side == 1 {
            *sdp = sdp.replace("a=end-of-candidates\r\n", "");
        }
    }));
    pair.command(0, sending(1, MediaKind::Video, Direction::SendOnly));
    pair
}

fn end() -> Command {
    Command::RemoteCandidate {
        candidate: String::new(),
        mid: None,
        index: Some(0),
    }
}

#[test]
fn ice_is_completed_once_the_peers_candidates_have_ended() {
    let mut pair = endless();
    pair.run_until_connected(Duration::from_secs(5));
    pair.run(Duration::from_secs(10));
    let ice = |pair: &Pair, side: usize| pair.peers[side].session.ice_state();
    assert_eq!(ice(&pair, 0), IceConnectionState::Connected);
    assert_eq!(ice(&pair, 1), IceConnectionState::Completed);
    pair.command(0, end());
    pair.run(Duration::from_secs(1));
    assert_eq!(ice(&pair, 0), IceConnectionState::Completed);
}

#[test]
fn without_a_path_ice_fails_when_peer_reflexive_ones_have_had_their_time() {
    for ended in [false, true] {
        let mut pair = endless();
        pair.links[0].up = false;
        pair.links[1].up = false;
        pair.run(Duration::from_secs(1));
        if ended {
            pair.command(0, end());
        }
        // RFC 8863 §4: 39.5 s.
        pair.run(Duration::from_secs(37));
        let failed = |pair: &Pair| pair.peers[0].when(ConnectionState::Failed);
        assert_eq!(failed(&pair), None, "{ended}");
        pair.run(Duration::from_secs(3));
        assert!(failed(&pair).is_some(), "{ended}");
    }
}
