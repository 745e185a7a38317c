// SPDX-License-Identifier: MPL-2.0
//! rtcsink with several encodings of an input, and viewers behind paths of unlike width.
use crate::kit::Pipe;
use gst::prelude::*;
use rtc_tests::lab::Lab;
use rtc_tests::swarm::Swarm;
use rtc_tests::throttle::{Bottleneck, Throttle};
use std::time::Duration;

/// From a change of a path to the picture that fits it.
const PATIENCE: Duration = Duration::from_secs(25);
/// A picture with enough in it for an encoder to use what it is given.
const PICTURE: &str = "videotestsrc is-live=true pattern=zone-plate kx2=20 ky2=20 kt=3 ! \
    video/x-raw,width=640,height=480,framerate=30/1";

/// A lab that this thread has entered; `None`, said aloud, where there is none to be had.
fn lab() -> Option<Lab> {
    let said = |why: &String| println!("skipped: {why}");
    let lab = Lab::new().inspect_err(said).ok()?;
    lab.enter();
    Some(lab)
}

/// A sink with so many layers, and where its viewers ask.
fn sink(properties: &str) -> (Pipe, String) {
    let pipe = Pipe::playing(&format!(
        "{PICTURE} ! rtcsink name=s on-demand=true web-address=127.0.0.1:0 udp-port=0 ice-tcp=false quiet=true \
         video-caps=video/x-vp8 {properties}"
    ));
    let told = pipe.wait_element("rtc-listening");
    let url = format!("{}whep", told.get::<&str>("uri").unwrap());
    (pipe, url)
}

/// The picture widths that encoders make, the largest first.
fn widths(pipe: &Pipe) -> Vec<i32> {
    let bin = pipe.get("s").downcast::<gst::Bin>().unwrap();
    let encoders = bin.iterate_all_by_element_factory_name("vp8enc");
    let width = |encoder: gst::Element| {
        let caps = encoder.static_pad("sink")?.current_caps()?;
        caps.structure(0)?.get::<i32>("width").ok()
    };
    let mut widths: Vec<_> = encoders.into_iter().flatten().filter_map(width).collect();
    widths.sort_unstable_by(|a, b| b.cmp(a));
    widths
}

/// One viewer behind a path of its own.
struct Viewer {
    swarm: Swarm,
    bottleneck: Option<Bottleneck>,
}

impl Viewer {
    fn new(url: &str, throttle: &mut Throttle<'_>, bits_per_second: Option<u64>) -> Self {
        let mut swarm = Swarm::new(url).unwrap();
        swarm.come(1, Duration::ZERO);
        let port = swarm.ports()[0];
        let narrow = |rate| throttle.narrow(Some(port), rate).unwrap();
        let bottleneck = bits_per_second.map(narrow);
        Self { swarm, bottleneck }
    }

    /// Waits until its picture is so wide.
    fn sees(&mut self, width: u16) {
        let wide = |swarm: &Swarm| swarm.sizes()[0].is_some_and(|size| size.0 == width);
        let seen = self.swarm.until(PATIENCE, wide);
        let report = self.swarm.watch(Duration::ZERO);
        assert!(seen, "{width}: {report} {:?}", self.swarm.errors);
    }

    /// Frames that did not come whole since the last call, and how many did.
    fn watch(&mut self, time: Duration) -> (u64, u64) {
        let report = self.swarm.watch(time);
        let count = |name: &str| report[name].as_u64().unwrap();
        (count("gaps"), count("least_frames"))
    }
}

#[test]
fn viewers_get_the_layer_their_path_carries_and_encoders_stop_when_nobody_needs_them() {
    let Some(lab) = lab() else {
        return;
    };
    let mut throttle = match Throttle::new(&lab) {
        Ok(throttle) => throttle,
        Err(why) => return println!("skipped: {why}"),
    };
    let (pipe, url) = sink("layers=3 start-bitrate=500000 max-bitrate=600000");
    let mut fast = Viewer::new(&url, &mut throttle, None);
    fast.sees(640);
    assert_eq!(widths(&pipe), [640]);
    let mut middle = Viewer::new(&url, &mut throttle, Some(170_000));
    let mut slow = Viewer::new(&url, &mut throttle, Some(60_000));
    middle.sees(320);
    slow.sees(160);
    assert_eq!(widths(&pipe), [640, 320, 160]);
    // What the slow ones have cost the fast one: nothing.
    let (gaps, frames) = fast.watch(Duration::from_secs(2));
    assert!(gaps == 0 && frames > 30, "{gaps} gaps, {frames} frames");
    // A path that widens is followed, through whatever lies between.
    throttle
        .change(slow.bottleneck.unwrap(), 5_000_000)
        .unwrap();
    slow.sees(640);
    let stats: gst::Structure = pipe.get("s").property("stats");
    assert_eq!(stats.n_fields(), 3);
    crate::kit::until("the smallest encoder's end", || widths(&pipe) == [640, 320]);
    middle.swarm.go();
    fast.swarm.go();
    crate::kit::until("one encoder", || widths(&pipe) == [640]);
    let (_, frames) = slow.watch(Duration::from_secs(1));
    assert!(frames > 10, "{frames}");
    slow.swarm.go();
    crate::kit::until("no encoder", || widths(&pipe).is_empty());
}

#[test]
fn a_picture_too_small_for_layers_has_one() {
    let Some(_lab) = lab() else {
        return;
    };
    let (pipe, url) = sink("layers=4 start-bitrate=1000 min-bitrate=1000");
    let mut swarm = Swarm::new(&url).unwrap();
    swarm.come(1, Duration::ZERO);
    // 640 halves to 320 and 160, and no further.
    let wide = |swarm: &Swarm| swarm.sizes()[0].is_some_and(|size| size.0 == 160);
    assert!(swarm.until(PATIENCE, wide), "{:?}", swarm.sizes());
    assert_eq!(widths(&pipe), [160]);
    swarm.go();
}
