// SPDX-License-Identifier: MPL-2.0
//! `make bench`: what a viewer costs the sender, for 1 to 50 viewers of one pre-encoded H.264 stream.
use rtc_tests::lab::{Lab, Program};
use rtc_tests::usage::Usage;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const VIEWERS: [usize; 5] = [1, 5, 10, 20, 50];
const SECONDS: u64 = 10;

struct Row {
    viewers: usize,
    cpu: f64,
    end: Usage,
    report: Value,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = Path::new("target/bench");
    fs::create_dir_all(out)?;
    let media = media(out)?;
    let mut rows = vec![];
    for viewers in VIEWERS {
        println!("bench: {viewers} viewers");
        rows.push(measure(&media, viewers)?);
    }
    let table = table(&rows);
    println!("{table}");
    fs::write(out.join("RESULTS.md"), &table)?;
    println!("bench: written to {}", out.join("RESULTS.md").display());
    Ok(())
}

/// Two minutes of 720p30 H.264 at 2 Mbit/s with a keyframe a second, made once.
fn media(folder: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let path = folder.join("720p30-2M.mp4");
    if !path.exists() {
        println!("bench: encoding {}", path.display());
        let line = format!(
            "videotestsrc num-buffers=3600 pattern=ball ! video/x-raw,width=1280,height=720,framerate=30/1 ! timeoverlay \
             ! x264enc bitrate=2000 speed-preset=ultrafast tune=zerolatency key-int-max=30 pass=cbr option-string=nal-hrd=cbr:filler=1 \
             ! video/x-h264,profile=constrained-baseline ! h264parse ! mp4mux ! filesink location={}.part",
            path.display()
        );
        let status = Command::new("gst-launch-1.0")
            .arg("-q")
            .args(line.split_whitespace())
            .status()?;
        if !status.success() {
            return Err("the test stream could not be encoded".into());
        }
        fs::rename(path.with_extension("mp4.part"), &path)?;
    }
    Ok(fs::canonicalize(path)?)
}

fn measure(media: &Path, viewers: usize) -> Result<Row, Box<dyn std::error::Error>> {
    let lab = Lab::new()?;
    let line = format!(
        "filesrc location={} ! qtdemux ! h264parse ! rtcsink",
        media.display()
    );
    let mut sender = lab.launch(&line);
    let url = format!("{}/whep", sender.wait_listening());
    let swarm_binary = std::env::current_exe()?.with_file_name("viewer-swarm");
    let mut command = lab.command(swarm_binary);
    command.args([&url, &viewers.to_string(), &SECONDS.to_string()]);
    let mut swarm = Program::start(command);
    swarm.wait_for("viewers", Duration::from_secs(90), |line| {
        line == "watching"
    });
    let before = Usage::of(sender.pid()).ok_or("the sender is gone")?;
    let line = swarm.wait_for("report", Duration::from_secs(SECONDS + 30), |line| {
        line.starts_with("round: ")
    });
    let end = Usage::of(sender.pid()).ok_or("the sender is gone")?;
    let report = serde_json::from_str(line.trim_start_matches("round: "))?;
    let cpu = (end.cpu_seconds - before.cpu_seconds) / SECONDS as f64;
    Ok(Row {
        viewers,
        cpu,
        end,
        report,
    })
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| viewers | CPU-s per s | per further viewer | threads | descriptors | resident KiB | frames/s of all | gaps | first frame, ms median |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for (i, row) in rows.iter().enumerate() {
        let further =
            i.checked_sub(1)
                .and_then(|before| rows.get(before))
                .map_or("-".to_owned(), |less| {
                    format!(
                        "{:.5}",
                        (row.cpu - less.cpu) / (row.viewers - less.viewers) as f64
                    )
                });
        let _ = writeln!(
            out,
            "| {} | {:.3} | {} | {} | {} | {} | {:.0} | {} | {} |",
            row.viewers,
            row.cpu,
            further,
            row.end.threads,
            row.end.descriptors,
            row.end.resident_kib,
            row.report["frames_per_second"].as_f64().unwrap_or(0.0),
            row.report["gaps"],
            row.report["first_frame_ms_median"],
        );
    }
    out
}
