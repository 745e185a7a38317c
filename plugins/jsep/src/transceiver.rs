// SPDX-License-Identifier: MPL-2.0
//! A transceiver as JSEP sees it (RFC 9429 §3.4): wishes, and the m-line it is associated with.
use crate::{CodecOffer, Direction, TransceiverInit};
use rtc_payload::{MediaKind, Mid, Ssrc, TrackId};

#[derive(Clone, Debug)]
pub(crate) struct Transceiver {
    /// Unique in its negotiator, for rollback.
    pub(crate) id: u64,
    pub(crate) kind: MediaKind,
    /// The direction to negotiate for.
    pub(crate) wanted: Direction,
    pub(crate) track: Option<TrackId>,
    /// What the track can be sent as.
    pub(crate) codecs: Vec<CodecOffer>,
    /// MediaStream id or empty.
    pub(crate) stream: String,
    pub(crate) ssrc: Ssrc,
    pub(crate) rtx_ssrc: Ssrc,
    /// The m-line it is associated with.
    pub(crate) line: Option<Line>,
    /// Made or taken by addTrack: may be taken for an m-line the peer offers, and outlives a rollback
    /// of it (RFC 9429 §5.10, §5.7).
    pub(crate) by_track: bool,
    /// Made for an m-line the peer offers.
    pub(crate) by_offer: bool,
    /// The peer's offer stops it; gone with our answer.
    pub(crate) stopping: bool,
    /// The application stopped it: its m-line is to be switched off.
    pub(crate) stopped: bool,
    /// The peer has sent on its m-line.
    pub(crate) peer_sent: bool,
    /// What the sender was negotiated for: a change of codecs since may need a new negotiation.
    pub(crate) negotiated_codecs: Option<Vec<CodecOffer>>,
}

/// Association with an m-line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Ours where the peer gave none.
    pub(crate) mid: Mid,
    pub(crate) index: usize,
}

impl Transceiver {
    pub(crate) fn new(id: u64, init: TransceiverInit, ssrc: Ssrc, rtx_ssrc: Ssrc) -> Self {
        let by_track = init.track.is_some();
        Self {
            id,
            kind: init.kind,
            wanted: init.direction,
            track: init.track,
            codecs: init.codecs,
            stream: init.stream,
            ssrc,
            rtx_ssrc,
            line: None,
            by_track,
            by_offer: false,
            stopping: false,
            stopped: false,
            peer_sent: false,
            negotiated_codecs: None,
        }
    }

    /// Gives it a track to send (W3C addTrack).
    pub(crate) fn take_track(&mut self, init: TransceiverInit) {
        self.wanted = Direction::new(
            init.direction.sends(),
            init.direction.receives() || self.wanted.receives(),
        );
        self.track = init.track;
        self.codecs = init.codecs;
        self.stream = init.stream;
        self.by_track = true;
    }

    /// Takes its track away (W3C removeTrack).
    pub(crate) fn drop_track(&mut self) {
        self.track = None;
        self.codecs.clear();
        self.stream.clear();
        self.wanted = Direction::new(false, self.wanted.receives());
    }

    /// Whether it stands for an m-line or wants one.
    pub(crate) fn is_of_use(&self) -> bool {
        self.line.is_some() || self.able() != Direction::Inactive
    }

    /// `a=msid` identifiers when it sends (RFC 8830 §2: `-` for no stream).
    pub(crate) fn streams(&self) -> Vec<String> {
        let usable = !self.stream.is_empty() && self.stream.bytes().all(|b| b.is_ascii_graphic());
        match usable {
            true => vec![self.stream.clone()],
            false => vec!["-".to_owned()],
        }
    }

    /// The direction it can go in now: without a track nothing is sent.
    pub(crate) fn able(&self) -> Direction {
        Direction::new(
            self.wanted.sends() && self.track.is_some(),
            self.wanted.receives(),
        )
    }
}
