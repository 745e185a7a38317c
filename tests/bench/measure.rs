// SPDX-License-Identifier: MPL-2.0
//! One run: a sender, a swarm of light viewers, and what the sender used while they watched.
use crate::subject::{Input, Subject};
use rtc_tests::lab::{Lab, Program};
use rtc_tests::usage::Usage;
use serde_json::Value;
use std::fs;
use std::time::Duration;

/// How long viewers may take to come, the swarm's own patience included.
const COMING: Duration = Duration::from_secs(90);

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) subject: Subject,
    pub(crate) input: Input,
    pub(crate) viewers: usize,
    pub(crate) seconds: u64,
    /// Between two viewers' coming, milliseconds.
    pub(crate) pace: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) viewers: usize,
    /// CPU-seconds of the sender's process a second.
    pub(crate) cpu: f64,
    pub(crate) threads: f64,
    pub(crate) descriptors: f64,
    pub(crate) resident_mib: f64,
    /// Viewers that had a picture.
    pub(crate) watching: f64,
    /// Frames that viewers who watched should have had and had not.
    pub(crate) lost: f64,
    /// Times that frames were missing in between.
    pub(crate) gaps: f64,
    /// What a viewer got, Mbit/s of media.
    pub(crate) megabits: f64,
    pub(crate) first_ms: f64,
    pub(crate) swarm_cpu: f64,
    /// Median, 99th percentile and most of the delay, milliseconds.
    pub(crate) delay_ms: [f64; 3],
    /// Load average of the last minute at the end.
    pub(crate) load: f64,
}

impl Plan {
    /// Runs it in a namespace of its own.
    pub(crate) fn run(&self) -> Result<Row, String> {
        let lab = Lab::new()?;
        let sender = self.subject.start(&lab, &self.input)?;
        let pid = sender.program.pid();
        let mut swarm = swarm(
            &lab,
            &sender.whep,
            [
                self.viewers.to_string(),
                self.seconds.to_string(),
                "1".to_owned(),
                self.pace.to_string(),
            ],
        )?;
        let coming = COMING + Duration::from_millis(self.pace * self.viewers as u64);
        swarm.try_wait_for("viewers", coming, |line| line == "watching")?;
        let before = Usage::of(pid).ok_or("the sender is gone")?;
        let limit = Duration::from_secs(self.seconds + 30);
        let line = swarm.try_wait_for("report", limit, |line| line.starts_with("round: "))?;
        let end = Usage::of(pid).ok_or("the sender is gone")?;
        let report: Value = serde_json::from_str(line.trim_start_matches("round: "))
            .map_err(|error| error.to_string())?;
        Ok(self.row(before, end, &report))
    }

    fn row(&self, before: Usage, end: Usage, report: &Value) -> Row {
        let number = |name: &str| report[name].as_f64().unwrap_or(f64::NAN);
        let seconds = self.seconds as f64;
        let watching = number("with_frames");
        let wanted = watching * 30.0 * seconds;
        // A frame more or less at the ends of the time is no loss.
        let lost = wanted - number("frames_per_second") * seconds;
        Row {
            subject: self.subject,
            viewers: self.viewers,
            cpu: (end.cpu_seconds - before.cpu_seconds) / seconds,
            threads: end.threads as f64,
            descriptors: end.descriptors as f64,
            resident_mib: end.resident_kib as f64 / 1024.0,
            watching,
            lost: if lost > watching { lost } else { 0.0 },
            gaps: number("gaps"),
            megabits: number("bits_per_second") / 1e6 / watching,
            first_ms: number("first_frame_ms_median"),
            swarm_cpu: number("swarm_cpu"),
            delay_ms: ["delay_us_median", "delay_us_p99", "delay_us_most"]
                .map(|name| number(name) / 1e3),
            load: load(),
        }
    }
}

/// First frames of viewers who come one after another, sorted, milliseconds.
pub(crate) fn first_frames(
    subject: Subject,
    input: &Input,
    viewers: u64,
) -> Result<Vec<f64>, String> {
    let lab = Lab::new()?;
    let sender = subject.start(&lab, input)?;
    let mut out = vec![];
    for viewer in 0..viewers {
        // A picture begins with a keyframe: viewers must come at all times between two of them, not
        // each as long after the last one's first frame.
        std::thread::sleep(Duration::from_millis(viewer * 370 % 1000));
        let arguments = ["1", "0.1", "1", "0"].map(str::to_owned);
        let mut swarm = swarm(&lab, &sender.whep, arguments)?;
        let line = swarm.try_wait_for("round", COMING, |line| line.starts_with("round: "))?;
        let report: Value = serde_json::from_str(line.trim_start_matches("round: "))
            .map_err(|error| error.to_string())?;
        let time = report["first_frame_ms_median"].as_f64();
        out.push(time.unwrap_or(f64::INFINITY));
        // Its goodbye; one that never says it is killed with the lab.
        let _ = swarm.try_wait_for("end", Duration::from_secs(10), |line| {
            line.contains("\"ok\"")
        });
    }
    out.sort_by(f64::total_cmp);
    Ok(out)
}

pub(crate) fn swarm(lab: &Lab, whep: &str, arguments: [String; 4]) -> Result<Program, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = lab.command(own.with_file_name("viewer-swarm"));
    command.arg(whep).args(arguments);
    Ok(Program::start(command))
}

/// Load average of the last minute.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|n| n.parse().ok()).unwrap_or(f64::NAN)
}
