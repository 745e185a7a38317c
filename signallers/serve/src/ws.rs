// SPDX-License-Identifier: MPL-2.0
//! `/ws`: one socket, one session, spoken as `PROTOCOL.md` says.
use crate::conversation::{Conversation, Fault, Step};
use crate::hub::{Hub, Peer};
use crate::problem::Problem;
use crate::sessions::SOCKET_QUEUE;
use crate::wire::{MAX_BYTES, Purpose, ToPeer};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rtc_signaller::{EndCode, Role, SignallerExt, Wish};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};

/// A socket that has not asked for a session by then is closed.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a ping goes out; two unanswered ones end the socket.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long one message may take to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// `GET /ws`
pub(crate) async fn upgrade(
    State(hub): State<Arc<Hub>>,
    Extension(peer): Extension<Peer>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = headers
        .get(header::ORIGIN)
        .map(|origin| origin.to_str().unwrap_or("null"));
    if !hub.gate.socket_origin_allowed(origin, text(header::HOST)) {
        let detail = "this page is not served by this server; add its origin to allowed-origins";
        return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    }
    if !hub
        .gate
        .token_allowed(text(header::AUTHORIZATION), uri.query())
    {
        let detail = "a token is needed: open this page as …?token=TOKEN";
        return Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    }
    match upgrade {
        Err(rejection) => Problem::new(rejection.status(), rejection.body_text()).into_response(),
        Ok(upgrade) => upgrade
            .max_message_size(MAX_BYTES)
            .max_frame_size(MAX_BYTES)
            .read_buffer_size(8 * 1024)
            .write_buffer_size(8 * 1024)
            .max_write_buffer_size(4 * MAX_BYTES)
            .on_upgrade(move |socket| Line::new(socket, hub, peer).run()),
    }
}

/// One socket while it lasts.
struct Line {
    socket: WebSocket,
    hub: Arc<Hub>,
    peer: Peer,
    conversation: Conversation,
    session: Option<String>,
    sender: mpsc::Sender<ToPeer>,
    receiver: mpsc::Receiver<ToPeer>,
}

/// What to do after an event.
enum Next {
    GoOn,
    /// Say this and close.
    Close(ToPeer),
    /// The socket is gone: by a close of the peer's, or without one.
    Gone {
        closed: bool,
    },
}

impl Line {
    fn new(socket: WebSocket, hub: Arc<Hub>, peer: Peer) -> Self {
        let (sender, receiver) = mpsc::channel(SOCKET_QUEUE);
        let conversation = Conversation::new(Instant::now().into_std());
        Self {
            socket,
            hub,
            peer,
            conversation,
            session: None,
            sender,
            receiver,
        }
    }

    async fn run(mut self) {
        let next = self.converse().await;
        // No message may be queued any more.
        self.receiver.close();
        match next {
            Next::GoOn => {}
            Next::Close(message) => {
                let text = match &message {
                    ToPeer::Bye { text, .. } => text.clone(),
                    _ => String::new(),
                };
                self.end(EndCode::BadRequest, &text);
                self.say(message).await;
                self.close().await;
            }
            // A page that goes closes its socket, and is gone for good. A connection that broke says
            // nothing of the media, which has its own sign of life (consent freshness).
            Next::Gone { closed: true } => self.end(EndCode::Bye, "the page was closed"),
            Next::Gone { closed: false } => {}
        }
    }

    async fn converse(&mut self) -> Next {
        let opened = Instant::now();
        let mut heard = opened;
        let mut ping = interval_at(opened + PING_INTERVAL, PING_INTERVAL);
        let hub = self.hub.clone();
        loop {
            let next = tokio::select! {
                // First what was queued, so that a goodbye goes out before the stop.
                biased;
                Some(message) = self.receiver.recv() => self.pass_on(message).await,
                () = hub.until_stopped() => Next::Close(bye(EndCode::Bye, "the server stopped")),
                message = self.socket.recv() => {
                    heard = Instant::now();
                    self.handle(message).await
                }
                _ = ping.tick() => {
                    if heard.elapsed() > 2 * PING_INTERVAL {
                        Next::Gone { closed: false }
                    } else {
                        self.put(Message::Ping(Vec::new().into())).await
                    }
                }
                () = tokio::time::sleep_until(opened + START_TIMEOUT), if !self.conversation.started() => {
                    Next::Close(bye(EndCode::BadRequest, "no start message came"))
                }
            };
            if !matches!(next, Next::GoOn) {
                return next;
            }
        }
    }

