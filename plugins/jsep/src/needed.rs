// SPDX-License-Identifier: MPL-2.0
//! Whether a negotiation is needed (W3C webrtc-pc §4.7.3, PC-31).
use crate::negotiator::{Agreed, Pending};
use crate::transceiver::Transceiver;
use crate::{Direction, Negotiator};

impl Negotiator {
    pub(crate) fn is_needed(&self) -> bool {
        matches!(self.pending, Pending::None)
            && (self.data.is_missing()
                || self
                    .transceivers
                    .iter()
                    .any(|transceiver| self.differs(transceiver)))
    }

    fn differs(&self, transceiver: &Transceiver) -> bool {
        if transceiver.stopped {
            return transceiver.line.is_some();
        }
        let able = self.able(transceiver);
        let (Some(line), Some(agreed)) = (&transceiver.line, &self.agreed) else {
            return able != Direction::Inactive;
        };
        let sections = (
            agreed.local.sections.get(line.index),
            agreed.remote.sections.get(line.index),
        );
        let (Some(local), Some(remote)) = sections else {
            return true;
        };
        let streams_differ = able.sends() && local.streams != transceiver.streams();
        let differs = match agreed.local_is_answer {
            true => {
                // What we would answer now; a lack of common codecs is no reason to ask again.
                let verdict = self.judge_section(line.index, remote);
                let now = verdict.map_or(local.direction, |accepted| accepted.direction);
                streams_differ || local.direction != now
            }
            false => {
                streams_differ || (local.direction != able && remote.direction.reversed() != able)
            }
        };
        differs || self.codecs_differ(transceiver, agreed, line.index)
    }

    /// The input's codecs changed since, and none of those agreed on is among them.
    fn codecs_differ(&self, transceiver: &Transceiver, agreed: &Agreed, index: usize) -> bool {
        transceiver.able().sends()
            && transceiver.negotiated_codecs.as_ref() != Some(&transceiver.codecs)
            && !self.has_send_codec(agreed, index)
    }
}
