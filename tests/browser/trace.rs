// SPDX-License-Identifier: MPL-2.0
//! The states of a connection as both sides tell them while its path is cut and mended, against the tables
//! of W3C webrtc-pc §4.3, §5.5, §5.6 and §6.1.
#![allow(clippy::unwrap_used)]

use crate::ours::{Ours, PATIENCE, SOUND_LINE, flows, lab};
use gst::prelude::*;
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::Lab;
use rtc_tests::page::Page;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const DATA: &str = "appsrc is-live=true ! application/octet-stream";

/// What one side told in one phase.
#[derive(Debug, Default)]
struct Told(Vec<(String, String)>);

impl Told {
    /// The states of one of its machines, in order.
    fn of(&self, name: &str) -> Vec<&str> {
        let of = self.0.iter().filter(|(whose, _)| whose == name);
        of.map(|(_, state)| state.as_str()).collect()
    }
}

struct Watched<'a> {
    lab: &'a Lab,
    ours: Ours,
    page: Page,
    /// What both have told in this phase.
    told: [Told; 2],
}

impl Watched<'_> {
    fn listen(&mut self) {
        self.told[0].0.extend(self.ours.told());
        let told: Vec<(String, String)> =
            serde_json::from_value(self.page.ask("told", Value::Null)).unwrap();
        self.told[1].0.extend(told);
    }

    /// Waits until both have told that the connection is in a state.
    fn until(&mut self, state: &str) {
        self.until_that(state, |told| {
            let is_there = |told: &Told| told.of("connection").last() == Some(&state);
            told.iter().all(is_there)
        });
    }

    fn until_that(&mut self, what: &str, holds: impl Fn(&[Told; 2]) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.told) {
            assert!(Instant::now() < end, "not {what}: {:#?}", self.told);
            std::thread::park_timeout(Duration::from_millis(50));
            self.listen();
        }
    }

    /// Lets no datagram through for a time.
    fn cut(&self, time: Duration) {
        let end = Instant::now() + time;
        self.rules("add table inet cut");
        self.rules("add chain inet cut in { type filter hook input priority 0 ; }");
        self.rules("add rule inet cut in meta l4proto udp drop");
        while Instant::now() < end {
            std::thread::park_timeout(end - Instant::now());
        }
        self.rules("delete table inet cut");
    }

    fn rules(&self, rule: &str) {
        let mut command = self.lab.command("nft");
        let status = command.args(rule.split(' ')).status().unwrap();
        assert!(status.success(), "nft {rule}");
    }

    /// Ends a phase: what was told in it.
    fn phase(&mut self, name: &str) -> [Told; 2] {
        self.listen();
        let told = std::mem::take(&mut self.told);
        println!("{name}: we {:?}", told[0].0);
        println!("{name}: the page {:?}", told[1].0);
        told
    }
}

