// SPDX-License-Identifier: MPL-2.0
//! Two sessions find each other, in every role and over bad paths.
use rtc_payload::{MediaKind, TrackId};
use rtc_session::{
    Command, ConnectionState, Direction, DtlsState, DtlsVersion, IceConnectionState, SignalingState,
};
use rtc_tests::link::LinkConfig;
use rtc_tests::pair::{Pair, PairConfig, sending};
use std::time::Duration;

#[test]
fn two_sessions_connect_and_pass_frames() {
    let mut pair = Pair::connected(PairConfig::default());
    pair.stream(0, 1, MediaKind::Video, 0, 10);
    assert_eq!(pair.peers[1].numbers(), (0..10).collect::<Vec<_>>());
}

#[test]
fn either_side_may_offer_and_either_may_send() {
    for offerer in 0..2 {
        for (direction, answerer_sends) in
            [(Direction::SendOnly, false), (Direction::RecvOnly, true)]
        {
            let mut pair = Pair::new(PairConfig::default());
            let answerer = 1 - offerer;
            if answerer_sends {
                pair.peers[answerer].negotiates = false;
                pair.command(answerer, sending(7, MediaKind::Video, Direction::SendOnly));
            }
            pair.command(offerer, sending(7, MediaKind::Video, direction));
            pair.run_until_connected(Duration::from_secs(5));
            let sender = if answerer_sends { answerer } else { offerer };
            pair.stream(sender, 7, MediaKind::Video, 0, 5);
            assert_eq!(
                pair.peers[1 - sender].numbers(),
                [0, 1, 2, 3, 4],
                "{offerer} {direction:?}"
            );
            let sending = |side: usize| pair.peers[side].media[0][0].sending.clone();
            assert_eq!(sending(sender).map(|(track, _)| track), Some(TrackId(7)));
            assert_eq!(sending(1 - sender), None);
        }
    }
}

#[test]
fn both_dtls_roles_and_versions_connect() {
    use DtlsVersion::{Auto, V12};
    // The answer is passive where the peer leaves it to us; a peer that insists is obeyed.
    for versions in [[Auto, Auto], [V12, Auto], [Auto, V12]] {
        for setup in ["a=setup:actpass", "a=setup:active", "a=setup:passive"] {
            let mut pair = Pair::new(PairConfig {
                versions,
                ..PairConfig::default()
            });
            pair.munger = Some(Box::new(move |_, sdp| {
                *sdp = sdp.replace("a=setup:actpass", setup)
            }));
            pair.command(0, sending(1, MediaKind::Video, Direction::SendOnly));
            pair.run_until_connected(Duration::from_secs(5));
            let [a, b] = [0, 1].map(|side: usize| pair.peers[side].session.stats().dtls);
            assert_eq!(a.client, Some(setup != "a=setup:passive"));
            assert_eq!(b.client, a.client.map(|client| !client));
            assert_eq!(a.state, DtlsState::Connected);
            let version = if versions == [Auto, Auto] {
                "1.3"
            } else {
                "1.2"
            };
            assert_eq!((a.version, b.version), (Some(version), Some(version)));
            assert_eq!(a.srtp_profile, b.srtp_profile);
            assert!(a.srtp_profile.unwrap().contains("GCM"));
        }
    }
}

#[test]
fn answer_before_candidates_connects() {
    for seed in 0..5 {
        let config = PairConfig {
            candidates_in_descriptions: false,
            seed,
            ..PairConfig::default()
        };
        Pair::connected(config);
    }
}

#[test]
fn candidates_before_their_description_are_kept() {
    let mut pair = Pair::new(PairConfig::default());
    // The peer may trickle before its offer has made it through another channel.
    let candidate = "candidate:1 1 udp 2130706431 10.0.0.1 5000 typ host".to_owned();
    let command = Command::RemoteCandidate {
        candidate,
        mid: None,
        index: Some(0),
    };
    pair.command(1, command);
    pair.munger = Some(Box::new(|side, sdp| {
        if side == 0 {
            *sdp = sdp.replace("10.0.0.1", "10.9.9.9");
        }
    }));
    pair.command(0, sending(1, MediaKind::Video, Direction::SendOnly));
    pair.run_until_connected(Duration::from_secs(5));
    assert!(pair.peers[1].refused.is_empty());
}

