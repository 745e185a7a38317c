// SPDX-License-Identifier: MPL-2.0
//! `/ws` as a page meets it.
use crate::kit::{Bench, DEADLINE, Script};
use futures_util::{SinkExt, StreamExt};
use rtc_signaller::{SignallerExt, runtime};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A page's end of the socket.
struct Page(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Page {
    fn open(bench: &Bench, path: &str, origin: Option<&str>) -> Result<Self, u16> {
        let mut request = format!("ws://{}{path}", bench.address)
            .into_client_request()
            .unwrap();
        if let Some(origin) = origin {
            request
                .headers_mut()
                .insert("Origin", origin.parse().unwrap());
        }
        match runtime::handle().block_on(connect_async(request)) {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    fn started(bench: &Bench, role: &str) -> Self {
        let mut page = Self::open(bench, "/ws", None).unwrap();
        page.say(&format!(r#"{{"type":"start","role":"{role}"}}"#));
        assert!(page.hear().starts_with(r#"{"type":"started","session":""#));
        page
    }

    fn say(&mut self, text: &str) {
        self.send(Message::text(text)).unwrap();
    }

    fn send(&mut self, message: Message) -> Result<(), Error> {
        runtime::handle().block_on(self.0.send(message))
    }

    /// The next text; `closed` after the last one.
    fn hear(&mut self) -> String {
        runtime::handle().block_on(async {
            loop {
                let message = timeout(DEADLINE, self.0.next())
                    .await
                    .expect("a message in time");
                match message {
                    Some(Ok(Message::Text(text))) => return text.to_string(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(_) | Err(_)) | None => return "closed".to_owned(),
                }
            }
        })
    }
}

#[test]
fn a_page_that_calls_is_told_whether_it_is_the_polite_side() {
    for polite in [false, true] {
        let bench = Bench::with(Script::Silent, |signaller| signaller.set_polite(polite));
        let mut page = Page::open(&bench, "/ws", None).unwrap();
        page.say(r#"{"type":"start","role":"call"}"#);
        let started = page.hear();
        assert!(
            started.ends_with(&format!(r#","polite":{}}}"#, !polite)),
            "{started}"
        );
        assert_eq!(bench.report(), "requested Offer Any");
    }
}

#[test]
fn a_viewer_is_offered_and_its_answer_and_candidates_reach_the_endpoint() {
    let bench = Bench::new(Script::Answer);
    let mut page = Page::started(&bench, "view");
    assert_eq!(
        page.hear(),
        r#"{"type":"description","kind":"offer","sdp":"v=0 offered"}"#
    );
    assert_eq!(
        page.hear(),
        r#"{"type":"candidate","candidate":"candidate:1","mid":"0","index":0}"#
    );
    assert_eq!(
        page.hear(),
        r#"{"type":"candidate","candidate":null,"mid":null,"index":null}"#
    );
    page.say(r#"{"type":"description","kind":"answer","sdp":"v=0"}"#);
    page.say(r#"{"type":"candidate","candidate":"candidate:2","mid":"0","index":0}"#);
    page.say(r#"{"type":"candidate","candidate":null}"#);
    page.say(r#"{"type":"bye","code":"bye","text":"enough"}"#);
    let expected = [
        "requested Offer View",
        "started",
        "answer 3",
        "candidate Some(\"candidate:2\") Some(\"0\") 0",
        "candidate None None -1",
        "ended bye: enough",
    ];
    assert_eq!(expected.map(|_| bench.report()), expected);
    page.hear();
    assert_eq!(page.hear(), "closed");
}

#[test]
fn a_publisher_offers_and_is_answered_every_time_it_does() {
    let bench = Bench::new(Script::Answer);
    let mut page = Page::started(&bench, "publish");
    for _ in 0..3 {
        page.say(r#"{"type":"description","kind":"offer","sdp":"v=0"}"#);
        assert_eq!(
            page.hear(),
            r#"{"type":"description","kind":"answer","sdp":"v=0 answered"}"#
        );
    }
    assert_eq!(bench.report(), "requested Answer Publish");
}

#[test]
fn a_refusal_is_a_goodbye_with_its_reason() {
    let bench = Bench::new(Script::Refuse("not-found", "nothing to view"));
    let mut page = Page::started(&bench, "view");
    assert_eq!(
        page.hear(),
        r#"{"type":"bye","code":"not-found","text":"nothing to view"}"#
    );
    assert_eq!(page.hear(), "closed");
    assert_eq!(bench.report(), "requested Offer View");
    assert_eq!(bench.report(), "started");
    assert!(
        bench.no_report(),
        "who ends a session is not told that it ended"
    );
}

#[test]
fn a_page_that_closes_its_socket_ends_its_session() {
    let bench = Bench::new(Script::Silent);
    let mut page = Page::started(&bench, "view");
    runtime::handle().block_on(page.0.close(None)).unwrap();
    let expected = [
        "requested Offer View",
        "started",
        "ended bye: the page was closed",
    ];
    assert_eq!(expected.map(|_| bench.report()), expected);
}

#[test]
fn a_socket_that_breaks_ends_its_session_only_when_it_is_needed() {
    let bench = Bench::new(Script::Silent);
    let ids = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let to = ids.clone();
    bench
        .signaller
        .connect_session_started(move |_, id| *to.lock().unwrap() = id.to_owned());
    let page = Page::started(&bench, "view");
    assert_eq!(
        [bench.report(), bench.report()],
        ["requested Offer View", "started"]
    );
    drop(page);
    let id = ids.lock().unwrap().clone();
    // Until the server has seen that the connection is gone, messages are queued.
    let ended = loop {
        bench.signaller.send_description(&id, "offer", "v=0");
        if let Some(report) = bench.report_yet() {
            break report;
        }
        std::thread::yield_now();
    };
    assert_eq!(
        ended,
        "ended error: the peer's signalling connection was lost"
    );
}

#[test]
fn nonsense_is_a_goodbye_that_says_what_was_wrong() {
    let bench = Bench::new(Script::Silent);
    let cases = [
        (Message::text("{"), "not a message"),
        (
            Message::text(r#"{"type":"candidate","candidate":null}"#),
            "first message must be start",
        ),
        (Message::binary(vec![1, 2, 3]), "not binary"),
    ];
    for (message, reason) in cases {
        let mut page = Page::open(&bench, "/ws", None).unwrap();
        page.send(message).unwrap();
        let goodbye = page.hear();
        assert!(
            goodbye.contains(r#""code":"bad-request""#) && goodbye.contains(reason),
            "{goodbye}"
        );
        assert_eq!(page.hear(), "closed");
    }
    assert!(bench.no_report());
}

#[test]
fn a_message_too_large_or_a_flood_ends_the_socket_alone() {
    let bench = Bench::new(Script::Silent);
    let mut other = Page::started(&bench, "view");
    let mut large = Page::started(&bench, "view");
    // The server may hang up in the middle of it.
    let _cut = large.send(Message::text("x".repeat(10 * 1024 * 1024)));
    let goodbye = large.hear();
    assert!(
        goodbye.contains("too-large") || goodbye == "closed",
        "{goodbye}"
    );
    let mut flood = Page::started(&bench, "view");
    let sent = (0..1000)
        .take_while(|_| {
            flood
                .send(Message::text(r#"{"type":"candidate","candidate":null}"#))
                .is_ok()
        })
        .count();
    let goodbye = flood.hear();
    assert!(
        goodbye.contains("100 messages a second") || sent < 1000 && goodbye == "closed",
        "{goodbye}"
    );
    other.say(r#"{"type":"bye"}"#);
    assert!(other.hear().contains("bye"));
}

#[test]
fn pages_of_other_origins_and_peers_without_the_token_stay_outside() {
    let bench = Bench::with(Script::Silent, |signaller| {
        signaller.set_auth_token("s3cret")
    });
    let own = format!("http://{}", bench.address);
    assert!(Page::open(&bench, "/ws?token=s3cret", Some(&own)).is_ok());
    assert!(Page::open(&bench, "/ws?token=s3cret", None).is_ok());
    assert_eq!(Page::open(&bench, "/ws", Some(&own)).err(), Some(401));
    for foreign in ["https://evil.example", "null", "http://localhost:1"] {
        assert_eq!(
            Page::open(&bench, "/ws?token=s3cret", Some(foreign)).err(),
            Some(403),
            "{foreign}"
        );
    }
}

#[test]
fn sockets_beyond_the_limit_are_told_to_come_later() {
    let bench = Bench::with(Script::Silent, |signaller| signaller.set_max_sessions(1));
    let _first = Page::started(&bench, "view");
    let mut second = Page::open(&bench, "/ws", None).unwrap();
    second.say(r#"{"type":"start","role":"view"}"#);
    assert!(second.hear().contains(r#""code":"busy""#));
}

#[test]
fn a_stop_says_goodbye_to_every_page() {
    let bench = Bench::new(Script::Silent);
    let mut started = Page::started(&bench, "publish");
    let mut idle = Page::open(&bench, "/ws", None).unwrap();
    bench.signaller.stop();
    for page in [&mut started, &mut idle] {
        assert_eq!(
            page.hear(),
            r#"{"type":"bye","code":"bye","text":"the server stopped"}"#
        );
        assert_eq!(page.hear(), "closed");
    }
}
