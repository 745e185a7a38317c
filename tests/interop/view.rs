// SPDX-License-Identifier: MPL-2.0
//! Viewers of `rtcsink` over WHEP.
use rtc_tests::browser::result_of;
use rtc_tests::lab::{Lab, Program, repository};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

const PICTURE_AND_TONE: &str = "rtcsink name=s video-caps=video/x-vp8 \
    videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! s. \
    audiotestsrc is-live=true freq=1000 ! s.";

/// The Python of the tests' own environment, or why there is none.
pub(crate) fn python() -> Result<PathBuf, String> {
    let path = repository().join("target/peers/venv/bin/python");
    match path.exists() {
        true => Ok(path),
        false => Err(format!(
            "{} is missing (scripts/setup test)",
            path.display()
        )),
    }
}

/// Debian's Python, which has GStreamer's introspection; or why not.
pub(crate) fn system_python() -> Result<PathBuf, String> {
    let path = PathBuf::from("/usr/bin/python3");
    let check =
        "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import GstWebRTC";
    let done = std::process::Command::new(&path)
        .args(["-c", check])
        .output();
    match done {
        Ok(out) if out.status.success() => Ok(path),
        Ok(out) => Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
        Err(e) => Err(format!("{}: {e}", path.display())),
    }
}

fn view(python: Result<PathBuf, String>, script: &str, before: &[&str]) -> Option<Value> {
    let both = python.and_then(|python| Ok((python, Lab::new()?)));
    let (python, lab) = match both {
        Ok(both) => both,
        Err(why) => {
            println!("skipped: {why}");
            return None;
        }
    };
    let mut launch = lab.launch(PICTURE_AND_TONE);
    let url = format!("{}/whep", launch.wait_listening());
    let mut command = lab.command(python);
    command
        .arg(repository().join("tests/interop").join(script))
        .args(before)
        .args([&url, "4"]);
    let result = result_of(&mut Program::start(command));
    let status = launch.interrupt(Duration::from_secs(10));
    assert!(
        status.success(),
        "gst-launch: {status}\n{}",
        launch.printed()
    );
    Some(result)
}

fn assert_both_kinds(result: &Value) {
    assert!(result["video"].as_i64().unwrap_or(0) >= 60, "{result:#}");
    assert!(result["audio"].as_i64().unwrap_or(0) >= 100, "{result:#}");
}

#[test]
fn aiortc_views_picture_and_sound() {
    if let Some(result) = view(python(), "whep_aiortc.py", &[]) {
        assert_both_kinds(&result);
    }
}

#[test]
fn webrtcbin_with_its_rsa_certificate_views_picture_and_sound() {
    if let Some(result) = view(system_python(), "whep_webrtcbin.py", &["view"]) {
        assert_both_kinds(&result);
    }
}
