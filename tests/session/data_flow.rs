// SPDX-License-Identifier: MPL-2.0
//! Data channels under way: sizes and amounts that are bounded, holding back, and how they end.
use crate::data::{KEY, SECOND, messages, open, opened, pattern, send, trace};
use rtc_payload::MediaKind;
use rtc_session::{ChannelError, ChannelEvent, ChannelInit, Command, Direction, SctpState};
use rtc_tests::pair::{Pair, PairConfig, sending};

#[test]
fn a_message_larger_than_the_peer_takes_is_refused_with_both_sizes() {
    for (line, limit) in [("a=max-message-size:262144", 262_144), ("a=x:1", 65_536)] {
        let mut pair = Pair::new(PairConfig::default());
        pair.munger = Some(Box::new(move |side, sdp| {
            if side == 1 {
                *sdp = sdp.replace("a=max-message-size:4194304", line);
            }
        }));
        pair.command(0, Command::OpenChannel(ChannelInit::new(KEY, "x")));
        // One before the limit is known, one after.
        send(&mut pair, 0, KEY, vec![1; limit + 1], false);
        pair.run_until(5 * SECOND, |pair| opened(&pair.peers[1]).len() == 1);
        let there = opened(&pair.peers[1])[0].key;
        send(&mut pair, 0, KEY, vec![2; limit + 1], false);
        send(&mut pair, 0, KEY, vec![3; limit], false);
        pair.run_until(10 * SECOND, |pair| {
            messages(&pair.peers[1], there).len() == 1
        });
        assert_eq!(
            messages(&pair.peers[1], there),
            [(vec![3; limit].into(), false)]
        );
        let expected = ChannelError::TooLarge {
            size: limit as u64 + 1,
            limit: limit as u64,
        };
        let refused = |event: &ChannelEvent| match event {
            ChannelEvent::Refused { message, error, .. } => Some((*message, error.clone())),
            _ => None,
        };
        let events = pair.peers[0].channels.iter();
        let refusals: Vec<_> = events.filter_map(|(_, event)| refused(event)).collect();
        assert_eq!(
            refusals,
            vec![(Some(limit as u64 + 1), expected.clone()); 2]
        );
        let text = expected.to_string();
        assert!(text.contains(&(limit + 1).to_string()) && text.contains(&limit.to_string()));
    }
}

#[test]
fn megabytes_go_where_they_are_taken() {
    let (mut pair, there) = open(PairConfig::default(), ChannelInit::new(KEY, "big"));
    let size = 4 << 20;
    send(&mut pair, 0, KEY, pattern(size, 1), false);
    pair.run_until(60 * SECOND, |pair| {
        messages(&pair.peers[1], there).len() == 1
    });
    assert_eq!(messages(&pair.peers[1], there)[0].0, pattern(size, 1));
}

#[test]
fn what_waits_is_bounded_and_told_as_it_goes() {
    let init = ChannelInit {
        low_threshold: 1 << 20,
        ..ChannelInit::new(KEY, "b")
    };
    let (mut pair, there) = open(PairConfig::default(), init);
    pair.run(SECOND);
    pair.peers[0].channels.clear();
    pair.links[0].up = false;
    let size = 64 << 10;
    for _ in 0..300 {
        send(&mut pair, 0, KEY, vec![5; size], false);
    }
    let refused = trace(&pair.peers[0], KEY).len();
    assert!((40..60).contains(&refused), "{refused} of 300 above 16 MiB");
    let accepted = 300 - refused;
    let stats = pair.peers[0].session.stats().sctp.unwrap();
    assert_eq!(stats.buffered, (accepted * size) as u64);
    pair.links[0].up = true;
    pair.run_until(120 * SECOND, |pair| {
        messages(&pair.peers[1], there).len() == accepted
    });
    pair.run(SECOND);
    let (mut low, mut last) = (0, 0);
    let mut left = u64::MAX;
    for (_, event) in &pair.peers[0].channels {
        match event {
            ChannelEvent::Sent { sent, buffered, .. } => {
                assert!(*sent > last && *buffered < left);
                assert_eq!(sent + buffered, (accepted * size) as u64);
                (last, left) = (*sent, *buffered);
            }
            ChannelEvent::BufferedAmountLow { .. } => {
                low += 1;
                assert!(left > 900 << 10 && left <= (1 << 20) + (64 << 10), "{left}");
            }
            _ => {}
        }
    }
    assert_eq!((low, left), (1, 0));
}

#[test]
fn a_peer_that_holds_its_messages_holds_the_sender_back() {
    let (mut pair, there) = open(PairConfig::default(), ChannelInit::new(KEY, "h"));
    pair.run(SECOND);
    pair.command(1, Command::HoldMessages(true));
    for at in 0..200 {
        send(&mut pair, 0, KEY, pattern(64 << 10, at), false);
    }
    pair.run(30 * SECOND);
    assert!(messages(&pair.peers[1], there).is_empty());
    let waiting = pair.peers[0].session.stats().sctp.unwrap().buffered;
    assert!(waiting > 6 << 20, "{waiting} of 12.5 MiB");
    let wakeups = pair.peers[1].wakeups;
    pair.run(10 * SECOND);
    assert!(pair.peers[1].wakeups - wakeups < 500, "it does not spin");
    pair.command(0, Command::CloseChannel(KEY));
    pair.run(SECOND);
    pair.command(1, Command::HoldMessages(false));
    pair.run_until(120 * SECOND, |pair| {
        messages(&pair.peers[1], there).len() == 200
    });
    for (at, (data, _)) in messages(&pair.peers[1], there).into_iter().enumerate() {
        assert_eq!(data, pattern(64 << 10, at));
    }
    pair.run(SECOND);
    assert_eq!(trace(&pair.peers[1], there), ["open", "closing", "closed"]);
}

