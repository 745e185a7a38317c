// SPDX-License-Identifier: MPL-2.0
//! A browser publishes its fake camera and microphone; the pipeline writes a file.
use rtc_tests::browser::Browser::{self, Chromium, Firefox};
use rtc_tests::lab::Lab;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Side of the square that recorded frames are scaled to.
pub(crate) const SIDE: usize = 16;
const FRAME: usize = SIDE * SIDE * 3;

fn published_camera_is_recorded(browser: Browser) {
    if let Some(why) = browser.missing() {
        return println!("skipped: {why}");
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let folder =
        std::env::temp_dir().join(format!("rtc-publish-{}-{browser:?}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the recording");
    let fake = fake_devices(&folder);
    let file = folder.join("published.mkv");
    let line = format!(
        "rtcsrc name=r matroskamux name=m ! filesink location={} \
         r.video_0 ! video/x-vp8 ! queue ! m.video_0 r.audio_0 ! audio/x-opus ! queue ! m.audio_0",
        file.display()
    );
    let mut launch = lab.launch(&line);
    let url = format!("{}/publish", launch.wait_listening());
    let job = json!({"url": url, "scenario": "publish", "seconds": 5, "fake": fake});
    let sent = browser.run(&lab, job);
    let status = launch.interrupt(Duration::from_secs(15));
    assert!(
        status.success(),
        "gst-launch: {status}\n{}",
        launch.printed()
    );
    let caps =
        format!("videoconvert ! videoscale ! video/x-raw,format=RGB,width={SIDE},height={SIDE}");
    let video = decode(&file, "video", &caps);
    assert!(
        video.len() / FRAME >= 60,
        "{} frames recorded; sent {sent:#}",
        video.len() / FRAME
    );
    match browser {
        Chromium => assert_red_and_blue(&video),
        Firefox => assert_changing(&video),
    }
    let caps = "audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=1";
    assert_tone(&decode(&file, "audio", caps));
    let _ = std::fs::remove_dir_all(&folder);
}

/// What Chromium's fake devices play: a red and a blue half, and a tone of 1 kHz. (Firefox's own show changing
/// colours and, by a preference, sound the same tone.)
pub(crate) fn fake_devices(folder: &Path) -> serde_json::Value {
    let (video, audio) = (folder.join("camera.y4m"), folder.join("microphone.wav"));
    launch(&format!(
        "compositor name=c sink_1::xpos=320 ! video/x-raw,format=I420,width=640,height=480,framerate=30/1 ! y4menc ! filesink location={} \
         videotestsrc pattern=red num-buffers=30 ! video/x-raw,width=320,height=480,framerate=30/1 ! c.sink_0 \
         videotestsrc pattern=blue num-buffers=30 ! video/x-raw,width=320,height=480,framerate=30/1 ! c.sink_1",
        video.display()
    ));
    launch(&format!(
        "audiotestsrc freq=1000 volume=0.5 num-buffers=470 ! audio/x-raw,format=S16LE,rate=48000,channels=2 ! wavenc ! filesink location={}",
        audio.display()
    ));
    json!({"video": video, "audio": audio})
}

/// The decoded bytes of one stream of a recording, in the form that `caps` gives them.
fn decode(file: &Path, kind: &str, caps: &str) -> Vec<u8> {
    let raw = file.with_extension(kind);
    launch(&format!(
        "filesrc location={} ! matroskademux name=d d.{kind}_0 ! queue ! decodebin ! {caps} ! filesink location={}",
        file.display(),
        raw.display()
    ));
    std::fs::read(&raw).expect("the pipeline wrote a file")
}

fn launch(line: &str) {
    let out = Command::new("gst-launch-1.0")
        .args(line.split_whitespace())
        .output()
        .expect("gst-launch-1.0 runs");
    assert!(
        out.status.success(),
        "{line}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

pub(crate) fn assert_red_and_blue(video: &[u8]) {
    let frame = video.chunks_exact(FRAME).last().expect("there are frames");
    let pixel = |x: usize| &frame[(SIDE / 2 * SIDE + x) * 3..][..3];
    let close = |pixel: &[u8], wanted: [i32; 3]| {
        pixel
            .iter()
            .zip(wanted)
            .all(|(a, b)| (i32::from(*a) - b).abs() <= 40)
    };
    assert!(
        close(pixel(SIDE / 4), [255, 0, 0]),
        "left {:?}",
        pixel(SIDE / 4)
    );
    assert!(
        close(pixel(SIDE * 3 / 4), [0, 0, 255]),
        "right {:?}",
        pixel(SIDE * 3 / 4)
    );
}

pub(crate) fn assert_changing(video: &[u8]) {
    let mut different: Vec<&[u8]> = video.chunks_exact(FRAME).collect();
    different.sort_unstable();
    different.dedup();
    assert!(
        different.len() >= 20,
        "only {} different frames",
        different.len()
    );
}

/// Most of the second before the last is a tone of 1 kHz: its share of the energy by Goertzel's algorithm.
pub(crate) fn assert_tone(audio: &[u8]) {
    let samples: Vec<f64> = audio
        .chunks_exact(2)
        .map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])))
        .collect();
    assert!(
        samples.len() >= 48_000 * 3,
        "only {} samples",
        samples.len()
    );
    let second = &samples[samples.len() - 96_000..][..48_000];
    let energy: f64 = second.iter().map(|s| s * s).sum();
    let coefficient = 2.0 * (std::f64::consts::TAU * 1000.0 / 48_000.0).cos();
    let (one, two) = second.iter().fold((0.0, 0.0), |(one, two), s| {
        (s + coefficient * one - two, one)
    });
    let tone = (one * one + two * two - coefficient * one * two) * 2.0 / second.len() as f64;
    assert!(
        tone / energy > 0.8,
        "the tone is {:.2} of the energy",
        tone / energy
    );
    assert!((energy / second.len() as f64).sqrt() > 500.0, "too silent");
}

#[test]
fn a_camera_published_by_chromium_is_recorded() {
    published_camera_is_recorded(Chromium);
}

#[test]
fn a_camera_published_by_firefox_is_recorded() {
    published_camera_is_recorded(Firefox);
}
