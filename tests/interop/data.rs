// SPDX-License-Identifier: MPL-2.0
//! Data channels with aiortc, and a file from one process to another.
use crate::view::{python, system_python};
use rtc_tests::browser::result_of;
use rtc_tests::lab::{Lab, Program, repository};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const ECHO: &str =
    "rtcsink name=s endpoint=e rtcdatasrc endpoint=e label=talk protocol=test ! s.data_0";

#[test]
fn aiortc_hears_what_it_says() {
    let both = python().and_then(|python| Ok((python, Lab::new()?)));
    let (python, lab) = match both {
        Ok(both) => both,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut launch = lab.launch(ECHO);
    let url = format!("{}/whep", launch.wait_listening());
    let mut command = lab.command(python);
    command
        .arg(repository().join("tests/interop/whep_data_aiortc.py"))
        .arg(&url);
    let result = result_of(&mut Program::start(command));
    assert_eq!(result["equal"], result["sent"], "{result:#}");
    assert_eq!(result["labels"], serde_json::json!(["data_0"]));
}

#[test]
fn python_has_channels_by_properties_and_signals() {
    let both = system_python().and_then(|python| Ok((python, Lab::new()?)));
    let (python, lab) = match both {
        Ok(both) => both,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut command = lab.command(python);
    command.arg(repository().join("tests/interop/data_channel.py"));
    let seen = result_of(&mut Program::start(command));
    assert_eq!(
        seen["messages"],
        serde_json::json!(["grüße", [0, 1, 2]]),
        "{seen:#}"
    );
    assert_eq!(seen["meta"], serde_json::json!(["talk", false]), "{seen:#}");
    for who in ["s", "r"] {
        assert_eq!(seen[who]["label"], "talk");
        assert_eq!(seen[who]["max-retransmits"], 7);
        assert_eq!(seen[who]["max-packet-life-time"], -1);
        assert_eq!(seen[who]["id"], seen["s"]["id"]);
        assert_eq!(seen[who]["session"], true);
    }
    let signals = seen["signals"].as_array().expect("a list");
    for expected in [
        "s on-closing closing",
        "s on-close closed",
        "r on-close closed",
    ] {
        assert!(signals.iter().any(|s| s == expected), "{seen:#}");
    }
    assert!(
        !signals.iter().any(|s| s == "r on-closing closing"),
        "{seen:#}"
    );
}

/// A file that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rtc-{name}-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn size(&self) -> u64 {
        fs::metadata(&self.0).map_or(0, |data| data.len())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Resident memory, bytes.
fn resident(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn signal(pid: u32, name: &str) {
    let done = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(done.expect("kill runs").success());
}

/// Waits for what has no event, on the clock that is.
fn until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < end, "no {what} within {limit:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Sends a file to another process; how much memory either took on, KiB.
fn file_crosses(lab: &Lab, mebibytes: u32, stopped: Option<Duration>) -> [u64; 2] {
    let (from, to) = (Scratch::new("file-in"), Scratch::new("file-out"));
    let content: Vec<u8> = (0..mebibytes * 1024 * 1024 / 4)
        .flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    fs::write(&from.0, &content).expect("the file is written");
    let mut sender = lab.launch(&format!(
        "filesrc location={} blocksize=65536 ! rtcsink.data_0 rtcsink name=rtcsink",
        from.0.display()
    ));
    let uri = sender.wait_listening().replace("http://", "whep://");
    let mut reader = lab.launch(&format!(
        "rtcdatasrc uri={uri}/whep on-close=eos ! filesink location={} async=false",
        to.0.display()
    ));
    let minute = Duration::from_secs(60);
    until("start of the file", minute, || to.size() > 0);
    let pids = [sender.pid(), reader.pid()];
    let before = pids.map(resident);
    let mut most = before;
    let mut look = || {
        for (most, pid) in most.iter_mut().zip(pids) {
            *most = resident(pid).max(*most);
        }
    };
    if let Some(time) = stopped {
        until("a megabyte", minute, || to.size() > 1024 * 1024);
        signal(reader.pid(), "-STOP");
        let begun = Instant::now();
        until("its time", minute, || {
            look();
            begun.elapsed() > time
        });
        signal(reader.pid(), "-CONT");
    }
    until("the end", minute, || {
        look();
        !reader.runs()
    });
    assert!(reader.wait(minute).success(), "{}", reader.printed());
    assert!(sender.wait(minute).success(), "{}", sender.printed());
    let arrived = fs::read(&to.0).expect("there is a file");
    let (got, all) = (arrived.len(), content.len());
    assert!(arrived == content, "{got} of {all} bytes");
    [0, 1].map(|at| most[at].saturating_sub(before[at]) / 1024)
}

/// The bar for memory, KiB.
const GROWTH: u64 = 16 * 1024;

#[test]
fn a_file_crosses_to_another_process_whose_reader_stops_for_a_while() {
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let grown = file_crosses(&lab, 64, Some(Duration::from_secs(5)));
    println!("{grown:?} KiB more, sender and reader");
    assert!(grown.iter().all(|grown| *grown < GROWTH), "{grown:?} KiB");
}

/// From now on each datagram in the lab is lost once in twenty times, going by loopback as all do there.
pub(crate) fn lose_a_twentieth(lab: &Lab) -> Result<(), &'static str> {
    let rules = "add table ip t; add chain ip t in { type filter hook input priority 0; }; \
        add rule ip t in meta l4proto udp numgen random mod 100 < 5 drop";
    let done = |program: &str, arguments: &[&str]| {
        let status = lab.command(program).args(arguments).status();
        status.is_ok_and(|status| status.success())
    };
    // Else whole trains of packets would be lost, which no path does.
    let ready = done("nft", &[rules]) && done("ip", &["link", "set", "lo", "gso_max_segs", "1"]);
    match ready {
        true => Ok(()),
        false => Err("no nft here (scripts/setup test)"),
    }
}

#[test]
fn a_file_crosses_a_path_that_loses_a_twentieth() {
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    if let Err(why) = lose_a_twentieth(&lab) {
        return println!("skipped: {why}");
    }
    let grown = file_crosses(&lab, 8, None);
    println!("{grown:?} KiB more, sender and reader");
    assert!(grown.iter().all(|grown| *grown < GROWTH), "{grown:?} KiB");
}

#[test]
fn a_reader_that_stops_for_good_stops_no_other() {
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return println!("skipped: {why}"),
    };
    let (from, good, bad) = (
        Scratch::new("two-in"),
        Scratch::new("two-a"),
        Scratch::new("two-b"),
    );
    let content: Vec<u8> = (0..32u32 * 1024 * 1024 / 4)
        .flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    fs::write(&from.0, &content).expect("the file is written");
    // Slow enough that both readers are there before the end.
    let mut sender = lab.launch(&format!(
        "identity name=slow sleep-time=5000 ! rtcsink.data_0 rtcsink name=rtcsink \
         filesrc location={} blocksize=65536 ! slow.",
        from.0.display()
    ));
    let uri = sender.wait_listening().replace("http://", "whep://");
    let read = |to: &Scratch| {
        lab.launch(&format!(
            "rtcdatasrc uri={uri}/whep udp-port=0 on-close=eos ! filesink location={} async=false",
            to.0.display()
        ))
    };
    let minute = Duration::from_secs(60);
    let [mut first, second] = [read(&good), read(&bad)];
    until("both readers", minute, || good.size() > 0 && bad.size() > 0);
    signal(second.pid(), "-STOP");
    let begun = fs::metadata(&bad.0).expect("there is a file").len();
    sender.wait_for("word of the slow one", minute, |line| {
        line.contains("rtc-channel-error") && line.contains("too-slow")
    });
    assert!(first.wait(minute).success());
    let arrived = fs::read(&good.0).expect("there is a file");
    // It came while the file was being sent: what it has is the rest of it without a gap.
    assert!(content.ends_with(&arrived), "{} bytes", arrived.len());
    assert!(begun < content.len() as u64);
}
