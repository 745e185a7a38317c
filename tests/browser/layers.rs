// SPDX-License-Identifier: MPL-2.0
//! A browser on a path that narrows and widens sees the picture shrink and grow, and never stand still.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::browser::result_of;
use rtc_tests::lab::Lab;
use rtc_tests::throttle::Throttle;
use serde_json::json;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);
/// The path stays as wide for so long as it fades.
const STEP: Duration = Duration::from_secs(2);
/// A freeze longer than this is one that a viewer sees.
const FREEZE_MS: f64 = 1000.0;

fn follows_the_path(browser: Browser, codec: &str, longest_ms: f64) {
    if let Some(why) = browser.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut throttle = match Throttle::new(&lab) {
        Ok(throttle) => throttle,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut launch = lab.launch(&format!(
        "videotestsrc is-live=true pattern=zone-plate kx2=20 ky2=20 kt=3 ! \
         video/x-raw,width=640,height=480,framerate=30/1 ! rtcsink ice-tcp=false layers=2 \
         start-bitrate=500000 max-bitrate=600000 video-caps=video/x-{codec}"
    ));
    let url = format!("{}/", launch.wait_listening());
    let job = json!({"scenario": "layers", "url": url, "seconds": 80});
    let mut watching = browser.start(&lab, job);
    let wide = |line: &str| line == "width 640";
    watching.wait_for("picture", PATIENCE, wide);
    // A path that fades, as one does on the way out of the house.
    let bottleneck = throttle.narrow(None, 500_000).expect("a bottleneck");
    let narrower = |line: &str| line == "width 320";
    let shrinks = [400_000, 300_000, 230_000, 170_000]
        .into_iter()
        .any(|rate| {
            throttle.change(bottleneck, rate).expect("tc");
            watching
                .try_wait_for("smaller picture", STEP, narrower)
                .is_ok()
        });
    if !shrinks {
        watching.wait_for("smaller picture", PATIENCE, narrower);
    }
    throttle.change(bottleneck, 5_000_000).expect("tc");
    watching.wait_for("larger picture", PATIENCE, wide);
    let result = result_of(&mut watching);
    let freeze = result["seen"]["freeze"].as_f64().expect("a number");
    println!("{browser:?}, {codec}: longest freeze {freeze:.0} ms");
    assert!(freeze < longest_ms, "{result:#}");
    assert!(launch.interrupt(Duration::from_secs(10)).success());
}

#[test]
fn chromium_sees_the_picture_shrink_and_grow_without_a_freeze() {
    follows_the_path(Chromium, "vp8", FREEZE_MS);
}

#[test]
fn firefox_sees_the_picture_shrink_and_grow_without_a_freeze() {
    follows_the_path(Firefox, "vp8", FREEZE_MS);
}

#[test]
fn chromium_sees_layers_of_vp9_and_h264_as_one_stream_each() {
    follows_the_path(Chromium, "h264", FREEZE_MS);
    // Two cores are few for libvpx's VP9 beside a browser.
    follows_the_path(Chromium, "vp9", 2.0 * FREEZE_MS);
}
