// SPDX-License-Identifier: MPL-2.0
//! Telemetry beside a video call on one session, over a path that loses a twentieth.
use crate::data::lose_a_twentieth;
use crate::view::system_python;
use rtc_tests::browser::result_of;
use rtc_tests::lab::{Lab, Program, repository};

#[test]
fn telemetry_stays_young_and_the_video_does_not_notice() {
    let both = system_python().and_then(|python| Ok((python, Lab::new()?)));
    let (python, lab) = match both {
        Ok(both) => both,
        Err(why) => return println!("skipped: {why}"),
    };
    if let Err(why) = lose_a_twentieth(&lab) {
        return println!("skipped: {why}");
    }
    let mut command = lab.command(python);
    command
        .arg(repository().join("tests/interop/data_telemetry.py"))
        .arg("4");
    let seen = result_of(&mut Program::start(command));
    println!("{seen:#}");
    let number = |name: &str| seen[name].as_f64().unwrap_or(f64::NAN);
    assert!(number("came") > number("sent") * 0.92, "{seen:#}");
    // A frame more or less at either end is chance, and so is what is not repaired in time.
    assert!(number("beside") >= number("alone") - 4.0, "{seen:#}");
    // The round trip is nothing here; what this machine's scheduler keeps is not the path's.
    let bar = 20.0 + number("late_ms_p99");
    assert!(number("age_ms_p99") < bar, "{seen:#}");
}
