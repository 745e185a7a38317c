// SPDX-License-Identifier: MPL-2.0
//! A network without IPv4, but for the loopback, by which a browser is driven and gets the page.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::Lab;
use serde_json::json;
use std::time::Duration;

fn is_seen_without_ipv4(browser: Browser) {
    if let Some(why) = browser.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    lab.ip("addr del 10.99.0.1/24 dev va");
    lab.ip("addr add fd99::1/64 dev va nodad");
    lab.ip("-6 route add default dev va");
    // Chromium's driver lets it reach pages on loopback alone; Firefox has candidates of the family by
    // which it got the page.
    let page = match browser {
        Chromium => "127.0.0.1:0",
        Firefox => "[fd99::1]:0",
    };
    // The loopback address of IPv4 would do otherwise.
    let sink = format!("rtcsink ip-families=ipv6 web-address={page}");
    let mut launch = lab.launch(&format!("videotestsrc is-live=true pattern=red ! {sink}"));
    let url = format!("{}/", launch.wait_listening());
    let result = browser.run(&lab, json!({"scenario": "watch", "url": url}));
    let frames = |when: &str| result[when]["frames"].as_i64().unwrap_or(0);
    assert!(frames("after") - frames("before") >= 30, "{result:#}");
    assert!(launch.interrupt(Duration::from_secs(10)).success());
}

#[test]
fn without_ipv4_a_sender_is_seen_in_chromium() {
    is_seen_without_ipv4(Chromium);
}

#[test]
fn without_ipv4_a_sender_is_seen_in_firefox() {
    is_seen_without_ipv4(Firefox);
}
