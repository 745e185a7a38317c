// SPDX-License-Identifier: MPL-2.0
//! The byte streams sessions have to TURN servers (TCP, TLS).
use crate::wire::Wire;
use mio::{Registry, Token};
use rtc_session::{StreamKey, StreamOutput};
use rustls::ClientConfig;
use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::sync::Arc;

/// Tokens from here on are streams.
pub(crate) const FIRST_TOKEN: usize = 1 << 24;
/// The end of their tokens.
pub(crate) const LAST_TOKEN: usize = (1 << 25) - 1;
/// Streams of all sessions.
const MAX_STREAMS: usize = 1024;
/// Read at once.
const CHUNK: usize = 16 * 1024;
/// Pieces read of one stream before others have their turn.
const CHUNKS_A_TURN: usize = 16;

/// Which session, and which of its streams.
pub(crate) type Owner = (usize, StreamKey);

/// What is to be told to a session.
#[derive(Debug)]
pub(crate) enum News {
    Connected,
    Data(Vec<u8>),
    Closed(String),
}

struct Stream {
    owner: Owner,
    wire: Wire,
    told: bool,
}

#[derive(Default)]
pub(crate) struct Streams {
    streams: HashMap<usize, Stream>,
    tokens: HashMap<Owner, usize>,
    ready: BTreeSet<usize>,
    next: usize,
    /// Closed before they were made: still to be told.
    failed: Vec<(Owner, String)>,
}

impl Streams {
    /// Does what a session asks.
    pub(crate) fn handle(
        &mut self,
        slot: usize,
        output: StreamOutput,
        tls: Option<&Arc<ClientConfig>>,
        registry: &Registry,
    ) {
        match output {
            StreamOutput::Open {
                key,
                server,
                tls: name,
            } => {
                let owner = (slot, key);
                let result = self.open(owner, server, name.as_deref(), tls, registry);
                if let Err(error) = result {
                    self.failed.push((owner, error.to_string()));
                }
            }
            StreamOutput::Send { key, contents } => {
                if let Some(stream) = self.find((slot, key)) {
                    stream.wire.send(&[&contents]);
                }
            }
            StreamOutput::Close(key) => {
                let Some(token) = self.tokens.remove(&(slot, key)) else {
                    return;
                };
                if let Some(stream) = self.streams.get_mut(&token) {
                    stream.wire.finish();
                    self.ready.insert(token);
                }
            }
        }
    }

    /// The poller told of one.
    pub(crate) fn ready(&mut self, token: Token) {
        self.ready.insert(token.0);
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.ready.is_empty() || !self.failed.is_empty()
    }

    /// Reads and writes what can be, a bounded amount; what happened, by owner.
    pub(crate) fn work(&mut self, registry: &Registry) -> Vec<(Owner, News)> {
        let failed = self.failed.drain(..);
        let mut news: Vec<(Owner, News)> = failed
            .map(|(owner, reason)| (owner, News::Closed(reason)))
            .collect();
        for token in std::mem::take(&mut self.ready) {
            let Some(stream) = self.streams.get_mut(&token) else {
                continue;
            };
            let mut told = Vec::new();
            let result = stream.work(&mut told);
            let owned = self.tokens.get(&stream.owner) == Some(&token);
            if owned {
                news.extend(told.into_iter().map(|one| (stream.owner, one)));
            }
            match result {
                Ok(true) => drop(self.ready.insert(token)),
                Ok(false) if !stream.wire.is_finished() => {}
                Ok(false) => self.forget(token, registry),
                Err(reason) => {
                    if owned {
                        news.push((stream.owner, News::Closed(reason)));
                    }
                    self.forget(token, registry);
                }
            }
        }
        news
    }

    /// A session is over. What it still had to send is sent.
    pub(crate) fn end(&mut self, slot: usize) {
        let of_slot =
            |(owner, token): (&Owner, &usize)| (owner.0 == slot).then_some((*owner, *token));
        let gone: Vec<(Owner, usize)> = self.tokens.iter().filter_map(of_slot).collect();
        for (owner, token) in gone {
            self.tokens.remove(&owner);
            if let Some(stream) = self.streams.get_mut(&token) {
                stream.wire.finish();
                self.ready.insert(token);
            }
        }
        self.failed.retain(|(owner, _)| owner.0 != slot);
    }

    fn open(
        &mut self,
        owner: Owner,
        server: std::net::SocketAddr,
        name: Option<&str>,
        tls: Option<&Arc<ClientConfig>>,
        registry: &Registry,
    ) -> std::io::Result<()> {
        if self.streams.len() >= MAX_STREAMS {
            return Err(std::io::Error::other("there are too many streams already"));
        }
        let tls = match (name, tls) {
            (None, _) => None,
            (Some(name), Some(config)) => Some((config.clone(), name)),
            (Some(_), None) => return Err(std::io::Error::other("there are no CA certificates")),
        };
        self.next = (self.next + 1) % (LAST_TOKEN - FIRST_TOKEN);
        let token = FIRST_TOKEN + self.next;
        let wire = Wire::connect(server, None, tls, registry, Token(token))?;
        let told = false;
        self.streams.insert(token, Stream { owner, wire, told });
        self.tokens.insert(owner, token);
        Ok(())
    }

    fn find(&mut self, owner: Owner) -> Option<&mut Stream> {
        let token = self.tokens.get(&owner)?;
        self.streams.get_mut(token)
    }

    fn forget(&mut self, token: usize, registry: &Registry) {
        if let Some(mut stream) = self.streams.remove(&token) {
            stream.wire.unwatch(registry);
            if self.tokens.get(&stream.owner) == Some(&token) {
                self.tokens.remove(&stream.owner);
            }
        }
    }
}

impl Stream {
    /// Whether there may be more to read; an error is the end, in words.
    fn work(&mut self, news: &mut Vec<News>) -> Result<bool, String> {
        self.wire.progress().map_err(|error| error.to_string())?;
        let mut buffer = [0; CHUNK];
        let mut more = true;
        for _ in 0..CHUNKS_A_TURN {
            let result = self.wire.read(&mut buffer);
            if self.wire.is_open() && !std::mem::replace(&mut self.told, true) {
                news.push(News::Connected);
            }
            match result {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(length) => news.push(News::Data(buffer[..length].to_vec())),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    more = false;
                    break;
                }
                // Not yet connected.
                Err(error) if error.kind() == ErrorKind::NotConnected => {
                    more = false;
                    break;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(more)
    }
}
