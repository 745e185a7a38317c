// SPDX-License-Identifier: MPL-2.0
//! A started signaller with a scripted endpoint, and a plain HTTP/1.1 client.
use rtc_signaller::SignallerExt;
use rtc_signaller_serve::ServeSignaller;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:abcd\r\na=mid:0\r\n";

/// What the endpoint does with a session.
#[derive(Clone, Copy)]
pub(crate) enum Script {
    /// Answers every offer, and offers where it is to.
    Answer,
    /// Ends every session with this code and text.
    Refuse(&'static str, &'static str),
    /// Nothing.
    Silent,
}

pub(crate) struct Bench {
    pub(crate) signaller: ServeSignaller,
    pub(crate) address: SocketAddr,
    /// Everything reported, as one line each; ids are left out.
    reports: mpsc::Receiver<String>,
}

impl Bench {
    pub(crate) fn new(script: Script) -> Self {
        Self::with(script, |_| {})
    }

    pub(crate) fn with(script: Script, set: impl FnOnce(&ServeSignaller)) -> Self {
        gst::init().unwrap();
        let signaller = ServeSignaller::default();
        signaller.set_web_address("127.0.0.1:0");
        set(&signaller);
        let (reported, reports) = mpsc::channel();
        let (listening, heard) = mpsc::channel();
        signaller.connect_listening(move |_, uri, _| {
            // Only the first start is waited for.
            let _later = listening.send(uri.to_owned());
        });
        listen(&signaller, script, reported);
        signaller.start().unwrap();
        let uri = heard.try_recv().unwrap();
        let address = uri
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .parse()
            .unwrap();
        Self {
            signaller,
            address,
            reports,
        }
    }

    /// The next report; fails if none comes.
    pub(crate) fn report(&self) -> String {
        self.reports
            .recv_timeout(DEADLINE)
            .expect("a report in time")
    }

    /// The next report, if there is one already.
    pub(crate) fn report_yet(&self) -> Option<String> {
        self.reports.try_recv().ok()
    }

    pub(crate) fn no_report(&self) -> bool {
        self.report_yet().is_none()
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(2 * DEADLINE)).unwrap();
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        // A server that refuses early may close before all is written.
        let _refused = stream.write_all(body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Reply::parse(&bytes)
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Reply {
        self.ask(
            "POST",
            path,
            &[("Content-Type", "application/sdp")],
            body.as_bytes(),
        )
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.signaller.stop();
    }
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

fn listen(signaller: &ServeSignaller, script: Script, reported: mpsc::Sender<String>) {
    let to = reported.clone();
    signaller.connect_session_requested(move |signaller, id, _, role, wish| {
        let _ended = to.send(format!("requested {role:?} {wish:?}"));
        match script {
            Script::Refuse(code, text) => signaller.end_session(id, code, text),
            Script::Answer if role == rtc_signaller::Role::Offer => {
                signaller.send_description(id, "offer", "v=0 offered");
                signaller.send_candidate(id, Some("candidate:1"), Some("0"), 0);
                signaller.send_candidate(id, None, None, -1);
            }
            Script::Answer | Script::Silent => {}
        }
    });
    let to = reported.clone();
    signaller.connect_description(move |signaller, id, kind, sdp| {
        let _ended = to.send(format!("{kind} {}", sdp.len()));
        if kind == "offer" && matches!(script, Script::Answer) {
            signaller.send_description(id, "answer", "v=0 answered");
        }
    });
    let to = reported.clone();
    signaller.connect_candidate(move |_, _, candidate, mid, index| {
        let _ended = to.send(format!("candidate {candidate:?} {mid:?} {index}"));
    });
    let to = reported.clone();
    signaller.connect_session_started(move |_, _| {
        let _ended = to.send("started".to_owned());
    });
    signaller.connect_session_ended(move |_, _, code, text| {
        let _ended = reported.send(format!("ended {code}: {text}"));
    });
}
