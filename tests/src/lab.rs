// SPDX-License-Identifier: MPL-2.0
//! A network namespace of a test's own, and the programs that run in it.
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The namespace's address on its veth pair: the one browsers gather as a host candidate.
pub const ADDRESS: &str = "10.99.0.1";

/// A network namespace with loopback and one veth pair; deleted with all that runs in it on drop.
#[derive(Debug)]
pub struct Lab {
    name: String,
}

impl Lab {
    /// A new namespace, or the reason why there can be none here (not root, no `ip`).
    pub fn new() -> Result<Self, String> {
        let lab = Self::bare()?;
        let inside = |arguments: &[&str]| {
            let all: Vec<&str> = ["-n", &lab.name]
                .into_iter()
                .chain(arguments.iter().copied())
                .collect();
            ip(&all)
        };
        inside(&["link", "set", "lo", "up"])?;
        inside(&["link", "add", "va", "type", "veth", "peer", "name", "vb"])?;
        inside(&["addr", "add", &format!("{ADDRESS}/24"), "dev", "va"])?;
        inside(&["link", "set", "va", "up"])?;
        inside(&["link", "set", "vb", "up"])?;
        inside(&["route", "add", "default", "dev", "va"])?;
        Ok(lab)
    }

    /// A new namespace with nothing in it.
    ///
    /// # Errors
    /// The reason why there can be none here (not root, no `ip`).
    pub fn bare() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rtc{}n{number}", std::process::id());
        ip(&["netns", "add", &name])?;
        Ok(Self { name })
    }

    /// Its name, as `ip netns` has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Moves the calling thread into the namespace, for good, with all threads it will start.
    ///
    /// # Panics
    /// If the kernel does not let it in.
    pub fn enter(&self) {
        let file = std::fs::File::open(format!("/run/netns/{}", self.name))
            .expect("the namespace has a name");
        let network = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(file.as_fd(), network)
            .expect("whoever may make a namespace may enter it");
    }

    /// Runs `ip` in the namespace, as in `link set vb down`.
    ///
    /// # Panics
    /// With its own words, if it fails.
    pub fn ip(&self, line: &str) {
        let arguments: Vec<&str> = ["-n", &self.name]
            .into_iter()
            .chain(line.split_whitespace())
            .collect();
        ip(&arguments).unwrap_or_else(|why| panic!("{why}"));
    }

    /// A command that will run in the namespace, with our plugin on GStreamer's path.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        plugin_environment(&mut command);
        command
    }

    /// `gst-launch-1.0` with the words of a pipeline, in the namespace.
    pub fn launch(&self, pipeline: &str) -> Program {
        let mut command = self.command("gst-launch-1.0");
        command.args(["-e", "-m"]).args(words(pipeline));
        Program::start(command)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let listed = Command::new("ip")
            .args(["netns", "pids", &self.name])
            .output();
        for pid in listed
            .iter()
            .flat_map(|out| out.stdout.split(|b| b.is_ascii_whitespace()))
        {
            if let Ok(pid) = std::str::from_utf8(pid)
                && !pid.is_empty()
                && *pid != *std::process::id().to_string()
            {
                let _ = Command::new("kill").args(["-9", pid]).status();
            }
        }
        let _ = ip(&["netns", "del", &self.name]);
    }
}

/// Words of a pipeline line; single quotes keep a word together.
fn words(line: &str) -> Vec<String> {
    let mut out = vec![];
    for (i, part) in line.split('\'').enumerate() {
        match i % 2 {
            0 => out.extend(part.split_whitespace().map(str::to_owned)),
            _ => out.push(part.to_owned()),
        }
    }
    out
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let out = Command::new("ip")
        .args(arguments)
        .output()
        .map_err(|e| format!("no `ip` program: {e}"))?;
    match out.status.success() {
        true => Ok(()),
        false => Err(format!(
            "`ip {}`: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&out.stderr).trim()
        )),
    }
}

