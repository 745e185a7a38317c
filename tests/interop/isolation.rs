// SPDX-License-Identifier: MPL-2.0
//! Bad viewers beside good ones: one that stands still, one on a thin path, one that asks without end.
use crate::view::python;
use rtc_tests::browser::result_of;
use rtc_tests::lab::{Lab, Program, repository};
use rtc_tests::swarm::Swarm;
use rtc_tests::throttle::Throttle;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

const GOOD: usize = 10;
/// The viewers alone, to know the machine.
const CONTROL: Duration = Duration::from_secs(4);
/// How long one viewer stands still.
const STALL: Duration = Duration::from_secs(20);
/// Of the picture.
const FRAME_MS: u64 = 33;

/// A viewer in a process of its own; the UDP port it receives at.
fn viewer(lab: &Lab, url: &str, seconds: u64) -> (Program, u16) {
    let mut command = lab.command(env!("CARGO_BIN_EXE_viewer-swarm"));
    command.args([url, "1", &seconds.to_string()]);
    let mut program = Program::start(command);
    let limit = Duration::from_secs(20);
    let line = program.wait_for("ports", limit, |line| line.starts_with("ports: ["));
    let port = line.trim_start_matches("ports: [").trim_end_matches(']');
    (program, port.parse().expect("one port"))
}

fn signal(program: &Program, name: &str) {
    let pid = program.pid().to_string();
    let sent = Command::new("kill").args([name, &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()));
}

/// What a viewer's process says of its watch.
fn round(program: &mut Program) -> Value {
    let line = program.wait_for("report", Duration::from_secs(40), |line| {
        line.starts_with("round: ")
    });
    serde_json::from_str(line.trim_start_matches("round: ")).expect("JSON")
}

fn count(report: &Value, name: &str) -> u64 {
    report[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name}: {report:#}"))
}

#[test]
fn viewers_that_stall_starve_or_flood_cost_the_others_nothing() {
    let ready = python().and_then(|python| Ok((python, Lab::new()?)));
    let (python, lab) = match ready {
        Ok(ready) => ready,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut throttle = match Throttle::new(&lab) {
        Ok(throttle) => throttle,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut launch = lab.launch(
        "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! \
         rtcsink video-caps=video/x-vp8 ice-tcp=false start-bitrate=400000 max-bitrate=400000",
    );
    let url = format!("{}/whep", launch.wait_listening());
    lab.enter();
    let mut good = Swarm::new(&url).expect("a socket");
    good.come(GOOD, Duration::ZERO);
    let control = good.watch(CONTROL);

    let (mut stalled, _) = viewer(&lab, &url, 24);
    let (mut thin, port) = viewer(&lab, &url, 22);
    throttle.narrow(Some(port), 100_000).expect("a bottleneck");
    let mut command = lab.command(python);
    command
        .arg(repository().join("tests/interop/whep_flood_aiortc.py"))
        .args([&url, "22", "200"]);
    let mut flood = Program::start(command);
    flood.wait_for("flood", Duration::from_secs(20), |line| line == "flooding");
    signal(&stalled, "-STOP");
    let report = good.watch(STALL);
    signal(&stalled, "-CONT");

    let said = format!("alone: {control:#}\nbeside bad ones: {report:#}");
    assert_eq!(count(&report, "gaps"), count(&control, "gaps"), "{said}");
    assert_eq!(count(&report, "missed"), 0, "{said}");
    let frames = count(&report, "least_frames");
    assert!(frames >= 30 * STALL.as_secs() * 9 / 10, "{said}");
    // Two frame times, and what the machine itself makes of them: the one that floods is a busy process.
    let own = count(&control, "longest_gap_ms").saturating_sub(FRAME_MS);
    let longest = count(&report, "longest_gap_ms");
    assert!(longest <= 3 * FRAME_MS + 2 * own, "{said}");
    // Two a second are let through, and a few at the start.
    let keyframes = count(&report, "keyframes");
    assert!(keyframes <= 2 * STALL.as_secs() + 4, "{said}");
    println!(
        "{GOOD} good viewers: {frames} frames, longest gap {longest} ms, {keyframes} keyframes"
    );

    let flooded = result_of(&mut flood);
    assert!(count(&flooded, "asked") >= 200 * 10, "{flooded:#}");
    // The bad ones are served as well as can be: what stood still goes on, what is thin has a picture.
    let stalled = round(&mut stalled);
    assert!(count(&stalled, "frames") > 30, "{stalled:#}");
    let thin = round(&mut thin);
    assert!(count(&thin, "frames") > 60, "{thin:#}");
    good.go();
    let status = launch.interrupt(Duration::from_secs(10));
    assert!(status.success(), "{}", launch.printed());
}
