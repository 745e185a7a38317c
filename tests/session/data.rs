// SPDX-License-Identifier: MPL-2.0
//! Data channels: what goes in comes out, under loss, in every order of closing, beside media.
use bytes::Bytes;
use rtc_session::{
    ChannelError, ChannelEvent, ChannelInit, ChannelKey, Command, DtlsVersion, SctpState,
};
use rtc_tests::link::LinkConfig;
use rtc_tests::pair::{Pair, PairConfig, Peer};
use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const KEY: ChannelKey = ChannelKey(1);

pub(crate) fn lossy(loss: f64, seed: u64) -> PairConfig {
    PairConfig {
        link: LinkConfig {
            loss,
            ..LinkConfig::default()
        },
        seed,
        ..PairConfig::default()
    }
}

/// A pair of which the first side opened a channel; the key the second has for it.
pub(crate) fn open(config: PairConfig, init: ChannelInit) -> (Pair, ChannelKey) {
    let mut pair = Pair::new(config);
    pair.command(0, Command::OpenChannel(init));
    pair.run_until(20 * SECOND, |pair| opened(&pair.peers[1]).len() == 1);
    let key = opened(&pair.peers[1])[0].key;
    (pair, key)
}

pub(crate) fn opened(peer: &Peer) -> Vec<&ChannelInit> {
    let opened = |event: &'_ ChannelEvent| matches!(event, ChannelEvent::Opened { .. });
    let events = peer.channels.iter().map(|(_, event)| event);
    events
        .filter(|event| opened(event))
        .filter_map(|event| match event {
            ChannelEvent::Opened { init, .. } => Some(init),
            _ => None,
        })
        .collect()
}

pub(crate) fn messages(peer: &Peer, wanted: ChannelKey) -> Vec<(Bytes, bool)> {
    let message = |event: &ChannelEvent| match event {
        ChannelEvent::Message { key, data, text } if *key == wanted => Some((data.clone(), *text)),
        _ => None,
    };
    let events = peer.channels.iter();
    events.filter_map(|(_, event)| message(event)).collect()
}

/// What happened to a channel, in short; messages and amounts left out.
pub(crate) fn trace(peer: &Peer, wanted: ChannelKey) -> Vec<&'static str> {
    let word = |event: &ChannelEvent| match event {
        ChannelEvent::Opened { key, .. } if *key == wanted => Some("open"),
        ChannelEvent::Closing { key } if *key == wanted => Some("closing"),
        ChannelEvent::Closed { key, error: None } if *key == wanted => Some("closed"),
        ChannelEvent::Closed { key, .. } if *key == wanted => Some("failed"),
        ChannelEvent::Refused { key, .. } if *key == wanted => Some("refused"),
        _ => None,
    };
    let events = peer.channels.iter();
    events.filter_map(|(_, event)| word(event)).collect()
}

pub(crate) fn send(
    pair: &mut Pair,
    side: usize,
    channel: ChannelKey,
    data: impl Into<Bytes>,
    text: bool,
) {
    let data = data.into();
    pair.command(
        side,
        Command::SendMessage {
            channel,
            data,
            text,
        },
    );
}

pub(crate) fn pattern(size: usize, seed: usize) -> Vec<u8> {
    (0..size)
        .map(|at| (at * 31 + at / 251 + seed) as u8)
        .collect()
}

