// SPDX-License-Identifier: MPL-2.0
//! A chat between a terminal and any number of browsers, over data channels alone.
//!
//! What is typed here goes to every page; what a page says is printed here and goes to the other pages. In
//! a page's console (F12):
//!
//! ```js
//! rtc.channels[0].onmessage = event => console.log(event.data)
//! rtc.channels[0].send("hello")
//! ```
use gst::prelude::*;
use std::collections::HashMap;
use std::io::BufRead;
use std::sync::{Arc, Mutex, PoisonError};

const PIPELINE: &str = "rtcdatasrc name=chat quiet=true ! fakesink async=false";

/// The channels of all pages, by the session's name.
type Channels = Arc<Mutex<HashMap<String, gst::Object>>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    gst::init()?;
    let pipeline = gst::parse::launch(PIPELINE)?;
    let bin = pipeline.downcast_ref::<gst::Bin>().ok_or("not a bin")?;
    // A sink makes a channel in each session; the source alone would wait for pages to open one.
    let chat = bin.by_name("chat").ok_or("no rtcdatasrc")?;
    let sink = gst::ElementFactory::make("rtcsink")
        .property("endpoint", "chat")
        .build()?;
    chat.set_property("endpoint", "chat");
    bin.add(&sink)?;
    let pad = sink.request_pad_simple("data_%u").ok_or("no pad")?;
    pad.set_property("label", "chat");

    let channels = Channels::default();
    let all = Arc::clone(&channels);
    // Parameters: the element, the session's name, the GstRtcDataChannel.
    chat.connect("on-data-channel", false, move |values| {
        let session = values[1].get::<String>().ok()?;
        let channel = values[2].get::<gst::Object>().ok()?;
        greet(&all, &session, &channel);
        None
    });
    pipeline.set_state(gst::State::Playing)?;
    for line in std::io::stdin().lock().lines() {
        say(&channels, None, &line?);
    }
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}

/// A page has come: it gets a welcome, and all others what it says.
fn greet(channels: &Channels, session: &str, channel: &gst::Object) {
    println!("{session} is here");
    let (all, name) = (Arc::clone(channels), session.to_owned());
    channel.connect("on-message-string", false, move |values| {
        let text = values[1].get::<String>().ok()?;
        println!("{name}: {text}");
        say(&all, Some(&name), &format!("{name}: {text}"));
        None
    });
    let (all, name) = (Arc::clone(channels), session.to_owned());
    channel.connect("on-close", false, move |_| {
        println!("{name} has left");
        all.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&name);
        None
    });
    channel.emit_by_name::<bool>("send-string", &[&"welcome"]);
    let mut all = channels.lock().unwrap_or_else(PoisonError::into_inner);
    all.insert(session.to_owned(), channel.clone());
}

/// Sends a line to everybody but the one it came from.
fn say(channels: &Channels, from: Option<&str>, text: &str) {
    let all = channels
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    for (_, channel) in all.iter().filter(|(name, _)| Some(name.as_str()) != from) {
        channel.emit_by_name::<bool>("send-string", &[&text]);
    }
}
