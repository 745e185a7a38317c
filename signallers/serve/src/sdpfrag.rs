// SPDX-License-Identifier: MPL-2.0
//! Trickle ICE SDP fragments (RFC 8840 §9) as WHIP and WHEP clients PATCH them (RFC 9725 §4.3.2).

/// Candidates taken from one fragment at most; ICE pairs no more than a hundred.
const MAX_CANDIDATES: usize = 100;

/// A candidate, or the end of candidates, with its m-line's mid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// `candidate:…`; `None` for the end.
    pub(crate) candidate: Option<String>,
    pub(crate) mid: Option<String>,
}

/// What a fragment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// The ICE user name fragment, if given.
    pub(crate) ufrag: Option<String>,
    pub(crate) lines: Vec<Line>,
}

/// Reads a fragment; `None` if no line of it is one of SDP.
pub(crate) fn parse(text: &str) -> Option<Fragment> {
    let mut fragment = Fragment::default();
    let mut mid = None;
    let mut understood = false;
    for line in text.lines().map(str::trim_end) {
        understood |= line.starts_with("a=") || line.starts_with("m=");
        if line.starts_with("m=") {
            mid = None;
        } else if let Some(value) = line.strip_prefix("a=mid:") {
            mid = Some(value.to_owned());
        } else if let Some(value) = line.strip_prefix("a=ice-ufrag:") {
            fragment.ufrag.get_or_insert_with(|| value.to_owned());
        } else if line == "a=end-of-candidates" {
            fragment.push(None, mid.clone());
        } else if let Some(candidate) = line
            .strip_prefix("a=")
            .filter(|a| a.starts_with("candidate:"))
        {
            fragment.push(Some(candidate.to_owned()), mid.clone());
        }
    }
    understood.then_some(fragment)
}

/// The first ICE user name fragment of a whole description.
pub(crate) fn ufrag_of(sdp: &str) -> Option<&str> {
    sdp.lines()
        .find_map(|line| line.trim_end().strip_prefix("a=ice-ufrag:"))
}

impl Fragment {
    fn push(&mut self, candidate: Option<String>, mid: Option<String>) {
        if self.lines.len() < MAX_CANDIDATES {
            self.lines.push(Line { candidate, mid });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfc_s_example_is_read() {
        let text = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host\r\na=end-of-candidates\r\n";
        let fragment = parse(text).unwrap();
        assert_eq!(fragment.ufrag.as_deref(), Some("EsAw"));
        assert_eq!(fragment.lines.len(), 3);
        assert!(
            fragment
                .lines
                .iter()
                .all(|line| line.mid.as_deref() == Some("0"))
        );
        assert_eq!(
            fragment.lines[0].candidate.as_deref(),
            Some("candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host")
        );
        assert_eq!(fragment.lines[2].candidate, None);
    }

    #[test]
    fn what_is_no_fragment_is_refused_and_a_flood_is_cut() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("{\"candidate\":1}"), None);
        let flood = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\n".repeat(5000);
        assert_eq!(parse(&flood).unwrap().lines.len(), MAX_CANDIDATES);
    }

    #[test]
    fn a_description_s_user_name_is_found() {
        assert_eq!(
            ufrag_of("v=0\r\na=ice-ufrag:abcd\r\na=ice-ufrag:efgh\r\n"),
            Some("abcd")
        );
        assert_eq!(ufrag_of("v=0\r\n"), None);
    }
}
