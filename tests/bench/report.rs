// SPDX-License-Identifier: MPL-2.0
//! The results as Markdown, CSV and a plot.
use crate::bottleneck::{self, Passage};
use crate::machine::Machine;
use crate::measure::{Row, load};
use crate::plot::{Line, svg};
use crate::subject::Subject;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// Differences below this many cores are noise.
const LEAST_TOLD: f64 = 0.01;

/// First frames of one subject.
#[derive(Clone, Debug)]
pub(crate) struct FirstFrames {
    pub(crate) subject: Subject,
    pub(crate) label: &'static str,
    /// Sorted, milliseconds.
    pub(crate) times: Vec<f64>,
}

/// Everything measured in one run of the bench.
#[derive(Debug)]
pub(crate) struct Results {
    machine: Machine,
    seconds: u64,
    rounds: usize,
    load_before: f64,
    pub(crate) encoded: Vec<Row>,
    pub(crate) raw: Vec<Row>,
    pub(crate) first: Vec<FirstFrames>,
    pub(crate) crowd: Vec<Row>,
    pub(crate) bottlenecks: Vec<Passage>,
    /// Runs that came to nothing, and why.
    pub(crate) faults: Vec<String>,
}

impl Results {
    pub(crate) fn new(machine: Machine, seconds: u64, rounds: usize) -> Self {
        Self {
            machine,
            seconds,
            rounds,
            load_before: load(),
            encoded: vec![],
            raw: vec![],
            first: vec![],
            crowd: vec![],
            bottlenecks: vec![],
            faults: vec![],
        }
    }

