// SPDX-License-Identifier: MPL-2.0
//! The one m-line of data channels (RFC 8841): offered once wanted, accepted from any peer.
use crate::description::{DATA, DATA_FORMAT, DATA_PROFILE, Description, Section};
use crate::negotiator::Agreed;
use crate::transceiver::Line;
use crate::{JsepError, LocalTransport, NegotiatedData, Negotiator, Setup};

/// The largest message we take, bytes, as our descriptions say it. What browsers send is bounded by
/// themselves too: Chromium by 256 KiB, Firefox by 1 GiB.
pub const MAX_MESSAGE_SIZE: u64 = 4 * 1024 * 1024;
/// Our SCTP port, and the one of peers that name none (RFC 8841 §5.2).
const SCTP_PORT: u16 = 5000;
/// The largest message of peers that say nothing about it, bytes (RFC 8841 §6.1).
const DEFAULT_MAX_MESSAGE_SIZE: u64 = 65536;

/// What is wanted of data channels, and the m-line they have.
#[derive(Clone, Debug, Default)]
pub(crate) struct DataLine {
    /// A data channel exists and no peer refused it.
    pub(crate) wanted: bool,
    pub(crate) line: Option<Line>,
    /// The line before the pending offer.
    saved: Option<Line>,
}

impl DataLine {
    pub(crate) fn at(&self, index: usize) -> Option<&Line> {
        self.line.as_ref().filter(|line| line.index == index)
    }

    /// An m-line is wanted and there is none.
    pub(crate) fn is_missing(&self) -> bool {
        self.wanted && self.line.is_none()
    }

    /// The peer, or we, rejected the m-line. It is not offered again by itself.
    pub(crate) fn refuse(&mut self) {
        self.line = None;
        self.wanted = false;
    }

    pub(crate) fn save(&mut self) {
        self.saved.clone_from(&self.line);
    }

    pub(crate) fn restore(&mut self) {
        self.line = self.saved.take();
    }
}

impl Negotiator {
    /// Whether an offered m-line is that of data channels, which it becomes if there is none yet.
    pub(crate) fn associate_data(
        &mut self,
        index: usize,
        section: &Section,
        offer: &Description,
    ) -> Result<bool, JsepError> {
        let invalid = |text: String| Err(JsepError::Invalid(text));
        if let Some(line) = self.data.at(index) {
            if section.mid.as_ref().is_some_and(|mid| *mid != line.mid) {
                return invalid(format!("the mid of m-line {index} changed while in use"));
            }
            if section.media != DATA {
                return invalid(format!("the kind of m-line {index} changed while in use"));
            }
            return Ok(true);
        }
        let free = self.at(index).is_none() && self.data.line.is_none();
        if !free || !section.is_data() || section.is_rejected() {
            return Ok(false);
        }
        let mut lines = self.transceivers.iter().filter_map(|t| t.line.as_ref());
        if lines.any(|line| Some(&line.mid) == section.mid.as_ref()) {
            return invalid(format!("m-line {index} has the mid of another"));
        }
        let mid = section.mid.clone();
        let mid = mid.unwrap_or_else(|| self.new_mid(&offer.sections));
        self.data.line = Some(Line { mid, index });
        Ok(true)
    }

    pub(crate) fn offered_data(&self, line: &Line, local: &LocalTransport) -> Section {
        let before = self.agreed.as_ref();
        let before = before.and_then(|agreed| agreed.remote.sections.get(line.index));
        // A profile once agreed on is kept, as that of media.
        let proto = before.filter(|section| section.is_data() && !section.is_rejected());
        let proto = proto.map_or(DATA_PROFILE, |section| section.proto.as_str());
        let mut section = data_section(proto, local, Setup::ActPass);
        section.mid = Some(line.mid.clone());
        section
    }

    /// What an agreement says of data channels.
    pub(crate) fn agreed_data(&self, agreed: &Agreed) -> Option<NegotiatedData> {
        let line = self.data.line.as_ref()?;
        let local = agreed.local.sections.get(line.index)?;
        let remote = agreed.remote.sections.get(line.index)?;
        let in_use = local.is_data()
            && remote.is_data()
            && !local.is_rejected()
            && !remote.is_rejected()
            && local.mid.as_ref().is_none_or(|mid| *mid == line.mid);
        in_use.then(|| NegotiatedData {
            mid: line.mid.clone(),
            index: u16::try_from(line.index).unwrap_or(u16::MAX),
            local_port: SCTP_PORT,
            remote_port: remote.sctp_port.unwrap_or(SCTP_PORT),
            max_message_size: remote.max_message_size.unwrap_or(DEFAULT_MAX_MESSAGE_SIZE),
        })
    }
}

/// Our answer to an offered m-line of data channels.
pub(crate) fn answered_data(offered: &Section, local: &LocalTransport, setup: Setup) -> Section {
    let mut section = data_section(&offered.proto, local, setup);
    section.mid.clone_from(&offered.mid);
    section
}

fn data_section(proto: &str, local: &LocalTransport, setup: Setup) -> Section {
    let mut section = Section::new(DATA, proto);
    section.formats = vec![DATA_FORMAT.to_owned()];
    section.sctp_port = Some(SCTP_PORT);
    section.max_message_size = Some(MAX_MESSAGE_SIZE);
    section.carry(local, setup);
    section
}
