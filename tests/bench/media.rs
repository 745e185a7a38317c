// SPDX-License-Identifier: MPL-2.0
//! The pre-encoded streams, made once.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A stream to encode.
#[derive(Debug)]
pub(crate) struct Stream {
    name: &'static str,
    width: u32,
    height: u32,
    kilobits: u32,
    seconds: u32,
}

/// 720p at 2 Mbit/s.
pub(crate) const HD: Stream = Stream {
    name: "720p30-2M",
    width: 1280,
    height: 720,
    kilobits: 2_120,
    seconds: 150,
};

/// 360p at 300 kbit/s.
pub(crate) const SMALL: Stream = Stream {
    name: "360p30-300k",
    width: 640,
    height: 360,
    kilobits: 310,
    seconds: 240,
};

/// H.264 at 30 frames a second with a keyframe a second; moving rings, so that there is something
/// to spend the bits on.
pub(crate) fn encoded(
    stream: &Stream,
    folder: &Path,
) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let path = folder.join(format!("{}.mp4", stream.name));
    if !path.exists() {
        println!("bench: encoding {}", path.display());
        let line = format!(
            "videotestsrc num-buffers={} pattern=zone-plate kx2=20 ky2=20 kt=1 \
             ! video/x-raw,width={},height={},framerate=30/1 ! timeoverlay \
             ! x264enc bitrate={} speed-preset=ultrafast tune=zerolatency key-int-max=30 pass=cbr vbv-buf-capacity=300 \
             ! video/x-h264,profile=constrained-baseline ! h264parse ! mp4mux ! filesink location={}.part",
            stream.seconds * 30,
            stream.width,
            stream.height,
            stream.kilobits,
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