#[test]
fn messages_of_every_size_come_back_in_both_roles_and_both_dtls_implementations() {
    for versions in [DtlsVersion::Auto, DtlsVersion::V12] {
        for opener in 0..2 {
            let mut pair = Pair::new(PairConfig {
                versions: [versions; 2],
                ..PairConfig::default()
            });
            pair.command(opener, Command::OpenChannel(ChannelInit::new(KEY, "echo")));
            pair.run_until(5 * SECOND, |pair| {
                opened(&pair.peers[1 - opener]).len() == 1
            });
            let there = opened(&pair.peers[1 - opener])[0].key;
            assert!(there.is_by_peer());
            let sizes = [0, 1, 1131, 1132, 1199, 1200, 16 << 10, 64 << 10, 256 << 10];
            for (at, size) in sizes.into_iter().enumerate() {
                send(&mut pair, opener, KEY, pattern(size, at), false);
                let text: String = "añ☕🦀\u{10ffff}".chars().cycle().take(size / 4).collect();
                send(&mut pair, opener, KEY, text, true);
            }
            let count = sizes.len() * 2;
            pair.run_until(20 * SECOND, |pair| {
                messages(&pair.peers[1 - opener], there).len() == count
            });
            for (data, text) in messages(&pair.peers[1 - opener], there) {
                send(&mut pair, 1 - opener, there, data, text);
            }
            pair.run_until(20 * SECOND, |pair| {
                messages(&pair.peers[opener], KEY).len() == count
            });
            let back = messages(&pair.peers[opener], KEY);
            for (at, size) in sizes.into_iter().enumerate() {
                assert_eq!(back[at * 2], (pattern(size, at).into(), false), "{size}");
                let (text, is_text) = &back[at * 2 + 1];
                assert!(*is_text && std::str::from_utf8(text).unwrap().chars().count() == size / 4);
            }
        }
    }
}

#[test]
fn a_channel_is_told_with_all_that_was_asked_for() {
    let init = ChannelInit {
        protocol: "json".into(),
        ordered: false,
        max_packet_lifetime_ms: Some(300),
        priority: 1024,
        ..ChannelInit::new(KEY, "télémétrie")
    };
    let (pair, there) = open(PairConfig::default(), init.clone());
    let told = opened(&pair.peers[1])[0].clone();
    let expected = ChannelInit {
        key: there,
        id: told.id,
        ..init
    };
    assert_eq!(told, expected);
    // The offerer is asked to be the DTLS server by the answer's role.
    let client = pair.peers[0].session.stats().dtls.client.unwrap();
    assert_eq!(told.id, Some(u16::from(!client)));
    for peer in &pair.peers {
        assert_eq!(peer.sctp, [SctpState::Connecting, SctpState::Connected]);
        let stats = peer.session.stats().sctp.unwrap();
        assert!(stats.transport.interleaving && stats.transport.zero_checksum);
    }
}

#[test]
fn reliable_messages_arrive_in_order_whatever_is_lost() {
    for (loss, count) in [(0.05, 300), (0.3, 60)] {
        let (mut pair, there) = open(lossy(loss, 3), ChannelInit::new(KEY, "r"));
        for at in 0..count {
            send(&mut pair, 0, KEY, pattern(at * 37 % 5000, at), false);
        }
        pair.run_until(300 * SECOND, |pair| {
            messages(&pair.peers[1], there).len() == count
        });
        for (at, (data, _)) in messages(&pair.peers[1], there).into_iter().enumerate() {
            assert_eq!(data, pattern(at * 37 % 5000, at), "{at} at {loss}");
        }
    }
}

#[test]
fn unordered_messages_do_not_wait_for_lost_ones() {
    let init = ChannelInit {
        ordered: false,
        ..ChannelInit::new(KEY, "u")
    };
    let (mut pair, there) = open(lossy(0.2, 5), init);
    for at in 0..200_u32 {
        send(&mut pair, 0, KEY, at.to_be_bytes().to_vec(), false);
        pair.run(Duration::from_millis(5));
    }
    pair.run_until(60 * SECOND, |pair| {
        messages(&pair.peers[1], there).len() == 200
    });
    let mut numbers: Vec<_> = messages(&pair.peers[1], there)
        .into_iter()
        .map(|(d, _)| d)
        .collect();
    assert!(!numbers.is_sorted(), "something overtook something");
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 200);
}

