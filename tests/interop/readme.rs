// SPDX-License-Identifier: MPL-2.0
//! Every `gst-launch-1.0` line of the README works as pasted.
use rtc_tests::lab::{Lab, Program, repository};
use std::cell::Cell;
use std::time::Duration;

/// The lines in ```sh blocks.
fn lines() -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("README.md")).expect("there is a README");
    let blocks = text.split("```sh\n").skip(1);
    blocks
        .filter_map(|block| block.lines().next().map(str::to_owned))
        .filter(|line| line.starts_with("gst-launch-1.0"))
        .collect()
}

#[test]
fn every_line_of_the_readme_works_as_pasted() {
    let lines = lines();
    assert!(lines.len() >= 10, "only {} lines", lines.len());
    let folder = std::env::temp_dir().join(format!("rtc-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    // Without a display there is no window to be had; all else of the line stays as it is.
    let display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    for line in lines {
        let line = match display {
            true => line,
            false => line.replace("autovideosink", "fakevideosink"),
        };
        let lab = match Lab::new() {
            Ok(lab) => lab,
            Err(why) => return println!("skipped: {why}"),
        };
        let mut command = lab.command("sh");
        command
            .args(["-c", &format!("exec {line}")])
            .current_dir(&folder);
        let mut program = Program::start(command);
        if line.contains("num-buffers=") {
            assert!(
                program.wait(Duration::from_secs(60)).success(),
                "{line}\n{}",
                program.printed()
            );
            continue;
        }
        // The two come in any order.
        let (plays, listens) = (Cell::new(false), Cell::new(line.contains("uri=loopback:")));
        program.wait_for(
            &format!("playing of `{line}`"),
            Duration::from_secs(20),
            |text| {
                plays.set(plays.get() || text.contains("New clock"));
                listens.set(listens.get() || text.contains(" at http://"));
                plays.get() && listens.get()
            },
        );
        let endless = line.contains("-e rtcsrc");
        if endless {
            // Nobody published, so there is no stream whose end could reach the file: a second Ctrl-C kills it.
            program.signal_interrupt();
            program.wait_for("wait for EOS", Duration::from_secs(10), |text| {
                text.contains("Waiting for EOS")
            });
        }
        let status = program.interrupt(Duration::from_secs(10));
        let printed = program.printed();
        assert!(status.success() || endless, "{line}\n{printed}");
        assert!(!printed.contains("ERROR"), "{line}\n{printed}");
    }
    let _ = std::fs::remove_dir_all(folder);
}
