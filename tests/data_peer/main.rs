// SPDX-License-Identifier: MPL-2.0
//! `data-peer`: one session without media, told what to do by lines of JSON on stdin, telling what
//! happens by lines of JSON on stdout. Messages on channels the peer labels `echo…` are sent back.
//!
//! Commands: `{"cmd": "offer" | "answer", "sdp"}`, `{"cmd": "open", "key", "label", …}`,
//! `{"cmd": "send", "key", "size", "text"}`, `{"cmd": "close", "key"}`, `{"cmd": "stats"}`; the end of
//! stdin ends it.
use bytes::Bytes;
use rtc_driver::{Driver, DriverConfig, Handle, SessionOptions};
use rtc_payload::SessionId;
use rtc_session::{
    Certificate, ChannelEvent, ChannelInit, ChannelKey, Command, DescriptionKind, Event,
};
use rtc_tests::data::{hash, pattern};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{BufRead, Write};
use std::sync::{Arc, OnceLock};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let itself = Arc::new(OnceLock::new());
    let outlet = Outlet {
        handle: itself.clone(),
        echoed: HashSet::new(),
    };
    let mut outlet = outlet;
    let (handle, _guard) = Driver::start(
        DriverConfig::default(),
        Box::new(move |session, event| outlet.take(session, event)),
    )?;
    itself.set(handle.clone()).map_err(|_| "set once")?;
    let session = handle.open(SessionOptions::new(Arc::new(Certificate::generate()?)));
    for line in std::io::stdin().lock().lines() {
        obey(&handle, session, &serde_json::from_str(&line?)?)?;
    }
    handle.command(session, Command::Close);
    Ok(())
}

fn obey(handle: &Handle, session: SessionId, order: &Value) -> Result<(), Failure> {
    let key = ChannelKey(order["key"].as_str().unwrap_or("0").parse()?);
    let text = |name: &str| order[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| order[name].as_u64().map(|n| n as u16);
    let command = match text("cmd").as_str() {
        kind @ ("offer" | "answer") => Command::RemoteDescription {
            kind: DescriptionKind::from_text(kind).ok_or("a kind")?,
            sdp: text("sdp"),
        },
        "open" => Command::OpenChannel(ChannelInit {
            protocol: text("protocol"),
            ordered: order["ordered"].as_bool().unwrap_or(true),
            max_retransmits: number("maxRetransmits"),
            max_packet_lifetime_ms: number("maxPacketLifeTime"),
            negotiated: order["negotiated"].as_bool().unwrap_or(false),
            id: number("id"),
            ..ChannelInit::new(key, text("label"))
        }),
        "send" => {
            let size = order["size"].as_u64().unwrap_or(0) as usize;
            let is_text = order["text"].as_bool().unwrap_or(false);
            Command::SendMessage {
                channel: key,
                data: pattern(size, is_text).into(),
                text: is_text,
            }
        }
        "close" => Command::CloseChannel(key),
        "end" => Command::Close,
        "stats" => {
            handle.stats(session, |stats| {
                let sctp = stats.sctp.map(|sctp| format!("{sctp:?}"));
                say(&json!({"event": "stats", "sctp": sctp, "dtls": format!("{:?}", stats.dtls)}));
            });
            return Ok(());
        }
        other => return Err(format!("no command '{other}'").into()),
    };
    handle.command(session, command);
    Ok(())
}

struct Outlet {
    handle: Arc<OnceLock<Handle>>,
    echoed: HashSet<ChannelKey>,
}

impl Outlet {
    fn take(&mut self, session: SessionId, event: Event) {
        let command = |command| {
            if let Some(handle) = self.handle.get() {
                handle.command(session, command);
            }
        };
        match event {
            Event::NegotiationNeeded => command(Command::Negotiate),
            Event::LocalDescription { kind, sdp } => {
                say(&json!({"event": kind.as_str(), "sdp": sdp}));
            }
            Event::Channel(event) => self.take_channel(session, event),
            Event::Sctp(state) => say(&json!({"event": "sctp", "state": state.as_str()})),
            Event::Connection(state) => {
                say(&json!({"event": "connection", "state": state.as_str()}))
            }
            Event::Refused(error) => say(&json!({"event": "error", "text": error.to_string()})),
            Event::Closed(error) => {
                let error = error.map(|error| error.to_string());
                say(&json!({"event": "ended", "error": error}));
            }
            _ => {}
        }
    }

    fn take_channel(&mut self, session: SessionId, event: ChannelEvent) {
        let name = |key: ChannelKey| key.0.to_string();
        match event {
            ChannelEvent::Opened { key, init, by_peer } => {
                if by_peer && init.label.starts_with("echo") {
                    self.echoed.insert(key);
                }
                say(&json!({
                    "event": "open", "key": name(key), "label": init.label, "protocol": init.protocol,
                    "id": init.id, "ordered": init.ordered, "byPeer": by_peer,
                    "maxRetransmits": init.max_retransmits,
                    "maxPacketLifeTime": init.max_packet_lifetime_ms,
                }));
            }
            ChannelEvent::Message { key, data, text } => {
                self.take_message(session, key, data, text)
            }
            ChannelEvent::Closing { key } => say(&json!({"event": "closing", "key": name(key)})),
            ChannelEvent::Closed { key, error } => {
                let error = error.map(|error| error.to_string());
                say(&json!({"event": "closed", "key": name(key), "error": error}));
            }
            ChannelEvent::Refused { key, error, .. } => {
                say(&json!({"event": "refused", "key": name(key), "text": error.to_string()}));
            }
            _ => {}
        }
    }

    fn take_message(&self, session: SessionId, key: ChannelKey, data: Bytes, text: bool) {
        if !self.echoed.contains(&key) {
            let (size, hash) = (data.len(), hash(&data));
            say(&json!({
                "event": "message", "key": key.0.to_string(), "size": size, "text": text, "hash": hash,
            }));
        } else if let Some(handle) = self.handle.get() {
            let channel = key;
            handle.command(
                session,
                Command::SendMessage {
                    channel,
                    data,
                    text,
                },
            );
        }
    }
}

fn say(value: &Value) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more: the end of stdin will come.
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}
