// SPDX-License-Identifier: MPL-2.0
//! The JSON messages of `/ws`, as `PROTOCOL.md` states them.
use serde::{Deserialize, Serialize};

/// The longest message either way, and the longest body of a request, bytes.
pub(crate) const MAX_BYTES: usize = 128 * 1024;

/// What a page wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    /// To see and hear; the server offers.
    View,
    /// To send; the page offers.
    Publish,
    /// Both; the server offers.
    Call,
}

/// What a description is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Offer,
    Pranswer,
    Answer,
    Rollback,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Pranswer => "pranswer",
            Self::Answer => "answer",
            Self::Rollback => "rollback",
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        [Self::Offer, Self::Pranswer, Self::Answer, Self::Rollback]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// From a page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum FromPeer {
    Start {
        role: Purpose,
    },
    Description {
        kind: Kind,
        #[serde(default)]
        sdp: String,
    },
    Candidate {
        candidate: Option<String>,
        mid: Option<String>,
        index: Option<u16>,
    },
    Bye {
        #[serde(default)]
        code: String,
        #[serde(default)]
        text: String,
    },
}

/// To a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum ToPeer {
    Started {
        session: String,
        /// Whether the page is the polite side.
        polite: bool,
    },
    Description {
        kind: Kind,
        sdp: String,
    },
    Candidate {
        candidate: Option<String>,
        mid: Option<String>,
        index: Option<u16>,
    },
    Bye {
        code: String,
        text: String,
    },
}

impl ToPeer {
    /// The text of the message.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers always serialise")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pages_send_is_understood() {
        let candidate = |candidate: Option<&str>, mid: Option<&str>, index| FromPeer::Candidate {
            candidate: candidate.map(str::to_owned),
            mid: mid.map(str::to_owned),
            index,
        };
        let start = |role| FromPeer::Start { role };
        let cases = [
            (r#"{"type":"start","role":"view"}"#, start(Purpose::View)),
            (r#"{"type":"start","role":"call"}"#, start(Purpose::Call)),
            (
                r#"{"type":"start","role":"publish","later":[1]}"#,
                start(Purpose::Publish),
            ),
            (
                r#"{"type":"description","kind":"answer","sdp":"v=0\r\n"}"#,
                FromPeer::Description {
                    kind: Kind::Answer,
                    sdp: "v=0\r\n".into(),
                },
            ),
            (
                r#"{"type":"description","kind":"rollback"}"#,
                FromPeer::Description {
                    kind: Kind::Rollback,
                    sdp: String::new(),
                },
            ),
            (
                r#"{"type":"candidate","candidate":"candidate:1","mid":"0","index":0}"#,
                candidate(Some("candidate:1"), Some("0"), Some(0)),
            ),
            (
                r#"{"type":"candidate","candidate":null}"#,
                candidate(None, None, None),
            ),
            (
                r#"{"type":"bye","code":"bye","text":"closed"}"#,
                FromPeer::Bye {
                    code: "bye".into(),
                    text: "closed".into(),
                },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                serde_json::from_str::<FromPeer>(text).unwrap(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for text in [
            "",
            "[]",
            "null",
            r#"{"type":"start"}"#,
            r#"{"type":"start","role":"admin"}"#,
            r#"{"type":"description","kind":"offering","sdp":""}"#,
            r#"{"type":"candidate","candidate":5}"#,
            r#"{"type":"candidate","candidate":null,"index":-1}"#,
            r#"{"type":"shutdown"}"#,
        ] {
            assert!(serde_json::from_str::<FromPeer>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_goes_to_pages_keeps_its_form() {
        let cases = [
            (
                ToPeer::Started {
                    session: "s1".into(),
                    polite: true,
                },
                r#"{"type":"started","session":"s1","polite":true}"#,
            ),
            (
                ToPeer::Description {
                    kind: Kind::Offer,
                    sdp: "v=0\r\n".into(),
                },
                r#"{"type":"description","kind":"offer","sdp":"v=0\r\n"}"#,
            ),
            (
                ToPeer::Candidate {
                    candidate: None,
                    mid: Some("0".into()),
                    index: None,
                },
                r#"{"type":"candidate","candidate":null,"mid":"0","index":null}"#,
            ),
            (
                ToPeer::Bye {
                    code: "not-found".into(),
                    text: "nothing".into(),
                },
                r#"{"type":"bye","code":"not-found","text":"nothing"}"#,
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(message.to_json(), expected);
        }
    }
}
