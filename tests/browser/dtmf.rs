// SPDX-License-Identifier: MPL-2.0
//! Telephone tones with browsers: theirs to us over loss, ours to them.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::{Lab, Program, plugin_folder};
use serde_json::json;
use std::time::Duration;

const EVERY_TONE: &str = "0123456789*#ABCD";

/// The tones told on the bus so far: character and milliseconds.
fn heard(launch: &mut Program) -> Vec<(String, u32)> {
    let printed = launch.printed();
    let told = printed
        .lines()
        .filter(|line| line.contains("): dtmf-event,"));
    told.map(|line| {
        let value = |field: &str| {
            let (_, rest) = line.split_once(field).expect("every message has it");
            let value = rest.split([',', ';']).next().unwrap_or_default();
            value.trim_matches(['"', '\\']).to_owned()
        };
        let tone = value("tone=(string)");
        let ms = value("duration=(uint)").parse().expect("a number");
        (tone.trim_matches(['"', '\\']).to_owned(), ms)
    })
    .collect()
}

fn tones_of_the_page_are_told_once(browser: Browser, loss: u32) {
    if let Some(why) = browser.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut launch = lab.launch("rtcsrc name=r r.audio_0 ! fakesink sync=false");
    let url = format!("{}/publish", launch.wait_listening());
    if loss > 0 && !lose(&lab, loss) {
        return println!("skipped: iptables can't lose packets here");
    }
    let tones = format!("{EVERY_TONE},");
    let job = json!({"url": url, "scenario": "dial", "tones": tones, "duration": 100, "gap": 70});
    let result = browser.run(&lab, job);
    let changes = result["changes"].as_array().expect("a list");
    assert_eq!(changes.len(), 18, "{result:#}");
    let status = launch.interrupt(Duration::from_secs(15));
    assert!(status.success(), "gst-launch: {status}");
    let heard = heard(&mut launch);
    let text: String = heard.iter().map(|(tone, _)| tone.as_str()).collect();
    assert_eq!(text, EVERY_TONE, "{heard:?}\n{}", launch.printed());
    let off = heard.iter().filter(|(_, ms)| ms.abs_diff(100) > 20).count();
    // With all three ends lost, one in a thousand, the length is that of the last packet that came.
    assert!(off <= usize::from(loss > 0), "{heard:?}");
}

/// Loses that many of a hundred packets, both ways, from now on.
fn lose(lab: &Lab, percent: u32) -> bool {
    let probability = format!("{:.2}", f64::from(percent) / 100.0);
    let rule = "-A INPUT -p udp -m statistic --mode random --probability";
    let mut iptables = lab.command("iptables");
    iptables
        .args(rule.split(' '))
        .args([&probability, "-j", "DROP"]);
    iptables.status().is_ok_and(|status| status.success())
}

/// The frequencies of the keys in Hz (ITU-T Q.23): four rows, four columns.
const DTMF: [f64; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];

/// The browser plays what it takes for a tone: its frequencies are those of the key 5, not the audio's 300 Hz.
fn our_tones_are_heard_by(browser: Browser) {
    if let Some(why) = browser.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let long = "5".repeat(8);
    let mut launch = lab.launch(&format!(
        "rtcsink name=s audiotestsrc is-live=true freq=300 volume=0.02 ! s.audio_0 \
         rtcdtmfsrc tones={long} duration=6000 inter-tone-gap=30 ! s.dtmf_0"
    ));
    let url = format!("{}/", launch.wait_listening());
    let job = json!({"url": url, "scenario": "watch", "video": false, "audio": true});
    let result = browser.run(&lab, job);
    launch.interrupt(Duration::from_secs(10));
    let peak = result["tone"]["peak"].as_f64().unwrap_or_default();
    // A busy machine's audio has gaps, which blur the spectrum: told by the nearest of the eight frequencies.
    let nearest = DTMF
        .into_iter()
        .min_by(|a, b| (a - peak).abs().total_cmp(&(b - peak).abs()));
    let is_five =
        nearest.is_some_and(|key| [770.0, 1336.0].contains(&key) && (key - peak).abs() < 60.0);
    assert!(is_five, "{result:#}");
}

#[test]
fn tones_of_chromium_are_told_once() {
    tones_of_the_page_are_told_once(Chromium, 0);
}

#[test]
fn tones_of_chromium_are_told_once_over_a_lossy_path() {
    tones_of_the_page_are_told_once(Chromium, 10);
}

#[test]
fn tones_of_firefox_are_told_once() {
    tones_of_the_page_are_told_once(Firefox, 0);
}

#[test]
fn tones_of_firefox_are_told_once_over_a_lossy_path() {
    tones_of_the_page_are_told_once(Firefox, 10);
}

#[test]
fn chromium_plays_our_tones() {
    our_tones_are_heard_by(Chromium);
}

#[test]
fn firefox_plays_our_tones() {
    our_tones_are_heard_by(Firefox);
}

#[test]
fn the_example_dials_and_hears() {
    let example = plugin_folder().join("examples/dial");
    if let Some(why) = Chromium.missing() {
        return println!("skipped: {why}");
    }
    if !example.exists() {
        return println!("skipped: {} is not built", example.display());
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut command = lab.command(&example);
    command.arg("12#");
    let mut program = Program::start(command);
    let limit = Duration::from_secs(20);
    program.wait_for("the page to publish", limit, |line| {
        line.contains("/publish")
    });
    let url = "http://127.0.0.1:8080/";
    let job = json!({"url": url, "scenario": "watch", "video": false, "audio": true});
    Chromium.run(&lab, job);
    for word in ["dialling 1", "dialling 2", "dialling #", "dialled"] {
        program.wait_for(word, limit, |line| line == word);
    }
    let url = "http://127.0.0.1:8081/publish";
    let job = json!({"url": url, "scenario": "dial", "tones": "7", "duration": 100, "gap": 70});
    Chromium.run(&lab, job);
    program.wait_for("heard 7", limit, |line| line == "heard 7");
}
