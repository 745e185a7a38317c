// SPDX-License-Identifier: MPL-2.0
//! Data channels between the served pages and pipelines.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::Lab;
use serde_json::json;

/// What a peer says on `talk` comes back on `data_0`; `data_1` says one thing and ends.
const ECHO: &str = "rtcsink name=s endpoint=e \
    rtcdatasrc endpoint=e label=talk ! s.data_0 \
    fakesrc num-buffers=1 sizetype=fixed sizemax=5 ! application/octet-stream ! s.data_1";

const PICTURE: &str = "videotestsrc is-live=true ! video/x-raw,width=320,height=240 ! s.video_0";

fn the_page_hears_what_it_says(browser: Browser, pipeline: &str, page: &str) {
    if let Some(why) = browser.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut launch = lab.launch(pipeline);
    let url = format!("{}{page}", launch.wait_listening());
    let sizes = [0, 1, 1199, 1200, 16_384, 65_536, 262_144];
    let job = json!({"url": url, "scenario": "dataPages", "sizes": sizes});
    let seen = browser.run(&lab, job);
    assert_eq!(seen["bad"], json!([]), "{seen:#}");
    assert_eq!(seen["count"], sizes.len() + 5, "{seen:#}");
    let trace = [
        "data_1 open",
        "open open",
        "message open",
        "closing closing",
        "close closed",
    ];
    assert_eq!(seen["trace"], json!(trace), "{seen:#}");
}

#[test]
fn a_page_with_data_alone_hears_itself_in_chromium() {
    the_page_hears_what_it_says(Chromium, ECHO, "/");
}

#[test]
fn a_page_with_data_alone_hears_itself_in_firefox() {
    the_page_hears_what_it_says(Firefox, ECHO, "/");
}

#[test]
fn a_page_with_a_picture_hears_itself_in_chromium() {
    the_page_hears_what_it_says(Chromium, &format!("{ECHO} {PICTURE}"), "/");
}

#[test]
fn a_page_with_a_picture_hears_itself_in_firefox() {
    the_page_hears_what_it_says(Firefox, &format!("{ECHO} {PICTURE}"), "/");
}
