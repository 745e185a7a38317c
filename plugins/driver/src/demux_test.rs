// SPDX-License-Identifier: MPL-2.0
//! Tests of routing: who gets what, what is learnt, what is forgotten.
use super::*;
use crate::stun::tests::message;

const REQUEST: [u8; 2] = [0, 1];
const SUCCESS: [u8; 2] = [1, 1];
const ERROR: [u8; 2] = [1, 0x11];
const DTLS: &[u8] = &[22, 254, 253, 0];

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], port))
}

fn ours() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 2], 8189))
}

fn demux(sessions: usize) -> Demux {
    let mut demux = Demux::default();
    for slot in 0..sessions {
        demux.add(slot, SessionId(slot as u64 + 1));
        demux.set_ufrag(slot, &format!("u{slot}"));
    }
    demux
}

fn arrives(demux: &mut Demux, port: u16, contents: &[u8]) -> Option<usize> {
    demux.route(&Datagram {
        transport: rtc_session::Transport::Udp,
        source: address(port),
        destination: ours(),
        contents,
    })
}

fn sends(demux: &mut Demux, slot: usize, port: u16, contents: Vec<u8>) {
    demux.sent(
        slot,
        &Transmit {
            transport: rtc_session::Transport::Udp,
            source: ours(),
            destination: address(port),
            contents,
            segment_size: None,
        },
    );
}

#[test]
fn a_request_goes_to_the_session_it_names() {
    let mut demux = demux(3);
    let request = message(REQUEST, 1, Some("u1:peer"));
    assert_eq!(arrives(&mut demux, 5000, &request), Some(1));
    let request = message(REQUEST, 1, Some("nobody:peer"));
    assert_eq!(arrives(&mut demux, 5000, &request), None);
}

#[test]
fn media_is_taken_only_from_an_address_whose_check_was_answered() {
    let mut demux = demux(2);
    arrives(&mut demux, 5000, &message(REQUEST, 1, Some("u1:peer")));
    assert_eq!(arrives(&mut demux, 5000, DTLS), None, "not answered yet");
    sends(&mut demux, 1, 5000, message(ERROR, 1, None));
    assert_eq!(
        arrives(&mut demux, 5000, DTLS),
        None,
        "answered by an error"
    );
    sends(&mut demux, 1, 5000, message(SUCCESS, 1, None));
    assert_eq!(arrives(&mut demux, 5000, DTLS), Some(1));
    assert_eq!(arrives(&mut demux, 5001, DTLS), None, "another address");
}

#[test]
fn a_response_finds_the_session_that_asked_and_opens_its_address() {
    let mut demux = demux(2);
    sends(&mut demux, 0, 5000, message(REQUEST, 9, Some("peer:u0")));
    assert_eq!(arrives(&mut demux, 5000, &message(SUCCESS, 8, None)), None);
    assert_eq!(arrives(&mut demux, 5000, DTLS), None);
    assert_eq!(
        arrives(&mut demux, 5000, &message(SUCCESS, 9, None)),
        Some(0)
    );
    assert_eq!(arrives(&mut demux, 5000, DTLS), Some(0));
}

#[test]
fn a_response_from_elsewhere_opens_nothing() {
    let mut demux = demux(1);
    sends(&mut demux, 0, 5000, message(REQUEST, 9, Some("peer:u0")));
    assert_eq!(
        arrives(&mut demux, 6000, &message(SUCCESS, 9, None)),
        Some(0)
    );
    assert_eq!(arrives(&mut demux, 6000, DTLS), None);
}

#[test]
fn the_newer_session_takes_an_address_over_and_keeps_it() {
    let mut demux = demux(2);
    sends(&mut demux, 0, 5000, message(SUCCESS, 1, None));
    assert_eq!(arrives(&mut demux, 5000, DTLS), Some(0));
    sends(&mut demux, 1, 5000, message(SUCCESS, 2, None));
    assert_eq!(arrives(&mut demux, 5000, DTLS), Some(1));
    sends(&mut demux, 0, 5000, message(SUCCESS, 3, None));
    assert_eq!(arrives(&mut demux, 5000, DTLS), Some(1));
    let late = message(REQUEST, 4, Some("u0:peer"));
    assert_eq!(
        arrives(&mut demux, 5000, &late),
        None,
        "so the old one expires"
    );
    demux.remove(0);
    assert_eq!(arrives(&mut demux, 5000, DTLS), Some(1));
}

#[test]
fn a_removed_session_leaves_nothing_behind() {
    let mut demux = demux(2);
    sends(&mut demux, 0, 5000, message(SUCCESS, 1, None));
    sends(&mut demux, 0, 5000, message(REQUEST, 9, None));
    demux.remove(0);
    assert_eq!(arrives(&mut demux, 5000, DTLS), None);
    assert_eq!(
        arrives(&mut demux, 5000, &message(REQUEST, 1, Some("u0:p"))),
        None
    );
    demux.add(0, SessionId(77));
    assert_eq!(arrives(&mut demux, 5000, &message(SUCCESS, 9, None)), None);
    assert!(demux.addresses.is_empty());
    assert_eq!(demux.ufrags.len(), 1);
}

#[test]
fn after_a_restart_both_names_lead_to_the_session() {
    let mut demux = demux(1);
    demux.set_ufrag(0, "new");
    for name in ["u0:p", "new:p"] {
        assert_eq!(
            arrives(&mut demux, 1, &message(REQUEST, 1, Some(name))),
            Some(0)
        );
    }
    for n in 0..100 {
        demux.set_ufrag(0, &format!("r{n}"));
    }
    assert_eq!(demux.ufrags.len(), MAX_UFRAGS);
}

#[test]
fn tables_stay_bounded_and_the_address_in_use_is_kept() {
    let mut demux = demux(1);
    for port in 1..=1000 {
        sends(&mut demux, 0, port, message(SUCCESS, 1, None));
        sends(&mut demux, 0, 5000, message(SUCCESS, 1, None));
    }
    assert_eq!(demux.addresses.len(), MAX_ADDRESSES);
    assert_eq!(arrives(&mut demux, 5000, DTLS), Some(0));
    for n in 0..2 * MAX_CHECKS as u32 {
        let mut request = message(REQUEST, 0, None);
        request[8..12].copy_from_slice(&n.to_be_bytes());
        sends(&mut demux, 0, 5000, request);
    }
    assert_eq!(demux.checks.len(), MAX_CHECKS);
    assert_eq!(demux.check_order.len(), MAX_CHECKS);
}

#[test]
fn garbage_goes_nowhere() {
    let mut demux = demux(1);
    for first in 0..=255_u8 {
        for length in [0, 1, 2, 19, 20, 21, 1200] {
            let contents = vec![first; length];
            assert_eq!(arrives(&mut demux, 5000, &contents), None);
        }
    }
}
