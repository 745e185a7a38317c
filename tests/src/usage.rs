// SPDX-License-Identifier: MPL-2.0
//! What a process has used or holds, from /proc.
use std::fs;
use std::path::PathBuf;

/// What a process has used or holds at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time, seconds.
    pub cpu_seconds: f64,
    /// Threads.
    pub threads: usize,
    /// Open descriptors.
    pub descriptors: usize,
    /// Resident memory, KiB.
    pub resident_kib: u64,
}

impl Usage {
    /// Reads it from /proc; `None` if the process is gone.
    pub fn of(pid: u32) -> Option<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        // The name, in brackets, may hold spaces; utime and stime are fields 14 and 15 of proc(5).
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 =
            fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(Self {
            // Linux counts in hundredths of a second on every platform that GStreamer runs on (USER_HZ).
            cpu_seconds: ticks as f64 / 100.0,
            threads: fs::read_dir(folder.join("task")).ok()?.count(),
            descriptors: fs::read_dir(folder.join("fd")).ok()?.count(),
            resident_kib: resident.split_whitespace().next()?.parse().ok()?,
        })
    }
}

/// Whether a process's network namespace has a TCP socket that listens on a port.
pub fn listens(pid: u32, port: u16) -> bool {
    // proc_pid_net(5): the local address in hexadecimal, then the remote one, then the state; 0A = LISTEN.
    let port = format!(":{port:04X}");
    ["tcp", "tcp6"].iter().any(|name| {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
        table.lines().any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next().is_some_and(|local| local.ends_with(&port)) && fields.nth(1) == Some("0A")
        })
    })
}
