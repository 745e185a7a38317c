// SPDX-License-Identifier: MPL-2.0
//! Frames inverted by a pad probe at our sender, inverted back by a worker in the page.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::{Lab, Program, plugin_folder};
use serde_json::json;

fn inverted_frames_are_seen_and_heard(browser: Browser) {
    let example = plugin_folder().join("examples/invert-frames");
    if let Some(why) = browser.missing() {
        return println!("skipped: {why}");
    }
    if !example.exists() {
        return println!(
            "skipped: {} is not built (cargo build --examples)",
            example.display()
        );
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut program = Program::start(lab.command(&example));
    let url = format!("{}/", program.wait_listening());
    let seen = browser.run(
        &lab,
        json!({"url": url, "scenario": "transform", "audio": true}),
    );
    let frames = |when: &str| seen[when]["frames"].as_i64().unwrap_or(0);
    assert!(frames("after") - frames("before") >= 30, "{seen:#}");
    assert!(
        (seen["tone"]["peak"].as_f64().unwrap_or(0.0) - 1000.0).abs() <= 25.0,
        "{seen:#}"
    );
}

#[test]
fn a_probe_and_a_worker_undo_each_other_in_chromium() {
    inverted_frames_are_seen_and_heard(Chromium);
}

#[test]
fn a_probe_and_a_worker_undo_each_other_in_firefox() {
    inverted_frames_are_seen_and_heard(Firefox);
}
