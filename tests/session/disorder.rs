// SPDX-License-Identifier: MPL-2.0
//! Commands in any order, at any time, over any path: nothing panics, and `Close` always closes.
use proptest::prelude::*;
use rtc_payload::{Codec, MediaKind, Mid, TrackId};
use rtc_session::{
    ChannelInit, ChannelKey, CodecOffer, Command, DescriptionKind, Direction, SignalingState,
};
use rtc_tests::pair::{Pair, PairConfig, sending};
use std::time::Duration;

#[derive(Clone, Debug)]
enum Act {
    Command(usize, Command),
    /// One of the descriptions made so far, given to a side, as whatever kind.
    Describe(usize, usize, DescriptionKind),
    Cut(usize, bool),
    Stream(usize),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let direction = prop_oneof![
        Just(Direction::SendRecv),
        Just(Direction::SendOnly),
        Just(Direction::RecvOnly),
        Just(Direction::Inactive),
    ];
    let media = prop_oneof![Just(MediaKind::Video), Just(MediaKind::Audio)];
    let kind = prop_oneof![
        Just(DescriptionKind::Offer),
        Just(DescriptionKind::Pranswer),
        Just(DescriptionKind::Answer),
        Just(DescriptionKind::Rollback),
    ];
    let codecs = Just(vec![CodecOffer {
        codec: Codec::Vp8,
        fmtp: String::new(),
    }]);
    let command = prop_oneof![
        4 => (0u32..4, media, direction).prop_map(|(track, kind, d)| sending(track, kind, d)),
        2 => (0u32..4).prop_map(|track| Command::RemoveTrack(TrackId(track))),
        1 => (0u32..4, codecs).prop_map(|(track, codecs)| Command::SetTrackCodecs(TrackId(track), codecs)),
        2 => Just(Command::Negotiate),
        2 => Just(Command::RestartIce),
        2 => (0u64..5).prop_map(|key| Command::OpenChannel(ChannelInit::new(ChannelKey(key), "x"))),
        1 => (0u64..5).prop_map(|key| Command::CloseChannel(ChannelKey(key))),
        2 => (0u64..5, 0usize..100_000).prop_map(|(key, size)| Command::SendMessage {
            channel: ChannelKey(key),
            data: vec![0; size].into(),
            text: false,
        }),
        1 => any::<bool>().prop_map(Command::HoldMessages),
        1 => Just(Command::RequestKeyframe(Mid::from("0"))),
        1 => "candidate:[ -~]{0,40}".prop_map(|candidate| Command::RemoteCandidate {
            candidate,
            mid: None,
            index: Some(0),
        }),
    ];
    prop_oneof![
        6 => (0usize..2, command).prop_map(|(side, command)| Act::Command(side, command)),
        2 => (0usize..2, 0usize..20, kind).prop_map(|(side, at, kind)| Act::Describe(side, at, kind)),
        1 => (0usize..2, any::<bool>()).prop_map(|(link, up)| Act::Cut(link, up)),
        2 => (0usize..2).prop_map(Act::Stream),
        4 => (0u64..3000).prop_map(Act::Wait),
    ]
}

fn perform(pair: &mut Pair, act: Act) {
    match act {
        Act::Command(side, command) => pair.command(side, command),
        Act::Describe(side, at, kind) => {
            let made = pair.peers.iter().flat_map(|peer| &peer.descriptions);
            let sdp = made.map(|(_, sdp)| sdp.clone()).nth(at).unwrap_or_default();
            pair.command(side, Command::RemoteDescription { kind, sdp });
        }
        Act::Cut(link, up) => pair.links[link].up = up,
        Act::Stream(side) => {
            pair.stream(side, 1, MediaKind::Video, 0, 3);
        }
        Act::Wait(milliseconds) => pair.run(Duration::from_millis(milliseconds)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn commands_in_any_order_panic_nowhere_and_close_closes(
        acts in prop::collection::vec(act(), 1..40),
        seed in any::<u64>(),
    ) {
        let mut pair = Pair::new(PairConfig { seed: seed >> 2, ..PairConfig::default() });
        for act in acts {
            perform(&mut pair, act);
        }
        for side in 0..2 {
            pair.command(side, Command::Close);
            prop_assert!(pair.peers[side].closed.is_some());
            prop_assert_eq!(pair.peers[side].session.signaling_state(), SignalingState::Closed);
        }
        pair.run(Duration::from_secs(1));
    }

    #[test]
    fn honest_negotiations_of_both_sides_always_come_to_rest(
        acts in prop::collection::vec((0usize..2, 0u32..4, 0u64..30, 0u8..4), 1..25),
        seed in any::<u64>(),
    ) {
        let mut pair = Pair::new(PairConfig { seed: seed >> 2, ..PairConfig::default() });
        for (side, track, wait, what) in acts {
            let command = match what {
                0 => Command::RemoveTrack(TrackId(track)),
                1 => Command::RestartIce,
                2 => sending(track, MediaKind::Audio, Direction::SendRecv),
                _ => sending(track, MediaKind::Video, Direction::SendRecv),
            };
            pair.command(side, command);
            pair.run(Duration::from_millis(wait));
        }
        pair.run(Duration::from_secs(5));
        for peer in &pair.peers {
            prop_assert!(peer.closed.is_none(), "{:?}", peer.closed);
            prop_assert_eq!(peer.session.signaling_state(), SignalingState::Stable);
            prop_assert!(peer.refused.is_empty(), "{:?}", peer.refused);
        }
        prop_assert_eq!(pair.peers[0].state(), pair.peers[1].state());
    }
}
