// SPDX-License-Identifier: MPL-2.0
//! The table of running sessions: where each one's messages go. Bounded by `max-sessions`.
use crate::held::Held;
use crate::wire::{Kind, ToPeer};
use rtc_signaller::{EndCode, new_session_id};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Messages that may wait for one socket; a peer that reads so slowly is given up.
pub(crate) const SOCKET_QUEUE: usize = 256;

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: EndCode,
    pub(crate) text: String,
}

/// The answer to an offer that came by HTTP.
pub(crate) type Answer = Result<String, End>;

/// What is known of a session made by WHIP or WHEP.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// The ICE generation, as an entity tag with its quotes (RFC 9725 §4.3.1).
    pub(crate) etag: String,
    /// The ICE user name fragment of the offer.
    pub(crate) ufrag: Option<String>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It is on its way, or is not needed.
    Done,
    /// Signalling by HTTP has no way for it; the session lives on as it was negotiated.
    NoWay,
    /// No such session.
    Unknown,
    /// The peer can't be reached any more; the session was taken out of the table.
    Lost,
}

#[derive(Debug)]
enum Route {
    Socket(mpsc::Sender<ToPeer>),
    Http {
        answer: Option<oneshot::Sender<Answer>>,
        /// The answer, while candidates are still to come.
        held: Option<Held>,
        resource: Resource,
    },
}

#[derive(Debug)]
pub(crate) struct Sessions {
    table: Mutex<HashMap<String, Route>>,
    limit: usize,
}

