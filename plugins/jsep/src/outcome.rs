// SPDX-License-Identifier: MPL-2.0
//! What two descriptions together decide: codecs, numbers and directions, m-line by m-line.
use crate::capability::send_key;
use crate::description::{Feedback, Format, Section};
use crate::fmtp::CodecKey;
use crate::negotiator::{Agreed, Pending};
use crate::tones;
use crate::transceiver::Transceiver;
use crate::{
    Direction, NegotiatedCodec, NegotiatedExtensions, NegotiatedLine, NegotiatedMedia,
    NegotiatedRecv, NegotiatedSend, Negotiator,
};
use rtc_payload::{Codec, Mid, Ssrc};

impl Negotiator {
    pub(crate) fn outcome(&self) -> NegotiatedMedia {
        let mut media = NegotiatedMedia::default();
        let pending = match &self.pending {
            Pending::RemotePranswer(agreed) | Pending::LocalPranswer(agreed) => Some(agreed),
            _ => None,
        };
        let Some(agreed) = pending.or(self.agreed.as_ref()) else {
            return media;
        };
        media.data = self.agreed_data(agreed);
        let sections = agreed.local.sections.iter().zip(&agreed.remote.sections);
        for (index, (local, remote)) in sections.enumerate() {
            if local.is_rejected() || remote.is_rejected() {
                continue;
            }
            let Some((transceiver, line)) = self.line_at(index, agreed, &media) else {
                continue;
            };
            let agreement = Agreement::new(local, remote, agreed.local_is_answer);
            let (send, recv) = (
                agreement.send(transceiver, &line.mid),
                agreement.recv(transceiver, &line.mid, &self.config.receive_codecs),
            );
            media.lines.push(line);
            media.send.extend(send);
            media.recv.push(recv);
        }
        media
    }

    fn line_at(
        &self,
        index: usize,
        agreed: &Agreed,
        media: &NegotiatedMedia,
    ) -> Option<(&Transceiver, NegotiatedLine)> {
        let transceiver = self.at(index)?;
        let remote = agreed.remote.sections.get(index)?;
        let mid = transceiver.line.as_ref()?.mid.clone();
        // An offer under way may have given a dead m-line to another transceiver.
        let local = agreed.local.sections.get(index)?;
        let same = local.mid.as_ref().is_none_or(|agreed| *agreed == mid);
        let new = media.lines.iter().all(|line| line.mid != mid);
        let sends = remote.direction.sends();
        let streams = remote
            .streams
            .iter()
            .filter(|stream| *stream != "-" && sends);
        (same && new).then(|| {
            let line = NegotiatedLine {
                mid,
                index: u16::try_from(index).unwrap_or(u16::MAX),
                kind: transceiver.kind,
                streams: streams.cloned().collect(),
            };
            (transceiver, line)
        })
    }

    /// Whether a codec for the transceiver's track is agreed on.
    pub(crate) fn has_send_codec(&self, agreed: &Agreed, index: usize) -> bool {
        let sections = (
            agreed.local.sections.get(index),
            agreed.remote.sections.get(index),
        );
        let ((Some(local), Some(remote)), Some(transceiver)) = (sections, self.at(index)) else {
            return false;
        };
        let agreement = Agreement::new(local, remote, agreed.local_is_answer);
        agreement.send(transceiver, &Mid::from("")).is_some()
    }
}

/// Formats of an answer with the offer's formats they stand for, in the answer's order: by number, else by
/// variant.
pub(crate) fn matched<'a>(
    local: &'a Section,
    remote: &'a Section,
    local_is_answer: bool,
) -> impl Iterator<Item = (&'a Format, &'a Format)> {
    let (offer, answer) = match local_is_answer {
        true => (remote, local),
        false => (local, remote),
    };
    answer.codecs.iter().filter_map(move |answered| {
        let key = CodecKey::of(answered)?;
        let same_number =
            |format: &&Format| format.pt == answered.pt && format.codec() == Some(key.codec);
        let mut formats = offer.codecs.iter();
        let offered = offer.codecs.iter().find(same_number);
        let offered = offered.or_else(|| formats.find(|f| CodecKey::of(f) == Some(key)))?;
        Some(match local_is_answer {
            true => (answered, offered),
            false => (offered, answered),
        })
    })
}

/// The two sides of one m-line.
struct Agreement<'a> {
    local: &'a Section,
    remote: &'a Section,
    local_is_answer: bool,
    direction: Direction,
    extensions: NegotiatedExtensions,
}

