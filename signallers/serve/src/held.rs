// SPDX-License-Identifier: MPL-2.0
//! An answer for HTTP that waits for its candidates: servers do not trickle (RFC 9725 §4.3.2), so
//! those of STUN and TURN servers must be in it.
use std::time::Duration;

/// An answer waits for a server that may never reply until the second tick.
pub(crate) const TICK: Duration = Duration::from_secs(1);
const TICKS: u8 = 2;

/// Candidates put into one answer.
const MAX_CANDIDATES: usize = 100;

/// An answer that is not complete yet.
#[derive(Debug)]
pub(crate) struct Held {
    sdp: String,
    added: usize,
    ticks: u8,
}

impl Held {
    /// The answer, if candidates are still to come; else it is given back.
    pub(crate) fn new(sdp: &str) -> Option<Self> {
        let trickles = |line: &str| {
            line.strip_prefix("a=ice-options:")
                .is_some_and(|options| options.split(' ').any(|option| option == "trickle"))
        };
        let waits = sdp.lines().any(trickles) && !sdp.contains("a=end-of-candidates");
        waits.then(|| Self {
            sdp: sdp.to_owned(),
            added: 0,
            ticks: 0,
        })
    }

    /// Puts a candidate at the end of its m-line's section, of the first one if it names none.
    pub(crate) fn add(&mut self, candidate: &str, mid: Option<&str>) {
        let is_line = !candidate.is_empty() && !candidate.contains(['\r', '\n']);
        if is_line && self.added < MAX_CANDIDATES {
            self.added += 1;
            self.insert(&format!("a={candidate}\r\n"), mid);
        }
    }

    /// A second passed; whether it has waited long enough.
    pub(crate) fn tick(&mut self) -> bool {
        self.ticks = self.ticks.saturating_add(1);
        self.ticks >= TICKS
    }

    /// The answer; `complete` says that no candidate will follow.
    pub(crate) fn finish(mut self, complete: bool) -> String {
        if complete {
            self.insert("a=end-of-candidates\r\n", None);
        }
        self.sdp
    }

    fn insert(&mut self, line: &str, mid: Option<&str>) {
        let starts: Vec<usize> = self
            .sdp
            .match_indices("\nm=")
            .map(|(at, _)| at + 1)
            .collect();
        let ends = starts.iter().skip(1).copied().chain([self.sdp.len()]);
        let mut sections = starts.iter().copied().zip(ends);
        let wanted = mid.map(|mid| format!("a=mid:{mid}"));
        let has_mid = |section: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| section.lines().any(|line| line == wanted))
        };
        if let Some((_, end)) = sections.find(|(from, to)| has_mid(&self.sdp[*from..*to])) {
            self.sdp.insert_str(end, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\na=ice-options:ice2 trickle\r\nm=audio 9 X 0\r\na=mid:0\r\n\
                          m=video 9 X 0\r\na=mid:1\r\n";

    #[test]
    fn candidates_go_to_the_end_of_their_section() {
        let mut held = Held::new(ANSWER).unwrap();
        held.add("candidate:1", Some("0"));
        held.add("candidate:2", Some("1"));
        held.add("candidate:3", None);
        held.add("candidate:4", Some("nosuch"));
        held.add("candidate:5\r\na=evil", None);
        let expected = "v=0\r\na=ice-options:ice2 trickle\r\nm=audio 9 X 0\r\na=mid:0\r\n\
                        a=candidate:1\r\na=candidate:3\r\na=end-of-candidates\r\n\
                        m=video 9 X 0\r\na=mid:1\r\na=candidate:2\r\n";
        assert_eq!(held.finish(true), expected);
    }

    #[test]
    fn a_complete_answer_and_one_without_trickle_are_not_held() {
        assert!(Held::new(&format!("{ANSWER}a=end-of-candidates\r\n")).is_none());
        assert!(Held::new("v=0\r\nm=audio 9 X 0\r\n").is_none());
        assert!(Held::new("a").is_none());
    }
}
