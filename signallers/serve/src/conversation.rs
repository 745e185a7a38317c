// SPDX-License-Identifier: MPL-2.0
//! What a peer may say on `/ws`, when, and how often; sans-IO.
use crate::wire::{FromPeer, Kind, MAX_BYTES, Purpose};
use rtc_signaller::EndCode;
use std::time::{Duration, Instant};

/// Messages a second that a peer may send, and how many at once.
const RATE: u32 = 100;

/// The longest goodbye text passed on, characters.
const MAX_TEXT: usize = 200;

/// What a message means for the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A session is wanted.
    Start(Purpose),
    /// The peer's description.
    Description { kind: Kind, sdp: String },
    /// The peer's candidate; `None` ends them.
    Candidate {
        candidate: Option<String>,
        mid: Option<String>,
        index: i32,
    },
    /// The peer says goodbye.
    End { code: EndCode, text: String },
}

/// Why the conversation is over: the peer's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: EndCode,
    pub(crate) text: String,
}

/// One peer's side of a socket: at most one session.
#[derive(Debug)]
pub(crate) struct Conversation {
    started: bool,
    allowance: f64,
    counted_at: Instant,
}

impl Conversation {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            started: false,
            allowance: f64::from(RATE),
            counted_at: now,
        }
    }

    /// Whether the peer asked for a session.
    pub(crate) fn started(&self) -> bool {
        self.started
    }

    /// A text message arrived. After an error nothing more may be fed.
    pub(crate) fn handle_message(&mut self, text: &str, now: Instant) -> Result<Step, Fault> {
        self.count(now)?;
        if text.len() > MAX_BYTES {
            return Err(fault(
                EndCode::TooLarge,
                format!("a message may have {MAX_BYTES} bytes"),
            ));
        }
        let message = serde_json::from_str(text)
            .map_err(|error| bad(format!("not a message of this protocol: {error}")))?;
        if !matches!(message, FromPeer::Start { .. } | FromPeer::Bye { .. }) && !self.started {
            return Err(bad("the first message must be start"));
        }
        match message {
            FromPeer::Start { .. } if self.started => {
                Err(bad("a socket carries one session; open another socket"))
            }
            FromPeer::Start { role } => {
                self.started = true;
                Ok(Step::Start(role))
            }
            FromPeer::Description { kind, sdp } => Ok(Step::Description { kind, sdp }),
            FromPeer::Candidate {
                candidate,
                mid,
                index,
            } => Ok(Step::Candidate {
                // An empty text ends the candidates, too (RFC 8838 §13).
                candidate: candidate.filter(|text| !text.is_empty()),
                mid,
                index: index.map_or(-1, i32::from),
            }),
            FromPeer::Bye { code, text } => Ok(Step::End {
                code: EndCode::from_text(&code).unwrap_or(EndCode::Bye),
                text: text.chars().take(MAX_TEXT).collect(),
            }),
        }
    }

    fn count(&mut self, now: Instant) -> Result<(), Fault> {
        let passed = now.saturating_duration_since(self.counted_at);
        self.counted_at = now;
        let earned = passed.min(Duration::from_secs(1)).as_secs_f64() * f64::from(RATE);
        self.allowance = (self.allowance + earned).min(f64::from(RATE));
        if self.allowance < 1.0 {
            return Err(bad(format!("more than {RATE} messages a second")));
        }
        self.allowance -= 1.0;
        Ok(())
    }
}

fn bad(text: impl Into<String>) -> Fault {
    fault(EndCode::BadRequest, text)
}

fn fault(code: EndCode, text: impl Into<String>) -> Fault {
    Fault {
        code,
        text: text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = r#"{"type":"start","role":"view"}"#;
    const ANSWER: &str = r#"{"type":"description","kind":"answer","sdp":"v=0"}"#;

    fn run(messages: &[&str]) -> Result<Step, Fault> {
        let now = Instant::now();
        let mut conversation = Conversation::new(now);
        let mut last = Err(bad("nothing said"));
        for message in messages {
            last = conversation.handle_message(message, now);
        }
        last
    }

    #[test]
    fn messages_become_steps() {
        let candidate = |candidate: Option<&str>, mid: Option<&str>, index| Step::Candidate {
            candidate: candidate.map(str::to_owned),
            mid: mid.map(str::to_owned),
            index,
        };
        let cases = [
            (
                START,
                r#"{"type":"candidate","candidate":"c","mid":"0","index":1}"#,
                candidate(Some("c"), Some("0"), 1),
            ),
            (
                START,
                r#"{"type":"candidate","candidate":""}"#,
                candidate(None, None, -1),
            ),
            (
                START,
                ANSWER,
                Step::Description {
                    kind: Kind::Answer,
                    sdp: "v=0".into(),
                },
            ),
            (
                START,
                r#"{"type":"bye","code":"odd"}"#,
                Step::End {
                    code: EndCode::Bye,
                    text: String::new(),
                },
            ),
            (
                START,
                r#"{"type":"bye","code":"not-acceptable","text":"x"}"#,
                Step::End {
                    code: EndCode::NotAcceptable,
                    text: "x".into(),
                },
            ),
        ];
        for (first, second, expected) in cases {
            assert_eq!(run(&[first, second]).unwrap(), expected, "{second}");
        }
        assert_eq!(run(&[START]).unwrap(), Step::Start(Purpose::View));
        assert!(matches!(run(&[r#"{"type":"bye"}"#]), Ok(Step::End { .. })));
    }

    #[test]
    fn what_comes_out_of_turn_is_a_fault_with_a_reason() {
        let cases: [(&[&str], &str); 4] = [
            (&[ANSWER], "first message must be start"),
            (&[START, START], "one session"),
            (&["{"], "not a message"),
            (
                &[START, r#"{"type":"candidate","candidate":1}"#],
                "not a message",
            ),
        ];
        for (messages, expected) in cases {
            let fault = run(messages).unwrap_err();
            assert_eq!(fault.code, EndCode::BadRequest);
            assert!(fault.text.contains(expected), "{}", fault.text);
        }
    }

    #[test]
    fn a_flood_is_a_fault_and_a_steady_stream_is_not() {
        let mut now = Instant::now();
        let mut conversation = Conversation::new(now);
        conversation.handle_message(START, now).unwrap();
        for _ in 0..1000 {
            now += Duration::from_millis(11);
            conversation.handle_message(ANSWER, now).unwrap();
        }
        let refused = (0..200).position(|_| conversation.handle_message(ANSWER, now).is_err());
        assert!(
            refused.is_some_and(|count| count <= RATE as usize),
            "{refused:?}"
        );
    }

    #[test]
    fn a_message_too_large_is_refused_and_a_long_goodbye_cut() {
        let large = format!(r#"{{"type":"bye","text":"{}"}}"#, "x".repeat(MAX_BYTES));
        assert_eq!(run(&[START, &large]).unwrap_err().code, EndCode::TooLarge);
        let long = format!(r#"{{"type":"bye","text":"{}"}}"#, "é".repeat(1000));
        let Ok(Step::End { text, .. }) = run(&[START, &long]) else {
            panic!("a long goodbye is a goodbye");
        };
        assert_eq!(text.chars().count(), MAX_TEXT);
    }
}
