// SPDX-License-Identifier: MPL-2.0
//! One session with the server: asked for, offered, answered, told of candidates, ended.
use crate::address::{Address, shown};
use crate::client::{Answer, Client, Failure, Patched, Resource};
use crate::imp::CAT;
use crate::life::{Order, Reports, until_stopped};
use crate::wire::{self, Candidate, IceServer};
use rtc_signaller::{EndCode, Role, SignallerExt, new_session_id};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::{timeout, timeout_at};

/// How a session came to its end.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The signaller was stopped.
    Stopped,
    /// The endpoint made another offer, for which neither protocol has a message: a new session takes it.
    Renew,
    /// The endpoint ended it.
    Over { text: String },
    /// There was none, or the server gave it up.
    Failed(Failure),
}

/// See the module.
pub(crate) struct Session<'a> {
    pub(crate) reports: &'a Reports,
    pub(crate) client: &'a Client,
    pub(crate) address: &'a Address,
    pub(crate) orders: &'a mut mpsc::Receiver<Order>,
    pub(crate) stopping: watch::Receiver<bool>,
    /// When the server answered.
    pub(crate) up_since: Option<Instant>,
}

impl Session<'_> {
    /// Runs it to its end, and says when the server had answered.
    pub(crate) async fn run(mut self) -> (End, Option<Instant>) {
        let id = new_session_id();
        let (place, wish) = (shown(&self.address.url), self.address.protocol.wish());
        self.reports
            .tell(|signaller| signaller.report_session_requested(&id, &place, Role::Offer, wish));
        let end = match self.own_description(&id).await {
            Ok(offer) => self.negotiate(id, offer).await,
            Err(end) => end,
        };
        (end, self.up_since)
    }

    /// Waits for the endpoint's description with the candidates that come at once: servers need not take
    /// others.
    async fn own_description(&mut self, id: &str) -> Result<String, End> {
        let mut own: Option<String> = None;
        let mut candidates = Vec::new();
        let mut deadline = None;
        loop {
            let order = match &own {
                None => self.order(id).await?,
                Some(sdp) if wire::is_complete(sdp) => break,
                Some(_) => {
                    let end =
                        *deadline.get_or_insert_with(|| tokio::time::Instant::now() + GATHERING);
                    match timeout_at(end, self.order(id)).await {
                        Ok(order) => order?,
                        Err(_) => break,
                    }
                }
            };
            match order {
                Order::Description { sdp, .. } => own = Some(sdp),
                Order::Candidate { candidate, .. } => {
                    let last = candidate.candidate.is_none();
                    keep(&mut candidates, candidate);
                    if last && own.is_some() {
                        break;
                    }
                }
                Order::End { text, for_good, .. } => return Err(over(text, for_good)),
            }
        }
        Ok(wire::with_candidates(&own.unwrap_or_default(), &candidates))
    }

    async fn negotiate(&mut self, id: String, offer: String) -> End {
        let client = self.client;
        let request = client.post(&self.address.url, &offer);
        tokio::pin!(request);
        let mut late = Vec::new();
        let answered = loop {
            tokio::select! {
                answered = &mut request => break answered,
                order = self.order(&id) => match order {
                    Ok(Order::Candidate { candidate, .. }) => keep(&mut late, candidate),
                    Ok(Order::Description { .. }) => {}
                    Ok(Order::End { text, for_good, .. }) => return self.abandon(request, over(text, for_good)).await,
                    Err(stopped) => return self.abandon(request, stopped).await,
                },
            }
        };
        match answered {
            Ok(answer) if answer.is_offer => self.take_offer(&id, answer).await,
            Ok(answer) => {
                let resource = answer.resource.clone();
                self.announce(&id, &answer);
                self.follow(&id, &offer, resource, late).await
            }
            Err(failure) => {
                self.end_here(&id, failure.code, &failure.text);
                End::Failed(failure)
            }
        }
    }

    /// The server makes the offer: another session answers it.
    async fn take_offer(&mut self, old: &str, offer: Answer) -> End {
        self.end_here(old, EndCode::Bye, "the server makes the offer");
        let id = new_session_id();
        let (place, wish) = (shown(&self.address.url), self.address.protocol.wish());
        self.reports.tell(|signaller| {
            signaller.report_session_requested(&id, &place, Role::Answer, wish);
            signaller.report_description(&id, "offer", &offer.sdp);
        });
        let answer = match self.own_description(&id).await {
            Ok(answer) => answer,
            Err(end) => {
                let _gone = self.client.delete(&offer.resource, FAREWELL).await;
                return end;
            }
        };
        let request = self.client.answer(&offer.resource, answer.clone());
        let answered = tokio::select! {
            answered = request => answered,
            () = until_stopped(&mut self.stopping) => {
                let _gone = self.client.delete(&offer.resource, FAREWELL).await;
                return End::Stopped;
            }
        };
        match answered {
            Ok(()) => {
                self.announce(&id, &offer);
                self.follow(&id, &answer, offer.resource, Vec::new()).await
            }
            Err(failure) => {
                self.end_here(&id, failure.code, &failure.text);
                End::Failed(failure)
            }
        }
    }

    /// An offer that is on its way may make a session: that is waited for and ended.
    async fn abandon(
        &mut self,
        request: impl Future<Output = Result<Answer, Failure>>,
        end: End,
    ) -> End {
        let stopping = &mut self.stopping;
        let patience = async {
            until_stopped(stopping).await;
            tokio::time::sleep(FAREWELL / 2).await;
        };
        tokio::select! {
            answered = request => if let Ok(answer) = answered {
                let _gone = self.client.delete(&answer.resource, FAREWELL / 2).await;
            },
            () = patience => {}
        }
        end
    }

    /// The session stands.
    fn announce(&mut self, id: &str, answer: &Answer) {
        self.up_since = Some(Instant::now());
        let place = shown(&self.address.url);
        let text = format!("{} at {place}", self.address.protocol.doing());
        self.reports.tell(|signaller| {
            if !answer.ice_servers.is_empty() {
                signaller.report_ice_servers(id, &structure(&answer.ice_servers));
            }
            if !answer.is_offer {
                signaller.report_description(id, "answer", &answer.sdp);
            }
            signaller.report_session_started(id);
            signaller.report_listening("", &text);
        });
    }

    /// Passes candidates on until the end.
    async fn follow(
        &mut self,
        id: &str,
        offer: &str,
        mut resource: Resource,
        mut late: Vec<Candidate>,
    ) -> End {
        let end = loop {
            let order = if late.is_empty() {
                self.order(id).await
            } else if let Ok(order) = timeout(TOGETHER, self.order(id)).await {
                order
            } else {
                match self.trickle(id, offer, &mut resource, &mut late).await {
                    Ok(()) => continue,
                    Err(end) => break end,
                }
            };
            match order {
                Ok(Order::Candidate { candidate, .. }) if resource.trickles => {
                    keep(&mut late, candidate);
                }
                Ok(Order::Candidate { .. }) => {}
                Ok(Order::Description { .. }) => {
                    self.end_here(id, EndCode::Bye, "a new session takes the new offer");
                    break End::Renew;
                }
                Ok(Order::End { text, for_good, .. }) => break over(text, for_good),
                Err(stopped) => break stopped,
            }
        };
        if let Err(failure) = self.client.delete(&resource, FAREWELL).await {
            gst::info!(CAT, "the session could not be ended: {}", failure.text);
        }
        end
    }

    /// Sends candidates; a server that refuses them loses them alone.
    async fn trickle(
        &mut self,
        id: &str,
        offer: &str,
        resource: &mut Resource,
        late: &mut Vec<Candidate>,
    ) -> Result<(), End> {
        let late = std::mem::take(late);
        if !resource.trickles {
            return Ok(());
        }
        let request = self.client.patch(resource, wire::fragment(offer, &late));
        let patched = tokio::select! {
            patched = request => patched,
            () = until_stopped(&mut self.stopping) => return Err(End::Stopped),
        };
        match patched {
            Ok(Patched::Done) => {}
            Ok(Patched::Unsupported) => resource.trickles = false,
            Ok(Patched::Gone) => {
                let text = format!("{}: the server ended the session", shown(&self.address.url));
                self.end_here(id, EndCode::Bye, &text);
                return Err(End::Over { text });
            }
            Err(failure) => gst::warning!(CAT, "candidates are lost: {}", failure.text),
        }
        Ok(())
    }

    fn end_here(&self, id: &str, code: EndCode, text: &str) {
        self.reports
            .tell(|signaller| signaller.report_session_ended(id, code.as_str(), text));
    }

    /// The endpoint's next word on this session; those on others are late.
    async fn order(&mut self, id: &str) -> Result<Order, End> {
        loop {
            let order = tokio::select! {
                order = self.orders.recv() => order.ok_or(End::Stopped)?,
                () = until_stopped(&mut self.stopping) => return Err(End::Stopped),
            };
            let (Order::Description { session, .. }
            | Order::Candidate { session, .. }
            | Order::End { session, .. }) = &order;
            if session == id {
                return Ok(order);
            }
        }
    }
}

