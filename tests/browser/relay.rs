// SPDX-License-Identifier: MPL-2.0
//! Relay-only elements and a browser that knows of no server.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::{ADDRESS, Lab, Program};
use serde_json::json;
use std::time::Duration;

const RELAYED: &str = "ice-transport-policy=relay turn-servers=turn://u1:p1@10.99.0.1:3478";

/// A lab with coturn in it; `None` where this machine can't.
fn relayed_lab(browser: Browser) -> Option<(Lab, Program)> {
    if let Some(why) = browser.missing() {
        println!("skipped: {why}");
        return None;
    }
    let lab = Lab::new()
        .inspect_err(|why| println!("skipped: {why}"))
        .ok()?;
    if !std::path::Path::new("/usr/bin/turnserver").exists() {
        println!("skipped: coturn is not installed (scripts/setup test)");
        return None;
    }
    let mut command = lab.command("turnserver");
    command
        .args([
            "-n",
            "--log-file",
            "stdout",
            "--simple-log",
            "--no-cli",
            "-v",
        ])
        .args([
            "--realm",
            "lab.example",
            "--lt-cred-mech",
            "--user",
            "u1:p1",
        ])
        .args(["--listening-ip", ADDRESS, "--relay-ip", ADDRESS])
        .args(["--no-tls", "--no-dtls", "--pidfile", "/dev/null"]);
    let mut server = Program::start(command);
    server.wait_for("UDP listener", Duration::from_secs(10), |line| {
        line.contains("UDP listener opened on")
    });
    Some((lab, server))
}

fn is_seen_through_a_relay(browser: Browser) {
    let Some((lab, mut server)) = relayed_lab(browser) else {
        return;
    };
    let pipeline = format!("videotestsrc is-live=true pattern=red ! rtcsink {RELAYED}");
    let mut launch = lab.launch(&pipeline);
    let url = format!("{}/", launch.wait_listening());
    let result = browser.run(&lab, json!({"scenario": "watch", "url": url}));
    let frames = |when: &str| result[when]["frames"].as_i64().unwrap_or(0);
    assert!(frames("after") - frames("before") >= 30, "{result:#}");
    assert!(launch.interrupt(Duration::from_secs(10)).success());
    // Given back when the session ended.
    server.wait_for("end of the allocation", Duration::from_secs(10), |line| {
        line.contains("lifetime=0")
    });
}

#[test]
fn a_relay_only_sender_is_seen_in_chromium() {
    is_seen_through_a_relay(Chromium);
}

#[test]
fn a_relay_only_sender_is_seen_in_firefox() {
    is_seen_through_a_relay(Firefox);
}

#[test]
fn chromium_publishes_to_a_relay_only_receiver() {
    let Some((lab, _server)) = relayed_lab(Chromium) else {
        return;
    };
    let file = std::env::temp_dir().join(format!("rtc-relayed-{}.mkv", std::process::id()));
    let mut launch = lab.launch(&format!(
        "rtcsrc {RELAYED} name=r r.video_0 ! video/x-vp8 ! matroskamux ! filesink location={}",
        file.display()
    ));
    let url = format!("{}/publish", launch.wait_listening());
    Chromium.run(
        &lab,
        json!({"scenario": "publish", "url": url, "seconds": 3}),
    );
    assert!(launch.interrupt(Duration::from_secs(15)).success());
    let length = std::fs::metadata(&file).map_or(0, |meta| meta.len());
    let _ = std::fs::remove_file(&file);
    // Three seconds of the fake camera, at any rate a browser begins with.
    assert!(length > 30_000, "{length} bytes recorded");
}
