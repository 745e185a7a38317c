// SPDX-License-Identifier: MPL-2.0
//! A sender whose encoder follows its estimate, one viewer, and between them a narrow link.
use crate::measure::{load, swarm};
use crate::subject::{Input, Subject};
use rtc_tests::lab::{Lab, Program, repository};
use serde_json::{Value, json};
use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

/// The sender's address on the link.
const NEAR: &str = "10.98.0.1";
/// What the link notes of traffic is by so many seconds.
const BIN: f64 = 0.1;
/// A link is in use once a second's traffic is this part of what it carries.
const IN_USE: f64 = 0.8;
const START: Duration = Duration::from_secs(20);
const COMING: Duration = Duration::from_secs(40);
const MEGABIT: f64 = 1e6;

/// A link and what is asked of it.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// From which second on the link carries how much, bit/s.
    rates: &'static [(f64, f64)],
    loss: f64,
    seconds: f64,
    /// So long the picture needs little.
    quiet: u32,
}

/// 25 ms each way, 250 ms of queue.
pub(crate) const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "2 Mbit/s",
        rates: &[(0.0, 2.0 * MEGABIT)],
        ..PLAIN
    },
    Scenario {
        name: "4, then 1, then 4 Mbit/s",
        rates: &[(0.0, 4.0 * MEGABIT), (20.0, MEGABIT), (40.0, 4.0 * MEGABIT)],
        ..PLAIN
    },
    Scenario {
        name: "0.5 Mbit/s",
        rates: &[(0.0, 0.5 * MEGABIT)],
        ..PLAIN
    },
    Scenario {
        name: "4 Mbit/s, 2 % loss",
        rates: &[(0.0, 4.0 * MEGABIT)],
        loss: 0.02,
        ..PLAIN
    },
    Scenario {
        name: "6 Mbit/s",
        rates: &[(0.0, 6.0 * MEGABIT)],
        ..PLAIN
    },
    Scenario {
        name: "6 Mbit/s, a still picture for 30 s",
        rates: &[(0.0, 6.0 * MEGABIT)],
        quiet: 30,
        ..PLAIN
    },
];

const PLAIN: Scenario = Scenario {
    name: "",
    rates: &[],
    loss: 0.0,
    seconds: 60.0,
    quiet: 0,
};

/// What came of one run.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    pub(crate) subject: Subject,
    pub(crate) scenario: &'static str,
    /// Part of what the link could carry that was used.
    used: f64,
    /// Mbit/s of whole frames at the viewer.
    media: f64,
    frames: f64,
    gaps: f64,
    /// Queueing delay, milliseconds: median, 95th percentile, most.
    wait_ms: [f64; 3],
    /// Packets dropped by the link.
    dropped: f64,
    /// Seconds from the start, or from when the picture asks for it, until the link is in use.
    rise: Option<f64>,
    /// Seconds from where the link narrows until less is sent than it carries.
    fall: Option<f64>,
    /// Seconds from where it widens until it is in use.
    regain: Option<f64>,
    load: f64,
}

impl Scenario {
    /// Whether `wanted` (parts of names with commas between, or nothing) names it.
    pub(crate) fn is_wanted(&self, wanted: &str) -> bool {
        wanted.is_empty()
            || wanted
                .split(',')
                .any(|part| self.name.contains(part.trim()))
    }

    /// Runs it in namespaces of its own.
    pub(crate) fn run(&self, subject: Subject) -> Result<Passage, String> {
        let (near, far) = (Lab::bare()?, Lab::bare()?);
        let mut link = self.link(&near, &far)?;
        let quiet = self.quiet;
        let sender = subject.start_at(&near, &Input::Adaptive { quiet }, NEAR)?;
        let watch = (self.seconds - 3.0).to_string();
        let arguments = ["1".to_owned(), watch, "1".to_owned(), "0".to_owned()];
        let mut swarm = swarm(&far, &sender.whep, arguments)?;
        swarm.try_wait_for("viewer", COMING, |line| line == "watching")?;
        let limit = Duration::from_secs_f64(self.seconds + 20.0);
        let seen = report(&mut swarm, limit, "round: ")?;
        if seen["frames"] == 0 {
            return Err(format!("no picture: {}", swarm.printed()));
        }
        let noted = report(&mut link, limit, "report: ")?;
        self.passage(subject, &seen, &noted)
    }

    fn link(&self, near: &Lab, far: &Lab) -> Result<Program, String> {
        let script = repository().join("tests/bench/narrows.py");
        let plan = json!({
            "rates": self.rates, "queue_ms": 250, "delay_ms": 25, "loss": self.loss, "seconds": self.seconds,
        });
        let mut command = std::process::Command::new("/usr/bin/python3");
        command
            .arg(script)
            .args([near.name(), far.name()])
            .arg(plan.to_string());
        let mut link = Program::start(command);
        link.try_wait_for("link", START, |line| line == "ready")?;
        Ok(link)
    }