impl Sessions {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            table: Mutex::default(),
            limit,
        }
    }

    /// A new session whose messages go to a socket; `None` if there are too many.
    pub(crate) fn open_socket(&self, sender: mpsc::Sender<ToPeer>) -> Option<String> {
        self.insert(Route::Socket(sender))
    }

    /// A new session whose answer goes to a request; `None` if there are too many.
    pub(crate) fn open_http(
        &self,
        resource: Resource,
    ) -> Option<(String, oneshot::Receiver<Answer>)> {
        let (sender, receiver) = oneshot::channel();
        let id = self.insert(Route::Http {
            answer: Some(sender),
            held: None,
            resource,
        })?;
        Some((id, receiver))
    }

    pub(crate) fn resource(&self, id: &str) -> Option<Resource> {
        match self.lock().get(id)? {
            Route::Http { resource, .. } => Some(resource.clone()),
            Route::Socket(_) => None,
        }
    }

    /// Takes a session out; whether it was in.
    pub(crate) fn close(&self, id: &str) -> bool {
        self.lock().remove(id).is_some()
    }

    pub(crate) fn description(&self, id: &str, kind: Kind, sdp: &str) -> Delivery {
        let mut table = self.lock();
        match table.get_mut(id) {
            None => Delivery::Unknown,
            Some(Route::Http { answer, held, .. })
                if kind == Kind::Answer && answer.is_some() && held.is_none() =>
            {
                *held = Held::new(sdp);
                match (held, answer.take()) {
                    (None, Some(answer)) => answer
                        .send(Ok(sdp.to_owned()))
                        .map_or(Delivery::Lost, |()| Delivery::Done),
                    (_, waiting) => {
                        *answer = waiting;
                        Delivery::Done
                    }
                }
            }
            // HTTP carries one offer and one answer.
            Some(Route::Http { .. }) => Delivery::NoWay,
            Some(Route::Socket(_)) => {
                let message = ToPeer::Description {
                    kind,
                    sdp: sdp.to_owned(),
                };
                send(&mut table, id, message)
            }
        }
    }

    pub(crate) fn candidate(&self, id: &str, message: ToPeer) -> Delivery {
        let mut table = self.lock();
        match (table.get_mut(id), &message) {
            (None, _) => Delivery::Unknown,
            (Some(Route::Socket(_)), _) => send(&mut table, id, message),
            (
                Some(route),
                ToPeer::Candidate {
                    candidate: None, ..
                },
            ) => release(route, true),
            (
                Some(Route::Http {
                    held: Some(held), ..
                }),
                ToPeer::Candidate {
                    candidate: Some(candidate),
                    mid,
                    ..
                },
            ) => {
                held.add(candidate, mid.as_deref());
                Delivery::Done
            }
            // Too late: servers do not trickle (RFC 9725 §4.3.2).
            (Some(Route::Http { .. }), _) => Delivery::Done,
        }
    }

    /// A second passed: an answer that has waited long enough for its candidates is sent.
    pub(crate) fn tick(&self, id: &str) {
        if let Some(route) = self.lock().get_mut(id)
            && let Route::Http {
                held: Some(held), ..
            } = route
            && held.tick()
        {
            release(route, false);
        }
    }

    /// Ends a session from our side.
    pub(crate) fn end(&self, id: &str, end: End) {
        if let Some(route) = self.lock().remove(id) {
            say_goodbye(route, end);
        }
    }

    /// Ends every session from our side.
    pub(crate) fn end_all(&self, end: &End) {
        for (_, route) in self.lock().drain() {
            say_goodbye(route, end.clone());
        }
    }

    fn insert(&self, route: Route) -> Option<String> {
        let mut table = self.lock();
        if table.len() >= self.limit {
            return None;
        }
        let id = new_session_id();
        table.insert(id.clone(), route);
        Some(id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Route>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends an answer that was held, if there is one.
fn release(route: &mut Route, complete: bool) -> Delivery {
    let Route::Http { answer, held, .. } = route else {
        return Delivery::Done;
    };
    match (held.take(), answer.take()) {
        (Some(held), Some(answer)) => answer
            .send(Ok(held.finish(complete)))
            .map_or(Delivery::Lost, |()| Delivery::Done),
        (_, waiting) => {
            *answer = waiting;
            Delivery::Done
        }
    }
}

/// Sends to a socket; one that is closed or full costs the session.
fn send(table: &mut HashMap<String, Route>, id: &str, message: ToPeer) -> Delivery {
    let Some(Route::Socket(sender)) = table.get(id) else {
        return Delivery::Unknown;
    };
    match sender.try_send(message) {
        Ok(()) => Delivery::Done,
        Err(_) => {
            table.remove(id);
            Delivery::Lost
        }
    }
}

fn say_goodbye(route: Route, End { code, text }: End) {
    // A peer that is gone needs no goodbye.
    match route {
        Route::Socket(sender) => {
            let code = code.as_str().to_owned();
            let _gone = sender.try_send(ToPeer::Bye { code, text });
        }
        Route::Http {
            answer: Some(answer),
            ..
        } => {
            let _gone = answer.send(Err(End { code, text }));
        }
        Route::Http { answer: None, .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource() -> Resource {
        Resource {
            etag: "\"1\"".to_owned(),
            ufrag: None,
        }
    }

    fn end() -> End {
        End {
            code: EndCode::Busy,
            text: "full".to_owned(),
        }
    }

    #[test]
    fn an_http_session_takes_one_answer_and_no_offer() {
        let sessions = Sessions::new(1);
        let (id, mut answer) = sessions.open_http(resource()).unwrap();
        assert_eq!(sessions.description(&id, Kind::Offer, "o"), Delivery::NoWay);
        assert_eq!(sessions.description(&id, Kind::Answer, "a"), Delivery::Done);
        assert_eq!(answer.try_recv().unwrap(), Ok("a".to_owned()));
        assert_eq!(
            sessions.description(&id, Kind::Answer, "b"),
            Delivery::NoWay
        );
        assert_eq!(
            sessions.description("other", Kind::Answer, "a"),
            Delivery::Unknown
        );
    }

    #[test]
    fn an_answer_waits_for_its_candidates_but_not_for_ever() {
        const ANSWER: &str = "v=0\r\na=ice-options:trickle\r\nm=audio 9 X 0\r\n";
        let candidate = |candidate: Option<&str>| ToPeer::Candidate {
            candidate: candidate.map(str::to_owned),
            mid: None,
            index: Some(0),
        };
        let sessions = Sessions::new(2);
        let (id, mut answer) = sessions.open_http(resource()).unwrap();
        assert_eq!(
            sessions.description(&id, Kind::Answer, ANSWER),
            Delivery::Done
        );
        assert_eq!(
            sessions.description(&id, Kind::Answer, ANSWER),
            Delivery::NoWay
        );
        sessions.candidate(&id, candidate(Some("candidate:1")));
        assert!(answer.try_recv().is_err());
        sessions.candidate(&id, candidate(None));
        let complete = format!("{ANSWER}a=candidate:1\r\na=end-of-candidates\r\n");
        assert_eq!(answer.try_recv().unwrap(), Ok(complete));
        sessions.candidate(&id, candidate(Some("candidate:2")));

        let (id, mut answer) = sessions.open_http(resource()).unwrap();
        sessions.description(&id, Kind::Answer, ANSWER);
        sessions.candidate(&id, candidate(Some("candidate:1")));
        sessions.tick(&id);
        assert!(answer.try_recv().is_err());
        sessions.tick(&id);
        assert_eq!(
            answer.try_recv().unwrap(),
            Ok(format!("{ANSWER}a=candidate:1\r\n"))
        );
    }

    #[test]
    fn an_end_before_the_answer_is_the_answer() {
        let sessions = Sessions::new(1);
        let (id, mut answer) = sessions.open_http(resource()).unwrap();
        sessions.end(&id, end());
        assert_eq!(answer.try_recv().unwrap(), Err(end()));
        assert!(!sessions.close(&id), "it is out of the table");
    }

    #[test]
    fn a_socket_that_reads_too_slowly_loses_its_session() {
        let sessions = Sessions::new(1);
        let (sender, _unread) = mpsc::channel(SOCKET_QUEUE);
        let id = sessions.open_socket(sender).unwrap();
        let sent = (0..=SOCKET_QUEUE)
            .map(|_| sessions.description(&id, Kind::Offer, "o"))
            .take_while(|delivery| *delivery == Delivery::Done)
            .count();
        assert_eq!(sent, SOCKET_QUEUE);
        assert_eq!(
            sessions.description(&id, Kind::Offer, "o"),
            Delivery::Unknown
        );
    }

    #[test]
    fn the_table_never_holds_more_than_its_limit() {
        let sessions = Sessions::new(2);
        let (sender, mut receiver) = mpsc::channel(1);
        let first = sessions.open_socket(sender.clone()).unwrap();
        assert!(sessions.open_http(resource()).is_some());
        assert!(sessions.open_socket(sender.clone()).is_none());
        assert!(sessions.open_http(resource()).is_none());
        sessions.end(&first, end());
        assert!(matches!(receiver.try_recv().unwrap(), ToPeer::Bye { code, .. } if code == "busy"));
        assert!(sessions.open_socket(sender).is_some());
    }
}
