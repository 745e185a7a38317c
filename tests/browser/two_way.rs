// SPDX-License-Identifier: MPL-2.0
//! A call with a page: both directions on one connection, and tracks that come and go on either side.
#![allow(clippy::unwrap_used)]

use crate::ours::{Ours, PATIENCE, SMALL_VIDEO, SOUND_LINE, assert_faultless, flows, lab, settle};
use crate::publish::{assert_changing, assert_red_and_blue, assert_tone, fake_devices};
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::page::Page;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const RED_AND_BLUE: &str = "compositor name=c background=black sink_1::xpos=160 \
    videotestsrc is-live=true pattern=red ! video/x-raw,width=160,height=240,framerate=15/1 ! c.sink_0 \
    videotestsrc is-live=true pattern=blue ! video/x-raw,width=160,height=240,framerate=15/1 ! c.sink_1 \
    c. ! video/x-raw,width=320,height=240";
const TONE: &str = "audiotestsrc is-live=true freq=1000 volume=0.5 ! audio/x-raw,rate=48000";
/// Tracks added and removed.
const CHANGES: usize = 20;
const SMALL: [u32; 2] = [160, 120];

fn a_call_goes_both_ways(browser: Browser) {
    let lab = match lab(browser) {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let folder = std::env::temp_dir().join(format!("rtc-call-{}-{browser:?}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the fake devices");
    let fake = fake_devices(&folder);
    let mut ours = Ours::start(&lab, false);
    ours.add(RED_AND_BLUE);
    ours.add(TONE);
    let mut page = Page::open(browser, &lab, &ours.base, json!({"fake": fake}));
    let [width, height] = SMALL;
    let asked = page.ask(
        "connect",
        json!({"send": ["video", "audio"], "video": {"width": width, "height": height}}),
    );
    assert_eq!(asked["polite"], true);
    settle(&ours, &mut page, 2);
    flows(&ours, &mut page, 30);
    assert_eq!(ours.stats().n_fields(), 1, "one session carries both ways");
    page_sees_and_hears(&mut page);
    we_see_and_hear(&ours, browser);
    changes(&mut ours, &mut page);
    we_see_and_hear(&ours, browser);
    assert_faultless(&ours, &mut page);
    let _ = std::fs::remove_dir_all(&folder);
}

fn page_sees_and_hears(page: &mut Page) {
    let state = page.ask("state", Value::Null);
    let line = |kind: &str| {
        let mut lines = state["lines"].as_array().unwrap().iter();
        let line = lines.find(|line| line["kind"] == kind && line["receives"] == true);
        json!({"mid": line.expect("it is received")["mid"]})
    };
    let seen = page.ask("look", line("video"));
    for (half, wanted) in [("left", [255, 0, 0]), ("right", [0, 0, 255])] {
        for (channel, wanted) in wanted.into_iter().enumerate() {
            let value = seen[half][channel].as_i64().unwrap();
            assert!((value - wanted).abs() <= 40, "{half}: {seen}");
        }
    }
    let heard = page.ask("listen", line("audio"));
    assert!(heard["rms"].as_f64().unwrap() > 0.05, "{heard}");
    assert!(
        (heard["peak"].as_f64().unwrap() - 1000.0).abs() <= 25.0,
        "{heard}"
    );
}

fn we_see_and_hear(ours: &Ours, browser: Browser) {
    let outputs = ours.outputs();
    let of = |video| outputs.iter().find(move |output| output.video == video);
    let (video, audio) = (of(true).expect("a picture"), of(false).expect("sound"));
    let end = Instant::now() + PATIENCE;
    while audio.last().len() < 48_000 * 2 * 3 {
        assert!(Instant::now() < end, "too little sound: {audio:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    match browser {
        Chromium => assert_red_and_blue(&video.last()),
        Firefox => {
            let mut pictures = Vec::new();
            while pictures.len() < 40 * video.last().len() {
                assert!(Instant::now() < end + PATIENCE);
                let count = video.buffers();
                while video.buffers() == count {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                pictures.extend(video.last());
            }
            assert_changing(&pictures);
        }
    }
    assert_tone(&audio.last());
}

/// Twenty tracks come and go: of either side, of either kind, ended by either means.
fn changes(ours: &mut Ours, page: &mut Page) {
    let mut held = None;
    let mut left = 0;
    for change in 0..CHANGES {
        // Each kind and means was seen once.
        if change == CHANGES / 2 {
            held = Some(ours.holds());
        }
        let kind = if change % 2 == 0 { "audio" } else { "video" };
        let started = Instant::now();
        if change % 4 < 2 {
            let name = ours.add(if kind == "audio" {
                SOUND_LINE
            } else {
                SMALL_VIDEO
            });
            settle(ours, page, 2);
            flows(ours, page, 2);
            ours.remove(&name);
        } else {
            let id = page.ask("add", json!({"kind": kind}))["id"].clone();
            settle(ours, page, 3);
            flows(ours, page, 2);
            let stop = change % 8 < 4;
            // A browser sends nothing else on the m-line of a track that was removed.
            left += u64::from(!stop);
            page.ask("remove", json!({"id": id, "stop": stop}));
        }
        let state = settle(ours, page, 2);
        let mlines = state["mlines"].as_u64().unwrap();
        assert!(mlines <= 4 + left, "m-lines are not used again: {state:#}");
        println!(
            "change {change}: {kind}, {mlines} m-lines, {} ms",
            started.elapsed().as_millis()
        );
    }
    flows(ours, page, 2);
    let held = held.expect("half way is on the way");
    let end = Instant::now() + PATIENCE;
    while !ours.holds().is_within(&held) {
        let now = ours.holds();
        assert!(Instant::now() < end, "{held:?} became {now:?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn a_call_with_chromium_goes_both_ways_and_tracks_come_and_go() {
    a_call_goes_both_ways(Chromium);
}

#[test]
fn a_call_with_firefox_goes_both_ways_and_tracks_come_and_go() {
    a_call_goes_both_ways(Firefox);
}
