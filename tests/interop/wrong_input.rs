// SPDX-License-Identifier: MPL-2.0
//! Wrong input of users and of peers: a clear error or an HTTP status with a reason, and the rest goes on.
use rtc_tests::browser::Browser::{Chromium, Firefox};
use rtc_tests::lab::{Lab, Program};
use serde_json::json;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(15);

fn lab() -> Option<Lab> {
    match Lab::new() {
        Ok(lab) => Some(lab),
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

/// Status and body of one HTTP request.
fn curl(lab: &Lab, arguments: &[&str]) -> (u32, String) {
    let mut command = lab.command("curl");
    command
        .args(["-s", "--max-time", "20", "-w", "\n%{http_code}"])
        .args(arguments);
    let out = command.output().expect("curl runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap_or(("", &text));
    (status.trim().parse().unwrap_or(0), body.to_owned())
}

fn post(lab: &Lab, url: &str, kind: &str, body: &str) -> (u32, String) {
    let header = format!("Content-Type: {kind}");
    curl(
        lab,
        &["-X", "POST", "-H", &header, "--data-binary", body, url],
    )
}

#[test]
fn a_taken_port_is_an_error_that_says_what_to_write() {
    let Some(lab) = lab() else { return };
    let mut first = lab.launch("videotestsrc is-live=true ! rtcsink");
    first.wait_listening();
    let mut second = lab.launch("videotestsrc is-live=true ! rtcsink");
    let status = second.wait(LIMIT);
    let printed = second.printed();
    assert!(!status.success(), "{printed}");
    assert!(printed.contains("127.0.0.1:8080"), "{printed}");
    assert!(printed.contains("web-address="), "{printed}");
    assert!(first.runs());
}

#[test]
fn a_forced_codec_without_encoder_is_an_error_that_names_what_to_install() {
    let Some(lab) = lab() else { return };
    let folder = plugins_without_encoders();
    let mut command = lab.command("gst-launch-1.0");
    command
        .env("GST_PLUGIN_SYSTEM_PATH", &folder)
        .env("GST_PLUGIN_SYSTEM_PATH_1_0", &folder)
        .env("GST_REGISTRY", folder.join("registry.bin"))
        .args("-m videotestsrc is-live=true ! rtcsink video-caps=video/x-vp9".split_whitespace());
    let mut program = Program::start(command);
    let status = program.wait(LIMIT);
    let printed = program.printed();
    assert!(!status.success(), "{printed}");
    assert!(
        printed.contains("VP9") || printed.contains("video/x-vp9"),
        "{printed}"
    );
    assert!(printed.contains("vp9enc"), "{printed}");
    let _ = std::fs::remove_dir_all(folder);
}

/// A plugin folder that holds a test source and converters, and no encoder.
fn plugins_without_encoders() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rtc-no-encoders-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let out = std::process::Command::new("pkg-config")
        .args(["--variable=pluginsdir", "gstreamer-1.0"])
        .output()
        .expect("pkg-config runs");
    let system = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    for name in [
        "coreelements",
        "videotestsrc",
        "videoconvertscale",
        "audioconvert",
        "audioresample",
        "app",
    ] {
        let file = format!("libgst{name}.so");
        let _ = symlink(Path::new(&system).join(&file), folder.join(&file));
    }
    folder
}

#[test]
fn caps_that_no_browser_plays_do_not_link() {
    let Some(lab) = lab() else { return };
    let mut program = lab.launch("videotestsrc ! jpegenc ! rtcsink");
    let status = program.wait(LIMIT);
    let printed = program.printed();
    assert!(!status.success(), "{printed}");
    assert!(printed.contains("could not link"), "{printed}");
}

#[test]
fn garbage_posted_to_whip_gets_a_status_and_a_reason() {
    let Some(lab) = lab() else { return };
    let mut launch = lab.launch("rtcsrc name=r r.video_0 ! fakesink");
    let url = format!("{}/whip", launch.wait_listening());
    let sdp = "application/sdp";
    let offer_without_media = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
    for (kind, body, wanted) in [
        (sdp, "garbage", 400),
        (sdp, "", 400),
        (sdp, "v=0\r\nm=video x y z\r\n", 400),
        (sdp, offer_without_media, 400),
        ("text/plain", "v=0", 415),
    ] {
        let (status, reason) = post(&lab, &url, kind, body);
        assert_eq!(status, wanted, "{body:?}: {reason}");
        assert!(reason.len() > 10, "{body:?}: no reason: {reason:?}");
    }
    assert!(launch.runs(), "{}", launch.printed());
}

#[test]
fn an_offer_of_10_mib_is_refused_with_413() {
    let Some(lab) = lab() else { return };
    let mut launch = lab.launch("rtcsrc name=r r.video_0 ! fakesink");
    let url = format!("{}/whip", launch.wait_listening());
    let file = std::env::temp_dir().join(format!("rtc-large-{}.sdp", std::process::id()));
    std::fs::write(&file, "a=x\r\n".repeat(2 * 1024 * 1024)).expect("a temporary file");
    let (status, reason) = post(
        &lab,
        &url,
        "application/sdp",
        &format!("@{}", file.display()),
    );
    assert_eq!(status, 413, "{reason}");
    assert!(
        reason.contains("KiB") || reason.contains("bytes"),
        "{reason}"
    );
    assert!(launch.runs(), "{}", launch.printed());
    let _ = std::fs::remove_file(file);
}

#[test]
fn a_browser_without_a_common_codec_reads_why_and_others_go_on() {
    for browser in [Chromium, Firefox] {
        if let Some(why) = browser.missing() {
            return println!("skipped: {why}");
        }
    }
    let Some(lab) = lab() else { return };
    let mut launch = lab.launch("videotestsrc is-live=true ! rtcsink video-caps=video/x-h264");
    let url = format!("{}/", launch.wait_listening());
    let mut other = Chromium.start(
        &lab,
        json!({"url": url, "scenario": "watch", "seconds": 12}),
    );
    // Firefox has no H.264 where its OpenH264 plugin can't be downloaded, as in a closed network.
    let seen = Firefox.run(
        &lab,
        json!({"url": url, "scenario": "look", "state": "failed", "patience": 20}),
    );
    let text = seen["text"].as_str().unwrap_or_default().to_lowercase();
    assert!(text.contains("codec") || text.contains("h264"), "{seen:#}");
    let watched = rtc_tests::browser::result_of(&mut other);
    let frames = |when: &str| watched[when]["frames"].as_i64().unwrap_or(0);
    assert!(frames("after") - frames("before") > 180, "{watched:#}");
    assert!(launch.runs(), "{}", launch.printed());
}

#[test]
fn an_unknown_uri_scheme_is_an_error_that_lists_the_known_ones() {
    let Some(lab) = lab() else { return };
    let mut program = lab.launch("videotestsrc is-live=true ! rtcsink uri=gopher://example");
    let status = program.wait(LIMIT);
    let printed = program.printed();
    assert!(!status.success(), "{printed}");
    assert!(
        printed.contains("gopher") && printed.contains("loopback"),
        "{printed}"
    );
}
