// SPDX-License-Identifier: MPL-2.0
//! Pipelines steered from pages: the player page, and npm `gstwebrtc-api`'s remote control.
use crate::example;
use crate::telemetry::field;
use rtc_tests::browser::Browser::Chromium;
use rtc_tests::lab::{Lab, Program};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// The picture is sent at half its size, so that places must be scaled.
#[test]
fn the_player_page_steers_what_it_shows() {
    if let Some(why) = Chromium.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut command = lab.command("gst-launch-1.0");
    command
        .env("GST_DEBUG", "rtccontrol:7")
        .env("GST_DEBUG_NO_COLOR", "1");
    command.args([
        "-e",
        "rtcsink",
        "name=s",
        "enable-control-data-channel=true",
    ]);
    let line =
        "videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=30/1 ! s.video_0";
    command.args(line.split(' '));
    let mut launch = Program::start(command);
    let url = format!("{}/", launch.wait_listening());
    let job = json!({"url": url, "scenario": "steerPlayer", "x": 400, "y": 300});
    let seen = Chromium.run(&lab, job);
    assert_eq!(seen["place"]["width"], 640, "{seen:#}");
    for event in ["mouse-button-press", "mouse-button-release", "mouse-scroll"] {
        let line = launch.wait_for(event, LIMIT, |line| line.contains(event));
        let off = (field(&line, "pointer_x") - 400.0).hypot(field(&line, "pointer_y") - 300.0);
        assert!(off < 2.0, "{line}");
    }
    for key in ["Return", "exclam"] {
        let wanted = format!("key=(string){key}");
        launch.wait_for(key, LIMIT, |line| {
            line.contains("key-press") && line.contains(&wanted)
        });
    }
}

#[test]
fn the_remote_control_of_gstwebrtc_api_is_understood_and_answered() {
    let Some(robot) = example("robot-telemetry") else {
        return;
    };
    if let Some(why) = Chromium.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut program = Program::start(lab.command(&robot));
    let url = format!("{}/", program.wait_listening());
    let seen = Chromium.run(&lab, json!({"url": url, "scenario": "gstwebrtcApi"}));
    let press = program.wait_for("the click", LIMIT, |line| {
        line.contains("mouse-button-press")
    });
    let off = (field(&press, "pointer_x") - 320.0).hypot(field(&press, "pointer_y") - 90.0);
    assert!(off < 2.0, "{press}");
    program.wait_for("the key", LIMIT, |line| line.contains("key=(string)Right"));
    let answers = seen["answers"].as_array().expect("a list");
    assert!(
        answers.iter().any(|answer| answer["error"].is_null()),
        "{seen:#}"
    );
    let ids = answers.iter().map(|answer| answer["id"].as_u64());
    assert!(ids.eq((0..answers.len() as u64).map(Some)), "{seen:#}");
}