#[test]
fn what_was_sent_before_a_close_is_held_too() {
    let (mut pair, there) = open(PairConfig::default(), ChannelInit::new(KEY, "h"));
    pair.run(SECOND);
    pair.command(1, Command::HoldMessages(true));
    for at in 0..10 {
        send(&mut pair, 0, KEY, pattern(1000, at), false);
    }
    pair.command(0, Command::CloseChannel(KEY));
    pair.run(5 * SECOND);
    assert_eq!(trace(&pair.peers[1], there), ["open"]);
    pair.command(1, Command::HoldMessages(false));
    pair.run(SECOND);
    assert_eq!(messages(&pair.peers[1], there).len(), 10);
    assert_eq!(trace(&pair.peers[1], there), ["open", "closing", "closed"]);
    assert_eq!(trace(&pair.peers[0], KEY), ["open", "closing", "closed"]);
}

#[test]
fn media_goes_on_beside_a_transfer_and_data_is_added_to_a_call() {
    let mut pair = Pair::connected(PairConfig::default());
    pair.command(1, Command::OpenChannel(ChannelInit::new(KEY, "late")));
    pair.run_until(5 * SECOND, |pair| opened(&pair.peers[0]).len() == 1);
    let there = opened(&pair.peers[0])[0].key;
    for at in 0..100 {
        send(&mut pair, 1, KEY, pattern(60_000, at), false);
        send(&mut pair, 0, there, pattern(60_000, at), false);
    }
    let next = pair.stream(0, 1, MediaKind::Video, 0, 90);
    pair.run(10 * SECOND);
    assert_eq!(pair.peers[1].numbers().len(), next as usize);
    assert_eq!(messages(&pair.peers[0], there).len(), 100);
    assert_eq!(messages(&pair.peers[1], KEY).len(), 100);
    pair.command(0, sending(2, MediaKind::Audio, Direction::SendRecv));
    pair.run(SECOND);
    send(&mut pair, 1, KEY, "still there", true);
    pair.run(SECOND);
    assert_eq!(messages(&pair.peers[0], there).len(), 101);
}

#[test]
fn channels_close_with_the_session_and_tell_of_the_peers_end() {
    let (mut pair, there) = open(PairConfig::default(), ChannelInit::new(KEY, "c"));
    pair.run(SECOND);
    pair.command(0, Command::Close);
    pair.run(SECOND);
    assert_eq!(trace(&pair.peers[0], KEY), ["open", "closed"]);
    // SCTP's ABORT comes before DTLS's close_notify, as browsers have it.
    assert_eq!(trace(&pair.peers[1], there), ["open", "failed"]);
    let (_, last) = pair.peers[1].channels.last().unwrap();
    let ChannelEvent::Closed {
        error: Some(ChannelError::Sctp { cause, .. }),
        ..
    } = last
    else {
        panic!("{last:?}");
    };
    assert_eq!(*cause, Some(12));
    assert_eq!(pair.peers[1].sctp.last(), Some(&SctpState::Closed));
    assert!(pair.peers[1].closed.is_some());
}

#[test]
fn a_peer_that_vanishes_closes_the_channels() {
    let (mut pair, _) = open(PairConfig::default(), ChannelInit::new(KEY, "c"));
    pair.run(SECOND);
    pair.links[1].up = false;
    pair.links[0].up = false;
    send(&mut pair, 0, KEY, "into the void", true);
    pair.run(60 * SECOND);
    assert_eq!(trace(&pair.peers[0], KEY).last(), Some(&"failed"));
    assert!(pair.peers[0].closed.is_some());
}

#[test]
fn a_peer_without_data_channels_is_told_of_at_once() {
    let mut pair = Pair::new(PairConfig::default());
    pair.munger = Some(Box::new(|side, sdp| {
        if side == 1 {
            *sdp = sdp
                .replace("m=application 9", "m=application 0")
                .replace("BUNDLE 0 1", "BUNDLE 0");
        }
    }));
    pair.command(0, sending(1, MediaKind::Video, Direction::SendOnly));
    pair.command(0, Command::OpenChannel(ChannelInit::new(KEY, "c")));
    pair.run_until_connected(5 * SECOND);
    assert_eq!(trace(&pair.peers[0], KEY), ["failed"]);
    assert_eq!(pair.stream(0, 1, MediaKind::Video, 0, 10), 10);
    assert!(!pair.peers[1].frames.is_empty());
}

#[test]
fn an_idle_association_wakes_seldom() {
    let (mut pair, _) = open(PairConfig::default(), ChannelInit::new(KEY, "c"));
    pair.run(30 * SECOND);
    let before = pair.peers[0].wakeups;
    pair.run(100 * SECOND);
    let wakeups = pair.peers[0].wakeups - before;
    assert!(wakeups < 120, "{wakeups} in 100 s, ICE's own included");
}
