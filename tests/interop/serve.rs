// SPDX-License-Identifier: MPL-2.0
//! `rtcsink` and `rtcsrc` as clients of a WHIP and WHEP server that nobody here wrote.
use crate::view::python;
use rtc_tests::browser::result_of;
use rtc_tests::lab::{Lab, Program, repository};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// aiortc as the server of one session.
fn server() -> Option<(Lab, Program)> {
    let (lab, python) = match python().and_then(|python| Ok((Lab::new()?, python))) {
        Ok(both) => both,
        Err(why) => {
            println!("skipped: {why}");
            return None;
        }
    };
    let mut command = lab.command(python);
    command
        .arg(repository().join("tests/interop/serve_aiortc.py"))
        .arg("8000");
    let mut server = Program::start(command);
    server.wait_for("server", LIMIT, |line| line == "serving");
    Some((lab, server))
}

#[test]
fn rtcsink_publishes_to_an_aiortc_server() {
    let Some((lab, mut server)) = server() else {
        return;
    };
    let mut publisher = lab.launch(
        "rtcsink name=s uri=whip://127.0.0.1:8000/whip video-caps=video/x-vp8 \
         videotestsrc is-live=true num-buffers=150 ! video/x-raw,width=320,height=240,framerate=30/1 ! s. \
         audiotestsrc is-live=true num-buffers=250 ! s.",
    );
    assert!(publisher.wait(LIMIT).success(), "{}", publisher.printed());
    let result = result_of(&mut server);
    assert!(result["video"].as_u64() >= Some(50), "{result:#}");
    assert!(result["audio"].as_u64() >= Some(100), "{result:#}");
    let requests = [
        "POST /whip",
        "POST /whip",
        "POST /whip",
        "DELETE /session/1",
    ];
    assert_eq!(result["requests"], serde_json::json!(requests));
}

/// Views `path` of the server, and gives the requests it saw.
fn view(path: &str) -> Option<serde_json::Value> {
    let (lab, mut server) = server()?;
    let mut command = lab.command("gst-launch-1.0");
    let pipeline = format!(
        "rtcsrc name=r uri=whep://127.0.0.1:8000{path} \
         r.video_0 ! video/x-raw ! identity name=v silent=false ! fakesink sync=false \
         r.audio_0 ! audio/x-raw ! identity name=a silent=false ! fakesink sync=false"
    );
    command.args(["-e", "-v"]).args(pipeline.split_whitespace());
    let mut viewer = Program::start(command);
    for name in ["v", "a", "v", "a"] {
        let wanted = format!("GstIdentity:{name}: last-message = chain");
        for _ in 0..20 {
            viewer.wait_for(name, LIMIT, |line| line.contains(&wanted));
        }
    }
    let status = viewer.interrupt(LIMIT);
    assert!(status.success(), "{status}\n{}", viewer.printed());
    Some(result_of(&mut server)["requests"].clone())
}

#[test]
fn rtcsrc_views_an_aiortc_server() {
    if let Some(seen) = view("/whep") {
        let requests = [
            "POST /whep",
            "POST /whep",
            "POST /whep",
            "DELETE /session/1",
        ];
        assert_eq!(seen, serde_json::json!(requests));
    }
}

#[test]
fn rtcsrc_takes_the_offer_of_an_aiortc_server() {
    if let Some(seen) = view("/counter") {
        let posts = ["POST /counter"; 3];
        let rest = ["PATCH /session/1", "DELETE /session/1"];
        assert_eq!(seen, serde_json::json!([&posts[..], &rest].concat()));
    }
}
