// SPDX-License-Identifier: MPL-2.0
//! `dtmf-audible`: tones of a peer as sound in its audio, right behind where they were sent, for a tone is told
//! when it is over and its length known.
use super::RtcSrcPad;
use crate::tones::CAT;
use gst::prelude::*;
use rtc_rtp::ReceivedTone;
use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// ITU-T Q.23: the frequencies of the keys' rows and columns, Hz.
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// Row and column of each event 0-15.
const KEYS: [(usize, usize); 16] = [
    (3, 1),
    (0, 0),
    (0, 1),
    (0, 2),
    (1, 0),
    (1, 1),
    (1, 2),
    (2, 0),
    (2, 1),
    (2, 2),
    (3, 0),
    (3, 2),
    (0, 3),
    (1, 3),
    (2, 3),
    (3, 3),
];
/// From a tone's level to that of each of its sines below full scale, dB: a full-scale sine has 3.14 dBm0 (ITU-T
/// G.711), and two of one power have 3.01 dB more than each.
const BELOW: f64 = 6.15;
/// Softens both ends, so that they do not click.
const RAMP: f64 = 0.002;
/// Silence behind each, so that one key pressed twice is two; telephones want 30 ms at the least.
const GAP: f64 = 0.04;
/// Tones that wait; nobody dials faster than he hears.
const MAX_WAITING: usize = 64;
/// A tone's sound at the longest: W3C's longest tone, ms.
const LONGEST: Duration = Duration::from_secs(6);

/// The tones of one pad that still have to sound.
#[derive(Debug, Default)]
pub(super) struct Audible {
    waiting: Mutex<VecDeque<Sound>>,
}

#[derive(Clone, Copy, Debug)]
struct Sound {
    frequencies: [f64; 2],
    amplitude: f64,
    seconds: f64,
    /// Samples that have sounded.
    at: u64,
}

impl Audible {
    /// Mixes into all that passes a pad from now on.
    pub(super) fn watch(pad: &RtcSrcPad) -> Arc<Self> {
        let audible = Arc::<Self>::default();
        let weak = Arc::downgrade(&audible);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let (Some(audible), Some(buffer)) = (weak.upgrade(), info.buffer_mut())
                && !audible.waiting().is_empty()
            {
                audible.mix(pad.upcast_ref(), buffer.make_mut());
            }
            gst::PadProbeReturn::Ok
        });
        audible
    }

    /// A tone shall sound.
    pub(super) fn play(&self, tone: &ReceivedTone) {
        let Some(sound) = Sound::of(tone.event, tone.volume, tone.duration) else {
            return;
        };
        let mut waiting = self.waiting();
        if waiting.len() < MAX_WAITING {
            waiting.push_back(sound);
        }
    }

    fn mix(&self, pad: &gst::Pad, buffer: &mut gst::BufferRef) {
        let caps = pad.current_caps();
        let info = caps.and_then(|caps| gst_audio::AudioInfo::from_caps(&caps).ok());
        let info = info.filter(|info| info.layout() == gst_audio::AudioLayout::Interleaved);
        let mut waiting = self.waiting();
        let (Some(info), Ok(mut map)) = (info, buffer.map_writable()) else {
            waiting.clear();
            gst::warning!(CAT, obj = pad, "tones sound only where raw audio is taken");
            return;
        };
        let channels = info.channels() as usize;
        let next = || next(&mut waiting, f64::from(info.rate()));
        match info.format() {
            gst_audio::AUDIO_FORMAT_S16 => {
                each(&mut map, 2, channels, next, |sample: &mut [u8], add| {
                    if let Ok(bytes) = sample.try_into() {
                        let sum = f64::from(i16::from_ne_bytes(bytes)) + add * 32_768.0;
                        sample.copy_from_slice(&(sum as i16).to_ne_bytes());
                    }
                });
            }
            gst_audio::AUDIO_FORMAT_F32 => {
                each(&mut map, 4, channels, next, |sample: &mut [u8], add| {
                    if let Ok(bytes) = sample.try_into() {
                        let sum = f64::from(f32::from_ne_bytes(bytes)) + add;
                        sample.copy_from_slice(&(sum as f32).to_ne_bytes());
                    }
                });
            }
            other => {
                waiting.clear();
                gst::warning!(CAT, obj = pad, "tones do not sound in {other:?}");
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Sound>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds one value to all samples, of `size` bytes, of each frame, until there are no more.
fn each(
    data: &mut [u8],
    size: usize,
    channels: usize,
    mut next: impl FnMut() -> Option<f64>,
    add: impl Fn(&mut [u8], f64),
) {
    for frame in data.chunks_exact_mut((size * channels).max(1)) {
        let Some(value) = next() else {
            return;
        };
        frame
            .chunks_exact_mut(size)
            .for_each(|sample| add(sample, value));
    }
}

/// The next value of what sounds, 1 for full scale.
fn next(waiting: &mut VecDeque<Sound>, rate: f64) -> Option<f64> {
    loop {
        let sound = waiting.front_mut()?;
        let time = sound.at as f64 / rate;
        sound.at += 1;
        if time < sound.seconds + GAP {
            return Some(sound.value(time));
        }
        waiting.pop_front();
    }
}

impl Sound {
    /// `None` for an event that is no key.
    fn of(event: u8, volume: u8, duration: Duration) -> Option<Self> {
        let (row, column) = *KEYS.get(usize::from(event))?;
        let level = -(f64::from(volume) + BELOW);
        Some(Self {
            frequencies: [*ROWS.get(row)?, *COLUMNS.get(column)?],
            amplitude: 10f64.powf(level / 20.0),
            seconds: duration.min(LONGEST).as_secs_f64(),
            at: 0,
        })
    }

    fn value(&self, time: f64) -> f64 {
        let left = self.seconds - time;
        if left <= 0.0 {
            return 0.0;
        }
        let ramp = (time.min(left) / RAMP).min(1.0);
        let sines = self.frequencies.map(|hertz| (hertz * time * TAU).sin());
        self.amplitude * ramp * sines.iter().sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Amplitude at a frequency (Goertzel).
    fn level(samples: &[f64], hertz: f64, rate: f64) -> f64 {
        let factor = 2.0 * (hertz / rate * TAU).cos();
        let [one, two] = samples.iter().fold([0.0, 0.0], |[one, two], sample| {
            [sample + factor * one - two, one]
        });
        let power = one * one + two * two - factor * one * two;
        2.0 * power.max(0.0).sqrt() / samples.len() as f64
    }

    #[test]
    fn each_key_has_its_two_frequencies_and_its_loudness() {
        for event in 0..16 {
            let sound = Sound::of(event, 10, Duration::from_millis(100)).unwrap();
            let mut waiting = VecDeque::from([sound]);
            let samples: Vec<f64> = std::iter::from_fn(|| next(&mut waiting, 8_000.0)).collect();
            assert_eq!(samples.len(), 1_120, "100 ms and the gap");
            let sounding = &samples[20..780];
            for hertz in ROWS.into_iter().chain(COLUMNS) {
                let level = 20.0 * level(sounding, hertz, 8_000.0).max(1e-9).log10();
                match sound.frequencies.contains(&hertz) {
                    true => assert!(
                        (level + 16.15).abs() < 1.0,
                        "{event}: {hertz} Hz at {level}"
                    ),
                    false => assert!(level < -28.0, "{event}: {hertz} Hz at {level}"),
                }
            }
            assert!(samples[801..].iter().all(|sample| *sample == 0.0));
        }
        assert!(Sound::of(16, 10, Duration::from_millis(100)).is_none());
    }
}
