// SPDX-License-Identifier: MPL-2.0
//! Runs one scenario of `browser/drive.mjs` in a lab and gives back what it measured.
use crate::lab::{Lab, Program, repository};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A browser the tests drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// `chromium`
    Chromium,
    /// `firefox`
    Firefox,
}

impl Browser {
    fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }

    /// Why it can't be driven here, if so.
    pub fn missing(self) -> Option<String> {
        let program = match self {
            Self::Chromium => "/usr/bin/chromium",
            Self::Firefox => "/usr/bin/firefox-esr",
        };
        let driver = repository().join("tests/node_modules/puppeteer-core");
        if !Path::new(program).exists() {
            return Some(format!("{program} is not installed (scripts/setup test)"));
        }
        (!driver.exists()).then(|| "tests/node_modules is missing (scripts/setup test)".to_owned())
    }

    /// Starts a scenario; `job` needs `url` and `scenario` at the least.
    pub fn start(self, lab: &Lab, job: Value) -> Program {
        Program::start(self.driver(lab, job))
    }

    /// The driver with a job.
    pub(crate) fn driver(self, lab: &Lab, mut job: Value) -> Command {
        job["browser"] = self.name().into();
        let mut command = lab.command("node");
        command
            .current_dir(repository().join("tests"))
            .args(["browser/drive.mjs", &job.to_string()]);
        command
    }

    /// Runs a scenario to its end.
    ///
    /// # Panics
    /// With the browser's own words, if the scenario fails.
    pub fn run(self, lab: &Lab, job: Value) -> Value {
        let mut program = self.start(lab, job);
        result_of(&mut program)
    }
}

/// The JSON line of a driver or peer script.
///
/// # Panics
/// With all it printed, if it failed or printed none.
pub fn result_of(program: &mut Program) -> Value {
    let line = program.wait_for("JSON result", Duration::from_secs(90), |line| {
        line.starts_with('{')
    });
    let value: Value = serde_json::from_str(&line).expect("a script prints valid JSON");
    assert_eq!(
        value["ok"],
        true,
        "failed: {value:#}\n{}",
        program.printed()
    );
    value
}
