// SPDX-License-Identifier: MPL-2.0
//! Publishers into `rtcsrc` over WHIP.
use crate::view::{python, system_python};
use rtc_tests::browser::result_of;
use rtc_tests::lab::{Lab, Program, repository};
use std::process::Command;
use std::time::Duration;

/// Counts decoded buffers of both kinds; `fakesink`'s messages come on standard output through `-v`.
const COUNT_BOTH: &str = "rtcsrc name=r \
    r.video_0 ! video/x-raw ! identity name=v silent=false ! fakesink sync=false \
    r.audio_0 ! audio/x-raw ! identity name=a silent=false ! fakesink sync=false";

fn launch_verbose(lab: &Lab) -> Program {
    let mut command = lab.command("gst-launch-1.0");
    command
        .args(["-e", "-v"])
        .args(COUNT_BOTH.split_whitespace());
    Program::start(command)
}

fn assert_received(launch: &mut Program, video: usize, audio: usize) {
    // The publisher's end is the pads' EOS, so it ends by itself; unless the publisher left without a word.
    let status = match launch.ends_within(Duration::from_secs(3)) {
        Some(status) => status,
        None => launch.interrupt(Duration::from_secs(10)),
    };
    let printed = launch.printed();
    assert!(status.success(), "gst-launch: {status}\n{printed}");
    let count = |name: &str| {
        let start = format!("GstIdentity:{name}: last-message = chain");
        printed.lines().filter(|line| line.contains(&start)).count()
    };
    assert!(count("v") >= video, "{} frames\n{printed}", count("v"));
    assert!(
        count("a") >= audio,
        "{} audio buffers\n{printed}",
        count("a")
    );
}

#[test]
fn ffmpeg_publishes_h264_and_opus() {
    let ready = python().and_then(|python| Ok((ffmpeg(&python)?, Lab::new()?)));
    let (ffmpeg, lab) = match ready {
        Ok(ready) => ready,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut launch = launch_verbose(&lab);
    let url = format!("{}/whip", launch.wait_listening());
    let mut command = lab.command(ffmpeg);
    let line = "-hide_banner -loglevel warning -re -f lavfi -i testsrc=size=320x240:rate=30 -f lavfi -i sine=frequency=1000:sample_rate=48000 \
        -t 6 -c:v libx264 -profile:v baseline -preset ultrafast -tune zerolatency -g 30 -bf 0 -pix_fmt yuv420p -c:a libopus -ar 48000 -ac 2 -f whip";
    command.args(line.split_whitespace()).arg(&url);
    let mut peer = Program::start(command);
    let status = peer.wait(Duration::from_secs(40));
    assert!(status.success(), "ffmpeg: {status}\n{}", peer.printed());
    assert_received(&mut launch, 100, 150);
}

fn ffmpeg(python: &std::path::Path) -> Result<String, String> {
    let ask = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())";
    let out = Command::new(python)
        .args(["-c", ask])
        .output()
        .map_err(|e| e.to_string())?;
    let path = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    let muxers = Command::new(&path)
        .args(["-hide_banner", "-muxers"])
        .output()
        .map_err(|e| e.to_string())?;
    match String::from_utf8_lossy(&muxers.stdout).contains(" whip ") {
        true => Ok(path),
        false => Err(format!("'{path}' is no FFmpeg with the whip muxer")),
    }
}

#[test]
fn webrtcbin_with_its_rsa_certificate_publishes_picture_and_sound() {
    let ready = system_python().and_then(|python| Ok((python, Lab::new()?)));
    let (python, lab) = match ready {
        Ok(ready) => ready,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut launch = launch_verbose(&lab);
    let url = format!("{}/whip", launch.wait_listening());
    let mut command = lab.command(python);
    command
        .arg(repository().join("tests/interop/whep_webrtcbin.py"))
        .args(["publish", &url, "5"]);
    let result = result_of(&mut Program::start(command));
    assert_eq!(result["connection"], "connected", "{result:#}");
    assert_received(&mut launch, 75, 100);
}
