// SPDX-License-Identifier: MPL-2.0
//! Viewers come and go, or vanish: what they cost is given back.
use rtc_tests::lab::{Lab, Program, plugin_folder};
use rtc_tests::usage::Usage;
use std::time::{Duration, Instant};

const PICTURE: &str = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 \
    ! vp8enc deadline=1 keyframe-max-dist=15 ! rtcsink";

fn swarm(lab: &Lab, arguments: &[&str]) -> Program {
    let mut command = lab.command(plugin_folder().join("viewer-swarm"));
    command.args(arguments);
    Program::start(command)
}

/// Reads a process until `wanted` is true of it.
fn usage_until(pid: u32, limit: Duration, wanted: impl Fn(&Usage) -> bool) -> Usage {
    let end = Instant::now() + limit;
    loop {
        let usage = Usage::of(pid).expect("the sender lives");
        if wanted(&usage) || Instant::now() > end {
            return usage;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn ten_viewers_come_and_go_twenty_times_and_leave_nothing_behind() {
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut launch = lab.launch(PICTURE);
    let url = format!("{}/whep", launch.wait_listening());
    // The first round makes what is made once: thread pools, caches, the allocator's arenas.
    let mut first = swarm(&lab, &[&url, "10", "0.5", "2"]);
    assert!(
        first.wait(Duration::from_secs(60)).success(),
        "{}",
        first.printed()
    );
    let before = usage_until(launch.pid(), Duration::from_secs(5), |_| true);
    let mut rounds = swarm(&lab, &[&url, "10", "0.2", "20"]);
    assert!(
        rounds.wait(Duration::from_secs(120)).success(),
        "{}",
        rounds.printed()
    );
    let printed = rounds.printed();
    let watched = printed
        .lines()
        .filter(|line| line.contains("\"with_frames\":10"))
        .count();
    assert_eq!(watched, 20, "{printed}");
    let settled =
        |usage: &Usage| usage.threads <= before.threads && usage.descriptors <= before.descriptors;
    let after = usage_until(launch.pid(), Duration::from_secs(20), settled);
    println!("before {before:?}, after {after:?}");
    assert!(after.threads <= before.threads, "{before:?} {after:?}");
    assert!(
        after.descriptors <= before.descriptors,
        "{before:?} {after:?}"
    );
    // 200 viewers came: 10 KiB each would be a leak of 2 MiB.
    assert!(
        after.resident_kib < before.resident_kib + 4096,
        "{before:?} {after:?}"
    );
    assert!(launch.runs());
}

#[test]
fn a_viewer_that_vanishes_is_gone_within_35_seconds() {
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut launch = lab.launch(PICTURE);
    let url = format!("{}/whep", launch.wait_listening());
    let mut viewer = swarm(&lab, &[&url, "1", "60"]);
    viewer.wait_for("viewer", Duration::from_secs(30), |line| line == "watching");
    let vanished = Instant::now();
    drop(viewer);
    launch.wait_for(
        "message about the lost session",
        Duration::from_secs(37),
        |line| line.contains("rtc-session-error"),
    );
    let took = vanished.elapsed();
    println!("gone after {took:?}");
    assert!(took <= Duration::from_secs(35), "{took:?}");
    assert!(launch.runs());
}
