// SPDX-License-Identifier: MPL-2.0
//! Lives of data channels: what a browser and our end are told is what two browsers are told.
use crate::data::run;
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use serde_json::{Value, json};

fn words(value: &Value) -> Vec<&str> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).collect()
}

/// What an application is told: not that it asked for the end itself.
fn told(value: &Value, closes: bool) -> Vec<&str> {
    let mut words = words(value);
    words.retain(|word| !(closes && *word == "closing"));
    words
}

fn lives_are_as_between_browsers(browser: Browser) {
    let Some(seen) = run(browser, json!({"scenario": "data_matrix"})) else {
        return;
    };
    for ender in ["page", "peer"] {
        let rows = seen[ender].as_array().expect("a list");
        assert_eq!(rows.len(), 9);
        for row in rows {
            let [page, peer] = ["page", "peer"].map(|side| &row[side]);
            let by_us = row["closer"] == "peer";
            let exact = match by_us {
                true => ["open", "close"].as_slice(),
                false => &["open", "closing", "close"],
            };
            if row["label"] == "last" {
                assert_ends_with_the_connection(row, by_us);
                continue;
            }
            assert_eq!(told(&peer[0], by_us), exact, "{row:#}");
            assert_same(words(&page[0]), words(&page[1]), row);
            assert_same(told(&peer[0], by_us), words(&peer[1]), row);
        }
    }
}

/// Whether both were told the same. Chromium leaves `closing` out now and then, if the channel is closed
/// before it gets to telling.
fn assert_same(mut with_us: Vec<&str>, mut among_browsers: Vec<&str>, row: &Value) {
    if with_us != among_browsers {
        with_us.retain(|word| *word != "closing");
        among_browsers.retain(|word| *word != "closing");
    }
    assert_eq!(with_us, among_browsers, "{row:#}");
}

/// A channel whose connection ends. Here browsers differ: Chromium tells of `closing`, `error` and `close`,
/// Firefox of `closing` and `close`; W3C (webrtc-pc §6.2.5) has no closing procedure, and so have we.
fn assert_ends_with_the_connection(row: &Value, by_us: bool) {
    let mut ours = told(&row["peer"][0], by_us);
    // Firefox resets its streams before it ends the association, which we may see or not.
    ours.retain(|word| *word != "closing");
    match by_us {
        true => assert_eq!(ours, ["open", "close"], "{row:#}"),
        false => assert_eq!(ours, ["open", "error", "close"], "{row:#}"),
    }
    let theirs = words(&row["page"][0]);
    assert_eq!(theirs.first(), Some(&"open"), "{row:#}");
    assert_eq!(theirs.last(), Some(&"close"), "{row:#}");
}

#[test]
fn channels_with_chromium_live_as_between_two_of_it() {
    lives_are_as_between_browsers(Chromium);
}

#[test]
fn channels_with_firefox_live_as_between_two_of_it() {
    lives_are_as_between_browsers(Firefox);
}

#[test]
fn channels_of_a_browser_that_is_killed_fail_when_its_return_is_not_waited_for_any_more() {
    let Some(seen) = run(Chromium, json!({"scenario": "data_killed"})) else {
        return;
    };
    let error = seen["error"].as_str().unwrap_or_default();
    assert!(error.starts_with("SCTP failed"), "{seen:#}");
    assert!(words(&seen["states"]).contains(&"failed"), "{seen:#}");
    // 30 s without consent, and 30 s for a restart of ICE.
    assert!(seen["seconds"].as_f64() < Some(75.0), "{seen:#}");
}
