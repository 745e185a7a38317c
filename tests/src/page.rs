// SPDX-License-Identifier: MPL-2.0
//! A page with one peer connection, led step by step: `browser/call_page.mjs` tells what it can do.
use crate::browser::Browser;
use crate::lab::{Lab, Program};
use serde_json::{Value, json};
use std::time::Duration;

/// More than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
const REPLY: &str = "reply ";

/// See the module.
#[derive(Debug)]
pub struct Page {
    program: Program,
}

impl Page {
    /// Opens a page of the server at `base`, so that its origin is the server's; `job` may have more for
    /// the driver.
    pub fn open(browser: Browser, lab: &Lab, base: &str, mut job: Value) -> Self {
        job["url"] = format!("{base}/publish").into();
        job["scenario"] = "obey".into();
        let program = Program::start_listening(browser.driver(lab, job));
        let mut page = Self { program };
        page.hear("ready");
        page
    }

    /// Lets it do something, and gives what came of it.
    ///
    /// # Panics
    /// With the page's own words, if it fails.
    pub fn ask(&mut self, step: &str, arguments: Value) -> Value {
        self.tell(step, arguments);
        self.hear(step)
    }

    /// Lets it begin something; [`Page::hear`] gives what came of it.
    pub fn tell(&mut self, step: &str, arguments: Value) {
        let order = json!({"step": step, "arguments": arguments});
        self.program.say(&order.to_string());
    }

    /// What came of the step told.
    ///
    /// # Panics
    /// With the page's own words, if it failed.
    pub fn hear(&mut self, step: &str) -> Value {
        // The driver's last line is a JSON result of its own if it fails.
        let line = self.program.wait_for(step, PATIENCE, |line| {
            line.starts_with(REPLY) || line.starts_with('{')
        });
        let reply: Value = line
            .strip_prefix(REPLY)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_else(|| panic!("{step}: {line}"));
        match reply.get("error") {
            Some(error) => panic!("{step}: {error}"),
            None => reply["value"].clone(),
        }
    }
}
