// SPDX-License-Identifier: MPL-2.0
//! Our offers (RFC 9429 §5.2).
use crate::capability::{capabilities, feedback};
use crate::description::{DATA, Description, Format, Ice, PROFILE, Section};
use crate::extension::ExtensionPool;
use crate::negotiator::Pending;
use crate::parse::MAX_SECTIONS;
use crate::payload_type::PayloadTypes;
use crate::tones;
use crate::transceiver::{Line, Transceiver};
use crate::{Direction, JsepError, LocalTransport, Negotiator, Setup};
use rtc_payload::MediaKind;

impl Negotiator {
    pub(crate) fn offer(&mut self, local: &LocalTransport) -> Result<String, JsepError> {
        match self.pending {
            Pending::None => self.save(),
            // Replaces our offer: mids given by it stay.
            Pending::LocalOffer(_) => (),
            _ => return Err(self.wrong_state("an offer")),
        }
        self.give_lines();
        let count = self.line_count();
        if count == 0 {
            return Err(JsepError::NothingToOffer);
        }
        if count > MAX_SECTIONS {
            return Err(JsepError::TooLarge {
                what: "m-lines",
                limit: MAX_SECTIONS,
            });
        }
        let mut numbers = Numbers::default();
        self.note_numbers(&mut numbers);
        let mut sections: Vec<Section> = (0..count)
            .map(|index| self.offered(index, local, &mut numbers))
            .collect();
        add_candidates(&mut sections, local);
        let mids = sections
            .iter()
            .filter(|s| s.port != 0)
            .filter_map(|s| s.mid.clone());
        let bundle: Vec<_> = mids.collect();
        let mut offer = Description {
            bundles: if bundle.is_empty() {
                Vec::new()
            } else {
                vec![bundle]
            },
            trickle: Some(true),
            sections,
            ..Description::default()
        };
        let text = self.write(&mut offer);
        self.pending = Pending::LocalOffer(offer);
        Ok(text)
    }

    /// Gives transceivers without an m-line one: a dead one of their kind (JS-09), else a new one.
    fn give_lines(&mut self) {
        let mut new = self.line_count();
        for at in 0..self.transceivers.len() {
            let transceiver = &self.transceivers[at];
            if transceiver.line.is_some() || self.able(transceiver) == Direction::Inactive {
                continue;
            }
            let index = self
                .dead_line(transceiver.kind.as_str())
                .unwrap_or_else(|| {
                    new += 1;
                    new - 1
                });
            let mid = self.new_mid(&[]);
            self.transceivers[at].line = Some(Line { mid, index });
        }
        if self.data.is_missing() {
            let index = self.dead_line(DATA).unwrap_or(new);
            let mid = self.new_mid(&[]);
            self.data.line = Some(Line { mid, index });
        }
    }

    /// An m-line that was rejected. RFC 9429 would have any kind in it; same kind is what peers are used to.
    fn dead_line(&self, media: &str) -> Option<usize> {
        let sections = &self.agreed.as_ref()?.local.sections;
        let dead = |(index, section): (usize, &Section)| {
            section.media == media && self.at(index).is_none() && self.data.at(index).is_none()
        };
        sections.iter().enumerate().position(dead)
    }

    fn line_count(&self) -> usize {
        let agreed = self
            .agreed
            .as_ref()
            .map_or(0, |agreed| agreed.remote.sections.len());
        let lines = self.transceivers.iter().filter_map(|t| t.line.as_ref());
        lines
            .chain(&self.data.line)
            .map(|line| line.index + 1)
            .max()
            .unwrap_or_default()
            .max(agreed)
    }

    /// Payload types and extension ids mean in a re-offer what they meant before (JS-09, RFC 8285 §6).
    fn note_numbers(&self, numbers: &mut Numbers) {
        let Some(agreed) = &self.agreed else {
            return;
        };
        for description in [&agreed.local, &agreed.remote] {
            for section in description.sections.iter().filter(|s| !s.is_rejected()) {
                numbers.formats.note(section);
                numbers
                    .extensions
                    .note(&section.extensions, section.extension_ids);
            }
        }
    }

