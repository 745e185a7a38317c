// SPDX-License-Identifier: MPL-2.0
//! The six descriptions of a peer connection (W3C webrtc-pc §4.4.2).
use rtc_session::{DescriptionKind, add_candidate};

/// A description: what it is, and its text.
pub(crate) type Described = (DescriptionKind, String);

/// Both sides' descriptions.
#[derive(Debug, Default)]
pub(crate) struct Descriptions {
    pub(super) local: Side,
    pub(super) remote: Side,
}

/// One side's.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) current: Option<Described>,
    pub(super) pending: Option<Described>,
}

impl Side {
    /// W3C's `localDescription`, `remoteDescription`: the pending one, else the current one.
    pub(super) fn newest(&self) -> Option<&Described> {
        self.pending.as_ref().or(self.current.as_ref())
    }
}

impl Descriptions {
    /// A description of ours was applied.
    pub(crate) fn set_local(&mut self, kind: DescriptionKind, sdp: &str) {
        apply(&mut self.local, &mut self.remote, kind, sdp);
    }

    /// A description of the peer was applied.
    pub(crate) fn set_remote(&mut self, kind: DescriptionKind, sdp: &str) {
        apply(&mut self.remote, &mut self.local, kind, sdp);
    }

    /// The offer under way was taken back.
    pub(crate) fn roll_back(&mut self) {
        self.local.pending = None;
        self.remote.pending = None;
    }

    /// A candidate of ours was found since: it belongs to our description (JSEP §3.5.1).
    pub(crate) fn add_local_candidate(&mut self, candidate: Option<&str>, index: u16) {
        let side = &mut self.local;
        if let Some((_, sdp)) = side.pending.as_mut().or(side.current.as_mut()) {
            add_candidate(sdp, candidate, index);
        }
    }
}

fn apply(own: &mut Side, other: &mut Side, kind: DescriptionKind, sdp: &str) {
    let described = (kind, sdp.to_owned());
    if kind != DescriptionKind::Answer {
        own.pending = Some(described);
        return;
    }
    own.current = Some(described);
    own.pending = None;
    if let Some(offer) = other.pending.take() {
        other.current = Some(offer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DescriptionKind::{Answer, Offer, Pranswer};

    fn texts(side: &Side) -> [Option<&str>; 2] {
        [&side.current, &side.pending].map(|d| d.as_ref().map(|(_, sdp)| sdp.as_str()))
    }

    #[test]
    fn an_answer_makes_both_current() {
        let mut all = Descriptions::default();
        all.set_local(Offer, "o");
        all.set_remote(Pranswer, "p");
        assert_eq!(texts(&all.local), [None, Some("o")]);
        assert_eq!(texts(&all.remote), [None, Some("p")]);
        all.set_remote(Answer, "a");
        assert_eq!(texts(&all.local), [Some("o"), None]);
        assert_eq!(texts(&all.remote), [Some("a"), None]);
        all.set_remote(Offer, "o2");
        all.roll_back();
        assert_eq!(texts(&all.remote), [Some("a"), None]);
    }

    #[test]
    fn a_candidate_goes_to_its_m_line_once() {
        let mut all = Descriptions::default();
        all.set_local(
            Offer,
            "v=0\r\nm=audio 9\r\na=mid:0\r\nm=video 9\r\na=mid:1\r\n",
        );
        for _ in 0..2 {
            all.add_local_candidate(Some("candidate:1"), 0);
        }
        all.add_local_candidate(None, 1);
        all.add_local_candidate(None, 7);
        let expected = "v=0\r\nm=audio 9\r\na=mid:0\r\na=candidate:1\r\nm=video 9\r\na=mid:1\r\n\
                        a=end-of-candidates\r\n";
        assert_eq!(texts(&all.local)[1], Some(expected));
    }
}