impl<'a> Agreement<'a> {
    fn new(local: &'a Section, remote: &'a Section, local_is_answer: bool) -> Self {
        let extensions = match local_is_answer {
            true => local.extensions.and(&remote.extensions),
            false => remote.extensions.and(&local.extensions),
        };
        Self {
            local,
            remote,
            local_is_answer,
            direction: local.direction.and(remote.direction.reversed()),
            extensions,
        }
    }

    fn matched(&self) -> impl Iterator<Item = (&'a Format, &'a Format)> {
        matched(self.local, self.remote, self.local_is_answer)
    }

    /// The first codec of the answer that the track can be sent as.
    fn send(&self, transceiver: &Transceiver, mid: &Mid) -> Option<NegotiatedSend> {
        let can = |remote: &Format| {
            let theirs = CodecKey::of(remote);
            let offers = &transceiver.codecs;
            offers.is_empty()
                || offers
                    .iter()
                    .filter_map(send_key)
                    .any(|key| theirs.is_some_and(|t| key.plays_as(t)))
        };
        let (local, remote) = self.matched().find(|(_, remote)| can(remote))?;
        let tones = tones::agreed(self.local, self.remote, self.remote, self.remote);
        Some(NegotiatedSend {
            mid: mid.clone(),
            kind: transceiver.kind,
            track: transceiver.track?,
            ssrc: transceiver.ssrc,
            rtx_ssrc: transceiver.rtx_ssrc,
            // RFC 3264 §6.1: what is sent bears the receiver's number.
            codec: self.codec(local, remote, remote, self.remote)?,
            tones: tones::best(&tones, remote.clock_rate),
            extensions: self.extensions.clone(),
            active: self.direction.sends() && transceiver.able().sends(),
        })
    }

    fn recv(&self, transceiver: &Transceiver, mid: &Mid, receives: &[Codec]) -> NegotiatedRecv {
        let known = |local: &Format| local.codec().is_some_and(|codec| receives.contains(&codec));
        let codecs = self
            .matched()
            .filter(|(local, _)| known(local))
            .filter_map(|(local, remote)| self.codec(local, remote, local, self.local))
            .collect();
        NegotiatedRecv {
            mid: mid.clone(),
            kind: transceiver.kind,
            codecs,
            tones: tones::agreed(self.local, self.remote, self.local, self.local),
            ssrcs: sources(self.remote),
            rids: Vec::new(),
            extensions: self.extensions.clone(),
            feedback_ssrc: transceiver.ssrc,
            active: self.direction.receives() && transceiver.able().receives(),
        }
    }

    /// `numbered` and `section` say whose payload types count.
    fn codec(
        &self,
        local: &Format,
        remote: &Format,
        numbered: &Format,
        section: &Section,
    ) -> Option<NegotiatedCodec> {
        let both = self.local.rtx_of(local.pt).is_some() && self.remote.rtx_of(remote.pt).is_some();
        let rtx = section.rtx_of(numbered.pt).filter(|_| both);
        let Feedback {
            nack,
            pli,
            fir,
            transport_cc,
            remb,
        } = local.feedback.and(remote.feedback);
        let fmtp = match remote.fmtp.is_empty() {
            true => &local.fmtp,
            false => &remote.fmtp,
        };
        Some(NegotiatedCodec {
            codec: numbered.codec()?,
            pt: numbered.pt,
            rtx_pt: rtx.map(|format| format.pt),
            fmtp: fmtp.clone(),
            nack,
            pli,
            fir,
            transport_cc: transport_cc && self.extensions.transport_cc.is_some(),
            remb,
        })
    }
}

/// The peer's media SSRCs with those of their retransmissions. Some peers (FFmpeg) group without
/// `a=ssrc` lines.
fn sources(remote: &Section) -> Vec<(Ssrc, Option<Ssrc>)> {
    let rtx = |ssrc: &Ssrc| {
        remote
            .fid
            .iter()
            .find(|(media, _)| media == ssrc)
            .map(|(_, rtx)| *rtx)
    };
    let is_rtx = |ssrc: &Ssrc| remote.fid.iter().any(|(_, rtx)| rtx == ssrc);
    let mut list: Vec<(Ssrc, Option<Ssrc>)> = Vec::new();
    let grouped = remote.fid.iter().map(|(media, _)| media);
    for ssrc in remote.ssrcs.iter().chain(grouped) {
        if !is_rtx(ssrc) && list.iter().all(|(known, _)| known != ssrc) {
            list.push((*ssrc, rtx(ssrc)));
        }
    }
    list
}
