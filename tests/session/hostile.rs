// SPDX-License-Identifier: MPL-2.0
//! What strangers and faulty peers send: wrong certificates, noise, changed and repeated datagrams.
use rtc_payload::MediaKind;
use rtc_session::{ConnectionState, Direction, DtlsVersion, SessionError};
use rtc_tests::link::{Packet, Random};
use rtc_tests::pair::{Pair, PairConfig, sending};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_wrong_fingerprint_is_refused_in_both_roles() {
    for liar in 0..2 {
        for setup in ["a=setup:active", "a=setup:passive"] {
            let mut pair = Pair::new(PairConfig::default());
            pair.munger = Some(Box::new(move |side, sdp| {
                *sdp = sdp.replace("a=setup:actpass", setup);
                if side == liar {
                    let at = sdp.find("sha-256 ").expect("a fingerprint") + 8;
                    let other = if &sdp[at..=at] == "0" { "1" } else { "0" };
                    sdp.replace_range(at..=at, other);
                }
            }));
            pair.command(0, sending(1, MediaKind::Video, Direction::SendOnly));
            pair.run(5 * SECOND);
            let deceived = &pair.peers[1 - liar];
            let (_, error) = deceived.closed.clone().expect("closed");
            assert_eq!(error, Some(SessionError::Fingerprint));
            let (_, error) = pair.peers[liar]
                .closed
                .clone()
                .expect("told by close_notify");
            assert_eq!(error, Some(SessionError::PeerClosed));
            pair.stream(0, 1, MediaKind::Video, 0, 5);
            assert!(pair.peers.iter().all(|peer| peer.frames.is_empty()));
            assert_eq!(pair.peers[1 - liar].when(ConnectionState::Connected), None);
        }
    }
}

/// All datagrams of a connection and some frames, by sender.
fn recorded(config: PairConfig) -> (Pair, Vec<(usize, Vec<u8>)>) {
    let record = Rc::new(RefCell::new(Vec::new()));
    let writer = record.clone();
    let mut pair = Pair::new(config);
    pair.meddler = Some(Box::new(move |side, bytes| {
        writer.borrow_mut().push((side, bytes.clone()));
    }));
    pair.command(0, sending(1, MediaKind::Video, Direction::SendOnly));
    pair.run_until_connected(5 * SECOND);
    pair.stream(0, 1, MediaKind::Video, 0, 30);
    pair.meddler = None;
    let record = record.borrow().clone();
    (pair, record)
}

fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes.extend((0..=random.below(40)).map(|n| n as u8)),
            2 => bytes[at] = 0xff,
            3 => bytes[at] = 0,
            4 => bytes[0] = random.bits() as u8,
            _ => bytes[at] ^= 1 << random.below(8),
        }
    }
}

#[test]
fn changed_datagrams_of_all_kinds_end_no_connected_session() {
    for versions in [[DtlsVersion::Auto; 2], [DtlsVersion::V12; 2]] {
        let (mut pair, record) = recorded(PairConfig {
            versions,
            ..PairConfig::default()
        });
        let kinds = |from, to| {
            record
                .iter()
                .filter(move |(_, b)| (from..=to).contains(&b[0]))
                .count()
        };
        assert!(kinds(0, 3) > 3 && kinds(20, 63) > 3 && kinds(128, 191) > 10);
        let mut random = Random::new(7);
        for _ in 0..30_000 {
            let (sender, bytes) = &record[random.below(record.len())];
            let mut contents = bytes.clone();
            change(&mut contents, &mut random);
            let packet = Packet {
                source: pair.peers[*sender].address,
                destination: pair.peers[1 - *sender].address,
                contents,
            };
            pair.inject(1 - *sender, &packet);
            pair.run(Duration::from_micros(200));
        }
        for peer in &pair.peers {
            assert_eq!(peer.state(), ConnectionState::Connected, "{peer:#?}");
            assert_eq!(peer.closed, None);
            assert!(peer.session.stats().dropped_datagrams > 1000);
        }
        let before = pair.peers[1].frames.len();
        pair.stream(0, 1, MediaKind::Video, 100, 30);
        assert_eq!(pair.peers[1].frames.len(), before + 30);
    }
}

#[test]
fn repeated_datagrams_change_nothing() {
    let (mut pair, record) = recorded(PairConfig::default());
    let before = pair.peers[1].numbers();
    for (sender, contents) in record {
        let (source, destination) = (pair.peers[sender].address, pair.peers[1 - sender].address);
        pair.inject(
            1 - sender,
            &Packet {
                source,
                destination,
                contents,
            },
        );
        pair.run(Duration::from_millis(1));
    }
    assert_eq!(pair.peers[1].numbers(), before);
    for peer in &pair.peers {
        assert_eq!(peer.state(), ConnectionState::Connected);
    }
}

#[test]
fn strangers_are_not_listened_to_before_ice_knows_them() {
    let (mut pair, record) = recorded(PairConfig::default());
    let before = pair.peers[1].frames.len();
    let dropped = |pair: &Pair| pair.peers[1].session.stats().dropped_datagrams;
    let (mut count, start) = (0, dropped(&pair));
    for (sender, contents) in record {
        if sender == 1 || contents[0] < 20 {
            continue;
        }
        count += 1;
        let destination = pair.peers[1].address;
        let source = "10.66.6.6:666".parse().expect("an address");
        pair.inject(
            1,
            &Packet {
                source,
                destination,
                contents,
            },
        );
    }
    assert_eq!(dropped(&pair) - start, count);
    assert_eq!(pair.peers[1].frames.len(), before);
}

#[test]
fn noise_before_and_during_the_handshake_panics_nowhere() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let mut pair = Pair::new(PairConfig::default());
        pair.command(0, sending(1, MediaKind::Video, Direction::SendOnly));
        for _ in 0..300 {
            let side = random.below(2);
            let length = 1 + random.below(200);
            let mut contents: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
            contents[0] = [0, 1, 22, 23, 128, 200][random.below(6)];
            let source = pair.peers[1 - side].address;
            let destination = pair.peers[side].address;
            pair.inject(
                side,
                &Packet {
                    source,
                    destination,
                    contents,
                },
            );
            pair.run(Duration::from_micros(500));
        }
    }
}
