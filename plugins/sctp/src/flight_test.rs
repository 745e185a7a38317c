// SPDX-License-Identifier: MPL-2.0
//! What acknowledgements, losses and timers make of pieces under way.
use super::*;
use crate::queue::SendOptions;
use crate::wire::ORIGIN;

const REORDER: Duration = Duration::from_millis(50);
const STEP: Duration = Duration::from_millis(1);

fn next(number: u64, options: SendOptions) -> Next {
    Next {
        piece: Piece {
            stream: 1,
            unordered: false,
            begin: true,
            end: true,
            ppid: 53,
            mid: number as u32,
            fsn: 0,
        },
        payload: vec![7; 100].into(),
        message: number,
        options,
    }
}

/// Ten pieces in packets 1 to 10.
fn ten(options: SendOptions) -> (Flight, Instant) {
    let mut now = Instant::now();
    let mut flight = Flight::new(ORIGIN, false);
    for number in 0..10 {
        now += STEP;
        assert_eq!(
            flight.push(next(number, options), number + 1, now),
            ORIGIN + number
        );
    }
    (flight, now)
}

fn acknowledge(flight: &mut Flight, cumulative: u64, runs: &[[u16; 2]], now: Instant) -> Progress {
    let progress = flight.acknowledge(cumulative as u32, runs.iter().copied(), Some(STEP), now);
    progress.unwrap()
}

#[test]
fn a_gap_of_three_packets_is_a_loss_and_so_is_that_of_a_repetition() {
    let (mut flight, now) = ten(SendOptions::default());
    acknowledge(&mut flight, ORIGIN, &[[2, 3]], now);
    assert_eq!(flight.find_lost(REORDER, now).0, 0.0);
    assert!(flight.loss_time().is_some());
    acknowledge(&mut flight, ORIGIN, &[[2, 4]], now);
    assert_eq!(flight.find_lost(REORDER, now).0, 1.0);
    let (tsn, ..) = flight.repeat(2000, 11, now).unwrap();
    assert_eq!(tsn, ORIGIN + 1);
    assert_eq!(flight.bytes(), 6 * 116);
    for number in 10..14 {
        flight.push(next(number, SendOptions::default()), number + 2, now);
    }
    let later = now + STEP * 2;
    acknowledge(&mut flight, ORIGIN, &[[2, 12]], later);
    assert_eq!(flight.find_lost(REORDER, later).0, 1.0);
    assert_eq!(flight.repeat(2000, 16, later).unwrap().0, ORIGIN + 1);
    let progress = acknowledge(&mut flight, ORIGIN + 13, &[], later + STEP * 2);
    assert!(progress.advanced);
    assert!(flight.is_empty());
    assert_eq!((flight.bytes(), flight.payload_bytes()), (0, 0));
}

#[test]
fn a_packet_before_one_that_arrived_is_lost_after_a_while() {
    let (mut flight, now) = ten(SendOptions::default());
    acknowledge(&mut flight, ORIGIN + 7, &[[2, 2]], now);
    assert_eq!(flight.find_lost(REORDER, now).0, 0.0);
    let due = flight.loss_time().unwrap();
    assert_eq!(flight.find_lost(REORDER, due).0, 1.0);
    assert_eq!(flight.repeat(2000, 11, due).unwrap().0, ORIGIN + 8);
}

#[test]
fn what_may_not_be_repeated_is_passed_over() {
    let options = SendOptions {
        max_retransmits: Some(0),
        ..SendOptions::default()
    };
    let (mut flight, now) = ten(options);
    acknowledge(&mut flight, ORIGIN, &[[3, 9]], now);
    let (lost, given_up) = flight.find_lost(REORDER, now);
    assert_eq!((lost, given_up), (2.0, vec![(1, 1), (1, 2)]));
    assert!(flight.can_forward());
    let (last, skipped) = flight.forward(10).unwrap();
    assert_eq!(last, ORIGIN + 9);
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].mid, 2);
    assert!(!flight.can_forward() && flight.waits_for_forward());
    acknowledge(&mut flight, ORIGIN + 9, &[], now);
    assert!(flight.is_empty() && !flight.waits_for_forward());
}

#[test]
fn old_and_impossible_acknowledgements_are_refused() {
    let (mut flight, now) = ten(SendOptions::default());
    acknowledge(&mut flight, ORIGIN + 4, &[], now);
    for cumulative in [ORIGIN + 3, ORIGIN + 10, ORIGIN + (1 << 31)] {
        let runs = std::iter::empty();
        assert!(
            flight
                .acknowledge(cumulative as u32, runs, None, now)
                .is_none()
        );
    }
    let strange = [[4, 2], [1, 60_000], [2, 2], [2, 2], [1, 3]];
    let progress = acknowledge(&mut flight, ORIGIN + 4, &strange, now);
    assert_eq!(progress.bytes, 116);
}

#[test]
fn silence_loses_all_and_each_is_sent_again() {
    let (mut flight, now) = ten(SendOptions::default());
    assert!(flight.lose_first(now).is_empty());
    assert_eq!(flight.repeat(2000, 11, now).unwrap().0, ORIGIN);
    flight.lose_all(now);
    assert_eq!(flight.bytes(), 0);
    for number in 0..10 {
        assert_eq!(
            flight.repeat(2000, 12 + number, now).unwrap().0,
            ORIGIN + number
        );
    }
    assert_eq!(flight.bytes(), 10 * 116);
}