fn over(text: String, for_good: bool) -> End {
    if for_good {
        return End::Failed(Failure::last(EndCode::NotAcceptable, text));
    }
    End::Over { text }
}

/// One too many is dropped: the endpoint has no use for so many either.
fn keep(list: &mut Vec<Candidate>, candidate: Candidate) {
    if list.len() < MAX_CANDIDATES {
        list.push(candidate);
    }
}

/// `ice-servers` with a field `servers`: an array of `ice-server` structures with `urls`, `username`,
/// `credential` (texts, the latter two empty where there are none).
fn structure(servers: &[IceServer]) -> gst::Structure {
    let servers = servers.iter().map(|server| {
        gst::Structure::builder("ice-server")
            .field("urls", &server.url)
            .field("username", &server.username)
            .field("credential", &server.credential)
            .build()
    });
    gst::Structure::builder("ice-servers")
        .field("servers", gst::Array::new(servers))
        .build()
}

/// How long after a description its last candidates are waited for: host candidates come at once, those of
/// STUN and TURN servers after a few round trips, or never if a server is not there.
const GATHERING: Duration = Duration::from_millis(1500);

/// Candidates that come within this time go in one message.
const TOGETHER: Duration = Duration::from_millis(20);

/// What a goodbye may take when the program wants to end.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

const MAX_CANDIDATES: usize = 100;