    /// Writes RESULTS.md, runs.csv and cost.svg.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let text = self.markdown();
        println!("{text}");
        fs::write(folder.join("RESULTS.md"), text)?;
        fs::write(folder.join("runs.csv"), self.csv())?;
        let lines = lines(&self.encoded);
        if !lines.is_empty() {
            let title = "Viewers of one pre-encoded 720p30 H.264 stream of 2 Mbit/s";
            fs::write(folder.join("cost.svg"), svg(title, &lines))?;
        }
        Ok(())
    }

    fn markdown(&self) -> String {
        let mut out = String::from("# What a viewer costs\n\n");
        self.head(&mut out);
        if !self.encoded.is_empty() {
            out.push_str("\n## One pre-encoded H.264 stream, 720p30, 2 Mbit/s\n\n![CPU over viewers](cost.svg)\n\n");
            costs(&mut out, &self.encoded);
        }
        if !self.raw.is_empty() {
            out.push_str(
                "\n## Raw 640x360 at 30 frames a second, encoded as VP8 at up to 1 Mbit/s\n\n",
            );
            costs(&mut out, &self.raw);
        }
        self.first_frames(&mut out);
        self.crowds(&mut out);
        bottleneck::table(&mut out, &self.bottlenecks);
        if !self.faults.is_empty() {
            out.push_str("\n## What came to nothing\n\n");
            for fault in &self.faults {
                let _ = writeln!(out, "- {fault}");
            }
        }
        out
    }

    fn head(&self, out: &mut String) {
        let machine = &self.machine;
        let _ = writeln!(
            out,
            "`make bench` of {}, commit {}.\n\n\
             | | |\n|---|---|\n\
             | machine | {}, {} cores, Linux {} |\n\
             | GStreamer | {} |\n\
             | peers | crate gst-plugin-webrtc 0.15.4 (`whepserversink`, with `rtpgccbwe` of gst-plugin-rtp 0.15.4); GStreamer's `webrtcbin` |\n\
             | runs | turn about, each in a network namespace of its own; viewers watch {} s; {} of each, means shown |\n\
             | load average | {:.2} at the start, {:.2} at the end (our own runs are part of it) |\n\n\
             Every sender is a WHEP server and gets the same input. The viewers are `viewer-swarm`: one process, a session \
             and a UDP port each, that decode nothing. CPU is user and system time of the sender's process while they watch. \
             rtcsink and webrtcsink have congestion control and retransmission on, error correction off; the bare webrtcbin \
             has one payloader for all viewers and nothing on.",
            machine.date,
            machine.commit,
            machine.processor,
            machine.cores,
            machine.kernel,
            machine.gstreamer,
            self.seconds,
            self.rounds,
            self.load_before,
            load(),
        );
    }

    fn first_frames(&self, out: &mut String) {
        if self.first.is_empty() {
            return;
        }
        out.push_str(
            "\n## First frame\n\nFrom the viewer's start (before its offer) to its first whole frame, one viewer after another.\n\n\
             | input | sender | viewers | median, ms | least | most |\n|---|---|---|---|---|---|\n",
        );
        for first in &self.first {
            let at = |index: usize| first.times.get(index).copied().unwrap_or(f64::NAN);
            let _ = writeln!(
                out,
                "| {} | {} | {} | {:.0} | {:.0} | {:.0} |",
                first.label,
                first.subject.name(),
                first.times.len(),
                at(first.times.len() / 2),
                at(0),
                at(first.times.len().saturating_sub(1)),
            );
        }
    }

    fn crowds(&self, out: &mut String) {
        if self.crowd.is_empty() {
            return;
        }
        out.push_str(
            "\n## Crowds: rtcsink, one H.264 stream of 300 kbit/s\n\n\
             Delay is from the frame's arrival at rtcsink to its first packet's arrival at the viewer, both on this machine's clock.\n\n\
             | viewers | with picture | CPU, cores | µs of CPU per frame and viewer | swarm's own CPU | threads | descriptors | MiB | frames lost | gaps | delay median, ms | p99 | most | load |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.crowd {
            let _ = writeln!(
                out,
                "| {} | {} | {:.3} | {:.1} | {:.3} | {} | {} | {:.1} | {:.0} | {} | {:.1} | {:.1} | {:.1} | {:.1} |",
                row.viewers,
                row.watching,
                row.cpu,
                row.cpu * 1e6 / 30.0 / row.watching,
                row.swarm_cpu,
                row.threads,
                row.descriptors,
                row.resident_mib,
                row.lost,
                row.gaps,
                row.delay_ms[0],
                row.delay_ms[1],
                row.delay_ms[2],
                row.load,
            );
        }
    }

    fn csv(&self) -> String {
        let mut out = String::from(
            "part,sender,viewers,watching,cpu,threads,descriptors,mib,lost,gaps,mbit,first_ms,swarm_cpu,load\n",
        );
        let parts = [
            ("encoded", &self.encoded),
            ("raw", &self.raw),
            ("crowd", &self.crowd),
        ];
        for (part, rows) in parts {
            for row in rows {
                let _ = writeln!(
                    out,
                    "{part},\"{}\",{},{},{},{},{},{:.1},{:.0},{},{:.3},{},{},{}",
                    row.subject.name(),
                    row.viewers,
                    row.watching,
                    row.cpu,
                    row.threads,
                    row.descriptors,
                    row.resident_mib,
                    row.lost,
                    row.gaps,
                    row.megabits,
                    row.first_ms,
                    row.swarm_cpu,
                    row.load,
                );
            }
        }
        out
    }
}

/// Subjects in order of appearance, each with its numbers of viewers, ascending, and means.
fn grouped(rows: &[Row]) -> Vec<(Subject, Vec<Row>)> {
    let mut out: Vec<(Subject, Vec<Row>)> = vec![];
    for subject in [Subject::Ours, Subject::Webrtcsink, Subject::Webrtcbin] {
        let mut numbers: Vec<usize> = rows
            .iter()
            .filter(|row| row.subject == subject)
            .map(|row| row.viewers)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        if !numbers.is_empty() {
            let means = numbers.iter().map(|viewers| mean(rows, subject, *viewers));
            out.push((subject, means.collect()));
        }
    }
    out
}

