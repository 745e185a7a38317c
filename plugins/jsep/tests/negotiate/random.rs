// SPDX-License-Identifier: MPL-2.0
//! Random damage and random orders of calls: nothing panics, and two negotiators always find together.
use crate::kit::*;
use DescriptionKind::{Answer, Offer, Pranswer, Rollback};
use proptest::prelude::*;
use rtc_jsep::*;
use rtc_payload::{Codec, TrackId};

/// xorshift: the same damage in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// One to eight cuts, copies, swaps and overwritten bytes.
fn damaged(text: &str, random: &mut Seeded) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=random.below(8) {
        let at = random.below(lines.len());
        match random.below(7) {
            0 if lines.len() > 1 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[random.below(lines.len())].clone()),
            2 => {
                let other = random.below(lines.len());
                lines.swap(at, other);
            }
            3 => {
                let cut = random.below(lines[at].len() + 1);
                lines[at].truncate(cut);
            }
            4 => {
                let joined = lines[random.below(lines.len())].clone();
                lines[at].push_str(&joined);
            }
            _ if !lines[at].is_empty() => {
                let mut bytes = lines[at].clone().into_bytes();
                let position = random.below(bytes.len());
                bytes[position] = b"09 :/=;-,xA\x01\x7f"[random.below(13)];
                lines[at] = String::from_utf8(bytes).unwrap();
            }
            _ => (),
        }
    }
    lines.join("\r\n") + "\r\n"
}

#[test]
fn damaged_offers_of_browsers_never_panic() {
    let mut random = Seeded(0x5eed);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..6_000 {
        let text = damaged(if round % 2 == 0 { CHROMIUM } else { FIREFOX }, &mut random);
        let mut both = receiver();
        both.add_transceiver(track(1, &[Codec::Opus], Direction::SendRecv));
        both.add_transceiver(track(2, &[Codec::H264, Codec::Vp8], Direction::SendRecv));
        match both.apply_remote(Offer, &text) {
            Ok(_) => {
                taken += 1;
                let answer = both
                    .create_answer(&transport("ufrag"), Setup::Passive)
                    .unwrap();
                assert_eq!(
                    answer.matches("\r\nm=").count(),
                    text.matches("\r\nm=").count()
                );
                both.media();
                both.negotiation_needed();
                both.create_offer(&transport("ufrag")).unwrap();
            }
            Err(_) => {
                refused += 1;
                assert_eq!(both.signaling_state(), SignalingState::Stable);
            }
        }
    }
    assert!(
        taken > 500 && refused > 500,
        "{taken} taken, {refused} refused"
    );
}

