// SPDX-License-Identifier: MPL-2.0
//! Taking back an offer (RFC 9429 §5.7, W3C webrtc-pc §4.4.1.4, PC-42).
use crate::negotiator::Pending;
use crate::{JsepError, Negotiator};

impl Negotiator {
    /// Notes which transceiver has which m-line, before an offer changes it.
    pub(crate) fn save(&mut self) {
        self.saved = self
            .transceivers
            .iter()
            .map(|t| (t.id, t.line.clone()))
            .collect();
        self.data.save();
    }

    /// Drops the pending offer. Transceivers get back the m-lines they had; those that exist only because
    /// the peer offered an m-line go, unless a track was added to them since. Wishes stay.
    pub(crate) fn roll_back(&mut self) -> Result<(), JsepError> {
        let (Pending::LocalOffer(_) | Pending::RemoteOffer(_)) = self.pending else {
            return Err(self.wrong_state("a rollback"));
        };
        for transceiver in &mut self.transceivers {
            let saved = self.saved.iter().find(|(id, _)| *id == transceiver.id);
            transceiver.line = saved.and_then(|(_, line)| line.clone());
            transceiver.stopping = false;
        }
        self.transceivers
            .retain(|t| t.line.is_some() || !t.by_offer || t.by_track);
        for transceiver in &mut self.transceivers {
            transceiver.by_offer = false;
        }
        self.transceivers.retain(|t| t.is_of_use());
        self.data.restore();
        self.saved.clear();
        self.pending = Pending::None;
        Ok(())
    }
}
