// SPDX-License-Identifier: MPL-2.0
//! Data channels with libwebrtc in Node.js, with werift and with libdatachannel, whose SCTP is usrsctp.
use rtc_tests::browser::result_of;
use rtc_tests::lab::{Lab, Program, repository};
use serde_json::{Value, json};

/// What the peer says on `talk` comes back on `data_0`; `data_1` says one thing and ends.
const ECHO: &str = "rtcsink name=s endpoint=e rtcdatasrc endpoint=e label=talk protocol=test ! s.data_0 \
    fakesrc num-buffers=1 sizetype=fixed sizemax=5 ! application/octet-stream ! s.data_1";

fn speak(library: &str) -> Option<Value> {
    let parts: Vec<&str> = library.split('/').collect();
    let package = match parts[..] {
        [package, "polyfill"] => package,
        _ => library,
    };
    let folder = repository().join("tests/node_modules").join(package);
    if !folder.exists() {
        println!(
            "skipped: {} is missing (scripts/setup test)",
            folder.display()
        );
        return None;
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => {
            println!("skipped: {why}");
            return None;
        }
    };
    let mut launch = lab.launch(ECHO);
    let url = format!("{}/whep", launch.wait_listening());
    let mut command = lab.command("node");
    command
        .current_dir(repository().join("tests"))
        .args(["interop/data_node.mjs", library, &url]);
    Some(result_of(&mut Program::start(command)))
}

fn trace_of<'a>(seen: &'a Value, label: &str) -> Vec<&'a str> {
    let lines = seen["trace"].as_array().into_iter().flatten();
    let mine = lines.filter_map(|line| line.as_str()?.strip_prefix(label));
    mine.map(str::trim).collect()
}

#[test]
fn libwebrtc_in_node_hears_what_it_says_and_sees_channels_close() {
    let Some(seen) = speak("@roamhq/wrtc") else {
        return;
    };
    assert_eq!(seen["equal"], seen["sent"], "{seen:#}");
    assert_eq!(trace_of(&seen, "talk"), ["open", "closed"], "{seen:#}");
    // A channel that the peer announces may be open before the page can listen.
    let closing = trace_of(&seen, "data_1");
    assert_eq!(closing.last(), Some(&"closed"), "{seen:#}");
    assert!(!closing.contains(&"error"), "{seen:#}");
}

#[test]
fn werift_hears_what_it_says_and_sees_channels_close() {
    let Some(seen) = speak("werift") else {
        return;
    };
    assert_eq!(seen["equal"], seen["sent"], "{seen:#}");
    assert_eq!(
        trace_of(&seen, "data_1").last(),
        Some(&"closed"),
        "{seen:#}"
    );
    assert_eq!(seen["states"], json!(["closed"]), "{seen:#}");
}

#[test]
fn libdatachannel_hears_what_it_says_and_sees_channels_close() {
    let Some(seen) = speak("node-datachannel/polyfill") else {
        return;
    };
    assert_eq!(seen["equal"], seen["sent"], "{seen:#}");
    assert_eq!(trace_of(&seen, "talk"), ["open", "closed"], "{seen:#}");
    let closing = trace_of(&seen, "data_1");
    assert_eq!(closing, ["open", "closing", "closed"], "{seen:#}");
}
