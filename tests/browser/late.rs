// SPDX-License-Identifier: MPL-2.0
//! Viewers that join between keyframes of an input that makes none for them, and how long pictures are held
//! back.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::{Lab, Program, repository};
use serde_json::{Value, json};
use std::time::Duration;

/// Runs a scenario against the sender with these properties of rtcsink; none where something is missing.
fn run(browser: Browser, properties: &str, scenario: &str) -> Option<Value> {
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
    let mut command = lab.command("/usr/bin/python3");
    command.arg(repository().join("tests/browser/late_sender.py"));
    command.args(properties.split_whitespace());
    let mut sender = Program::start(command);
    let url = format!("{}/", sender.wait_listening());
    let seen = browser.run(&lab, json!({"url": url, "scenario": scenario, "rounds": 5}));
    sender.interrupt(Duration::from_secs(10));
    println!("{properties}: {seen}");
    Some(seen)
}

/// Times to the first frame, sorted, and the pictures' ages four seconds later.
fn joins(seen: &Value) -> (Vec<i64>, Vec<i64>) {
    let joined = seen["joined"].as_array().expect("joins");
    let number = |value: &Value| value.as_i64().expect("a number");
    let mut firsts: Vec<_> = joined.iter().map(|join| number(&join["first"])).collect();
    firsts.sort_unstable();
    let last = |join: &Value| number(join["ages"].as_array().and_then(|a| a.last()).expect("one"));
    (firsts, joined.iter().map(last).collect())
}

fn a_picture_at_once_and_soon_the_present(browser: Browser) {
    let Some(seen) = run(browser, "", "late") else {
        return;
    };
    let (firsts, ages) = joins(&seen);
    // By chance the median would be 2.5 s.
    assert!(firsts[2] < 1_000 && firsts[4] < 3_000, "{firsts:?}");
    assert!(ages.iter().all(|age| *age < 700), "{ages:?}");
}

#[test]
fn chromium_sees_an_input_without_keyframes_at_once_and_soon_live() {
    a_picture_at_once_and_soon_the_present(Chromium);
}

#[test]
fn firefox_sees_an_input_without_keyframes_at_once_and_soon_live() {
    a_picture_at_once_and_soon_the_present(Firefox);
}

#[test]
fn chromium_holds_pictures_back_as_the_latency_budget_says() {
    let waits = |properties| {
        let seen = run(Chromium, properties, "waiting")?;
        seen["ms"].as_f64()
    };
    let Some(held) = waits("latency-budget=400") else {
        return;
    };
    let usual = waits("").expect("it ran before");
    assert!((250.0..700.0).contains(&held), "{held} ms");
    assert!(usual < held - 150.0, "{usual} ms, {held} ms");
}
