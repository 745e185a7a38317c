// SPDX-License-Identifier: MPL-2.0
//! On what was measured.
use std::fs;
use std::process::Command;

/// The machine and the versions on it.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) gstreamer: String,
    pub(crate) commit: String,
}

impl Machine {
    /// This one, now.
    pub(crate) fn this() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo")
            .unwrap_or_default()
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
        let gstreamer = first_line("gst-launch-1.0", &["--version"]);
        let changed = !first_line("git", &["status", "--porcelain", "-uno"]).is_empty();
        let mut commit = first_line("git", &["rev-parse", "--short", "HEAD"]);
        if changed {
            commit.push_str(" with uncommitted changes");
        }
        Self {
            date: first_line("date", &["-u", "+%F %H:%M UTC"]),
            processor: processor.unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: first_line("uname", &["-r"]),
            gstreamer: gstreamer.replace("gst-launch-1.0 version ", ""),
            commit,
        }
    }
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).output();
    let text = out.map_or_else(
        |_| String::new(),
        |out| String::from_utf8_lossy(&out.stdout).into_owned(),
    );
    text.lines().next().unwrap_or_default().to_owned()
}
