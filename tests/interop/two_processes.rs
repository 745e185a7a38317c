// SPDX-License-Identifier: MPL-2.0
//! `rtcsink` and `rtcsrc` in two processes that meet by WHEP and by WHIP, over real UDP.
use crate::view::system_python;
use rtc_tests::browser::result_of;
use rtc_tests::lab::{Lab, Program, repository};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const PICTURE: &str =
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! ";
const SERVED: &str = "whep://127.0.0.1:8080/whep";

/// A namespace and the Python that receives in it.
fn lab() -> Option<(Lab, PathBuf)> {
    match system_python().and_then(|python| Ok((Lab::new()?, python))) {
        Ok(both) => Some(both),
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

fn receive(lab: &Lab, python: &PathBuf, arguments: &[&str]) -> Program {
    let mut command = lab.command(python);
    command
        .arg(repository().join("tests/interop/receive.py"))
        .args(arguments);
    Program::start(command)
}

/// Sends to nobody yet; returns when it can be viewed.
fn serve(lab: &Lab, pipeline: &str) -> Program {
    let mut sender = lab.launch(&format!("{PICTURE}{pipeline}"));
    sender.wait_listening();
    sender
}

fn first_frame(receiver: &mut Program, pad: usize) {
    let wanted = format!("pad {pad}");
    receiver.wait_for(&format!("frame on {wanted}"), LIMIT, |line| line == wanted);
}

fn end(mut program: Program) {
    let status = program.interrupt(LIMIT);
    assert!(status.success(), "{status}\n{}", program.printed());
}

fn assert_flows(result: &Value) {
    assert!(result["frames"].as_u64() >= Some(60), "{result:#}");
    assert_eq!(result["monotonic"], true, "{result:#}");
}

#[test]
fn a_picture_crosses_by_whep_raw_and_encoded() {
    let Some((lab, python)) = lab() else { return };
    let sender = serve(&lab, "rtcsink video-caps=video/x-vp8");
    for caps in ["video/x-raw,width=320,height=240", "video/x-vp8"] {
        let result = result_of(&mut receive(&lab, &python, &[SERVED, caps, "4"]));
        assert_flows(&result);
    }
    end(sender);
}

#[test]
fn a_stream_encoded_before_crosses_untouched() {
    let Some((lab, python)) = lab() else { return };
    let sender = serve(
        &lab,
        "x264enc tune=zerolatency key-int-max=15 ! video/x-h264,profile=constrained-baseline ! rtcsink",
    );
    let result = result_of(&mut receive(&lab, &python, &[SERVED, "video/x-h264", "4"]));
    assert_flows(&result);
    assert!(result["keyframes"].as_u64() >= Some(4), "{result:#}");
    end(sender);
}

#[test]
fn a_keyframe_comes_when_the_receiver_asks() {
    let Some((lab, python)) = lab() else { return };
    // Neither encoder makes keyframes by itself within the test's time.
    for encoder in ["", "vp8enc deadline=1 keyframe-max-dist=10000 ! "] {
        let sender = serve(&lab, &format!("{encoder}rtcsink video-caps=video/x-vp8"));
        let arguments = [SERVED, "video/x-vp8", "4", "ask"];
        let result = result_of(&mut receive(&lab, &python, &arguments));
        assert_flows(&result);
        assert_eq!(result["before"], 0, "{encoder}: {result:#}");
        assert_eq!(result["after"], 1, "{encoder}: {result:#}");
        end(sender);
    }
}

#[test]
fn a_picture_crosses_by_whip_and_again_when_the_receiver_restarts() {
    let Some((lab, python)) = lab() else { return };
    // The sender is there first: it tries until somebody listens.
    let publish = "rtcsink uri=whip://127.0.0.1:8080/whip video-caps=video/x-vp8";
    let mut sender = lab.launch(&format!("{PICTURE}{publish}"));
    sender.wait_for("word on who is missing", LIMIT, |line| {
        line.contains("refused") && line.contains("trying again")
    });
    for caps in ["video/x-raw,width=320,height=240", "video/x-vp8"] {
        let mut receiver = receive(&lab, &python, &["", caps, "8"]);
        first_frame(&mut receiver, 1);
        assert_flows(&result_of(&mut receiver));
    }
    end(sender);
}

#[test]
fn a_receiver_finds_a_sender_that_restarts() {
    let Some((lab, python)) = lab() else { return };
    let pipeline = "rtcsink video-caps=video/x-vp8";
    let sender = serve(&lab, pipeline);
    let mut receiver = receive(&lab, &python, &[SERVED, "video/x-raw", "16"]);
    first_frame(&mut receiver, 1);
    end(sender);
    let sender = serve(&lab, pipeline);
    first_frame(&mut receiver, 2);
    assert_flows(&result_of(&mut receiver));
    end(sender);
}

#[test]
fn playbin_plays_a_whep_uri() {
    let Some((lab, _)) = lab() else { return };
    let sender = serve(&lab, "rtcsink");
    for playbin in ["playbin", "playbin3"] {
        let mut command = lab.command("gst-launch-1.0");
        let sink = "video-sink=identity name=v silent=false ! fakevideosink";
        command.args(["-v", playbin, &format!("uri={SERVED}"), sink]);
        let mut player = Program::start(command);
        for _ in 0..30 {
            player.wait_for("picture", LIMIT, |line| {
                line.contains("GstIdentity:v: last-message = chain")
            });
        }
    }
    end(sender);
}

#[test]
fn what_can_not_be_is_an_error_that_says_what_to_write() {
    let Some((lab, _)) = lab() else { return };
    let server = serve(&lab, "rtcsink");
    for (pipeline, words) in [
        (
            "videotestsrc ! rtcsink uri=wheps://h/x",
            "write whips://h/x",
        ),
        ("rtcsrc uri=whip://h/x ! fakesink", "write whep://h/x"),
        (
            "rtcsrc uri=whep:h ! fakesink",
            "write whep://HOST:PORT/PATH",
        ),
        ("rtcsrc uri=whep://127.0.0.1:8080/nowhere ! fakesink", "404"),
        // This server sends; it takes no publisher.
        (
            "videotestsrc is-live=true ! rtcsink uri=whip://127.0.0.1:8080/whip",
            "no rtcsrc",
        ),
    ] {
        let mut program = lab.launch(pipeline);
        let status = program.wait(LIMIT);
        let printed = program.printed();
        assert!(!status.success(), "{pipeline}: {printed}");
        assert!(printed.contains(words), "{pipeline}: {printed}");
    }
    end(server);
}
