// SPDX-License-Identifier: MPL-2.0
//! Descriptions of the peer applied (RFC 9429 §5.10, §5.11).
use crate::answer::carrier;
use crate::description::{Description, Section};
use crate::negotiator::{Agreed, Pending};
use crate::outcome::matched;
use crate::parse::parse;
use crate::transceiver::Line;
use crate::{
    Direction, JsepError, Negotiator, RemoteApplied, RemoteCandidate, RemoteTransport, Setup,
    TransceiverInit,
};
use rtc_payload::MediaKind;

impl Negotiator {
    /// Offers replace an offer under way, ours or the peer's.
    pub(crate) fn apply_offer(&mut self, sdp: &str) -> Result<RemoteApplied, JsepError> {
        match self.pending {
            Pending::None => (),
            Pending::LocalOffer(_) | Pending::RemoteOffer(_) => self.roll_back()?,
            Pending::RemotePranswer(_) | Pending::LocalPranswer(_) => {
                return Err(self.wrong_state("a remote offer"));
            }
        }
        let offer = parse(sdp)?;
        self.save();
        self.associate(&offer)?;
        let verdicts = self.judge(&offer);
        let accepted: Vec<usize> = (0..verdicts.len())
            .filter(|i| verdicts[*i].is_ok())
            .collect();
        if self.agreed.is_none() && self.is_useless(&offer, &accepted) {
            let reasons: Vec<String> = verdicts.into_iter().filter_map(Result::err).collect();
            return Err(JsepError::NotAcceptable(match reasons.is_empty() {
                true => "there is none".to_owned(),
                false => reasons.join("; "),
            }));
        }
        let transport = self.transport(&offer, &accepted, Setup::ActPass)?;
        if let (Some(transport), Some(role)) = (&transport, self.role)
            && transport.setup == role
        {
            return Err(role_changed());
        }
        let ice_restart = self.is_restart(transport.as_ref());
        self.pending = Pending::RemoteOffer(offer);
        Ok(RemoteApplied {
            transport,
            ice_restart,
        })
    }

    pub(crate) fn apply_answer(
        &mut self,
        sdp: &str,
        last: bool,
    ) -> Result<RemoteApplied, JsepError> {
        let offer = match &self.pending {
            Pending::LocalOffer(offer) => offer.clone(),
            Pending::RemotePranswer(agreed) => agreed.local.clone(),
            _ => return Err(self.wrong_state("a remote answer")),
        };
        let answer = parse(sdp)?;
        check_answer(&offer, &answer)?;
        let in_use = |index: &usize| !answer.sections[*index].is_rejected();
        let accepted: Vec<usize> = (0..answer.sections.len()).filter(in_use).collect();
        let transport = self.transport(&answer, &accepted, Setup::Active)?;
        let ice_restart = self.is_restart(transport.as_ref());
        if let Some(transport) = &transport {
            let role = transport.setup.opposite();
            if role == Setup::ActPass {
                return Err(JsepError::Invalid(
                    "an answer's setup is active or passive".into(),
                ));
            }
            if self.role.is_some_and(|before| before != role) {
                return Err(role_changed());
            }
            if ice_restart && !self.restarts(&offer) {
                let text = "the answer restarts ICE though our offer does not";
                return Err(JsepError::Invalid(text.into()));
            }
            self.role = Some(role);
        }
        let agreed = Agreed {
            local: offer,
            remote: answer,
            local_is_answer: false,
        };
        if last {
            if let Some(index) = carrier(&agreed.remote) {
                let section = agreed.remote.transport_of(index);
                self.remote_ice = section.and_then(|section| section.ice.clone());
            }
            self.settle(agreed);
        } else {
            self.pending = Pending::RemotePranswer(agreed);
        }
        Ok(RemoteApplied {
            transport,
            ice_restart,
        })
    }

    /// Nothing of an offer is accepted; or nothing but data channels, where the peer wants media and we
    /// have no data channel of our own: it shall be told why there is no media.
    fn is_useless(&self, offer: &Description, accepted: &[usize]) -> bool {
        let is_media = |section: &Section| !section.is_data() && !section.is_rejected();
        let media_refused = offer.sections.iter().any(is_media)
            && !accepted
                .iter()
                .any(|index| is_media(&offer.sections[*index]));
        accepted.is_empty() || (media_refused && !self.data.wanted)
    }

    /// Associates every offered m-line with a transceiver, made where there is none.
    fn associate(&mut self, offer: &Description) -> Result<(), JsepError> {
        let invalid = |text: String| Err(JsepError::Invalid(text));
        let known = self
            .agreed
            .as_ref()
            .map_or(0, |agreed| agreed.local.sections.len());
        if offer.sections.len() < known {
            return invalid(format!(
                "{known} m-lines were agreed on, none may be left out"
            ));
        }
        for (index, section) in offer.sections.iter().enumerate() {
            if self.associate_data(index, section, offer)? {
                continue;
            }
            let line_is = |line: &Line| line.index == index;
            let of = |t: &crate::transceiver::Transceiver| t.line.as_ref().is_some_and(line_is);
            if let Some(transceiver) = self.transceivers.iter_mut().find(|t| of(t)) {
                let mid = transceiver.line.as_ref().map(|line| &line.mid);
                if section.mid.is_some() && section.mid.as_ref() != mid {
                    return invalid(format!("the mid of m-line {index} changed while in use"));
                }
                if section.media != transceiver.kind.as_str() {
                    return invalid(format!("the kind of m-line {index} changed while in use"));
                }
                transceiver.stopping = section.is_rejected();
                continue;
            }
            let lines = self.transceivers.iter().filter_map(|t| t.line.as_ref());
            let mut lines = lines.chain(&self.data.line);
            if section.mid.is_some() && lines.any(|line| Some(&line.mid) == section.mid.as_ref()) {
                return invalid(format!("m-line {index} has the mid of another"));
            }
            if let Some(kind) = section.kind()
                && !section.is_rejected()
            {
                self.give(index, section, kind, offer);
            }
        }
        Ok(())
    }