#[test]
fn without_retransmits_some_are_lost_and_none_is_late() {
    let init = ChannelInit {
        ordered: false,
        max_retransmits: Some(0),
        ..ChannelInit::new(KEY, "u")
    };
    for (loss, expected, late) in [(0.05, 930..=960, 100), (0.3, 600..=800, 1500)] {
        let (mut pair, there) = open(lossy(loss, 7), init.clone());
        pair.run(SECOND);
        let mut sent = Vec::new();
        for at in 0..1000_u32 {
            sent.push(pair.now);
            send(&mut pair, 0, KEY, at.to_be_bytes().to_vec(), false);
            pair.run(Duration::from_millis(5));
        }
        pair.run(5 * SECOND);
        let mut ages = Vec::new();
        for (at, event) in &pair.peers[1].channels {
            if let ChannelEvent::Message { key, data, .. } = event
                && *key == there
            {
                let number = u32::from_be_bytes(data[..].try_into().unwrap());
                ages.push(*at - sent[number as usize]);
            }
        }
        assert!(expected.contains(&ages.len()), "{} at {loss}", ages.len());
        ages.sort();
        let p99 = ages[ages.len() * 99 / 100];
        assert!(
            p99 < Duration::from_millis(late),
            "{p99:?} at {loss}, {:?}",
            ages[ages.len() / 2]
        );
    }
}

#[test]
fn messages_whose_lifetime_is_over_are_dropped() {
    let init = ChannelInit {
        max_packet_lifetime_ms: Some(100),
        ..ChannelInit::new(KEY, "l")
    };
    let (mut pair, there) = open(PairConfig::default(), init);
    pair.run(SECOND);
    pair.links[0].up = false;
    for at in 0..20_u32 {
        send(&mut pair, 0, KEY, pattern(20_000, at as usize), false);
    }
    pair.run(2 * SECOND);
    pair.links[0].up = true;
    pair.run(5 * SECOND);
    let late = messages(&pair.peers[1], there).len();
    assert!(late < 5, "{late} of 20 that were 2 s old");
    send(&mut pair, 0, KEY, "fresh", true);
    pair.run(SECOND);
    let (last, _) = messages(&pair.peers[1], there).pop().unwrap();
    assert_eq!(last, "fresh");
    let stats = pair.peers[0].session.stats().sctp.unwrap();
    assert_eq!(stats.buffered, 0);
}

#[test]
fn either_side_closes_and_both_are_told_in_order() {
    for closer in 0..2 {
        let (mut pair, there) = open(PairConfig::default(), ChannelInit::new(KEY, "c"));
        pair.run(SECOND);
        let keys = [KEY, there];
        for at in 0..10 {
            send(&mut pair, closer, keys[closer], pattern(50_000, at), false);
        }
        pair.command(closer, Command::CloseChannel(keys[closer]));
        send(&mut pair, closer, keys[closer], "too late", true);
        pair.run_until(10 * SECOND, |pair| {
            (0..2).all(|side| trace(&pair.peers[side], keys[side]).last() == Some(&"closed"))
        });
        let other = 1 - closer;
        assert_eq!(
            trace(&pair.peers[other], keys[other]),
            ["open", "closing", "closed"]
        );
        let told = trace(&pair.peers[closer], keys[closer]);
        assert_eq!(told, ["open", "closing", "refused", "closed"]);
        assert_eq!(
            messages(&pair.peers[other], keys[other]).len(),
            10,
            "what waited is sent first"
        );
    }
}

#[test]
fn both_sides_may_close_at_once() {
    let (mut pair, there) = open(PairConfig::default(), ChannelInit::new(KEY, "c"));
    pair.run(SECOND);
    pair.command(0, Command::CloseChannel(KEY));
    pair.command(1, Command::CloseChannel(there));
    pair.run(5 * SECOND);
    assert_eq!(trace(&pair.peers[0], KEY), ["open", "closing", "closed"]);
    assert_eq!(trace(&pair.peers[1], there), ["open", "closing", "closed"]);
}

#[test]
fn a_stream_is_used_again_after_a_close_even_under_loss() {
    for seed in 0..10 {
        let (mut pair, _) = open(lossy(0.2, seed), ChannelInit::new(KEY, "0"));
        for round in 1..20 {
            pair.command(0, Command::CloseChannel(KEY));
            pair.run_until(60 * SECOND, |pair| {
                trace(&pair.peers[0], KEY).last() == Some(&"closed")
            });
            pair.command(
                0,
                Command::OpenChannel(ChannelInit::new(KEY, round.to_string())),
            );
            send(&mut pair, 0, KEY, format!("m{round}"), true);
            pair.run_until(60 * SECOND, |pair| opened(&pair.peers[1]).len() > round);
            let here = opened(&pair.peers[0]);
            assert!(
                here.iter().all(|init| init.id == here[0].id),
                "{seed} {round}"
            );
            let there = opened(&pair.peers[1])[round].clone();
            assert_eq!(there.label, round.to_string());
            pair.run_until(60 * SECOND, |pair| {
                messages(&pair.peers[1], there.key) == [(format!("m{round}").into(), true)]
            });
        }
    }
}

