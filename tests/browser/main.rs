// SPDX-License-Identifier: MPL-2.0
//! What a person sees in Chromium and Firefox, from plain `gst-launch-1.0` lines.
mod control;
mod data;
mod data_life;
mod data_pages;
mod dtmf;
mod examples;
mod hear_and_see;
mod ipv6;
mod late;
mod layers;
mod negotiation;
mod ours;
mod passthrough;
mod publish;
mod relay;
mod telemetry;
mod trace;
mod transform;
mod two_way;

/// Where an example was built; says why not if it was not.
fn example(name: &str) -> Option<std::path::PathBuf> {
    let program = rtc_tests::lab::plugin_folder().join("examples").join(name);
    if program.exists() {
        return Some(program);
    }
    println!(
        "skipped: {} is not built (cargo build --examples)",
        program.display()
    );
    None
}
