// SPDX-License-Identifier: MPL-2.0
//! A browser publishes its fake camera and microphone; the pipeline writes a file.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::Lab;
use serde_json::json;
use std::process::Command;
use std::time::Duration;

/// Counts of a recording by `gst-launch-1.0`'s own demuxer and decoders.
fn published_camera_is_recorded(browser: Browser) {
    if let Some(why) = browser.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let folder =
        std::env::temp_dir().join(format!("rtc-publish-{}-{browser:?}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the recording");
    let file = folder.join("published.mkv");
    let line = format!(
        "rtcsrc name=r matroskamux name=m ! filesink location={} \
         r.video_0 ! video/x-vp8 ! queue ! m.video_0 r.audio_0 ! audio/x-opus ! queue ! m.audio_0",
        file.display()
    );
    let mut launch = lab.launch(&line);
    let url = format!("{}/publish", launch.wait_listening());
    let sent = browser.run(
        &lab,
        json!({"url": url, "scenario": "publish", "seconds": 5}),
    );
    let status = launch.interrupt(Duration::from_secs(15));
    assert!(
        status.success(),
        "gst-launch: {status}\n{}",
        launch.printed()
    );
    let video = probe(&file, "video");
    let frames = video.matches("last-message").count();
    assert!(
        frames >= 60,
        "{frames} frames recorded; sent {sent:#}\n{video}"
    );
    let audio = probe(&file, "audio");
    let packets = audio.matches("last-message").count();
    assert!(
        packets >= 100,
        "{packets} audio buffers recorded; sent {sent:#}"
    );
    let _ = std::fs::remove_dir_all(&folder);
}

/// Decodes one kind of stream of a file and prints each buffer.
fn probe(file: &std::path::Path, kind: &str) -> String {
    let line = format!(
        "filesrc location={} ! matroskademux name=d d.{kind}_0 ! queue ! decodebin ! fakesink silent=false sync=false",
        file.display()
    );
    let out = Command::new("gst-launch-1.0")
        .arg("-v")
        .args(line.split_whitespace())
        .output()
        .expect("gst-launch-1.0 runs");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn a_camera_published_by_chromium_is_recorded() {
    published_camera_is_recorded(Chromium);
}

#[test]
fn a_camera_published_by_firefox_is_recorded() {
    published_camera_is_recorded(Firefox);
}