#[test]
fn a_negotiated_channel_needs_no_word() {
    let mut pair = Pair::new(PairConfig::default());
    let init = ChannelInit {
        negotiated: true,
        id: Some(7),
        ..ChannelInit::new(KEY, "n")
    };
    for side in 0..2 {
        pair.command(side, Command::OpenChannel(init.clone()));
    }
    pair.run_until(10 * SECOND, |pair| {
        pair.peers.iter().all(|peer| opened(peer).len() == 1)
    });
    for side in 0..2 {
        send(&mut pair, side, KEY, format!("from {side}"), true);
    }
    pair.run(SECOND);
    for side in 0..2 {
        let peer = &pair.peers[side];
        assert_eq!(
            messages(peer, KEY),
            [(format!("from {}", 1 - side).into(), true)]
        );
        assert_eq!(opened(peer)[0], &init);
    }
    pair.command(0, Command::CloseChannel(KEY));
    pair.run(5 * SECOND);
    for peer in &pair.peers {
        assert_eq!(trace(peer, KEY), ["open", "closing", "closed"]);
    }
}

#[test]
fn a_hundred_channels_each_way_carry_their_own_messages() {
    let mut pair = Pair::new(PairConfig::default());
    for side in 0..2 {
        for at in 0..100 {
            let init = ChannelInit::new(ChannelKey(at), format!("{side}-{at}"));
            pair.command(side, Command::OpenChannel(init));
            send(
                &mut pair,
                side,
                ChannelKey(at),
                format!("{side}-{at}"),
                true,
            );
        }
    }
    pair.run_until(30 * SECOND, |pair| {
        let all = |peer: &Peer| {
            let events = peer.channels.iter();
            let is_message = |e: &&(_, ChannelEvent)| matches!(e.1, ChannelEvent::Message { .. });
            events.filter(is_message).count() == 100
        };
        pair.peers.iter().all(all)
    });
    let mut ids = Vec::new();
    for init in opened(&pair.peers[0]) {
        ids.push(init.id.unwrap());
        if init.key.is_by_peer() {
            let told = messages(&pair.peers[0], init.key);
            assert_eq!(told, [(init.label.clone().into(), true)]);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200);
    // All need one negotiation.
    assert_eq!(pair.peers[0].needed, 1);
}

#[test]
fn a_channel_that_is_asked_for_wrongly_is_told_why() {
    let mut pair = Pair::new(PairConfig::default());
    let good = ChannelInit::new(KEY, "x");
    let wrong = [
        ChannelInit {
            label: "l".repeat(65536),
            ..good.clone()
        },
        ChannelInit {
            protocol: "p".repeat(65536),
            ..good.clone()
        },
        ChannelInit {
            max_retransmits: Some(1),
            max_packet_lifetime_ms: Some(1),
            ..good.clone()
        },
        ChannelInit {
            negotiated: true,
            ..good.clone()
        },
        ChannelInit {
            negotiated: true,
            id: Some(65535),
            ..good.clone()
        },
    ];
    let count = wrong.len();
    for init in wrong {
        pair.command(0, Command::OpenChannel(init));
    }
    let told = &pair.peers[0].channels;
    assert_eq!(told.len(), count);
    for (_, event) in told {
        let ChannelEvent::Closed { error, .. } = event else {
            panic!("{event:?}");
        };
        assert!(
            matches!(error, Some(ChannelError::Init { .. })),
            "{event:?}"
        );
    }
    assert_eq!(pair.peers[0].needed, 0, "nothing to negotiate");
    pair.command(0, Command::OpenChannel(good.clone()));
    pair.command(0, Command::OpenChannel(good));
    assert_eq!(trace(&pair.peers[0], KEY).last(), Some(&"refused"));
    assert_eq!(pair.peers[0].needed, 1);
}