    fn passage(&self, subject: Subject, seen: &Value, noted: &Value) -> Result<Passage, String> {
        let series = |name: &str| -> Vec<f64> {
            let values = noted[name].as_array();
            let bits = values.into_iter().flatten().filter_map(Value::as_f64);
            bits.map(|bytes| bytes * 8.0).collect()
        };
        let (offered, carried) = (series("offered"), series("carried"));
        if carried.is_empty() {
            return Err("nothing went over the link".to_owned());
        }
        let number = |name: &str| seen[name].as_f64().unwrap_or(f64::NAN);
        let from = f64::from(self.quiet.saturating_sub(QUIET_BEFORE));
        let first = (from / BIN) as usize;
        let able: f64 = (first..carried.len()).map(|bin| self.rate(bin) * BIN).sum();
        let change = |wider: bool| {
            let mut pairs = self.rates.windows(2);
            let pair = pairs.find(|pair| (pair[1].1 > pair[0].1) == wider)?;
            Some(pair[1].0)
        };
        let wait = |at: usize| noted["wait_ms"][at].as_f64().unwrap_or(f64::NAN);
        let count = |name: &str| noted[name].as_f64().unwrap_or(f64::NAN);
        Ok(Passage {
            subject,
            scenario: self.name,
            used: carried[first..].iter().sum::<f64>() / able,
            media: number("bits_per_second") / MEGABIT,
            frames: number("frames_per_second"),
            gaps: number("gaps"),
            wait_ms: [wait(0), wait(1), wait(2)],
            dropped: count("dropped") / count("sent"),
            rise: self.in_use(&carried, from),
            fall: change(false).and_then(|from| self.fallen(&offered, from)),
            regain: change(true).and_then(|from| self.in_use(&carried, from)),
            load: load(),
        })
    }

    fn rate(&self, bin: usize) -> f64 {
        let at = bin as f64 * BIN;
        let mut rates = self.rates.iter().rev();
        rates
            .find(|(from, _)| *from <= at + 1e-6)
            .map_or(0.0, |(_, rate)| *rate)
    }

    /// Seconds after `from` until a second's traffic is [`IN_USE`] of what the link carries.
    fn in_use(&self, carried: &[f64], from: f64) -> Option<f64> {
        let first = (from / BIN) as usize;
        let mut ends = first + 10..=carried.len();
        let end = ends.find(|end| {
            let second: f64 = carried[end - 10..*end].iter().sum();
            second >= IN_USE * self.rate(end - 1)
        })?;
        Some((end - first) as f64 * BIN)
    }

    /// Seconds after `from` until half a second's traffic is less than the link carries.
    fn fallen(&self, offered: &[f64], from: f64) -> Option<f64> {
        let first = (from / BIN) as usize;
        let mut starts = first..offered.len().saturating_sub(5);
        let start = starts.find(|start| {
            let half: f64 = offered[*start..start + 5].iter().sum();
            half <= 0.5 * self.rate(*start)
        })?;
        Some((start - first) as f64 * BIN)
    }
}

/// The picture is quiet from the pipeline's start on, the link counts from the viewer's coming: about so
/// many seconds later.
const QUIET_BEFORE: u32 = 4;

fn report(program: &mut Program, limit: Duration, head: &str) -> Result<Value, String> {
    let line = program.try_wait_for("report", limit, |line| line.starts_with(head))?;
    serde_json::from_str(line.trim_start_matches(head)).map_err(|error| error.to_string())
}

impl fmt::Display for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds =
            |time: Option<f64>| time.map_or_else(|| "-".to_owned(), |time| format!("{time:.1}"));
        write!(
            f,
            "| {} | {} | {:.0} | {:.2} | {:.1} | {:.0} | {:.0} / {:.0} / {:.0} | {:.1} | {} | {} | {} | {:.1} |",
            self.scenario,
            self.subject.name(),
            self.used * 100.0,
            self.media,
            self.frames,
            self.gaps,
            self.wait_ms[0],
            self.wait_ms[1],
            self.wait_ms[2],
            self.dropped * 100.0,
            seconds(self.rise),
            seconds(self.fall),
            seconds(self.regain),
            self.load,
        )
    }
}

/// Appends the table.
pub(crate) fn table(out: &mut String, passages: &[Passage]) {
    if passages.is_empty() {
        return;
    }
    out.push_str(
        "\n## Narrow links\n\n\
         One viewer behind a link of 25 ms each way with 250 ms of queue that drops its tail, 60 s, turn about. Both senders \
         encode moving rings of 960x540 at 30 frames a second as VP8, begin at 0.3 Mbit/s and may use 8. The link is a \
         program between two network namespaces (`tests/bench/narrows.py`) that knows what it carries and how long each \
         packet waits; the viewer is `viewer-swarm`.\n\n\
         | link | sender | used, % | frames' Mbit/s | frames a second | gaps | queue median / p95 / most, ms | dropped by the link, % | 80 % in use after, s | under the lower rate after, s | 80 % of the higher one after, s | load |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for passage in passages {
        let _ = writeln!(out, "{passage}");
    }
}
