// SPDX-License-Identifier: MPL-2.0
//! What `gst-inspect-1.0` prints is documentation: golden texts, and a rule for every property's blurb.
use rtc_tests::lab::{plugin_environment, plugin_folder, repository};
use std::fs;
use std::process::Command;

const ELEMENTS: [&str; 4] = ["rtcsink", "rtcsrc", "rtcdatasrc", "rtcdtmfsrc"];

/// Properties that GStreamer's own base classes bring along, with their own blurbs.
const INHERITED: [&str; 8] = [
    "async-handling",
    "blocksize",
    "do-timestamp",
    "message-forward",
    "name",
    "num-buffers",
    "parent",
    "typefind",
];

/// The element's text without what differs from machine to machine; `None` where it can't be had.
fn inspect(element: &str) -> Option<String> {
    let plugin = plugin_folder().join("libgstrtc.so");
    if !plugin.exists() {
        println!(
            "skipped: {} is not built (cargo build -p gst-plugin-rtc)",
            plugin.display()
        );
        return None;
    }
    let mut command = Command::new("gst-inspect-1.0");
    plugin_environment(&mut command);
    let out = match command.args(["--no-colors", element]).output() {
        Ok(out) => out,
        Err(why) => {
            println!("skipped: gst-inspect-1.0: {why}");
            return None;
        }
    };
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let kept = |line: &&str| {
        let start = line.trim_start();
        ![
            "Filename",
            "Version",
            "Source release date",
            "Binary package",
            "Origin URL",
        ]
        .iter()
        .any(|name| start.starts_with(name))
    };
    Some(
        text.lines()
            .filter(kept)
            .map(|line| format!("{}\n", line.trim_end()))
            .collect(),
    )
}

#[test]
fn the_inspect_texts_are_the_golden_ones() {
    for element in ELEMENTS {
        let Some(text) = inspect(element) else { return };
        let path = repository().join(format!("tests/golden/inspect/{element}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &text).expect("the golden file is writable");
            continue;
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        let differs = text
            .lines()
            .zip(golden.lines())
            .find(|(now, then)| now != then);
        assert_eq!(
            text, golden,
            "{element}: first difference {differs:?}; `make inspect` writes the file anew"
        );
    }
}

#[test]
fn every_property_says_when_it_may_change() {
    for element in ELEMENTS {
        let Some(text) = inspect(element) else { return };
        let (_, properties) = text
            .split_once("Element Properties:")
            .expect("it has properties");
        let properties = properties.split("\nElement ").next().unwrap_or_default();
        let mut checked = 0;
        for line in properties
            .lines()
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        {
            let Some((name, blurb)) = line.trim().split_once(':') else {
                continue;
            };
            let name = name.trim();
            if INHERITED.contains(&name) {
                continue;
            }
            checked += 1;
            let lower = blurb.to_lowercase();
            let when = [
                "ready",
                "null",
                "any time",
                "read-only",
                "playing",
                "construct",
            ];
            assert!(
                when.iter().any(|word| lower.contains(word)),
                "{element}.{name} does not say when it may change: {blurb}"
            );
        }
        assert!(checked >= 5, "{element}: only {checked} properties found");
    }
}