fn states_are_those_of_the_tables(browser: Browser) {
    let lab = match lab(browser) {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut ours = Ours::start(&lab, false);
    ours.add(SOUND_LINE);
    ours.add(DATA);
    let mut page = Page::open(browser, &lab, &ours.base, json!({}));
    page.ask("connect", Value::Null);
    let told = Default::default();
    let mut call = Watched {
        lab: &lab,
        ours,
        page,
        told,
    };
    connects(&mut call);
    comes_back_from_a_short_cut(&mut call);
    fails_and_is_restarted(&mut call, browser);
    restarts_while_it_works(&mut call);
    closes(&mut call, browser);
}

fn connects(call: &mut Watched<'_>) {
    call.until("connected");
    call.until_that("SCTP", |told| {
        told.iter()
            .all(|told| told.of("sctp").last() == Some(&"connected"))
    });
    flows(&call.ours, &mut call.page, 5);
    let [ours, page] = call.phase("connect");
    assert_eq!(ours.of("signaling"), ["have-local-offer", "stable"]);
    assert_eq!(page.of("signaling"), ["have-remote-offer", "stable"]);
    for told in [&ours, &page] {
        assert_eq!(told.of("iceGathering"), ["gathering", "complete"]);
        assert_eq!(without_completed(told)[..], ["checking", "connected"]);
        assert_eq!(told.of("connection"), ["connecting", "connected"]);
        assert!(
            told.of("dtls").ends_with(&["connecting", "connected"]),
            "{told:?}"
        );
        assert!(told.of("sctp").ends_with(&["connected"]), "{told:?}");
    }
}

/// 8 s: told, and over as soon as the path is back.
fn comes_back_from_a_short_cut(call: &mut Watched<'_>) {
    call.cut(Duration::from_secs(8));
    call.until("connected");
    flows(&call.ours, &mut call.page, 5);
    for told in call.phase("8 s") {
        assert_eq!(without_completed(&told)[..], ["disconnected", "connected"]);
        assert_eq!(told.of("connection"), ["disconnected", "connected"]);
        quiet_but_for(&told, &["iceConnection", "connection"]);
    }
}

/// 40 s: failed. ICE is restarted by the side that noticed, over the signalling that is still there, and
/// again until the path is back.
fn fails_and_is_restarted(call: &mut Watched<'_>, browser: Browser) {
    call.cut(Duration::from_secs(40));
    call.until("connected");
    call.until_that("stable", |told| {
        told.iter()
            .all(|told| told.of("signaling").last() == Some(&"stable"))
    });
    flows(&call.ours, &mut call.page, 5);
    let [ours, page] = call.phase("40 s");
    assert_eq!(
        without_completed(&ours)[..],
        ["disconnected", "failed", "checking", "connected"]
    );
    assert_eq!(
        ours.of("connection"),
        ["disconnected", "failed", "connecting", "connected"]
    );
    let round = |first| move |states: &[&str]| *states == [first, "stable"];
    assert!(
        ours.of("signaling")
            .chunks(2)
            .all(round("have-local-offer"))
    );
    assert!(
        page.of("signaling")
            .chunks(2)
            .all(round("have-remote-offer"))
    );
    let negotiated = ["iceConnection", "connection", "signaling", "iceGathering"];
    quiet_but_for(&ours, &negotiated);
    let connection = page.of("connection");
    assert_eq!(connection.first(), Some(&"disconnected"));
    match browser {
        // Where the table has `connecting` it is `disconnected`.
        Chromium => {
            assert_eq!(connection[1], "failed");
            quiet_but_for(&page, &negotiated);
        }
        // It may be restarted just before it fails; and if it fails, its DTLS does for a while.
        Firefox => assert!(page.of("iceConnection").contains(&"checking"), "{page:?}"),
    }
}

/// Nobody notices but signalling and gathering: media goes on.
fn restarts_while_it_works(call: &mut Watched<'_>) {
    call.ours.session().emit_by_name::<()>("restart-ice", &[]);
    call.until_that("restarted", |told| {
        told.iter()
            .all(|told| told.of("signaling").last() == Some(&"stable"))
    });
    flows(&call.ours, &mut call.page, 50);
    let [ours, page] = call.phase("restart");
    assert_eq!(ours.of("signaling"), ["have-local-offer", "stable"]);
    assert_eq!(page.of("signaling"), ["have-remote-offer", "stable"]);
    assert!(!ours.of("connection").contains(&"disconnected"), "{ours:?}");
    for told in [&ours, &page] {
        assert!(
            told.of("dtls").is_empty() && told.of("sctp").is_empty(),
            "{told:?}"
        );
    }
}

/// W3C: who closes is told nothing, the other side hears it by DTLS.
fn closes(call: &mut Watched<'_>, browser: Browser) {
    call.ours.session().emit_by_name::<()>("close", &[]);
    call.until_that("closed", |told| {
        told[1].of("dtls").last() == Some(&"closed")
    });
    let [ours, page] = call.phase("close");
    assert!(ours.0.is_empty(), "{ours:?}");
    match browser {
        Chromium => assert_eq!(page.of("sctp"), ["closed"]),
        // Its data channels did not outlive the failure.
        Firefox => assert!(matches!(page.of("sctp")[..], [] | ["closed"]), "{page:?}"),
    }
}

/// ICE's states with `completed`, which but the controlling side has, as the `connected` that it also is.
fn without_completed(told: &Told) -> Vec<&str> {
    let states = told.of("iceConnection").into_iter();
    let one = |state| {
        if state == "completed" {
            "connected"
        } else {
            state
        }
    };
    let mut states: Vec<_> = states.map(one).collect();
    states.dedup();
    states
}

fn quiet_but_for(told: &Told, names: &[&str]) {
    let others = told
        .0
        .iter()
        .filter(|(name, _)| !names.contains(&name.as_str()));
    assert_eq!(others.count(), 0, "{told:?}");
}

#[test]
fn the_states_of_a_call_with_chromium_are_those_of_the_tables() {
    states_are_those_of_the_tables(Chromium);
}

#[test]
fn the_states_of_a_call_with_firefox_are_those_of_the_tables() {
    states_are_those_of_the_tables(Firefox);
}
