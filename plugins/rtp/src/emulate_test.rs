// SPDX-License-Identifier: MPL-2.0
//! For tests: an encoder that follows the estimate, over a path as a scenario has it, on simulated time.
use crate::kit_test::*;
use crate::{MediaEvent, SrtpProfile};
use std::time::{Duration, Instant};

/// What came of a scenario.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Seconds until a second's rate reached 80 % of what could be had, from `from` on.
    pub(crate) until_80: f64,
    /// Part of what could be had that arrived in whole frames, headers counted, repeats not.
    pub(crate) used: f64,
    /// Queueing delay, seconds, 95th percentile.
    pub(crate) queue: f64,
    pub(crate) dropped: f64,
    /// Part of the frames that came.
    pub(crate) frames: f64,
    /// Bits arrived in each tenth of a second.
    pub(crate) bins: Vec<f64>,
    pub(crate) queues: Vec<(f64, f64)>,
    pub(crate) estimates: Vec<f64>,
    pub(crate) keyframes: u64,
}

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) capacity: fn(f64) -> f64,
    pub(crate) demand: fn(f64) -> f64,
    /// One-way delay.
    pub(crate) delay: Duration,
    pub(crate) queue: Duration,
    pub(crate) policer: Option<f64>,
    pub(crate) loss: f64,
    /// Loss of the way back.
    pub(crate) feedback_loss: f64,
    pub(crate) jitter: Duration,
    pub(crate) clumps: bool,
    pub(crate) starved: Starved,
    pub(crate) seconds: u64,
    pub(crate) from: f64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "",
            capacity: |_| 2e6,
            demand: |_| 8e6,
            delay: ms(25),
            queue: ms(250),
            policer: None,
            loss: 0.0,
            feedback_loss: 0.0,
            jitter: Duration::ZERO,
            clumps: false,
            starved: Starved::default(),
            seconds: 60,
            from: 0.0,
        }
    }
}

impl Scenario {
    pub(crate) fn available(&self, t: f64) -> f64 {
        (self.capacity)(t).min((self.demand)(t))
    }
}

/// One sender whose encoder follows the estimate.
pub(crate) struct Call {
    pub(crate) pair: Pair,
    rng: Rng,
    estimate: f64,
    rate: f64,
    estimates: Vec<f64>,
    sent: u32,
}

