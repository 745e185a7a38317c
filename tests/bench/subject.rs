// SPDX-License-Identifier: MPL-2.0
//! Who is measured, and how each is started on the same input.
use rtc_tests::lab::{Lab, Program, repository};
use rtc_tests::usage;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where whepserversink listens; every run has a network namespace of its own.
const PEER_PORT: u16 = 9090;
/// After its start each sender is left alone this long: webrtcsink tries its encoders first, and a
/// viewer that comes earlier may never get a picture.
const SETTLE: Duration = Duration::from_secs(4);
const START: Duration = Duration::from_secs(30);

/// A sender that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Ours,
    Webrtcsink,
    Webrtcbin,
}

/// What it is given to send.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// An MP4 file of H.264, paced by its timestamps.
    Encoded(PathBuf),
    /// 640x360 at 30 frames a second, to be encoded as VP8 at 1 Mbit/s.
    Raw,
    /// 960x540 at 30 frames a second, to be encoded as VP8 at 0.3 Mbit/s at first and as much as the path
    /// allows, up to 8 Mbit/s, after. So many seconds of it are a picture that needs little.
    Adaptive { quiet: u32 },
}

/// One that runs.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) program: Program,
    pub(crate) whep: String,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "rtcsink",
            Self::Webrtcsink => "webrtcsink",
            Self::Webrtcbin => "webrtcbin, bare",
        }
    }

    /// Why it can't be measured here, if so.
    pub(crate) fn missing(self) -> Option<String> {
        match self {
            Self::Webrtcsink if !peer_folder().join("libgstrswebrtc.so").exists() => {
                Some(format!("{} has no plugin", peer_folder().display()))
            }
            _ => None,
        }
    }

    /// Starts it in the lab and waits until it listens on the loopback interface.
    pub(crate) fn start(self, lab: &Lab, input: &Input) -> Result<Sender, String> {
        self.start_at(lab, input, "127.0.0.1")
    }

    /// The same at another address of the lab.
    pub(crate) fn start_at(self, lab: &Lab, input: &Input, host: &str) -> Result<Sender, String> {
        let mut sender = match self {
            Self::Ours => ours(lab, input, host),
            Self::Webrtcsink => webrtcsink(lab, input, host),
            Self::Webrtcbin => webrtcbin(lab, input),
        }?;
        std::thread::sleep(SETTLE);
        match sender.program.runs() {
            true => Ok(sender),
            false => Err(format!("it ended: {}", sender.program.printed())),
        }
    }
}

/// The folder of the peer's plugins, which `scripts/bench` builds.
pub(crate) fn peer_folder() -> PathBuf {
    repository().join("target/bench/peer/release")
}

fn source(input: &Input) -> String {
    match input {
        Input::Encoded(path) => format!(
            "filesrc location={} ! qtdemux ! h264parse ! identity sync=true",
            path.display()
        ),
        Input::Raw => {
            "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=30/1"
                .to_owned()
        }
        Input::Adaptive { quiet } => adaptive(*quiet),
    }
}

/// Both elements have these properties.
fn options(input: &Input) -> &'static str {
    match input {
        Input::Encoded(_) => "",
        Input::Raw => "video-caps=video/x-vp8 start-bitrate=1000000 max-bitrate=1000000",
        Input::Adaptive { .. } => "video-caps=video/x-vp8 start-bitrate=300000 max-bitrate=8000000",
    }
}

/// Moving rings, which take all bits there are; before them a still picture.
fn adaptive(quiet: u32) -> String {
    const FORM: &str = "video/x-raw,format=I420,width=960,height=540,framerate=30/1";
    let rings = format!("videotestsrc pattern=zone-plate kx2=20 ky2=20 kt=1 ! {FORM}");
    match quiet {
        0 => format!("{rings} ! timeoverlay ! identity sync=true"),
        seconds => format!(
            "videotestsrc pattern=circular num-buffers={} ! {FORM} ! c. {rings} ! c. \
             concat name=c ! timeoverlay ! identity sync=true",
            seconds * 30
        ),
    }
}

fn ours(lab: &Lab, input: &Input, host: &str) -> Result<Sender, String> {
    let options = options(input);
    let mut program = lab.launch(&format!(
        "{} ! rtcsink web-address={host}:8080 {options}",
        source(input)
    ));
    let line = program.try_wait_for("address", START, |line| line.contains(" at http://"))?;
    let whep = format!("{}/whep", origin(&line)?);
    Ok(Sender { program, whep })
}

fn webrtcsink(lab: &Lab, input: &Input, host: &str) -> Result<Sender, String> {
    let options = match input {
        Input::Encoded(_) => "video-caps=video/x-h264",
        _ => options(input),
    };
    let folder = peer_folder();
    let mut command = lab.command("gst-launch-1.0");
    // Its own plugins alone, and none of our severity about warnings. Error correction off, for
    // rtcsink has none and the viewers ask for none; congestion control and retransmission on.
    command
        .env("GST_PLUGIN_PATH", &folder)
        .env("GST_REGISTRY", folder.with_file_name("registry.bin"))
        .env_remove("G_DEBUG")
        .args(source(input).split_whitespace())
        .args(["!", "whepserversink", "do-fec=false", "stun-server="])
        .args(options.split_whitespace())
        .arg("signaller::stun-server=")
        .arg(format!(
            "signaller::host-addr=http://127.0.0.1:{PEER_PORT}/"
        ));
    let mut program = Program::start(command);
    let end = Instant::now() + START;
    while !usage::listens(program.pid(), PEER_PORT) {
        if Instant::now() > end || !program.runs() {
            return Err(format!("it does not listen: {}", program.printed()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    if host != "127.0.0.1" {
        open_port(lab, PEER_PORT)?;
    }
    Ok(Sender {
        program,
        whep: format!("http://{host}:{PEER_PORT}/whep/endpoint"),
    })
}

/// whepserversink listens on the loopback interface whatever host-addr says: what arrives at any other
/// address of the lab goes there too.
fn open_port(lab: &Lab, port: u16) -> Result<(), String> {
    let script = format!(
        "for f in /proc/sys/net/ipv4/conf/*/route_localnet; do echo 1 > $f; done; \
         iptables -t nat -A PREROUTING -p tcp --dport {port} -j DNAT --to-destination 127.0.0.1:{port}"
    );
    let out = lab.command("sh").arg("-c").arg(script).output();
    let out = out.map_err(|error| error.to_string())?;
    match out.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
    }
}

fn webrtcbin(lab: &Lab, input: &Input) -> Result<Sender, String> {
    let Input::Encoded(path) = input else {
        return Err("webrtcbin has no encoder".to_owned());
    };
    let script: &Path = &repository().join("tests/bench/webrtcbin.py");
    let mut command = lab.command("/usr/bin/python3");
    command.env_remove("G_DEBUG").arg(script).arg(path);
    let mut program = Program::start(command);
    let line = program.try_wait_for("address", START, |line| line.contains(" at http://"))?;
    let whep = format!("{}/whep", origin(&line)?);
    Ok(Sender { program, whep })
}

/// Scheme, host and port of the address in a line.
fn origin(line: &str) -> Result<String, String> {
    let from = line.find("http://").ok_or("no address")?;
    let host = line[from + "http://".len()..].split(['/', ' ']).next();
    Ok(format!("http://{}", host.unwrap_or_default()))
}