fn mean(rows: &[Row], subject: Subject, viewers: usize) -> Row {
    let of: Vec<&Row> = rows
        .iter()
        .filter(|row| row.subject == subject && row.viewers == viewers)
        .collect();
    let mean = |get: fn(&Row) -> f64| of.iter().map(|row| get(row)).sum::<f64>() / of.len() as f64;
    Row {
        subject,
        viewers,
        cpu: mean(|row| row.cpu),
        threads: mean(|row| row.threads),
        descriptors: mean(|row| row.descriptors),
        resident_mib: mean(|row| row.resident_mib),
        watching: mean(|row| row.watching),
        lost: mean(|row| row.lost),
        gaps: mean(|row| row.gaps),
        megabits: mean(|row| row.megabits),
        first_ms: mean(|row| row.first_ms),
        swarm_cpu: mean(|row| row.swarm_cpu),
        delay_ms: [
            mean(|row| row.delay_ms[0]),
            mean(|row| row.delay_ms[1]),
            mean(|row| row.delay_ms[2]),
        ],
        load: mean(|row| row.load),
    }
}

fn lines(rows: &[Row]) -> Vec<Line> {
    let line = |(subject, rows): (Subject, Vec<Row>)| Line {
        name: subject.name().to_owned(),
        points: rows.iter().map(|r| (r.viewers as f64, r.cpu)).collect(),
    };
    grouped(rows).into_iter().map(line).collect()
}

fn costs(out: &mut String, rows: &[Row]) {
    out.push_str(
        "| viewers | sender | CPU, cores | CPU-s per viewer-second | per further viewer, since one | against ours | threads | descriptors | MiB | viewers with picture | frames lost | Mbit/s each | first frame, ms median | load |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let groups = grouped(rows);
    let further = |group: &[Row], row: &Row| {
        let one = group.first().filter(|one| one.viewers < row.viewers)?;
        Some((row.cpu - one.cpu) / (row.viewers - one.viewers) as f64)
    };
    let ours = |viewers: usize| {
        let (_, group) = groups.iter().find(|(s, _)| *s == Subject::Ours)?;
        let row = group.iter().find(|row| row.viewers == viewers)?;
        // CPU time comes in hundredths of a second: nothing can be told from less.
        let enough = row.cpu - group.first()?.cpu >= LEAST_TOLD;
        further(group, row).filter(|_| enough)
    };
    let mut numbers: Vec<usize> = rows.iter().map(|row| row.viewers).collect();
    numbers.sort_unstable();
    numbers.dedup();
    for viewers in numbers {
        for (subject, group) in &groups {
            let Some(row) = group.iter().find(|row| row.viewers == viewers) else {
                continue;
            };
            let more = further(group, row);
            let ratio = more.zip(ours(viewers)).map(|(theirs, ours)| theirs / ours);
            let _ = writeln!(
                out,
                "| {viewers} | {} | {:.4} | {:.5} | {} | {} | {:.0} | {:.0} | {:.1} | {:.1} | {:.0} | {:.2} | {:.0} | {:.1} |",
                subject.name(),
                row.cpu,
                row.cpu / row.watching,
                more.map_or_else(|| "-".to_owned(), |cost| format!("{cost:.5}")),
                ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}")),
                row.threads,
                row.descriptors,
                row.resident_mib,
                row.watching,
                row.lost,
                row.megabits,
                row.first_ms,
                row.load,
            );
        }
    }
    shares(out, &groups);
}

/// What a further viewer holds, from the least number of viewers to the most.
fn shares(out: &mut String, groups: &[(Subject, Vec<Row>)]) {
    out.push_str("\n| a further viewer holds | threads | descriptors | KiB |\n|---|---|---|---|\n");
    for (subject, group) in groups {
        if let (Some(least), Some(most)) = (group.first(), group.last())
            && most.viewers > least.viewers
        {
            let per = |of: fn(&Row) -> f64| {
                (of(most) - of(least)) / (most.viewers - least.viewers) as f64
            };
            let _ = writeln!(
                out,
                "| {} | {:.2} | {:.2} | {:.0} |",
                subject.name(),
                per(|row| row.threads),
                per(|row| row.descriptors),
                per(|row| row.resident_mib) * 1024.0,
            );
        }
    }
}
