// SPDX-License-Identifier: MPL-2.0
//! Our answers (RFC 9429 §5.3): first a verdict on each m-line offered, then the text.
use crate::capability::{Capability, capabilities, common, feedback, names};
use crate::data::answered_data;
use crate::description::{Description, Format, Section};
use crate::fmtp::{Variant, value};
use crate::negotiator::{Agreed, Pending};
use crate::offer::{add_candidates, rtx_format};
use crate::tones;
use crate::transceiver::Transceiver;
use crate::{Direction, JsepError, LocalTransport, Negotiator, Setup};
use rtc_payload::Mid;

/// How an offered m-line is answered.
pub(crate) struct Accepted {
    pub(crate) direction: Direction,
    /// In our order.
    formats: Vec<Format>,
}

impl Accepted {
    fn data() -> Self {
        Self {
            direction: Direction::SendRecv,
            formats: Vec::new(),
        }
    }
}

impl Negotiator {
    pub(crate) fn answer(
        &mut self,
        local: &LocalTransport,
        role: Setup,
    ) -> Result<String, JsepError> {
        let (text, agreed) = self.answered(local, role)?;
        self.settle(agreed);
        Ok(text)
    }

    /// The answer to the offer under way, and what both then agree on.
    pub(crate) fn answered(
        &mut self,
        local: &LocalTransport,
        role: Setup,
    ) -> Result<(String, Agreed), JsepError> {
        let offer = match &self.pending {
            Pending::RemoteOffer(offer) => offer.clone(),
            Pending::LocalPranswer(agreed) => agreed.remote.clone(),
            _ => return Err(self.wrong_state("an answer")),
        };
        let verdicts = self.judge(&offer);
        let setup = self.answer_role(&offer, &verdicts, role)?;
        let mut sections: Vec<Section> = Vec::with_capacity(offer.sections.len());
        for (index, (section, verdict)) in offer.sections.iter().zip(verdicts).enumerate() {
            sections.push(match (verdict, self.at(index)) {
                (Ok(_), None) if self.data.at(index).is_some() => {
                    answered_data(section, local, setup)
                }
                (Ok(accepted), Some(transceiver)) => {
                    let mut answered = answered(section, accepted);
                    self.fill(&mut answered, transceiver, local, setup);
                    answered
                }
                _ => Section::rejected(section),
            });
        }
        add_candidates(&mut sections, local);
        let in_use = sections.iter().filter(|section| section.port != 0);
        let mids: Vec<Mid> = in_use.filter_map(|section| section.mid.clone()).collect();
        let grouped = mids
            .first()
            .is_some_and(|mid| offer.bundle_of(mid).is_some());
        let mut answer = Description {
            bundles: if grouped { vec![mids] } else { Vec::new() },
            trickle: Some(true),
            sections,
            ..Description::default()
        };
        let text = self.write(&mut answer);
        if let Some(carrier) = carrier(&answer) {
            self.role = Some(setup);
            self.remote_ice = offer
                .transport_of(carrier)
                .and_then(|section| section.ice.clone());
        }
        let agreed = Agreed {
            local: answer,
            remote: offer,
            local_is_answer: true,
        };
        Ok((text, agreed))
    }

    /// Whether each m-line of an offer is accepted, or why not. One transport carries all: the first
    /// m-line accepted decides which BUNDLE group that is.
    pub(crate) fn judge(&self, offer: &Description) -> Vec<Result<Accepted, String>> {
        let mut group: Option<&[Mid]> = None;
        let mut carried = false;
        let mut verdicts = Vec::with_capacity(offer.sections.len());
        for (index, section) in offer.sections.iter().enumerate() {
            let mut verdict = self.judge_section(index, section);
            if verdict.is_ok() {
                let mid = section.mid.as_ref();
                if !carried {
                    carried = true;
                    group = mid.and_then(|mid| offer.bundle_of(mid));
                } else if !mid.is_some_and(|mid| group.is_some_and(|group| group.contains(mid))) {
                    verdict = Err(format!("{} is not bundled with the first", section.media));
                }
            }
            verdicts.push(verdict);
        }
        verdicts
    }

