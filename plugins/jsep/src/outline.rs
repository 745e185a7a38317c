// SPDX-License-Identifier: MPL-2.0
//! What applications are shown of a description beside its text.
use rtc_payload::Mid;

/// A candidate of a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedCandidate {
    /// `candidate:…`, as it stands there.
    pub candidate: String,
    /// The mid of its m-line, if that has one.
    pub mid: Option<Mid>,
    /// The index of its m-line.
    pub index: u16,
}

/// The outline of a description that was applied, and so checked, before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The first username fragment; empty if there is none.
    pub ufrag: String,
    /// Whether its maker takes candidates later (`a=ice-options:trickle`).
    pub trickles: bool,
    /// Mid, empty if it has none, and index of the first m-line in use.
    pub line: Option<(String, u16)>,
    /// At most 100.
    pub candidates: Vec<DescribedCandidate>,
}

impl Outline {
    /// Reads a description; what it does not know it passes over.
    pub fn of(sdp: &str) -> Self {
        let mut outline = Self::default();
        for (at, section) in sdp.split("\nm=").enumerate() {
            let in_use = at > 0 && section.split(' ').nth(1) != Some("0");
            let lines = || section.lines().filter_map(|line| line.strip_prefix("a="));
            let mid = lines().find_map(|line| line.strip_prefix("mid:"));
            let index = u16::try_from(at.saturating_sub(1)).unwrap_or(u16::MAX);
            if in_use && outline.line.is_none() {
                outline.line = Some((mid.unwrap_or_default().to_owned(), index));
            }
            for line in lines() {
                outline.read(line, mid, index);
            }
        }
        outline
    }

    fn read(&mut self, line: &str, mid: Option<&str>, index: u16) {
        if let Some(options) = line.strip_prefix("ice-options:") {
            self.trickles |= options.split(' ').any(|option| option == "trickle");
        } else if let Some(ufrag) = line.strip_prefix("ice-ufrag:")
            && self.ufrag.is_empty()
        {
            ufrag.clone_into(&mut self.ufrag);
        } else if line.starts_with("candidate:") && self.candidates.len() < MAX_CANDIDATES {
            self.candidates.push(DescribedCandidate {
                candidate: line.to_owned(),
                mid: mid.map(Mid::from),
                index,
            });
        }
    }
}

/// Puts a candidate of ours, or with `None` their end, into the m-line of that index of a description of
/// ours that is applied already (RFC 9429 §3.5.1); once. Nothing is added above 128 KiB.
pub fn add_candidate(sdp: &mut String, candidate: Option<&str>, index: u16) {
    let line = match candidate {
        Some(candidate) => format!("a={candidate}\r\n"),
        None => "a=end-of-candidates\r\n".to_owned(),
    };
    let starts: Vec<usize> = sdp.match_indices("\r\nm=").map(|(at, _)| at + 2).collect();
    let Some(start) = starts.get(usize::from(index)) else {
        return;
    };
    let end = starts.get(usize::from(index) + 1).copied();
    let end = end.unwrap_or(sdp.len());
    if sdp.len() < MAX_SDP && !sdp[*start..end].contains(&line) {
        sdp.insert_str(end, &line);
    }
}

/// No description grows above this, bytes.
const MAX_SDP: usize = 128 * 1024;
/// The session takes no more of them either.
const MAX_CANDIDATES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_go_to_the_end_of_their_m_line_once() {
        let mut sdp = "v=0\r\nm=audio 9 RTP\r\na=mid:a\r\nm=video 9 RTP\r\na=mid:v\r\n".to_owned();
        for _ in 0..2 {
            add_candidate(&mut sdp, Some("candidate:1"), 0);
            add_candidate(&mut sdp, None, 1);
            add_candidate(&mut sdp, None, 2);
        }
        let expected = "v=0\r\nm=audio 9 RTP\r\na=mid:a\r\na=candidate:1\r\nm=video 9 RTP\r\n\
                        a=mid:v\r\na=end-of-candidates\r\n";
        assert_eq!(sdp, expected);
    }

    #[test]
    fn a_description_is_read_by_m_line() {
        let sdp = "v=0\r\na=ice-options:trickle ice2\r\nm=audio 0 RTP\r\na=mid:a\r\n\
                   m=video 9 RTP\r\na=mid:v\r\na=ice-ufrag:abcd\r\n\
                   a=candidate:1 1 udp 7 10.0.0.1 5 typ host\r\n";
        let outline = Outline::of(sdp);
        assert!(outline.trickles);
        assert_eq!(outline.ufrag, "abcd");
        assert_eq!(outline.line, Some(("v".to_owned(), 1)));
        let candidate = DescribedCandidate {
            candidate: "candidate:1 1 udp 7 10.0.0.1 5 typ host".into(),
            mid: Some("v".into()),
            index: 1,
        };
        assert_eq!(outline.candidates, [candidate]);
    }
}
