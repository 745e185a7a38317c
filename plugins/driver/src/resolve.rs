// SPDX-License-Identifier: MPL-2.0
//! `.local` names of browsers' candidates to addresses, by multicast DNS (RFC 6762).
//!
//! The daemon, its thread and its sockets exist only while somebody asks, and a little longer.
use mdns_sd::{HostnameResolutionEvent, Receiver, ServiceDaemon};
use rtc_payload::SessionId;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a name is asked for. A browser answers within milliseconds or not at all.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long the daemon is kept for the next question.
const IDLE: Duration = Duration::from_secs(10);
/// How often answers are looked for while a question is open.
const INTERVAL: Duration = Duration::from_millis(10);
/// Names asked for at once; what is beyond counts as unknown. Names come from peers, and each costs a
/// multicast on the local network.
const MAX_QUERIES: usize = 64;
/// Of these for one session: a browser has a name for each of its addresses.
const MAX_PER_SESSION: usize = 8;

/// The answer to a question: the name as it was asked, and no addresses if it is unknown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) session: SessionId,
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
}

#[derive(Default)]
pub(crate) struct Resolver {
    daemon: Option<ServiceDaemon>,
    /// By the name as mDNS writes it: small letters, a dot at the end.
    queries: HashMap<String, Query>,
    idle_from: Option<Instant>,
    looked: Option<Instant>,
    /// Port of the daemon; `None` for that of mDNS.
    port: Option<u16>,
}

struct Query {
    events: Receiver<HostnameResolutionEvent>,
    deadline: Instant,
    askers: Vec<(SessionId, String)>,
}

impl Resolver {
    /// Asks for a name; `false` if it will not be asked for.
    pub(crate) fn ask(&mut self, session: SessionId, name: &str, now: Instant) -> bool {
        let Some(host) = host(name) else {
            return false;
        };
        let asked = |query: &Query| query.askers.iter().filter(|(id, _)| *id == session).count();
        if self.queries.values().map(asked).sum::<usize>() >= MAX_PER_SESSION {
            return false;
        }
        if let Some(query) = self.queries.get_mut(&host) {
            query.askers.push((session, name.into()));
            return true;
        }
        if self.queries.len() >= MAX_QUERIES {
            return false;
        }
        let Some(events) = self.begin(&host) else {
            return false;
        };
        let query = Query {
            events,
            deadline: now + DEADLINE,
            askers: vec![(session, name.into())],
        };
        self.queries.insert(host, query);
        self.idle_from = None;
        self.looked = Some(now);
        true
    }

    /// A session is over: nobody waits for its answers.
    pub(crate) fn forget(&mut self, session: SessionId) {
        for query in self.queries.values_mut() {
            query.askers.retain(|(id, _)| *id != session);
        }
    }

    /// When to call [`Self::poll`] next, if there is anything to do.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match self.queries.is_empty() {
            false => self.looked.map(|looked| looked + INTERVAL),
            true => self.idle_from.map(|from| from + IDLE),
        }
    }

    /// The answers that came, and those that never will.
    pub(crate) fn poll(&mut self, now: Instant) -> Vec<Answer> {
        self.looked = Some(now);
        let mut answers = Vec::new();
        let done: Vec<String> = self
            .queries
            .iter_mut()
            .filter_map(|(host, query)| {
                let addresses = query.finished(now)?;
                for (session, name) in query.askers.drain(..) {
                    let addresses = addresses.clone();
                    answers.push(Answer {
                        session,
                        name,
                        addresses,
                    });
                }
                Some(host.clone())
            })
            .collect();
        for host in done {
            self.queries.remove(&host);
            if let Some(daemon) = &self.daemon {
                let _ = daemon.stop_resolve_hostname(&host);
            }
        }
        self.retire(now);
        answers
    }

    fn begin(&mut self, host: &str) -> Option<Receiver<HostnameResolutionEvent>> {
        let daemon = match self.daemon.take() {
            Some(daemon) => daemon,
            None => match self.port {
                None => ServiceDaemon::new(),
                Some(port) => ServiceDaemon::new_with_port(port),
            }
            .inspect_err(|error| tracing::warn!(%error, "no multicast DNS"))
            .ok()?,
        };
        let timeout = u64::try_from(DEADLINE.as_millis()).ok();
        let events = daemon.resolve_hostname(host, timeout);
        self.daemon = Some(daemon);
        events
            .inspect_err(|error| tracing::debug!(%error, "mDNS query"))
            .ok()
    }

    fn retire(&mut self, now: Instant) {
        if !self.queries.is_empty() || self.daemon.is_none() {
            return;
        }
        let from = *self.idle_from.get_or_insert(now);
        if now >= from + IDLE {
            self.shut_down();
        }
    }

    fn shut_down(&mut self) {
        self.idle_from = None;
        if let Some(daemon) = self.daemon.take() {
            // It answers by a channel when its thread ends; nobody needs to wait for that.
            let _ = daemon.shutdown();
        }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl Query {
    /// The addresses, once there is nothing to wait for.
    fn finished(&self, now: Instant) -> Option<Vec<IpAddr>> {
        loop {
            match self.events.try_recv() {
                Ok(HostnameResolutionEvent::AddressesFound(_, found)) if !found.is_empty() => {
                    return Some(found.iter().map(mdns_sd::ScopedIp::to_ip_addr).collect());
                }
                Ok(HostnameResolutionEvent::SearchTimeout(_)) => return Some(Vec::new()),
                Ok(_) => {}
                Err(_) if now >= self.deadline || self.askers.is_empty() => return Some(Vec::new()),
                Err(_) if self.events.is_disconnected() => return Some(Vec::new()),
                Err(_) => return None,
            }
        }
    }
}

/// The name as mDNS writes it, if it is one a browser makes: a single label before `.local`
/// (draft-ietf-mmusic-mdns-ice-candidates-03 §3.1.1).
fn host(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let label = name.strip_suffix(".local")?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let good = (1..=63).contains(&label.len()) && label.bytes().all(fits);
    good.then(|| format!("{name}."))
}

#[cfg(test)]
#[path = "resolve_test.rs"]
mod tests;
