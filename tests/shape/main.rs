// SPDX-License-Identifier: MPL-2.0
//! The architecture as a test: crate edges, file lengths, first lines, banned names and calls.
mod inspect;

use rtc_tests::lab::repository;
use std::fs;
use std::path::{Path, PathBuf};

/// What each crate of the house may use of the house, as its Cargo.toml's `[dependencies]` say it.
const EDGES: [(&str, &[&str]); 11] = [
    ("plugins/payload", &[]),
    ("plugins/rtp", &["rtc-payload"]),
    ("plugins/jsep", &["rtc-payload"]),
    ("plugins/sctp", &[]),
    (
        "plugins/session",
        &["rtc-payload", "rtc-rtp", "rtc-jsep", "rtc-sctp"],
    ),
    ("plugins/driver", &["rtc-session", "rtc-rtp", "rtc-payload"]),
    (
        "plugins/elements",
        &[
            "rtc-driver",
            "rtc-session",
            "rtc-payload",
            "rtc-rtp",
            "rtc-signaller",
            "rtc-signaller-serve",
            "rtc-signaller-loopback",
            "rtc-signaller-http",
        ],
    ),
    ("signallers/api", &[]),
    ("signallers/serve", &["rtc-signaller"]),
    ("signallers/loopback", &["rtc-signaller"]),
    ("signallers/http", &["rtc-signaller"]),
];

/// Crates in which time and bytes come in as arguments.
const SANS_IO: [&str; 5] = [
    "plugins/payload",
    "plugins/rtp",
    "plugins/jsep",
    "plugins/sctp",
    "plugins/session",
];

const BANNED_FILES: [&str; 4] = ["utils.rs", "helpers.rs", "common.rs", "misc.rs"];

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder)
        .expect("a folder of the house")
        .flatten()
    {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != "node_modules" {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn house() -> Vec<PathBuf> {
    let mut out = vec![];
    for folder in ["plugins", "signallers", "examples", "tests"] {
        sources(&repository().join(folder), &mut out);
    }
    assert!(out.len() > 50, "only {} files found", out.len());
    out
}

#[test]
fn crates_use_only_what_is_below_them() {
    for (folder, allowed) in EDGES {
        let manifest =
            fs::read_to_string(repository().join(folder).join("Cargo.toml")).expect("a manifest");
        let (_, after) = manifest
            .split_once("[dependencies]")
            .expect("it has dependencies");
        let list = after.split("\n[").next().unwrap_or_default();
        let own = |line: &&str| {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            name == "gst-plugin-rtc"
                || [
                    "rtc-payload",
                    "rtc-rtp",
                    "rtc-jsep",
                    "rtc-sctp",
                    "rtc-session",
                    "rtc-driver",
                ]
                .contains(&name)
                || name.starts_with("rtc-signaller")
        };
        for line in list.lines().filter(own) {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            assert!(allowed.contains(&name), "{folder} must not use {name}");
        }
    }
}

#[test]
fn every_file_opens_with_licence_and_purpose() {
    for path in house() {
        let text = fs::read_to_string(&path).expect("readable");
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some("// SPDX-License-Identifier: MPL-2.0"),
            "{}",
            path.display()
        );
        let purpose = lines.next().unwrap_or_default();
        assert!(
            purpose.starts_with("//! ") && purpose.len() > 8,
            "{}: no `//!` line",
            path.display()
        );
    }
}

#[test]
fn no_file_is_longer_than_600_lines_or_has_no_home() {
    for path in house() {
        let lines = fs::read_to_string(&path).expect("readable").lines().count();
        assert!(lines <= 600, "{}: {lines} lines", path.display());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        assert!(!BANNED_FILES.contains(&name.as_ref()), "{}", path.display());
    }
}

#[test]
fn sans_io_crates_read_no_clock_and_open_no_socket() {
    let banned = [
        "Instant::now(",
        "SystemTime::now(",
        "UdpSocket",
        "TcpStream",
        "thread::spawn",
        "tokio::",
    ];
    for folder in SANS_IO {
        let mut files = vec![];
        sources(&repository().join(folder), &mut files);
        for path in files {
            let text = fs::read_to_string(&path).expect("readable");
            // Tests may: the code before the test module, and no test file, counts.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let name = path.to_string_lossy();
            if name.ends_with("_test.rs") || name.contains("/tests/") {
                continue;
            }
            for call in banned {
                let found = code
                    .lines()
                    .find(|line| line.contains(call) && !line.trim_start().starts_with("//"));
                assert!(found.is_none(), "{}: {call} in {found:?}", path.display());
            }
        }
    }
}

#[test]
fn elements_see_descriptions_as_opaque_text() {
    let mut files = vec![];
    sources(&repository().join("plugins/elements/src"), &mut files);
    for path in files {
        let text = fs::read_to_string(&path).expect("readable");
        for word in ["\"a=", "\"m=video", "\"m=audio", "gst_sdp", "gst_webrtc"] {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
        // Of JSON there are statistics and what pages say on control channels, never signalling.
        let speaks_json = ["object/stats.rs", "/control/"];
        let may = speaks_json
            .iter()
            .any(|part| path.to_string_lossy().contains(part));
        assert!(may || !text.contains("serde_json"), "{}", path.display());
    }
}
