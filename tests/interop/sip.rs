// SPDX-License-Identifier: MPL-2.0
//! Telephone keys between our elements and SIP gear: baresip is the telephone, sipp makes the call, the example
//! `sip-bridge` carries sound and keys between plain RTP and WebRTC.
use rtc_tests::lab::{Lab, Program, plugin_folder, repository};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// The telephone's folder: its settings, and what it says into the line for half a minute.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("rtc-telephone-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("temporary files can be made");
        let from = repository().join("tests/interop/sip");
        let tone = folder.join("tone.wav");
        std::fs::write(&tone, sine()).expect("they can be written");
        for file in ["config", "accounts"] {
            let text = std::fs::read_to_string(from.join(file)).expect("it is part of the tests");
            let text = text.replace("TONE", &tone.display().to_string());
            std::fs::write(folder.join(file), text).expect("they can be written");
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A WAV file of a quiet tone: 16 bits, 8 kHz.
fn sine() -> Vec<u8> {
    let samples = (0..30 * 8_000).map(|at| {
        let turns = f64::from(at) * 440.0 / 8_000.0;
        ((turns * std::f64::consts::TAU).sin() * 3_000.0) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let size = data.len() as u32;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend([8_000u32, 16_000].map(u32::to_le_bytes).concat());
    file.extend(b"\x02\0\x10\0data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}

/// What is needed, or why it is not there.
fn bridge() -> Result<(PathBuf, Lab), String> {
    for program in ["/usr/bin/baresip", "/usr/bin/sipp"] {
        if !Path::new(program).exists() {
            return Err(format!("{program} is not installed (scripts/setup test)"));
        }
    }
    let example = plugin_folder().join("examples/sip-bridge");
    match example.exists() {
        true => Ok((example, Lab::new()?)),
        false => Err(format!("{} is not built", example.display())),
    }
}

/// Presses a key of the telephone.
fn press(lab: &Lab, key: char) {
    let mut shell = lab.command("bash");
    shell
        .args(["-c", "printf %s \"$0\" > /dev/udp/127.0.0.1/5555"])
        .arg(key.to_string());
    assert!(shell.status().is_ok_and(|status| status.success()));
}

#[test]
fn keys_go_both_ways_between_webrtc_and_a_telephone() {
    let (example, lab) = match bridge() {
        Ok(found) => found,
        Err(why) => return println!("skipped: {why}"),
    };
    let folder = Folder::new();
    let mut command = lab.command("baresip");
    command.arg("-f").arg(&folder.0);
    let mut telephone = Program::start(command);
    telephone.wait_for("the telephone", LIMIT, |line| line.contains("is ready"));
    let mut command = lab.command(&example);
    command.arg("127.0.0.1:10000");
    let mut bridge = Program::start(command);
    let base = bridge.wait_listening();
    let mut command = lab.command("sipp");
    command
        .arg("-sf")
        .arg(repository().join("tests/interop/sip/call.xml"));
    let arguments = "-m 1 -i 127.0.0.1 -p 5060 -nostdin 127.0.0.1:5070";
    command.args(arguments.split(' '));
    let _call = Program::start(command);
    telephone.wait_for("the call", LIMIT, |line| line.contains("answering call"));

    let host = base.trim_start_matches("http://");
    let _caller = lab.launch(&format!(
        "rtcsink name=s uri=whip://{host}/whip audiotestsrc is-live=true volume=0.05 ! s.audio_0 \
         rtcdtmfsrc tones=159# ! s.dtmf_0"
    ));
    for key in ["1", "5", "9", "#"] {
        let wanted = format!("received event: '{key}' (end=1)");
        telephone.wait_for(&wanted, LIMIT, |line| line.contains(&wanted));
    }
    let mut listener = lab.launch(&format!(
        "rtcsrc uri=whep://{host}/whep ! audioconvert ! fakesink sync=false name=heard"
    ));
    listener.wait_for("sound", LIMIT, |line| {
        line.contains("pad-added") || line.contains("stream-start")
    });
    for key in ['7', '*', '3'] {
        press(&lab, key);
        let wanted = format!("from the telephone: {key}");
        bridge.wait_for(&wanted, LIMIT, |line| line == wanted);
        let wanted = format!(
            "tone=(string){}",
            if key == '*' {
                "\"\\*\"".into()
            } else {
                key.to_string()
            }
        );
        listener.wait_for(&wanted, LIMIT, |line| {
            line.contains("dtmf-event") && line.contains(&wanted)
        });
    }
}
