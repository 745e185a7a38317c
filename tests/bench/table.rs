// SPDX-License-Identifier: MPL-2.0
//! `make bench`: what a viewer costs the sender, ours and its peers turn about in one run.
//!
//! `bench-table [encoded] [raw] [first] [crowd] [bottleneck]` runs those parts (default all). `BENCH_SECONDS`
//! (default 20) is how long viewers watch, `BENCH_ROUNDS` (default 1) how often each run is made.
mod bottleneck;
mod machine;
mod measure;
mod media;
mod plot;
mod report;
mod subject;

use bottleneck::SCENARIOS;
use measure::{Plan, Row, first_frames};
use report::{FirstFrames, Results};
use std::fs;
use std::path::Path;
use subject::{Input, Subject};

const ENCODED_VIEWERS: [usize; 5] = [1, 5, 10, 20, 50];
const RAW_VIEWERS: [usize; 3] = [1, 3, 10];
const CROWDS: [usize; 3] = [100, 200, 500];
const FIRST_FRAMES: u64 = 20;
/// Fast enough to be a crowd, slow enough that answering is not all that is measured.
const PACE: u64 = 50;
const CROWD_PACE: u64 = 20;

struct Bench {
    seconds: u64,
    rounds: usize,
    results: Results,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|w| w == part);
    let out = Path::new("target/bench");
    fs::create_dir_all(out)?;
    let seconds = setting("BENCH_SECONDS", 20)?;
    let rounds = setting("BENCH_ROUNDS", 1)? as usize;
    let mut bench = Bench {
        seconds,
        rounds,
        results: Results::new(machine::Machine::this(), seconds, rounds),
    };
    for subject in [Subject::Webrtcsink, Subject::Webrtcbin] {
        if let Some(why) = subject.missing() {
            bench
                .results
                .faults
                .push(format!("{}: {why}", subject.name()));
        }
    }
    if wants("encoded") {
        let input = Input::Encoded(media::encoded(&media::HD, out)?);
        let subjects = [Subject::Ours, Subject::Webrtcsink, Subject::Webrtcbin];
        bench.results.encoded = bench.turn_about(&subjects, &input, &ENCODED_VIEWERS);
    }
    if wants("raw") {
        let subjects = [Subject::Ours, Subject::Webrtcsink];
        bench.results.raw = bench.turn_about(&subjects, &Input::Raw, &RAW_VIEWERS);
    }
    if wants("first") {
        let encoded = Input::Encoded(media::encoded(&media::HD, out)?);
        bench.first("H.264 file, a keyframe a second", &encoded);
        bench.first("raw, VP8", &Input::Raw);
    }
    if wants("crowd") {
        let input = Input::Encoded(media::encoded(&media::SMALL, out)?);
        bench.crowds(&input);
    }
    if wants("bottleneck") {
        bench.bottlenecks();
    }
    bench.results.write(out)?;
    println!("bench: written to {}", out.join("RESULTS.md").display());
    Ok(())
}

fn setting(name: &str, default: u64) -> Result<u64, Box<dyn std::error::Error>> {
    match std::env::var(name) {
        Ok(text) => Ok(text
            .parse()
            .map_err(|_| format!("{name}={text}: wanted a number"))?),
        Err(_) => Ok(default),
    }
}

impl Bench {
    /// Every subject at each number of viewers, turn about, those first in one round last in the next.
    fn turn_about(&mut self, subjects: &[Subject], input: &Input, numbers: &[usize]) -> Vec<Row> {
        let mut rows = vec![];
        for round in 0..self.rounds {
            for viewers in numbers {
                let mut order: Vec<Subject> = subjects.to_vec();
                order.retain(|subject| subject.missing().is_none());
                if round % 2 == 1 {
                    order.reverse();
                }
                for subject in order {
                    rows.extend(self.run(&Plan {
                        subject,
                        input: input.clone(),
                        viewers: *viewers,
                        seconds: self.seconds,
                        pace: PACE,
                    }));
                }
            }
        }
        rows
    }

    fn run(&mut self, plan: &Plan) -> Option<Row> {
        match plan.run() {
            Ok(row) => {
                println!(
                    "bench: {} {}: {:.4} CPU-s/s, {} watch, {} frames lost, first after {} ms, load {}",
                    row.viewers,
                    plan.subject.name(),
                    row.cpu,
                    row.watching,
                    row.lost,
                    row.first_ms,
                    row.load
                );
                Some(row)
            }
            Err(why) => {
                let what = format!("{} viewers, {}", plan.viewers, plan.subject.name());
                println!("bench: {what}: {why}");
                let first = why.lines().next().unwrap_or_default();
                self.results.faults.push(format!("{what}: {first}"));
                None
            }
        }
    }

    fn first(&mut self, label: &'static str, input: &Input) {
        for subject in [Subject::Ours, Subject::Webrtcsink] {
            if subject.missing().is_some() {
                continue;
            }
            match first_frames(subject, input, FIRST_FRAMES) {
                Ok(times) => {
                    println!(
                        "bench: first frames, {label}, {}: {times:?}",
                        subject.name()
                    );
                    self.results.first.push(FirstFrames {
                        subject,
                        label,
                        times,
                    });
                }
                Err(why) => {
                    println!("bench: first frames, {label}, {}: {why}", subject.name());
                    let first = why.lines().next().unwrap_or_default();
                    let fault = format!("first frames, {label}, {}: {first}", subject.name());
                    self.results.faults.push(fault);
                }
            }
        }
    }

    /// Every scenario with each subject, turn about.
    fn bottlenecks(&mut self) {
        let wanted = std::env::var("BENCH_SCENARIOS").unwrap_or_default();
        for round in 0..self.rounds {
            for scenario in SCENARIOS.iter().filter(|s| s.is_wanted(&wanted)) {
                let mut order = vec![Subject::Ours, Subject::Webrtcsink];
                order.retain(|subject| subject.missing().is_none());
                if round % 2 == 1 {
                    order.reverse();
                }
                for subject in order {
                    match scenario.run(subject) {
                        Ok(row) => {
                            println!("bench: {row}");
                            self.results.bottlenecks.push(row);
                        }
                        Err(why) => {
                            let what = format!("{}, {}", scenario.name, subject.name());
                            println!("bench: {what}: {why}");
                            let first = why.lines().next().unwrap_or_default();
                            self.results.faults.push(format!("{what}: {first}"));
                        }
                    }
                }
            }
        }
    }

    fn crowds(&mut self, input: &Input) {
        for viewers in CROWDS {
            // The issue asks for a minute of the largest.
            let seconds = self.seconds * 3;
            let plan = Plan {
                subject: Subject::Ours,
                input: input.clone(),
                viewers,
                seconds,
                pace: CROWD_PACE,
            };
            let row = self.run(&plan);
            self.results.crowd.extend(row);
        }
    }
}