impl Call {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        let mut pair = Pair::new(SrtpProfile::AeadAes128Gcm, scenario.delay, seed, true);
        pair.ab.loss = scenario.loss;
        pair.ab.jitter = scenario.jitter;
        pair.ab.queue = scenario.queue;
        pair.ab.policer = scenario.policer;
        pair.ab.clumps = scenario.clumps;
        pair.ba.loss = scenario.feedback_loss;
        pair.ba.clumps = scenario.clumps;
        pair.starved = scenario.starved;
        Self {
            pair,
            rng: Rng(seed * 7 + 3),
            estimate: 300e3,
            rate: 300e3,
            estimates: Vec::new(),
            sent: 0,
        }
    }

    /// Sends a frame; 30 a second, each tenth second's rate 95 % of the estimate, a keyframe every 10 s
    /// or when asked, five times as large as the rest.
    pub(crate) fn frame(&mut self, scenario: &Scenario) {
        let t = self.pair.elapsed();
        self.pair.ab.capacity = Some((scenario.capacity)(t));
        for event in &self.pair.a_events {
            if let MediaEvent::Estimate { bits_per_second } = event {
                self.estimate = *bits_per_second as f64;
            }
        }
        let wanted = self.pair.keyframe_wanted();
        self.pair.a_events.clear();
        if self.sent.is_multiple_of(3) {
            self.rate = (self.estimate * 0.95).clamp(60e3, (scenario.demand)(t));
            self.estimates.push(self.estimate);
        }
        let keyframe = wanted || self.sent == 0 || self.sent % 300 == 140;
        let scale = if keyframe { 5.0 } else { 1.0 };
        let len = self.rate / 30.0 / 8.0 * scale * (0.8 + 0.4 * self.rng.unit());
        self.pair.send(&vp8(self.sent, keyframe, len as usize));
        self.sent += 1;
    }

    /// When the next frame is due.
    pub(crate) fn next(&self) -> Instant {
        self.pair.start + Duration::from_secs_f64(f64::from(self.sent) / 30.0)
    }

    pub(crate) fn outcome(self, scenario: &Scenario) -> Outcome {
        let pair = &self.pair;
        let since = |at: Instant| (at - pair.start).as_secs_f64();
        let mut bins = vec![0.0; scenario.seconds as usize * 10];
        for (at, frame) in &pair.frames {
            if let Some(bin) = bins.get_mut((since(*at) * 10.0) as usize) {
                // As the link carries it: packets of some 1,130 bytes with 66 of headers and tag.
                let packets = frame.data.len().div_ceil(1130);
                *bin += (frame.data.len() + packets * 66) as f64 * 8.0;
            }
        }
        let first = (scenario.from * 10.0) as usize;
        let possible: f64 = (first..bins.len())
            .map(|i| scenario.available(i as f64 / 10.0) / 10.0)
            .sum();
        let queues: Vec<(f64, f64)> = pair
            .ab
            .queued
            .iter()
            .map(|(at, q)| (since(*at), *q))
            .collect();
        let mut sorted: Vec<f64> = queues.iter().map(|(_, q)| *q).collect();
        sorted.sort_by(f64::total_cmp);
        let queue = sorted.get(sorted.len() * 95 / 100).copied();
        Outcome {
            until_80: until(&bins, scenario.from, |t| scenario.available(t)),
            used: bins[first..].iter().sum::<f64>() / possible,
            queue: queue.unwrap_or(0.0),
            dropped: pair.ab.dropped as f64 / pair.ab.sent as f64,
            frames: pair.frames.len() as f64 / f64::from(self.sent),
            bins,
            queues,
            keyframes: pair.a.stats().send[0].keyframes,
            estimates: self.estimates,
        }
    }
}

/// Seconds from `from` until a second's rate reached 80 % of what is available.
pub(crate) fn until(bins: &[f64], from: f64, available: impl Fn(f64) -> f64) -> f64 {
    let first = (from * 10.0) as usize;
    (first + 9..bins.len())
        .find(|i| {
            let second: f64 = bins[i - 9..=*i].iter().sum();
            second >= 0.8 * available(*i as f64 / 10.0)
        })
        .map_or(f64::INFINITY, |i| (i + 1 - first) as f64 / 10.0)
}

pub(crate) fn run(scenario: &Scenario, seed: u64) -> Outcome {
    let mut call = Call::new(scenario, seed);
    for _ in 0..scenario.seconds * 30 {
        call.frame(scenario);
        call.pair.run_until(call.next());
    }
    let outcome = call.outcome(scenario);
    outcome.show(scenario.name);
    outcome
}

impl Outcome {
    pub(crate) fn show(&self, name: &str) {
        println!(
            "{name}: 80 % after {:.1} s, used {:.0} %, queue p95 {:.0} ms, dropped {:.1} %, frames {:.1} %, {} keyframes",
            self.until_80,
            self.used * 100.0,
            self.queue * 1e3,
            self.dropped * 100.0,
            self.frames * 100.0,
            self.keyframes
        );
        let per_second: Vec<String> = self
            .estimates
            .chunks(10)
            .map(|second| format!("{:.2}", second[0] / 1e6))
            .collect();
        println!("   estimate {}", per_second.join(" "));
    }

    /// Seconds after `from` until the queue was gone: from then on less was sent than the link carries.
    pub(crate) fn clear_after(&self, from: f64) -> f64 {
        let late = self.queues.iter().filter(|(at, _)| *at >= from + 0.2);
        let mut clear = late.filter(|(_, queue)| *queue < 0.05);
        clear.next().map_or(f64::INFINITY, |(at, _)| at - from)
    }
}