    fn give(&mut self, index: usize, section: &Section, kind: MediaKind, offer: &Description) {
        let mid = section
            .mid
            .clone()
            .unwrap_or_else(|| self.new_mid(&offer.sections));
        let line = Some(Line { mid, index });
        if let Some(taken) = self.takes(section) {
            self.transceivers[taken].line = line;
            return;
        }
        let mut transceiver = self.new_transceiver(TransceiverInit {
            kind,
            direction: Direction::RecvOnly,
            track: None,
            codecs: Vec::new(),
            stream: String::new(),
        });
        transceiver.line = line;
        transceiver.by_offer = true;
        self.transceivers.push(transceiver);
    }

    /// The transport of the first accepted m-line, checked.
    fn transport(
        &self,
        description: &Description,
        accepted: &[usize],
        default_setup: Setup,
    ) -> Result<Option<RemoteTransport>, JsepError> {
        let invalid = |text: &str| Err(JsepError::Invalid(text.to_owned()));
        let Some(&index) = accepted.first() else {
            return Ok(None);
        };
        let Some(section) = description.transport_of(index) else {
            return invalid("no ice-ufrag and ice-pwd");
        };
        let Some(ice) = &section.ice else {
            return invalid("no ice-ufrag and ice-pwd");
        };
        if section.fingerprints.is_empty() {
            return invalid("no fingerprint: only DTLS-SRTP is spoken");
        }
        let muxed = |other: &Section| {
            other.is_data()
                || other.rtcp_mux
                || (!other.own_ice && section.rtcp_mux && !std::ptr::eq(other, section))
        };
        if !accepted
            .iter()
            .all(|index| muxed(&description.sections[*index]))
        {
            return invalid("rtcp-mux is required in every m-line");
        }
        let position = description
            .sections
            .iter()
            .position(|other| std::ptr::eq(other, section));
        let carrier = position.unwrap_or(index);
        let mid = self.mid_at(carrier, &description.sections);
        let candidates = section.candidates.iter().filter_map(|candidate| {
            Some(RemoteCandidate {
                candidate: candidate.clone(),
                mid: mid.clone()?,
                index: u16::try_from(carrier).ok()?,
            })
        });
        Ok(Some(RemoteTransport {
            ufrag: ice.ufrag.clone(),
            pwd: ice.pwd.clone(),
            fingerprints: section.fingerprints.clone(),
            setup: section.setup.unwrap_or(default_setup),
            candidates: candidates.collect(),
            end_of_candidates: section.end_of_candidates,
            ice_lite: description.ice_lite,
            trickle: description.trickle,
        }))
    }

    fn is_restart(&self, transport: Option<&RemoteTransport>) -> bool {
        let (Some(transport), Some(before)) = (transport, &self.remote_ice) else {
            return false;
        };
        transport.ufrag != before.ufrag || transport.pwd != before.pwd
    }

    /// Whether our offer brings other ICE credentials than our last description, or nothing used those.
    fn restarts(&self, offer: &Description) -> bool {
        let Some(agreed) = &self.agreed else {
            return true;
        };
        let ice = |description: &Description| {
            let section = description.sections.get(carrier(description)?)?;
            section.ice.clone()
        };
        carrier(&agreed.remote).is_none() || ice(&agreed.local) != ice(offer)
    }
}

/// An answer mirrors the offer m-line by m-line (RFC 3264 §6).
fn check_answer(offer: &Description, answer: &Description) -> Result<(), JsepError> {
    let invalid = |text: String| Err(JsepError::Invalid(text));
    let (ours, theirs) = (offer.sections.len(), answer.sections.len());
    if ours != theirs {
        return invalid(format!("the answer has {theirs} m-lines, the offer {ours}"));
    }
    for (index, (ours, theirs)) in offer.sections.iter().zip(&answer.sections).enumerate() {
        if ours.media != theirs.media {
            return invalid(format!("m-line {index} is {} in the offer", ours.media));
        }
        if theirs.mid.is_some() && theirs.mid != ours.mid {
            return invalid(format!("m-line {index} has another mid in the answer"));
        }
        if theirs.is_rejected() {
            continue;
        }
        if ours.is_rejected() {
            return invalid(format!("m-line {index} is switched off in the offer"));
        }
        if ours.is_data() && theirs.is_data() {
            continue;
        }
        if theirs.kind().is_none() {
            return invalid(format!("m-line {index} is answered with {}", theirs.proto));
        }
        if matched(ours, theirs, false).next().is_none() {
            return invalid(format!(
                "m-line {index} is answered without a codec of the offer"
            ));
        }
    }
    check_bundled(answer)
}

fn check_bundled(answer: &Description) -> Result<(), JsepError> {
    let in_use = || {
        answer
            .sections
            .iter()
            .filter(|section| !section.is_rejected())
    };
    if in_use().count() < 2 {
        return Ok(());
    }
    let group = in_use()
        .next()
        .and_then(|s| s.mid.as_ref())
        .and_then(|mid| answer.bundle_of(mid));
    let inside = |s: &Section| {
        group.is_some_and(|group| s.mid.as_ref().is_some_and(|mid| group.contains(mid)))
    };
    match in_use().all(inside) {
        true => Ok(()),
        false => Err(JsepError::Invalid(
            "the answer does not bundle its m-lines".into(),
        )),
    }
}

fn role_changed() -> JsepError {
    JsepError::Invalid("the DTLS role may not change".into())
}