#[test]
fn sessions_connect_at_a_loss_of_a_fifth() {
    for seed in 0..30 {
        let link = LinkConfig {
            loss: 0.2,
            delay: Duration::from_millis(30),
            jitter: Duration::from_millis(20),
            ..LinkConfig::default()
        };
        Pair::connected(PairConfig {
            link,
            seed,
            ..PairConfig::default()
        });
    }
}

#[test]
fn states_are_told_in_w3c_s_order() {
    let pair = Pair::connected(PairConfig::default());
    for peer in &pair.peers {
        let told: Vec<ConnectionState> = peer.connection.iter().map(|(_, state)| *state).collect();
        assert_eq!(
            told,
            [ConnectionState::Connecting, ConnectionState::Connected]
        );
        let told: Vec<IceConnectionState> = peer.ice.iter().map(|(_, state)| *state).collect();
        assert_eq!(told[0], IceConnectionState::Checking);
        // With all candidates known at once there may be nothing left to check.
        let found = [IceConnectionState::Connected, IceConnectionState::Completed];
        assert!(
            told.len() > 1 && told[1..].iter().all(|state| found.contains(state)),
            "{told:?}"
        );
        assert_eq!(peer.session.signaling_state(), SignalingState::Stable);
        assert_eq!(peer.needed, u32::from(std::ptr::eq(peer, &pair.peers[0])));
    }
}

#[test]
fn a_local_name_is_asked_for_and_its_address_used() {
    let mut pair = Pair::new(PairConfig::default());
    pair.munger = Some(Box::new(|_, sdp| {
        for address in ["10.0.0.1", "10.0.0.2"] {
            *sdp = sdp.replace(&format!("{address} 5000 typ"), "0a1b-2c.local 5000 typ");
        }
    }));
    pair.command(0, sending(1, MediaKind::Video, Direction::SendOnly));
    pair.run(Duration::from_millis(200));
    assert_eq!(pair.peers[1].names, ["0a1b-2c.local"]);
    let address = pair.peers[0].address.ip();
    let now = pair.now;
    pair.peers[1]
        .session
        .handle_resolved("0a1b-2c.local", &[address], now);
    // Its deadline is nearer now: what a driver learns by polling after each input.
    pair.command(1, Command::Negotiate);
    pair.run_until_connected(Duration::from_secs(5));
}

#[test]
fn a_first_frame_is_fast() {
    let pair = Pair::connected(PairConfig::default());
    let [a, b] = [0, 1].map(|side: usize| pair.peers[side].connection.clone());
    // Signalling 5 ms, path 10 ms each way: one round trip for ICE, one and a half for DTLS 1.3,
    // and the agent's pacing.
    let start = b[0].0;
    for states in [a, b] {
        let took = states[1].0 - start;
        assert!(took < Duration::from_millis(120), "{took:?}");
    }
}

#[test]
fn a_side_with_two_addresses_goes_on_with_the_other_when_one_dies() {
    for side in 0..2 {
        let mut pair = Pair::connected(PairConfig {
            homes: 2,
            ..PairConfig::default()
        });
        pair.stream(0, 1, MediaKind::Video, 0, 30);
        let used = pair.peers[side].session.stats().pair.expect("a path").local;
        pair.dead.push(used);
        pair.run(Duration::from_secs(40));
        for peer in &pair.peers {
            assert_eq!(peer.state(), ConnectionState::Connected, "{peer:#?}");
        }
        assert_ne!(
            pair.peers[side].session.stats().pair.expect("a path").local,
            used
        );
        let before = pair.peers[1].frames.len();
        pair.stream(0, 1, MediaKind::Video, 1000, 30);
        assert!(pair.peers[1].frames.len() >= before + 25);
    }
}
