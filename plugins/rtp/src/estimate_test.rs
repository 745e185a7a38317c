// SPDX-License-Identifier: MPL-2.0
//! The estimator, pacer and feedback together over a bottleneck, as an encoder that follows the estimate sees them.
use crate::kit_test::*;
use crate::{MediaEvent, SrtpProfile};
use std::time::{Duration, Instant};

/// What came of a scenario.
#[derive(Debug)]
struct Outcome {
    /// Seconds until a second's rate reached 80 % of what could be had, from `from` on.
    until_80: f64,
    /// Part of what could be had that arrived.
    used: f64,
    /// Queueing delay, seconds, 95th percentile.
    queue: f64,
    dropped: f64,
    /// Payload bits arrived in each tenth of a second.
    bins: Vec<f64>,
    queues: Vec<(f64, f64)>,
    estimates: Vec<f64>,
    keyframes: u64,
}

struct Scenario {
    capacity: fn(f64) -> f64,
    demand: fn(f64) -> f64,
    loss: f64,
    jitter: Duration,
    seconds: u64,
    from: f64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            capacity: |_| 2e6,
            demand: |_| 8e6,
            loss: 0.0,
            jitter: Duration::ZERO,
            seconds: 60,
            from: 0.0,
        }
    }
}

fn until(bins: &[f64], from: f64, available: impl Fn(f64) -> f64) -> f64 {
    let first = (from * 10.0) as usize;
    (first + 9..bins.len())
        .find(|i| {
            let second: f64 = bins[i - 9..=*i].iter().sum();
            second >= 0.8 * available(*i as f64 / 10.0)
        })
        .map_or(f64::INFINITY, |i| (i + 1 - first) as f64 / 10.0)
}

/// 25 ms each way, 250 ms of FIFO, 30 frames a second, each tenth second's rate 95 % of the estimate.
fn run(scenario: &Scenario, seed: u64) -> Outcome {
    let mut pair = Pair::new(SrtpProfile::AeadAes128Gcm, ms(25), seed, true);
    pair.ab.loss = scenario.loss;
    pair.ab.jitter = scenario.jitter;
    let mut rng = Rng(seed * 7 + 3);
    let mut estimate = 300e3;
    let mut rate = 300e3;
    let mut estimates = Vec::new();
    for i in 0..scenario.seconds as u32 * 30 {
        let t = pair.elapsed();
        pair.ab.capacity = Some((scenario.capacity)(t));
        for event in &pair.a_events {
            if let MediaEvent::Estimate { bits_per_second } = event {
                estimate = *bits_per_second as f64;
            }
        }
        let wanted = pair.keyframe_wanted();
        pair.a_events.clear();
        if i % 3 == 0 {
            rate = (estimate * 0.95).clamp(100e3, (scenario.demand)(t));
            estimates.push(estimate);
        }
        let keyframe = wanted || i % 300 == 0;
        let scale = if keyframe { 5.0 } else { 1.0 };
        let len = rate / 30.0 / 8.0 * scale * (0.8 + 0.4 * rng.unit());
        pair.send(&vp8(i, keyframe, len as usize));
        let next = pair.start + Duration::from_secs_f64(f64::from(i + 1) / 30.0);
        pair.run_until(next);
    }
    outcome(scenario, &pair, estimates)
}

fn outcome(scenario: &Scenario, pair: &Pair, estimates: Vec<f64>) -> Outcome {
    let since = |at: Instant| (at - pair.start).as_secs_f64();
    let mut bins = vec![0.0; scenario.seconds as usize * 10];
    for (at, frame) in &pair.frames {
        if let Some(bin) = bins.get_mut((since(*at) * 10.0) as usize) {
            *bin += frame.data.len() as f64 * 8.0;
        }
    }
    let available = |t: f64| (scenario.capacity)(t).min((scenario.demand)(t));
    let first = (scenario.from * 10.0) as usize;
    let possible: f64 = (first..bins.len())
        .map(|i| available(i as f64 / 10.0) / 10.0)
        .sum();
    let queues: Vec<(f64, f64)> = pair
        .ab
        .queued
        .iter()
        .map(|(at, q)| (since(*at), *q))
        .collect();
    let mut sorted: Vec<f64> = queues.iter().map(|(_, q)| *q).collect();
    sorted.sort_by(f64::total_cmp);
    Outcome {
        until_80: until(&bins, scenario.from, available),
        used: bins[first..].iter().sum::<f64>() / possible,
        queue: sorted[(sorted.len() - 1) * 95 / 100],
        dropped: pair.ab.dropped as f64 / pair.ab.sent as f64,
        bins,
        queues,
        estimates,
        keyframes: pair.a.stats().send[0].keyframes,
    }
}

fn show(name: &str, outcome: &Outcome) {
    println!(
        "{name}: 80 % after {:.1} s, used {:.0} %, queue p95 {:.0} ms, dropped {:.1} %, {} keyframes",
        outcome.until_80,
        outcome.used * 100.0,
        outcome.queue * 1e3,
        outcome.dropped * 100.0,
        outcome.keyframes
    );
    let per_second: Vec<String> = outcome
        .estimates
        .chunks(10)
        .map(|second| format!("{:.2}", second[0] / 1e6))
        .collect();
    println!("   estimate {}", per_second.join(" "));
}

