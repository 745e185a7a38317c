// SPDX-License-Identifier: MPL-2.0
//! The examples that have no file of their own here, as a person tries them.
use crate::example;
use rtc_tests::browser::Browser::Chromium;
use rtc_tests::lab::{Lab, Program};
use serde_json::json;
use std::time::Duration;

#[test]
fn the_example_chats() {
    let Some(chat) = example("data-chat") else {
        return;
    };
    if let Some(why) = Chromium.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut program = Program::start_listening(lab.command(&chat));
    let url = format!("{}/", program.wait_listening());
    let job = json!({"url": url, "scenario": "chat", "says": "hello, grüß dich", "hears": "who is there?"});
    let page = Chromium.start(&lab, job);
    let limit = Duration::from_secs(30);
    program.wait_for("the page's word", limit, |line| {
        line.ends_with(": hello, grüß dich")
    });
    program.say("who is there?");
    let mut page = page;
    rtc_tests::browser::result_of(&mut page);
    program.wait_for("the page's leave", limit, |line| {
        line.ends_with(" has left")
    });
}