    async fn pass_on(&mut self, message: ToPeer) -> Next {
        if matches!(message, ToPeer::Bye { .. }) {
            return Next::Close(message);
        }
        self.say(message).await
    }

    async fn handle(&mut self, message: Option<Result<Message, axum::Error>>) -> Next {
        match message {
            Some(Ok(Message::Text(text))) => {
                let step = self
                    .conversation
                    .handle_message(&text, Instant::now().into_std());
                match step {
                    Ok(step) => self.take(step).await,
                    Err(Fault { code, text }) => Next::Close(bye(code, &text)),
                }
            }
            Some(Ok(Message::Binary(_))) => Next::Close(bye(
                EndCode::BadRequest,
                "messages are JSON texts, not binary",
            )),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Next::GoOn,
            Some(Ok(Message::Close(_))) => Next::Gone { closed: true },
            Some(Err(error)) if error.to_string().contains("too long") => {
                Next::Close(bye(EndCode::TooLarge, "a message may have 128 KiB"))
            }
            Some(Err(_)) | None => Next::Gone { closed: false },
        }
    }

    async fn take(&mut self, step: Step) -> Next {
        let purpose = match step {
            Step::Start(purpose) => purpose,
            step => return self.report(step),
        };
        let Some(id) = self.hub.sessions.open_socket(self.sender.clone()) else {
            return Next::Close(bye(EndCode::Busy, "no room for another session now"));
        };
        self.session = Some(id.clone());
        let next = self
            .say(ToPeer::Started {
                session: id.clone(),
                polite: !self.hub.polite,
            })
            .await;
        if matches!(next, Next::GoOn) {
            let (role, wish) = match purpose {
                Purpose::View => (Role::Offer, Wish::View),
                Purpose::Publish => (Role::Answer, Wish::Publish),
                Purpose::Call => (Role::Offer, Wish::Any),
            };
            let peer = self.peer.address.to_string();
            self.hub.report(|signaller| {
                signaller.report_session_requested(&id, &peer, role, wish);
                signaller.report_session_started(&id);
            });
        } else {
            self.hub.sessions.close(&id);
        }
        next
    }

    fn report(&self, step: Step) -> Next {
        let Some(id) = &self.session else {
            return Next::GoOn;
        };
        match step {
            Step::Start(_) => {}
            Step::Description { kind, sdp } => {
                self.hub
                    .report(|signaller| signaller.report_description(id, kind.as_str(), &sdp));
            }
            Step::Candidate {
                candidate,
                mid,
                index,
            } => self.hub.report(|signaller| {
                signaller.report_candidate(id, candidate.as_deref(), mid.as_deref(), index);
            }),
            Step::End { code, text } => {
                self.end(code, &text);
                return Next::Close(bye(EndCode::Bye, ""));
            }
        }
        Next::GoOn
    }

    /// Ends the session from the peer's side, unless it has ended.
    fn end(&self, code: EndCode, text: &str) {
        if let Some(id) = &self.session {
            self.hub.peer_ended(id, code, text);
        }
    }

    async fn say(&mut self, message: ToPeer) -> Next {
        self.put(Message::Text(message.to_json().into())).await
    }

    async fn put(&mut self, message: Message) -> Next {
        match timeout(SEND_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Next::GoOn,
            Ok(Err(_)) | Err(_) => Next::Gone { closed: false },
        }
    }

    async fn close(&mut self) {
        let frame = CloseFrame {
            code: close_code::NORMAL,
            reason: "".into(),
        };
        self.put(Message::Close(Some(frame))).await;
        // The peer's close frame, so that what we said is read before the connection goes.
        let _any = timeout(Duration::from_secs(1), async {
            while let Some(Ok(_)) = self.socket.recv().await {}
        })
        .await;
    }
}

fn bye(code: EndCode, text: &str) -> ToPeer {
    ToPeer::Bye {
        code: code.as_str().to_owned(),
        text: text.to_owned(),
    }
}