#[test]
fn a_constant_link_of_2_mbit_is_used_without_a_standing_queue() {
    for seed in 1..=3 {
        let outcome = run(&Scenario::default(), seed);
        show("2 Mbit/s", &outcome);
        assert!(outcome.until_80 < 3.0 && outcome.used > 0.85, "seed {seed}");
        assert!(
            outcome.queue < 0.130 && outcome.dropped < 0.005,
            "seed {seed}"
        );
    }
}

#[test]
fn a_link_that_narrows_and_widens_is_followed() {
    let capacity: fn(f64) -> f64 = |t| if (20.0..40.0).contains(&t) { 1e6 } else { 4e6 };
    for seed in 1..=3 {
        let scenario = Scenario {
            capacity,
            ..Scenario::default()
        };
        let outcome = run(&scenario, seed);
        let clear = outcome
            .queues
            .iter()
            .filter(|(at, queue)| (20.0..30.0).contains(at) && *queue > 0.1)
            .map(|(at, _)| at - 20.0)
            .fold(0.0, f64::max);
        let widened = until(&outcome.bins, 40.0, capacity);
        show("4-1-4 Mbit/s", &outcome);
        println!("   queue clear after {clear:.1} s, 80 % {widened:.1} s after the rise");
        assert!(outcome.used > 0.75 && outcome.dropped < 0.03, "seed {seed}");
        assert!(outcome.queue < 0.120 && clear < 7.0, "seed {seed}");
        assert!(widened < 9.0, "seed {seed}");
    }
}

#[test]
fn light_random_loss_is_no_reason_to_slow_down() {
    let scenario = Scenario {
        capacity: |_| 4e6,
        loss: 0.02,
        ..Scenario::default()
    };
    let outcome = run(&scenario, 1);
    show("4 Mbit/s, 2 % loss", &outcome);
    assert!(outcome.until_80 < 5.0 && outcome.used > 0.75);
    assert!(outcome.queue < 0.150 && outcome.dropped < 0.03);
}

#[test]
fn jitter_of_10_ms_is_no_queue() {
    let scenario = Scenario {
        capacity: |_| 4e6,
        jitter: ms(10),
        ..Scenario::default()
    };
    let outcome = run(&scenario, 1);
    show("4 Mbit/s, 10 ms jitter", &outcome);
    assert!(outcome.until_80 < 5.0 && outcome.used > 0.70);
}

#[test]
fn a_thin_link_is_not_flooded() {
    let scenario = Scenario {
        capacity: |_| 500e3,
        ..Scenario::default()
    };
    let outcome = run(&scenario, 1);
    show("500 kbit/s", &outcome);
    assert!(outcome.used > 0.65 && outcome.queue < 0.25 && outcome.dropped < 0.02);
}

#[test]
fn more_is_given_soon_after_an_application_asks_for_more() {
    let scenario = Scenario {
        capacity: |_| 6e6,
        demand: |t| if t < 30.0 { 500e3 } else { 5e6 },
        from: 30.0,
        ..Scenario::default()
    };
    let outcome = run(&scenario, 1);
    show("500k then 5M at 6 Mbit/s", &outcome);
    assert!(outcome.until_80 < 6.0 && outcome.used > 0.75);
}

#[test]
fn a_wide_link_is_ramped_up_to() {
    let scenario = Scenario {
        capacity: |_| 6e6,
        ..Scenario::default()
    };
    let outcome = run(&scenario, 1);
    show("6 Mbit/s", &outcome);
    assert!(outcome.until_80 < 5.0 && outcome.used > 0.78);
    assert!(outcome.queue < 0.130);
}

/// A stream that does not follow the estimate, as one passed through already encoded.
#[test]
fn a_viewer_whose_path_is_too_thin_gets_whole_pictures_now_and_then() {
    let mut pair = Pair::new(SrtpProfile::AeadAes128Gcm, ms(25), 1, true);
    pair.ab.capacity = Some(1e6);
    let mut wished = 0;
    for i in 0..1800u32 {
        let keyframe = pair.keyframe_wanted();
        wished += u32::from(keyframe);
        pair.a_events.clear();
        let len = if keyframe { 40_000 } else { 8_000 };
        pair.send(&vp8(i, keyframe, len));
        let next = pair.start + Duration::from_secs_f64(f64::from(i + 1) / 30.0);
        pair.run_until(next);
    }
    let late = pair.frames.iter().map(|(at, frame)| {
        let sent = pair.start + Duration::from_secs_f64(f64::from(number(frame)) / 30.0);
        at.saturating_duration_since(sent)
    });
    let latest = late.max().unwrap();
    println!(
        "{} frames, {wished} wishes, latest {latest:?}",
        pair.frames.len()
    );
    assert!(pair.frames.len() > 150, "{}", pair.frames.len());
    assert!(
        wished < 40,
        "{wished} keyframes in a minute, for all viewers"
    );
    assert!(latest < ms(3000), "{latest:?}");
}

#[test]
fn on_a_wide_path_frames_leave_whole() {
    let mut pair = Pair::new(SrtpProfile::AeadAes128Gcm, ms(5), 1, true);
    for i in 0..300u32 {
        let keyframe = pair.keyframe_wanted();
        pair.a_events.clear();
        if i == 150 {
            pair.trains = 0;
        }
        pair.send(&vp8(i, keyframe, 8_000));
        pair.run(Duration::from_micros(33_333));
    }
    // 150 frames, and some RTCP.
    assert!(pair.trains < 170, "{} sends for 150 frames", pair.trains);
}
