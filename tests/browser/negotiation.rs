// SPDX-License-Identifier: MPL-2.0
//! Perfect negotiation (W3C webrtc-pc §10.7) with pages: both sides change their tracks at the same moment,
//! again and again, over signalling that takes its time.
#![allow(clippy::unwrap_used)]

use crate::ours::{Ours, SMALL_VIDEO, SOUND_LINE, assert_faultless, flows, lab, settle};
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::page::Page;
use serde_json::{Value, json};
use std::time::Instant;

const ROUNDS: usize = 100;
/// Media is looked at every so many rounds.
const LOOK: usize = 10;
/// Tracks of either side beside the first.
const MOST: usize = 3;
/// The longest a message takes, ms.
const JITTER: u32 = 30;

/// What a side sends beside its first track, in the order it was added.
#[derive(Default)]
struct Added(Vec<Value>);

impl Added {
    /// Whether the next change is an addition.
    fn grows(&self, round: usize) -> bool {
        match self.0.len() {
            0 => true,
            len if len == MOST => false,
            // Not in step with the other side's.
            _ => !round.is_multiple_of(3),
        }
    }
}

fn both_sides_change_at_once(browser: Browser, page_is_polite: bool) {
    let lab = match lab(browser) {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut ours = Ours::start(&lab, !page_is_polite);
    ours.add(SOUND_LINE);
    let mut page = Page::open(browser, &lab, &ours.base, json!({}));
    let asked = page.ask(
        "connect",
        json!({"send": ["audio"], "jitter": JITTER, "video": {"width": 160, "height": 120}}),
    );
    assert_eq!(asked["polite"], page_is_polite);
    settle(&ours, &mut page, 1);
    flows(&ours, &mut page, 5);
    let (mut mine, mut theirs) = (Added::default(), Added::default());
    let mut times = Vec::new();
    let mut collisions = 0;
    for round in 0..ROUNDS {
        let started = Instant::now();
        let order = page_change(&mut theirs, round);
        // The page's own change comes a few milliseconds after it is asked for, as does ours.
        page.tell(order.0, order.1);
        our_change(&mut ours, &mut mine, round);
        if let Some(id) = page.hear(order.0).get("id") {
            theirs.0.push(id.clone());
        }
        let state = settle(&ours, &mut page, 1 + theirs.0.len());
        times.push(started.elapsed().as_millis());
        collisions = state["collisions"].as_u64().unwrap();
        if round % LOOK == LOOK - 1 {
            flows(&ours, &mut page, 5);
            assert_faultless(&ours, &mut page);
        }
    }
    times.sort_unstable();
    println!(
        "{browser:?}, page {}: {ROUNDS} rounds, {collisions} collisions, median {} ms, longest {} ms",
        if page_is_polite { "polite" } else { "impolite" },
        times[times.len() / 2],
        times[times.len() - 1],
    );
    assert!(collisions >= ROUNDS as u64 / 10, "hardly any collisions");
}

fn page_change(theirs: &mut Added, round: usize) -> (&'static str, Value) {
    if theirs.grows(round + 1) {
        return ("add", json!({"kind": kind(round + 1)}));
    }
    let id = theirs.0.remove(round % theirs.0.len());
    // Each second one leaves its m-line to others.
    (
        "remove",
        json!({"id": id, "stop": !round.is_multiple_of(4)}),
    )
}

fn our_change(ours: &mut Ours, mine: &mut Added, round: usize) {
    if mine.grows(round) {
        let line = match kind(round) {
            "audio" => SOUND_LINE,
            _ => SMALL_VIDEO,
        };
        mine.0.push(ours.add(line).into());
    } else {
        let name = mine.0.remove(round % mine.0.len());
        ours.remove(name.as_str().unwrap());
    }
}

/// An encoder of video takes its time to start: one in four is enough.
fn kind(round: usize) -> &'static str {
    if round % 4 == 3 { "video" } else { "audio" }
}

#[test]
fn changes_that_collide_with_those_of_a_polite_chromium_end_well() {
    both_sides_change_at_once(Chromium, true);
}

#[test]
fn changes_that_collide_with_those_of_an_impolite_chromium_end_well() {
    both_sides_change_at_once(Chromium, false);
}

#[test]
fn changes_that_collide_with_those_of_a_polite_firefox_end_well() {
    both_sides_change_at_once(Firefox, true);
}

#[test]
fn changes_that_collide_with_those_of_an_impolite_firefox_end_well() {
    both_sides_change_at_once(Firefox, false);
}
