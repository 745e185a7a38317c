// SPDX-License-Identifier: MPL-2.0
//! Telemetry in step with a picture, and the way back: the example `robot-telemetry` in a browser.
use crate::example;
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::{Lab, Program};
use serde_json::json;
use std::time::Duration;

/// The value of a field in a structure's text.
pub(crate) fn field(line: &str, name: &str) -> f64 {
    let (_, rest) = line
        .split_once(&format!("{name}=(double)"))
        .unwrap_or_else(|| panic!("{line}"));
    let digits = rest.split([',', ';']).next().unwrap_or_default();
    digits.trim().parse().unwrap_or_else(|_| panic!("{line}"))
}

fn the_robot_is_seen_and_driven(browser: Browser) {
    let Some(program) = example("robot-telemetry") else {
        return;
    };
    if let Some(why) = browser.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut program = Program::start(lab.command(&program));
    let url = format!("{}/", program.wait_listening());
    let seen = browser.run(&lab, json!({"url": url, "scenario": "robot"}));
    let frames = seen["frames"].as_array().expect("a list");
    let right = frames
        .iter()
        .filter(|frame| frame["drawn"] == frame["said"]);
    let right = right.count();
    assert!(
        frames.len() >= 30 && right * 100 >= frames.len() * 95,
        "{right} of {}: {seen:#}",
        frames.len()
    );
    let limit = Duration::from_secs(10);
    let press = program.wait_for("the click", limit, |line| {
        line.contains("mouse-button-press")
    });
    let off = (field(&press, "pointer_x") - 160.0).hypot(field(&press, "pointer_y") - 90.0);
    assert!(off < 2.0, "{press}");
    program.wait_for("the key", limit, |line| line.contains("key=(string)Left"));
}

#[test]
fn the_robot_is_seen_and_driven_in_chromium() {
    the_robot_is_seen_and_driven(Chromium);
}

#[test]
fn the_robot_is_seen_and_driven_in_firefox() {
    the_robot_is_seen_and_driven(Firefox);
}
