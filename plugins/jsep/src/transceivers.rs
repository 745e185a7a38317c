// SPDX-License-Identifier: MPL-2.0
//! Transceivers as an application sees and steers them (W3C webrtc-pc §5.4).
use crate::description::Description;
use crate::negotiator::{Agreed, Pending};
use crate::transceiver::Transceiver;
use crate::{Direction, JsepError, Negotiator};
use rtc_payload::{MediaKind, Mid, TrackId};

/// A transceiver as an application sees it (W3C webrtc-pc §5.4 RTCRtpTransceiver).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransceiverState {
    /// Unique in its negotiator, for life.
    pub id: u64,
    /// Audio or video.
    pub kind: MediaKind,
    /// Its m-line's mid; `None` while it has no m-line.
    pub mid: Option<Mid>,
    /// The direction to negotiate for.
    pub direction: Direction,
    /// What the last answer made of it; `None` before.
    pub current_direction: Option<Direction>,
    /// What the peer's last description lets it do, as we see it: by this W3C fires `track`.
    pub offered_direction: Option<Direction>,
    /// The input that feeds its sender.
    pub track: Option<TrackId>,
    /// MediaStream id of what it sends; may be empty.
    pub stream: String,
    /// MediaStream ids of what the peer sends on it.
    pub remote_streams: Vec<String>,
}

impl Negotiator {
    /// The transceivers that are not stopped, in the order they were made.
    pub fn transceivers(&self) -> Vec<TransceiverState> {
        let mut list: Vec<_> = self.transceivers.iter().collect();
        list.sort_by_key(|transceiver| transceiver.id);
        list.into_iter()
            .filter(|transceiver| !transceiver.stopped)
            .map(|transceiver| self.seen(transceiver))
            .collect()
    }

    /// Changes the direction to negotiate for (W3C RTCRtpTransceiver.direction).
    pub fn set_direction(&mut self, id: u64, direction: Direction) -> Result<(), JsepError> {
        self.by_id(id)?.wanted = direction;
        Ok(())
    }

    /// Stops a transceiver for good (W3C RTCRtpTransceiver.stop); its m-line is switched off by the next
    /// negotiation.
    pub fn stop(&mut self, id: u64) -> Result<(), JsepError> {
        let transceiver = self.by_id(id)?;
        transceiver.stopped = true;
        transceiver.drop_track();
        transceiver.wanted = Direction::Inactive;
        self.transceivers.retain(|t| !t.stopped || t.line.is_some());
        Ok(())
    }

    /// Whether the peer's description has an m-line, by its mid or, without one, its index; `None` if it
    /// has given no description (PC-25, PC-26).
    pub fn remote_line(&self, mid: Option<&Mid>, index: Option<u16>) -> Option<bool> {
        let known = |remote: &Description| match (mid, index) {
            (Some(mid), _) => {
                let sections = remote.sections.iter().enumerate();
                let mut mids = sections.map(|(at, section)| {
                    section
                        .mid
                        .clone()
                        .or_else(|| self.mid_at(at, &remote.sections))
                });
                mids.any(|other| other.as_ref() == Some(mid))
            }
            (None, Some(index)) => usize::from(index) < remote.sections.len(),
            (None, None) => true,
        };
        let found: Vec<bool> = self.remotes().map(known).collect();
        (!found.is_empty()).then(|| found.contains(&true))
    }

    /// Whether a username fragment stands in a description of the peer.
    pub fn has_remote_ufrag(&self, ufrag: &str) -> bool {
        let sections = self.remotes().flat_map(|remote| &remote.sections);
        let mut fragments = sections.filter_map(|section| section.ice.as_ref());
        fragments.any(|ice| ice.ufrag == ufrag)
    }

    /// The peer's descriptions, pending and current.
    fn remotes(&self) -> impl Iterator<Item = &Description> {
        let pending = match &self.pending {
            Pending::RemoteOffer(offer) => Some(offer),
            Pending::RemotePranswer(agreed) | Pending::LocalPranswer(agreed) => {
                Some(&agreed.remote)
            }
            Pending::None | Pending::LocalOffer(_) => None,
        };
        let current = self.agreed.as_ref().map(|agreed| &agreed.remote);
        pending.into_iter().chain(current)
    }

    fn by_id(&mut self, id: u64) -> Result<&mut Transceiver, JsepError> {
        self.transceivers
            .iter_mut()
            .find(|transceiver| transceiver.id == id && !transceiver.stopped)
            .ok_or(JsepError::Stopped)
    }

    fn seen(&self, transceiver: &Transceiver) -> TransceiverState {
        let line = transceiver.line.as_ref();
        let decided = match &self.pending {
            Pending::RemotePranswer(agreed) | Pending::LocalPranswer(agreed) => Some(agreed),
            _ => self.agreed.as_ref(),
        };
        let of = |agreed: &Agreed| {
            let line = line?;
            let local = agreed.local.sections.get(line.index)?;
            let remote = agreed.remote.sections.get(line.index)?;
            let same = local.mid.as_ref().is_none_or(|mid| *mid == line.mid);
            let used = same && !local.is_rejected() && !remote.is_rejected();
            used.then(|| local.direction.and(remote.direction.reversed()))
        };
        let remote = match &self.pending {
            Pending::RemoteOffer(offer) => Some(offer),
            _ => decided.map(|agreed| &agreed.remote),
        };
        let section = remote
            .zip(line)
            .and_then(|(remote, line)| remote.sections.get(line.index))
            .filter(|section| !section.is_rejected());
        TransceiverState {
            id: transceiver.id,
            kind: transceiver.kind,
            mid: line.map(|line| line.mid.clone()),
            direction: transceiver.wanted,
            current_direction: decided.and_then(of),
            offered_direction: section.map(|section| section.direction.reversed()),
            track: transceiver.track,
            stream: transceiver.stream.clone(),
            remote_streams: section.map_or_else(Vec::new, |section| {
                let named = section.streams.iter().filter(|stream| *stream != "-");
                named.cloned().collect()
            }),
        }
    }
}
