// SPDX-License-Identifier: MPL-2.0
//! Header extensions (RFC 8285): the ones we know, their URIs and our favourite ids.
use crate::NegotiatedExtensions;
use rtc_payload::MediaKind;

/// One known extension.
struct Row {
    uri: &'static str,
    /// The id we take if it is free: Chromium's.
    id: u8,
    /// Whether our own offers name it, by kind.
    audio: bool,
    video: bool,
    slot: fn(&mut NegotiatedExtensions) -> &mut Option<u8>,
}

/// `rid` and `repaired-rid` are answered but not offered: our offers ask for no simulcast.
const TABLE: [Row; 7] = [
    Row {
        uri: "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        id: 1,
        audio: true,
        video: false,
        slot: |ids| &mut ids.audio_level,
    },
    Row {
        uri: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        id: 2,
        audio: true,
        video: true,
        slot: |ids| &mut ids.abs_send_time,
    },
    Row {
        uri: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        id: 3,
        audio: true,
        video: true,
        slot: |ids| &mut ids.transport_cc,
    },
    Row {
        uri: "urn:ietf:params:rtp-hdrext:sdes:mid",
        id: 4,
        audio: true,
        video: true,
        slot: |ids| &mut ids.mid,
    },
    Row {
        uri: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        id: 5,
        audio: false,
        video: true,
        slot: |ids| &mut ids.playout_delay,
    },
    Row {
        uri: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        id: 10,
        audio: false,
        video: false,
        slot: |ids| &mut ids.rid,
    },
    Row {
        uri: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
        id: 11,
        audio: false,
        video: false,
        slot: |ids| &mut ids.repaired_rid,
    },
];

impl NegotiatedExtensions {
    /// Notes the id of a URI; unknown URIs are let go.
    pub(crate) fn set(&mut self, uri: &str, id: u8) {
        if let Some(row) = TABLE.iter().find(|row| row.uri == uri) {
            *(row.slot)(self) = Some(id);
        }
    }

    /// URI and id of each, in the table's order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static str, u8)> {
        let mut copy = self.clone();
        TABLE
            .iter()
            .filter_map(move |row| (row.slot)(&mut copy).map(|id| (row.uri, id)))
    }

    /// Those of `self` that `other` names too, with `self`'s ids.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let (mut ours, mut theirs) = (self.clone(), other.clone());
        for row in &TABLE {
            if (row.slot)(&mut theirs).is_none() {
                *(row.slot)(&mut ours) = None;
            }
        }
        ours
    }
}

/// Ids already given away in a BUNDLE group, where one id means one URI (RFC 9143 §9.2).
#[derive(Debug, Default)]
pub(crate) struct ExtensionPool {
    known: NegotiatedExtensions,
    taken: u16,
}

impl ExtensionPool {
    /// Notes the ids of a section in use.
    pub(crate) fn note(&mut self, known: &NegotiatedExtensions, taken: u16) {
        for (uri, id) in known.entries() {
            self.known.set(uri, id);
        }
        self.taken |= taken;
    }

    /// The extensions of an offered m-line, with ids kept or newly chosen.
    pub(crate) fn offer(&mut self, kind: MediaKind) -> NegotiatedExtensions {
        let mut ids = NegotiatedExtensions::default();
        for row in &TABLE {
            let wanted = match kind {
                MediaKind::Audio => row.audio,
                MediaKind::Video => row.video,
            };
            if wanted {
                *(row.slot)(&mut ids) = self.id_of(row);
            }
        }
        ids
    }

    fn id_of(&mut self, row: &Row) -> Option<u8> {
        let known = *(row.slot)(&mut self.known);
        let id = known.or_else(|| {
            [row.id]
                .into_iter()
                .chain(EXTENSION_IDS)
                .find(|id| self.taken & mask(*id) == 0)
        })?;
        *(row.slot)(&mut self.known) = Some(id);
        self.taken |= mask(id);
        Some(id)
    }
}

/// The bit of an id in a set of ids; none for ids that one-byte headers lack.
pub(crate) fn mask(id: u8) -> u16 {
    match EXTENSION_IDS.contains(&id) {
        true => 1 << id,
        false => 0,
    }
}

/// RFC 8285 §4.2: ids of one-byte headers.
pub(crate) const EXTENSION_IDS: std::ops::RangeInclusive<u8> = 1..=14;