    fn offered(&self, index: usize, local: &LocalTransport, numbers: &mut Numbers) -> Section {
        if let Some(line) = self.data.at(index) {
            return self.offered_data(line, local);
        }
        let Some(transceiver) = self.at(index).filter(|t| !t.stopped) else {
            let dead = self
                .agreed
                .as_ref()
                .and_then(|agreed| agreed.local.sections.get(index));
            return match dead {
                Some(dead) => Section::rejected(dead),
                None => Section::rejected(&Section::new("audio", PROFILE)),
            };
        };
        let before = self
            .agreed
            .as_ref()
            .and_then(|agreed| agreed.remote.sections.get(index));
        // A profile once agreed on is kept (RFC 9429 §5.1.2).
        let proto = before
            .filter(|s| !s.is_rejected())
            .map_or(PROFILE, |s| s.proto.as_str());
        let mut section = Section::new(transceiver.kind.as_str(), proto);
        section.mid = transceiver.line.as_ref().map(|line| line.mid.clone());
        section.direction = self.able(transceiver);
        section.codecs = self.formats(transceiver, &mut numbers.formats);
        section.formats = section
            .codecs
            .iter()
            .map(|format| format.pt.to_string())
            .collect();
        section.extensions = numbers.extensions.offer(transceiver.kind);
        for (_, id) in section.extensions.entries() {
            section.extension_ids |= crate::extension::mask(id);
        }
        section.rtcp_rsize = true;
        self.fill(&mut section, transceiver, local, Setup::ActPass);
        section
    }

    fn formats(&self, transceiver: &Transceiver, numbers: &mut PayloadTypes) -> Vec<Format> {
        let (kind, receives) = (transceiver.kind, &self.config.receive_codecs);
        let able = self.able(transceiver);
        let mut list = capabilities(kind, able, &transceiver.codecs, receives, false);
        if list.is_empty() {
            // What the input makes can't be described: name every codec, so that the m-line has formats.
            list = capabilities(kind, Direction::Inactive, &[], &[], false);
        }
        let feedback = feedback(kind, self.config.retransmission);
        let mut formats = Vec::new();
        for entry in &list {
            let Some(pt) = numbers.codec(entry.key) else {
                break;
            };
            let codec = entry.key.codec;
            formats.push(Format {
                pt,
                name: codec.name().to_owned(),
                clock_rate: codec.clock_rate(),
                channels: codec.channels(),
                fmtp: entry.fmtp.clone(),
                feedback,
            });
            let retransmitted = kind == MediaKind::Video && self.config.retransmission;
            if let Some(rtx) = retransmitted.then(|| numbers.rtx(pt)).flatten() {
                formats.push(rtx_format(rtx, pt, codec.clock_rate()));
            }
        }
        if kind == MediaKind::Audio {
            for rate in tones::CLOCK_RATES {
                if tones::suits(rate, &formats)
                    && let Some(pt) = numbers.tones(rate)
                {
                    formats.push(tones::format(pt, rate));
                }
            }
        }
        formats
    }

    /// What offers and answers have alike: transport attributes in every m-line, and our sources.
    pub(crate) fn fill(
        &self,
        section: &mut Section,
        transceiver: &Transceiver,
        local: &LocalTransport,
        setup: Setup,
    ) {
        section.carry(local, setup);
        section.rtcp_mux = true;
        // Though the peer may not let it send now: else each of our answers would call for a new offer
        // (RFC 9429 §5.2.1 goes by the transceiver's direction).
        if self.able(transceiver).sends() {
            section.streams = transceiver.streams();
        }
        if !section.direction.sends() {
            return;
        }
        section.cname.clone_from(&self.config.cname);
        section.ssrcs = vec![transceiver.ssrc];
        if section.codecs.iter().any(|format| format.apt().is_some()) {
            section.ssrcs.push(transceiver.rtx_ssrc);
            section.fid = vec![(transceiver.ssrc, transceiver.rtx_ssrc)];
        }
    }
}

impl Section {
    /// Takes our side's transport attributes.
    pub(crate) fn carry(&mut self, local: &LocalTransport, setup: Setup) {
        self.ice = Some(Ice {
            ufrag: local.ufrag.clone(),
            pwd: local.pwd.clone(),
        });
        if let Some((hash, digest)) = local.fingerprint.split_once(' ') {
            self.fingerprints = vec![(hash.to_owned(), digest.to_owned())];
        }
        self.setup = Some(setup);
    }
}

/// Numbers of a BUNDLE group.
#[derive(Default)]
struct Numbers {
    formats: PayloadTypes,
    extensions: ExtensionPool,
}

/// The retransmission format of `apt` (RFC 4588 §8.1).
pub(crate) fn rtx_format(pt: rtc_payload::Pt, apt: rtc_payload::Pt, clock_rate: u32) -> Format {
    Format {
        pt,
        name: "rtx".to_owned(),
        clock_rate,
        channels: 0,
        fmtp: format!("apt={apt}"),
        feedback: Default::default(),
    }
}

/// Candidates stand once, in the m-line that carries the group.
pub(crate) fn add_candidates(sections: &mut [Section], local: &LocalTransport) {
    if let Some(carrier) = sections.iter_mut().find(|section| section.port != 0) {
        carrier.candidates.clone_from(&local.candidates);
        carrier.end_of_candidates = local.gathering_done;
    }
}