    pub(crate) fn judge_section(
        &self,
        index: usize,
        section: &Section,
    ) -> Result<Accepted, String> {
        let media = &section.media;
        if section.is_rejected() {
            return Err(format!("{media} is switched off by the peer"));
        }
        if section.is_data() {
            return match self.data.at(index) {
                Some(_) => Ok(Accepted::data()),
                None => Err("data channels have another m-line".into()),
            };
        }
        let Some(kind) = section.kind() else {
            return Err(format!("{media} over {} is not supported", section.proto));
        };
        let Some(transceiver) = self.at(index).filter(|t| !t.stopped) else {
            return Err(format!("{media} has no transceiver"));
        };
        let wanted = section.direction.reversed().and(self.able(transceiver));
        if section.direction.sends() && wanted == Direction::Inactive && !self.receives(kind) {
            return Err(format!("{media} is not received here"));
        }
        let receives = &self.config.receive_codecs;
        let ours = capabilities(kind, wanted, &transceiver.codecs, receives, true);
        let common = common(&ours, section);
        if common.is_empty() {
            return Err(no_common(&ours, section));
        }
        let (send, receive) = (
            common.iter().any(|entry| entry.ours.send),
            common.iter().any(|entry| entry.ours.receive),
        );
        let known = feedback(kind, self.config.retransmission);
        let mut formats = Vec::new();
        for entry in common {
            let mut format = entry.theirs.clone();
            format.fmtp = answer_fmtp(entry.ours, entry.theirs);
            format.feedback = format.feedback.and(known);
            let (pt, rate) = (format.pt, format.clock_rate);
            formats.push(format);
            if let Some(rtx) = section.rtx_of(pt)
                && self.config.retransmission
            {
                formats.push(rtx_format(rtx.pt, pt, rate));
            }
        }
        formats.extend(tones::answered(section, &formats));
        Ok(Accepted {
            direction: wanted.and(Direction::new(send, receive)),
            formats,
        })
    }

    /// Our DTLS role: the one we have, else what the peer leaves us, else `wish` (RFC 8842 §5.3).
    fn answer_role(
        &self,
        offer: &Description,
        verdicts: &[Result<Accepted, String>],
        wish: Setup,
    ) -> Result<Setup, JsepError> {
        if let Some(role) = self.role {
            return Ok(role);
        }
        let carrier = verdicts.iter().position(Result::is_ok);
        let section = carrier.and_then(|index| offer.transport_of(index));
        match (section.and_then(|section| section.setup), wish) {
            (Some(setup @ (Setup::Active | Setup::Passive)), _) => Ok(setup.opposite()),
            (_, Setup::ActPass) => Err(JsepError::Invalid("an answer is active or passive".into())),
            (_, wish) => Ok(wish),
        }
    }

    /// Takes the transceiver that JSEP takes for a newly offered m-line (RFC 9429 §5.10): one made by
    /// addTrack, of its kind and still free, that the peer would receive; best one with a common codec.
    pub(crate) fn takes(&self, section: &Section) -> Option<usize> {
        let kind = section.kind()?;
        if !section.direction.receives() {
            return None;
        }
        let free = |t: &Transceiver| {
            t.kind == kind && t.by_track && t.track.is_some() && t.line.is_none() && !t.stopping
        };
        let fits = |t: &Transceiver| {
            let ours = capabilities(kind, Direction::SendOnly, &t.codecs, &[], true);
            !common(&ours, section).is_empty()
        };
        let best = self.transceivers.iter().position(|t| free(t) && fits(t));
        best.or_else(|| self.transceivers.iter().position(free))
    }
}

/// The first m-line in use.
pub(crate) fn carrier(description: &Description) -> Option<usize> {
    description
        .sections
        .iter()
        .position(|section| !section.is_rejected())
}

fn answered(offered: &Section, accepted: Accepted) -> Section {
    let mut section = Section::new(&offered.media, &offered.proto);
    section.mid = offered.mid.clone();
    section.direction = accepted.direction;
    section.codecs = accepted.formats;
    section.formats = section
        .codecs
        .iter()
        .map(|format| format.pt.to_string())
        .collect();
    section.extensions = offered.extensions.clone();
    section.extension_ids = offered.extension_ids;
    if offered
        .mid
        .as_ref()
        .is_none_or(|mid| mid.as_str().len() > MAX_MID_EXTENSION)
    {
        section.extensions.mid = None;
    }
    section.rtcp_rsize = offered.rtcp_rsize;
    section
}

/// H.264 parameters that must be symmetric are the peer's (RFC 6184 §8.2.2), the rest is ours.
fn answer_fmtp(ours: &Capability, theirs: &Format) -> String {
    let Variant::H264(_, mode) = ours.key.variant else {
        return ours.fmtp.clone();
    };
    let level = value(&theirs.fmtp, "profile-level-id");
    let level = level
        .or_else(|| value(&ours.fmtp, "profile-level-id"))
        .unwrap_or("42e01f");
    format!("level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={level}")
}

fn no_common(ours: &[Capability], section: &Section) -> String {
    format!(
        "{} has no common codec: the peer offers {}, we have {}",
        section.media,
        names(section.codecs.iter().map(|format| format.name.as_str())),
        names(ours.iter().map(|entry| entry.key.codec.name())),
    )
}

/// RFC 8285 §4.2: what an element with a one-byte header holds.
const MAX_MID_EXTENSION: usize = 16;