#[test]
fn damaged_answers_never_panic() {
    let mut sink = receiver();
    sink.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    sink.add_transceiver(track(2, &[Codec::Vp8], Direction::SendOnly));
    let offer = sink.create_offer(&transport("aaaa")).unwrap();
    let mut viewer = receiver();
    viewer.apply_remote(Offer, &offer).unwrap();
    let answer = viewer
        .create_answer(&transport("bbbb"), Setup::Active)
        .unwrap();
    let mut random = Seeded(0xfeed);
    for _ in 0..3_000 {
        let mut sink = sink.clone();
        if sink
            .apply_remote(Answer, &damaged(&answer, &mut random))
            .is_ok()
        {
            sink.media();
            sink.create_offer(&transport("aaaa")).unwrap();
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    AddTrack(bool, u32, usize, Direction),
    AddTrackless(bool, bool, Direction),
    RemoveTrack(bool, u32),
    SetCodecs(bool, u32, usize),
    AddData(bool),
    Offer(bool, bool),
    Deliver(bool),
    Answer(bool),
    Rollback(bool),
    Foreign(bool, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let side = any::<bool>;
    let direction = || {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        prop::sample::select(vec![SendRecv, SendOnly, RecvOnly, Inactive])
    };
    prop_oneof![
        2 => (side(), 0..5_u32, 0..7_usize, direction()).prop_map(|(s, t, c, d)| Step::AddTrack(s, t, c, d)),
        1 => (side(), side(), direction()).prop_map(|(s, v, d)| Step::AddTrackless(s, v, d)),
        1 => (side(), 0..10_u32).prop_map(|(s, t)| Step::RemoveTrack(s, t)),
        1 => (side(), 0..5_u32, 0..7_usize).prop_map(|(s, t, c)| Step::SetCodecs(s, t, c)),
        1 => side().prop_map(Step::AddData),
        3 => (side(), side()).prop_map(|(s, r)| Step::Offer(s, r)),
        4 => side().prop_map(Step::Deliver),
        3 => side().prop_map(Step::Answer),
        1 => side().prop_map(Step::Rollback),
        1 => (side(), side()).prop_map(|(s, c)| Step::Foreign(s, c)),
    ]
}

/// Two negotiators and the last text each sent.
struct Pair {
    peers: [Negotiator; 2],
    sent: [Option<(DescriptionKind, String)>; 2],
}

impl Pair {
    fn run(&mut self, step: Step) {
        let codec = |index: usize| Codec::all().nth(index).unwrap();
        // Inputs of audio and video have other numbers.
        let id_of = |id: u32, index: usize| match codec(index).kind() {
            Audio => id,
            Video => id + 5,
        };
        match step {
            Step::AddTrack(side, id, index, direction) => {
                self.peers[usize::from(side)].add_transceiver(track(
                    id_of(id, index),
                    &[codec(index)],
                    direction,
                ));
            }
            Step::AddTrackless(side, video, direction) => {
                let kind = if video { Video } else { Audio };
                self.peers[usize::from(side)].add_transceiver(trackless(kind, direction));
            }
            Step::RemoveTrack(side, id) => self.peers[usize::from(side)].remove_track(TrackId(id)),
            Step::SetCodecs(side, id, index) => self.peers[usize::from(side)]
                .set_track_codecs(TrackId(id_of(id, index)), vec![offer(codec(index), "")]),
            Step::AddData(side) => self.peers[usize::from(side)].add_data(),
            Step::Offer(side, restart) => {
                let local = transport(if restart { "rrrr" } else { "aaaa" });
                let text = self.peers[usize::from(side)].create_offer(&local);
                self.note(side, Offer, text);
            }
            Step::Deliver(to) => {
                if let Some((kind, text)) = self.sent[usize::from(!to)].take() {
                    let _ = self.peers[usize::from(to)].apply_remote(kind, &text);
                }
            }
            Step::Answer(side) => {
                let text =
                    self.peers[usize::from(side)].create_answer(&transport("aaaa"), Setup::Active);
                self.note(side, Answer, text);
            }
            Step::Rollback(side) => {
                let _ = self.peers[usize::from(side)].apply_remote(Rollback, "");
            }
            Step::Foreign(side, chromium) => {
                let text = if chromium { CHROMIUM } else { FIREFOX };
                let _ = self.peers[usize::from(side)].apply_remote(Pranswer, text);
            }
        }
    }

    fn note(&mut self, side: bool, kind: DescriptionKind, text: Result<String, JsepError>) {
        if let Ok(text) = text {
            self.sent[usize::from(side)] = Some((kind, text));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_calls_is_survived(steps in prop::collection::vec(step(), 1..60)) {
        let mut pair = Pair { peers: [receiver(), receiver()], sent: [None, None] };
        for step in steps {
            pair.run(step);
            for peer in &pair.peers {
                let media = peer.media();
                prop_assert!(media.send.len() <= media.lines.len());
                let needed = peer.negotiation_needed();
                prop_assert!(!needed || peer.signaling_state() == SignalingState::Stable);
            }
        }
    }

    #[test]
    fn both_sides_agree_after_any_wishes(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut pair = Pair { peers: [receiver(), receiver()], sent: [None, None] };
        for step in steps {
            if !matches!(step, Step::Offer(..) | Step::Deliver(_) | Step::Answer(_) | Step::Rollback(_) | Step::Foreign(..)) {
                pair.run(step);
                continue;
            }
            let [a, b] = &mut pair.peers;
            for _ in 0..3 {
                if a.negotiation_needed() { negotiate(a, b); }
                if b.negotiation_needed() { negotiate(b, a); }
            }
            prop_assert!(!a.negotiation_needed() && !b.negotiation_needed());
            prop_assert_eq!(a.media().data, b.media().data);
            prop_assert_eq!(a.media().data.is_some(), a.wants_data() || b.wants_data());
            for (from, to) in [(a.media(), b.media()), (b.media(), a.media())] {
                prop_assert_eq!(from.lines.len(), to.lines.len());
                for send in from.send.iter().filter(|send| send.active) {
                    let recv = to.recv.iter().find(|recv| recv.mid == send.mid).unwrap();
                    prop_assert!(recv.active);
                    prop_assert!(recv.codecs.iter().any(|codec| codec.pt == send.codec.pt && codec.codec == send.codec.codec));
                    prop_assert_eq!(&recv.extensions, &send.extensions);
                    prop_assert!(recv.ssrcs.iter().any(|(ssrc, _)| *ssrc == send.ssrc));
                }
            }
        }
    }
}
