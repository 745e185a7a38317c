// SPDX-License-Identifier: MPL-2.0
//! A flash and a beep that leave together arrive together.
use crate::src_kit::{Call, Seen};
use gst::prelude::*;

const SECOND: u64 = 1_000_000_000;
/// Each second begins with a flash and a beep of this length.
const LENGTH: u64 = SECOND / 5;

/// Fills the buffers that pass `name` with `loud` or `quiet` samples, by the second of their time.
fn mark<T>(pipeline: &gst::Pipeline, name: &str, quiet: T, loud: T, rate: u64)
where
    T: Copy + Send + Sync + 'static,
{
    let identity = pipeline.by_name(name).expect("the identity");
    let pad = identity.static_pad("src").expect("its pad");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
            let start = buffer.pts().expect("sources stamp").nseconds();
            let buffer = buffer.make_mut();
            let mut map = buffer.map_writable().expect("writable");
            let size = size_of::<T>();
            for (number, sample) in map.chunks_exact_mut(size).enumerate() {
                let at = match rate {
                    0 => start,
                    rate => start + number as u64 * SECOND / rate,
                };
                let value = if at % SECOND < LENGTH { loud } else { quiet };
                write(sample, value);
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// The bytes of a sample of one or two bytes.
fn write<T: Copy + 'static>(sample: &mut [u8], value: T) {
    let value = &value as &dyn std::any::Any;
    if let Some(value) = value.downcast_ref::<u8>() {
        sample[0] = *value;
    } else if let Some(value) = value.downcast_ref::<i16>() {
        sample.copy_from_slice(&value.to_le_bytes());
    }
}

/// Finds the moments at which something quiet becomes loud.
#[derive(Default)]
struct Edges {
    was_loud: bool,
    found: Vec<u64>,
}

impl Edges {
    fn see(&mut self, loud: bool, at: u64) {
        if loud && !self.was_loud {
            self.found.push(at);
        }
        self.was_loud = loud;
    }
}

#[test]
fn a_flash_and_a_beep_of_one_moment_are_presented_within_20_ms() {
    let call = Call::prepared(
        "videotestsrc is-live=true pattern=black ! \
         video/x-raw,format=GRAY8,width=160,height=120,framerate=10/1 ! identity name=v ! s. \
         audiotestsrc is-live=true wave=silence samplesperbuffer=960 ! \
         audio/x-raw,format=S16LE,rate=48000,channels=1 ! identity name=a ! s.",
        "video/x-raw,format=I420",
        "audio/x-raw,format=S16LE,channels=2",
    );
    delay_video(&call.sender);
    mark(&call.sender, "v", 16u8, 235u8, 0);
    mark(&call.sender, "a", 0i16, 12_000i16, 48_000);
    call.start();
    let (mut flashes, mut beeps) = (Edges::default(), Edges::default());
    call.until("eight flashes and beeps", |seen| {
        if let Seen::Buffer(pad, buffer) = seen {
            let start = buffer.pts().expect("stamped").nseconds();
            let map = buffer.map_readable().expect("readable");
            if pad == "video_0" {
                flashes.see(map[160 * 60 + 80] > 128, start);
            } else {
                for (number, sample) in map.chunks_exact(4).enumerate() {
                    let level = i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs();
                    // The encoder has no constant level: its high-pass lets a step fade.
                    let loud = level > 3_000 || (beeps.was_loud && number % 480 != 0);
                    beeps.see(loud, start + number as u64 * SECOND / 48_000);
                }
            }
        }
        flashes.found.len() >= 8 && beeps.found.len() >= 8
    });
    let off: Vec<_> = flashes
        .found
        .iter()
        .filter_map(|flash| {
            let apart = |beep: &u64| (*beep as i64 - *flash as i64) / 1_000_000;
            // Of the last flash the beep may not be here yet.
            beeps.found.iter().map(apart).find(|off| off.abs() < 500)
        })
        .collect();
    // The reports that align the two come in the first seconds; a busy machine may lose a frame.
    let mut settled = off[off.len() / 2..].to_vec();
    settled.sort_by_key(|off| off.abs());
    let usual = settled[settled.len() / 2];
    assert!(usual.abs() <= 20, "beep less flash, milliseconds: {off:?}");
}

/// Makes every video frame come late by [`SLOW`], as from a slow encoder.
fn delay_video(sender: &gst::Pipeline) {
    let sink = sender.by_name("s").expect("rtcsink");
    sink.connect("encoded-pad-added", false, |values| {
        let pad = values[1].get::<gst::Pad>().expect("a pad");
        let is_video = pad
            .parent_element()
            .is_some_and(|tap| tap.name().contains("video"));
        if is_video {
            let (keep, never) = std::sync::mpsc::channel::<()>();
            let never = std::sync::Mutex::new(never);
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                let _open = &keep;
                let _ = never.lock().expect("no panic").recv_timeout(SLOW);
                gst::PadProbeReturn::Ok
            });
        }
        None
    });
}

/// Without alignment the picture would be this much later than the sound.
const SLOW: std::time::Duration = std::time::Duration::from_millis(60);
