// SPDX-License-Identifier: MPL-2.0
//! Data channels with browsers, without elements: a program of ours at the other end.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::Lab;
use serde_json::{Value, json};

const SIZES: [u64; 9] = [0, 1, 1199, 1200, 1201, 16384, 65536, 262_143, 262_144];

/// What a scenario measured; `None` where no browser can be driven.
pub(crate) fn run(browser: Browser, mut job: Value) -> Option<Value> {
    if let Some(why) = browser.missing() {
        println!("skipped: {why}");
        return None;
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => {
            println!("skipped: {why}");
            return None;
        }
    };
    job["url"] = "about:blank".into();
    job["peer"] = env!("CARGO_BIN_EXE_data-peer").into();
    Some(browser.run(&lab, job))
}

fn messages_from_the_page_come_back(browser: Browser, more: &[u64]) {
    let sizes = [&SIZES[..], more].concat();
    let job = json!({"scenario": "data_echo", "sizes": sizes});
    let Some(seen) = run(browser, job) else {
        return;
    };
    assert_eq!(seen["bad"], json!([]), "{seen:#}");
    assert_eq!(seen["count"], sizes.len() * 2, "{seen:#}");
    assert_eq!(seen["told"]["protocol"], "p");
    assert_eq!(seen["told"]["id"], seen["id"], "{seen:#}");
}

fn messages_to_the_page_come_back(browser: Browser, more: &[u64], too_large: Option<u64>) {
    let sizes = [&SIZES[..], more].concat();
    let job = json!({"scenario": "data_from_peer", "sizes": sizes, "tooLarge": too_large});
    let Some(seen) = run(browser, job) else {
        return;
    };
    assert_eq!(seen["bad"], json!([]), "{seen:#}");
    assert_eq!(seen["count"], sizes.len() * 2, "{seen:#}");
    let channel = &seen["channel"];
    assert_eq!(
        (&channel["protocol"], &channel["ordered"]),
        (&"q".into(), &false.into())
    );
    assert_eq!(channel["maxRetransmits"], 1000);
    if let Some(size) = too_large {
        let text = seen["refused"].as_str().unwrap_or_default();
        let limit = size - 1;
        assert!(
            text.contains(&size.to_string()) && text.contains(&limit.to_string()),
            "{text}"
        );
    }
}

fn channels_live_and_die_as_between_browsers(browser: Browser) {
    let job = json!({"scenario": "data_life"});
    let Some(seen) = run(browser, job) else {
        return;
    };
    let of = |list: &str, label: &str| -> Vec<String> {
        let lines = seen[list].as_array().into_iter().flatten();
        let mine = lines.filter_map(|line| line.as_str()?.strip_prefix(label));
        mine.map(|rest| rest.trim().to_owned()).collect()
    };
    assert_eq!(of("trace", "ours"), ["open", "close"], "{seen:#}");
    assert_eq!(
        of("trace", "theirs"),
        ["open", "closing", "close"],
        "{seen:#}"
    );
    assert_eq!(
        of("told", "ours"),
        ["open", "message", "closing", "closed"],
        "{seen:#}"
    );
    assert_eq!(
        of("told", "theirs"),
        ["open", "closing", "closed"],
        "{seen:#}"
    );
    assert_eq!(seen["received"], json!([1, 1]), "{seen:#}");
    assert!(
        [&seen["id"], &seen["idOfTheirs"]].contains(&&seen["again"]),
        "a stream is used again: {seen:#}"
    );
    assert_eq!(seen["words"], 3, "{seen:#}");
}

#[test]
fn messages_from_chromium_come_back() {
    messages_from_the_page_come_back(Chromium, &[]);
}

#[test]
fn messages_from_firefox_come_back() {
    messages_from_the_page_come_back(Firefox, &[4 << 20]);
}

#[test]
fn messages_to_chromium_come_back() {
    messages_to_the_page_come_back(Chromium, &[], Some(262_145));
}

#[test]
fn messages_to_firefox_come_back() {
    messages_to_the_page_come_back(Firefox, &[4 << 20], None);
}

#[test]
fn channels_live_and_die_with_chromium() {
    channels_live_and_die_as_between_browsers(Chromium);
}

#[test]
fn channels_live_and_die_with_firefox() {
    channels_live_and_die_as_between_browsers(Firefox);
}
