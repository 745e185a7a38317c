// SPDX-License-Identifier: MPL-2.0
//! Files that are already encoded reach the page without an encoder in the graph.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::{Lab, Program};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Makes a file of twenty seconds, half red and half blue, a keyframe each second.
fn file(name: &str, encode: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("rtc-{}-{name}", std::process::id()));
    let line = format!(
        "compositor name=c sink_1::xpos=160 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! {encode} ! filesink location={} \
         videotestsrc pattern=red num-buffers=600 ! video/x-raw,width=160,height=240,framerate=30/1 ! c.sink_0 \
         videotestsrc pattern=blue num-buffers=600 ! video/x-raw,width=160,height=240,framerate=30/1 ! c.sink_1",
        path.display()
    );
    let out = Command::new("gst-launch-1.0")
        .args(line.split_whitespace())
        .output();
    let out = out.expect("gst-launch-1.0 runs");
    assert!(
        out.status.success(),
        "{line}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
    path
}

fn file_is_seen_without_encoder(browser: Browser, path: PathBuf, demux: &str, codec: &str) {
    if let Some(why) = browser.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut command = lab.command("gst-launch-1.0");
    let line = format!("filesrc location={} ! {demux} ! rtcsink", path.display());
    // The factory's log tells every element that is made, whoever makes it.
    command
        .env("GST_DEBUG", "GST_ELEMENT_FACTORY:4")
        .env("GST_DEBUG_NO_COLOR", "1");
    let mut launch = Program::start({
        command.args(line.split_whitespace());
        command
    });
    let url = format!("{}/", launch.wait_listening());
    let seen = browser.run(&lab, json!({"url": url, "scenario": "watch"}));
    launch.interrupt(Duration::from_secs(10));
    let frames = |when: &str| seen[when]["frames"].as_i64().unwrap_or(0);
    assert!(frames("after") - frames("before") >= 30, "{seen:#}");
    assert_eq!(seen["after"]["codec"], codec, "{seen:#}");
    let channel = |side: &str, at: usize| seen["colours"][side][at].as_i64().unwrap_or(-1);
    assert!(
        channel("left", 0) > 200 && channel("right", 2) > 200,
        "{seen:#}"
    );
    let printed = launch.printed();
    let made: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains("creating element \""))
        .collect();
    assert!(
        made.iter().any(|line| line.contains("rtcsink")),
        "the log tells no element"
    );
    assert!(!made.iter().any(|line| line.contains("enc\"")), "{made:#?}");
    let _ = std::fs::remove_file(path);
}

#[test]
fn an_h264_file_is_seen_in_chromium_without_an_encoder() {
    let path = file(
        "pass.mp4",
        "x264enc bframes=0 key-int-max=30 ! video/x-h264,profile=constrained-baseline ! h264parse ! mp4mux",
    );
    file_is_seen_without_encoder(Chromium, path, "qtdemux ! h264parse", "video/H264");
}

#[test]
fn a_vp8_file_is_seen_in_chromium_without_an_encoder() {
    let path = file(
        "pass-c.webm",
        "vp8enc deadline=1 keyframe-max-dist=30 ! webmmux",
    );
    file_is_seen_without_encoder(Chromium, path, "matroskademux", "video/VP8");
}

#[test]
fn a_vp8_file_is_seen_in_firefox_without_an_encoder() {
    let path = file(
        "pass-f.webm",
        "vp8enc deadline=1 keyframe-max-dist=30 ! webmmux",
    );
    file_is_seen_without_encoder(Firefox, path, "matroskademux", "video/VP8");
}
