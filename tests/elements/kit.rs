// SPDX-License-Identifier: MPL-2.0
//! A pipeline under test: started from text, watched with a deadline, always taken down.
use gst::prelude::*;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// More than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// GStreamer with the plugin of this workspace, whatever else is installed.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        crate::src_kit::init();
    });
}

/// A `loopback:` URI of its own.
pub fn loopback() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("loopback:test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A pipeline that goes to NULL when dropped.
pub struct Pipe(pub gst::Pipeline);

impl Pipe {
    /// From a launch line.
    pub fn new(line: &str) -> Self {
        init();
        let element = gst::parse::launch(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        match element.downcast::<gst::Pipeline>() {
            Ok(pipeline) => Self(pipeline),
            // One element alone is no pipeline yet.
            Err(element) => {
                let pipeline = gst::Pipeline::new();
                pipeline.add(&element).unwrap();
                Self(pipeline)
            }
        }
    }

    /// From a launch line, playing.
    pub fn playing(line: &str) -> Self {
        let pipe = Self::new(line);
        pipe.play();
        pipe
    }

    /// To PLAYING.
    pub fn play(&self) {
        if self.0.set_state(gst::State::Playing).is_err() {
            panic!("does not play: {}", self.error_text());
        }
    }

    /// An element by name.
    pub fn get(&self, name: &str) -> gst::Element {
        self.0
            .by_name(name)
            .unwrap_or_else(|| panic!("no element {name}"))
    }

    /// The first message that `pick` makes something of. Errors of elements fail the test.
    pub fn wait<T>(&self, what: &str, mut pick: impl FnMut(&gst::Message) -> Option<T>) -> T {
        let bus = self.0.bus().unwrap();
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let left = gst::ClockTime::from_mseconds(left.as_millis() as u64);
            let message = bus
                .timed_pop(left)
                .unwrap_or_else(|| panic!("{what} does not come"));
            if let Some(found) = pick(&message) {
                return found;
            }
            if let gst::MessageView::Error(error) = message.view() {
                panic!("waiting for {what}: {}", error.error());
            }
        }
    }

    /// An element message of that name.
    pub fn wait_element(&self, name: &str) -> gst::Structure {
        self.wait(name, |message| match message.view() {
            gst::MessageView::Element(element) => element
                .structure()
                .filter(|structure| structure.name() == name)
                .map(ToOwned::to_owned),
            _ => None,
        })
    }

    /// EOS of the whole.
    pub fn wait_eos(&self) {
        self.wait("EOS", |message| {
            matches!(message.view(), gst::MessageView::Eos(_)).then_some(())
        });
    }

    /// The text of the error that is posted.
    pub fn error_text(&self) -> String {
        self.wait("an error", |message| match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        })
    }

    /// Factory names of everything in a bin, at any depth.
    pub fn factories(&self, bin: &str) -> Vec<String> {
        let bin = self.get(bin).downcast::<gst::Bin>().unwrap();
        bin.iterate_recurse()
            .into_iter()
            .filter_map(|element| Some(element.ok()?.factory()?.name().to_string()))
            .collect()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// Looks again until `ready` holds; for what has no event to wait for.
pub fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !ready() {
        assert!(std::time::Instant::now() < deadline, "{what} does not come");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Waits until that many threads of this process have that name: the kernel lists a thread a moment longer
/// than it takes to join it.
pub fn wait_threads(name: &str, count: usize) {
    until(&format!("{count} threads {name}"), || {
        threads_named(name) == count
    });
}

fn threads_named(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|comm| comm.trim() == name)
        .count()
}
