// SPDX-License-Identifier: MPL-2.0
//! Telephone tones of sessions: when they can be inserted, and what both sides tell.
use rtc_payload::{MediaKind, TrackId};
use rtc_rtp::{ReceivedTone, ToneError};
use rtc_session::{Command, Direction, SessionError};
use rtc_tests::link::LinkConfig;
use rtc_tests::pair::{Pair, PairConfig, sending};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn insert(tones: &str) -> Command {
    Command::InsertDtmf {
        track: TrackId(2),
        tones: tones.into(),
        duration_ms: 100,
        gap_ms: 70,
    }
}

fn call(link: LinkConfig) -> Pair {
    let mut pair = Pair::new(PairConfig {
        link,
        ..PairConfig::default()
    });
    pair.command(0, sending(2, MediaKind::Audio, Direction::SendOnly));
    pair.run_until_connected(10 * SECOND);
    pair.run(SECOND);
    pair
}

fn text(pair: &Pair, side: usize) -> String {
    let tones = pair.peers[side].tones.iter();
    tones.map(ReceivedTone::character).collect()
}

fn refused(pair: &Pair) -> Vec<ToneError> {
    let refused = pair.peers[0].refused.iter();
    let tones = refused.filter_map(|error| match error {
        SessionError::Tones(error) => Some(*error),
        _ => None,
    });
    tones.collect()
}

#[test]
fn tones_are_told_at_both_ends_over_a_lossy_path() {
    let link = LinkConfig {
        loss: 0.1,
        delay: Duration::from_millis(20),
        ..LinkConfig::default()
    };
    let mut pair = call(link);
    pair.stream(0, 2, MediaKind::Audio, 0, 5);
    pair.command(0, insert("0123456789*#ABCD,"));
    pair.stream(0, 2, MediaKind::Audio, 5, 160);
    assert_eq!(text(&pair, 1), "0123456789*#ABCD");
    let changes = &pair.peers[0].tone_changes;
    let told: String = changes.iter().map(|(_, tone)| tone.as_str()).collect();
    assert_eq!((told.as_str(), changes.len()), ("0123456789*#ABCD,", 18));
    let took = changes[17].0 - changes[0].0;
    let expected = Duration::from_millis(16 * 170 + 2000);
    assert!(
        took.abs_diff(expected) < Duration::from_millis(20),
        "{took:?}"
    );
    assert!(pair.peers[0].refused.is_empty());
}

#[test]
fn what_can_t_be_inserted_is_refused_by_w3c_s_names() {
    let mut pair = Pair::new(PairConfig::default());
    pair.command(0, sending(2, MediaKind::Audio, Direction::SendOnly));
    pair.command(0, insert("1"));
    assert_eq!(refused(&pair), [ToneError::InvalidState], "not connected");
    pair.run_until_connected(10 * SECOND);
    pair.run(SECOND);
    pair.command(0, insert("1x"));
    assert_eq!(refused(&pair)[1..], [ToneError::InvalidCharacter('x')]);
    pair.command(1, insert("1"));
    let not_sent = SessionError::Tones(ToneError::InvalidState);
    assert_eq!(pair.peers[1].refused, [not_sent]);
    pair.command(0, Command::RemoveTrack(TrackId(2)));
    pair.command(0, Command::Negotiate);
    pair.run(SECOND);
    pair.command(0, insert("1"));
    assert_eq!(refused(&pair)[2..], [ToneError::InvalidState], "no track");
    pair.command(0, Command::Close);
    pair.command(0, insert("1"));
    pair.run(SECOND);
    assert!(pair.peers[1].tones.is_empty() && pair.peers[0].tone_changes.is_empty());
}

#[test]
fn what_is_negotiated_says_whether_tones_are_taken() {
    let pair = call(LinkConfig::default());
    let sends = |side: usize| {
        let media = pair.peers[side].media.last();
        media.is_some_and(|media| media.iter().any(|line| line.sends_tones))
    };
    assert!(sends(0) && !sends(1));
}
