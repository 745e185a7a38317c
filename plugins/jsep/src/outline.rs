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

/// The session takes no more of them either.
const MAX_CANDIDATES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

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