/// The folder that holds the plugin the tests load: where this program was built.
pub fn plugin_folder() -> PathBuf {
    let exe = std::env::current_exe().expect("a program has a path");
    let folder = exe.parent().expect("a file has a parent");
    // Cargo puts tests into <profile>/deps, programs into <profile>.
    match folder.ends_with("deps") {
        true => folder.parent().unwrap_or(folder).to_owned(),
        false => folder.to_owned(),
    }
}

/// The repository's root.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ has a parent")
}

/// Makes a program's GStreamer find our plugin, with a registry of its own.
pub fn plugin_environment(command: &mut Command) {
    let folder = plugin_folder();
    command
        .env("GST_PLUGIN_PATH", &folder)
        .env("GST_REGISTRY", folder.join("test-registry.bin"))
        .env("G_DEBUG", "fatal_criticals");
}

/// A running program whose lines of standard output and error can be waited for.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Program {
    /// Starts it, with both outputs read.
    pub fn start(command: Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// Starts it, with both outputs read and its standard input open for [`Program::say`].
    pub fn start_listening(command: Command) -> Self {
        Self::start_with(command, Stdio::piped())
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// If it does not listen, or listens no more.
    pub fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("it listens");
        if let Err(error) = writeln!(input, "{line}") {
            panic!("{error}; printed:\n{}", self.printed());
        }
    }

    fn start_with(mut command: Command, input: Stdio) -> Self {
        command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (tell, lines) = channel();
        let out = child
            .stdout
            .take()
            .map(|s| Box::new(s) as Box<dyn Read + Send>);
        let err = child
            .stderr
            .take()
            .map(|s| Box::new(s) as Box<dyn Read + Send>);
        for stream in [out, err].into_iter().flatten() {
            let tell = tell.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if tell.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let seen = vec![];
        Self { child, lines, seen }
    }

    /// The next line that `wanted` accepts.
    ///
    /// # Panics
    /// With everything printed so far, if there is none within `limit`.
    pub fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> String {
        self.try_wait_for(what, limit, wanted)
            .unwrap_or_else(|why| panic!("{why}"))
    }

    /// The next line that `wanted` accepts.
    ///
    /// # Errors
    /// Everything printed so far, if there is none within `limit`.
    pub fn try_wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String, String> {
        let end = Instant::now() + limit;
        loop {
            match self
                .lines
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if wanted(&line) {
                        return Ok(line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let printed = self.printed();
                    return Err(format!("no {what} within {limit:?}; printed:\n{printed}"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let printed = self.printed();
                    return Err(format!("ended before {what}; printed:\n{printed}"));
                }
            }
        }
    }

    /// Waits for the element's line that tells where it listens; scheme, host and port of it.
    pub fn wait_listening(&mut self) -> String {
        let line = self.wait_for(
            "line with the page's address",
            Duration::from_secs(20),
            |line| line.contains(" at http://"),
        );
        let from = line.find("http://").expect("just looked for");
        let rest = line[from..].trim_start_matches("http://");
        let host = rest.split(['/', ' ']).next().unwrap_or_default();
        format!("http://{host}")
    }

    /// Asks it to end as Ctrl-C does.
    pub fn signal_interrupt(&self) {
        // `ip netns exec` replaces itself by the program, so the child's id is the program's.
        let _ = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
    }

    /// Asks it to end as Ctrl-C does, and waits for it.
    ///
    /// # Panics
    /// If it does not end within `limit`.
    pub fn interrupt(&mut self, limit: Duration) -> ExitStatus {
        self.signal_interrupt();
        self.wait(limit)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// With everything printed, if it does not end within `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        match self.ends_within(limit) {
            Some(status) => status,
            None => panic!(
                "does not end within {limit:?}; printed:\n{}",
                self.printed()
            ),
        }
    }

    /// Its status, if it ends within `limit`.
    pub fn ends_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                self.drain();
                return Some(status);
            }
            match self.lines.recv_timeout(Duration::from_millis(20)) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::yield_now(),
            }
            if Instant::now() >= end {
                return None;
            }
        }
    }

    /// Everything printed up to now.
    pub fn printed(&mut self) -> String {
        self.drain();
        self.seen.join("\n")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn drain(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.seen.push(line);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
