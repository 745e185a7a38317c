// SPDX-License-Identifier: MPL-2.0
//! `dtmf-audible`: what a peer dials is heard in its audio, or is not.
use crate::kit::{Pipe, loopback};
use gst::prelude::*;

/// Amplitude at a frequency (Goertzel), 1 for full scale.
fn level(samples: &[f64], hertz: f64) -> f64 {
    let factor = 2.0 * (hertz / 8_000.0 * std::f64::consts::TAU).cos();
    let [one, two] = samples
        .iter()
        .fold([0.0, 0.0], |[one, two], x| [x + factor * one - two, one]);
    let power = one * one + two * two - factor * one * two;
    2.0 * power.max(0.0).sqrt() / samples.len() as f64
}

/// The loudest 50 ms at each frequency from the tone's message on.
fn heard(audible: bool, hertz: &[f64]) -> Vec<f64> {
    let uri = loopback();
    let receiver = Pipe::playing(&format!(
        "rtcsrc name=r uri={uri} udp-port=0 dtmf-audible={audible} r.audio_0 ! audioconvert ! audioresample ! \
         audio/x-raw,format=S16LE,rate=8000,channels=1 ! appsink name=out sync=false async=false max-buffers=10 drop=true"
    ));
    let _sender = Pipe::playing(&format!(
        "rtcsink name=s uri={uri} udp-port=0 audiotestsrc is-live=true wave=silence ! s.audio_0 \
         rtcdtmfsrc tones=5 duration=300 ! s.dtmf_0"
    ));
    receiver.wait_element("dtmf-event");
    let sink = receiver.get("out").downcast::<gst_app::AppSink>().unwrap();
    // The tone, and what was queued before it.
    let mut samples: Vec<f64> = Vec::new();
    while samples.len() < 16_000 {
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(20));
        let sample = sample.expect("audio goes on");
        let map = sample.buffer().unwrap().map_readable().unwrap();
        let pairs = map
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        samples.extend(pairs.map(|sample| f64::from(sample) / 32_768.0));
    }
    let loudest = |hertz: &f64| {
        let levels = samples.chunks_exact(400).map(|part| level(part, *hertz));
        levels.fold(0.0, f64::max)
    };
    hertz.iter().map(loudest).collect()
}

const OF_FIVE: [f64; 2] = [770.0, 1336.0];

#[test]
fn a_key_sounds_as_its_two_frequencies_and_no_other() {
    let levels = heard(true, &[OF_FIVE[0], OF_FIVE[1], 941.0, 1633.0]);
    // Each sine of a tone of -10 dBm0 has -16.15 dBov.
    let right = levels[..2].iter().all(|level| (0.10..0.20).contains(level));
    assert!(
        right && levels[2..].iter().all(|level| *level < 0.05),
        "{levels:?}"
    );
}

#[test]
fn keys_are_silent_unless_asked_for() {
    let levels = heard(false, &OF_FIVE);
    assert!(levels.iter().all(|level| *level < 0.001), "{levels:?}");
}
