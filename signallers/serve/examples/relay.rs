// SPDX-License-Identifier: MPL-2.0
//! Both pages without a media stack: pairs the newest publisher with the newest viewer and passes their
//! messages on, so that the browsers talk to each other. `cargo run -p rtc-signaller-serve --example relay`
use gst::glib;
use rtc_signaller::{EndCode, SignallerExt, Wish};
use rtc_signaller_serve::ServeSignaller;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Pair {
    publisher: Option<String>,
    viewer: Option<String>,
    offer: Option<String>,
    /// The publisher's candidates so far, for a viewer that comes later.
    candidates: Vec<(Option<String>, Option<String>, i32)>,
}

impl Pair {
    fn other(&self, id: &str) -> Option<String> {
        match (&self.publisher, &self.viewer) {
            (Some(publisher), viewer) if publisher == id => viewer.clone(),
            (publisher, Some(viewer)) if viewer == id => publisher.clone(),
            _ => None,
        }
    }
}

fn main() {
    gst::init().expect("GStreamer is installed");
    let signaller = ServeSignaller::default();
    if let Some(web_address) = std::env::args().nth(1) {
        signaller.set_web_address(web_address);
    }
    let pair = Arc::new(Mutex::new(Pair::default()));
    connect(&signaller, &pair);
    signaller.connect_listening(|_, uri, text| println!("{uri} ({text})"));
    if let Err(error) = signaller.start() {
        eprintln!("{error}");
        std::process::exit(1);
    }
    glib::MainLoop::new(None, false).run();
}

fn connect(signaller: &ServeSignaller, pair: &Arc<Mutex<Pair>>) {
    let table = pair.clone();
    signaller.connect_session_requested(move |signaller, id, peer, role, wish| {
        println!("{id} from {peer}: {role:?}, {wish:?}");
        let mut pair = table.lock().expect("no handler panics");
        if wish == Wish::Publish {
            *pair = Pair {
                publisher: Some(id.to_owned()),
                ..Pair::default()
            };
            return;
        }
        let Some(offer) = pair.offer.clone() else {
            signaller.end_session(id, EndCode::NotFound.as_str(), "nothing to view yet");
            return;
        };
        pair.viewer = Some(id.to_owned());
        signaller.send_description(id, "offer", &offer);
        for (candidate, mid, index) in &pair.candidates {
            signaller.send_candidate(id, candidate.as_deref(), mid.as_deref(), *index);
        }
    });
    let table = pair.clone();
    signaller.connect_description(move |signaller, id, kind, sdp| {
        let mut pair = table.lock().expect("no handler panics");
        if pair.publisher.as_deref() == Some(id) && kind == "offer" {
            pair.offer = Some(sdp.to_owned());
        } else if let Some(other) = pair.other(id) {
            signaller.send_description(&other, kind, sdp);
        }
    });
    let table = pair.clone();
    signaller.connect_candidate(move |signaller, id, candidate, mid, index| {
        let mut pair = table.lock().expect("no handler panics");
        if let Some(other) = pair.other(id) {
            signaller.send_candidate(&other, candidate, mid, index);
        } else if pair.publisher.as_deref() == Some(id) {
            pair.candidates
                .push((candidate.map(str::to_owned), mid.map(str::to_owned), index));
        }
    });
    let table = pair.clone();
    signaller.connect_session_ended(move |signaller, id, code, text| {
        println!("{id} ended: {code} {text}");
        let mut pair = table.lock().expect("no handler panics");
        if let Some(other) = pair.other(id) {
            signaller.end_session(&other, code, "the other page went");
        }
        if pair.publisher.as_deref() == Some(id) {
            *pair = Pair::default();
        }
    });
}
