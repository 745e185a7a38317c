// SPDX-License-Identifier: MPL-2.0
//! The offer/answer state machine: what a session calls. The work is done in `offer`, `answer`, `apply`,
//! `rollback`, `needed` and `outcome`.
use crate::data::DataLine;
use crate::description::{Description, Ice, Section};
use crate::transceiver::Transceiver;
use crate::{
    CodecOffer, DescriptionKind, Direction, JsepError, LocalTransport, NegotiatedMedia,
    RemoteTransport, Setup, SignalingState, TransceiverInit,
};
use rtc_payload::{Codec, MediaKind, Mid, Ssrc, TrackId};

/// What a negotiator is made with.
#[derive(Clone, Debug)]
pub struct JsepConfig {
    /// Codecs that may be received, most wanted first; none of a kind: m-lines of that kind that would
    /// only be received on are refused.
    pub receive_codecs: Vec<Codec>,
    /// Whether RTX (RFC 4588) and generic NACK are offered and accepted.
    pub retransmission: bool,
    /// RTCP CNAME of all our SSRCs (RFC 7022).
    pub cname: String,
}

/// What applying a description of the peer brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteApplied {
    /// The transport the peer wants; `None` after a rollback, or if no m-line is in use.
    pub transport: Option<RemoteTransport>,
    /// The peer's ufrag or pwd differ from those before: ICE restarts (RFC 8445 §9). An offer that
    /// restarts wants new credentials in our answer (PC-51).
    pub ice_restart: bool,
}

/// Offers and answers of one peer connection (JSEP, RFC 9429).
///
/// Audio, video and data go over one transport: BUNDLE and rtcp-mux are demanded of the peer. An m-line
/// for data channels is accepted from any peer, and offered once [`Negotiator::add_data`] was called.
#[derive(Clone, Debug)]
pub struct Negotiator {
    pub(crate) config: JsepConfig,
    pub(crate) transceivers: Vec<Transceiver>,
    /// Transceivers with a track that the peer refused; they come back when their codecs change.
    pub(crate) refused: Vec<Transceiver>,
    pub(crate) agreed: Option<Agreed>,
    pub(crate) pending: Pending,
    /// Associations before the pending offer, by transceiver id.
    pub(crate) saved: Vec<(u64, Option<crate::transceiver::Line>)>,
    pub(crate) data: DataLine,
    pub(crate) role: Option<Setup>,
    pub(crate) remote_ice: Option<Ice>,
    origin: (u64, u64),
    last_text: String,
    next_id: u64,
}

/// The descriptions of the last finished negotiation.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub(crate) local: Description,
    pub(crate) remote: Description,
    pub(crate) local_is_answer: bool,
}

/// The negotiation under way.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    None,
    LocalOffer(Description),
    RemoteOffer(Description),
    RemotePranswer(Agreed),
    LocalPranswer(Agreed),
}

impl Negotiator {
    /// A negotiator in state `stable` without transceivers.
    pub fn new(config: JsepConfig) -> Self {
        Self {
            config,
            transceivers: Vec::new(),
            refused: Vec::new(),
            agreed: None,
            pending: Pending::None,
            saved: Vec::new(),
            data: DataLine::default(),
            role: None,
            remote_ice: None,
            // RFC 9429 §5.2.1: 63 bits, random.
            origin: (rand::random::<u64>() >> 1, 0),
            last_text: String::new(),
            next_id: 0,
        }
    }

    /// Adds a transceiver. With a track it takes a transceiver of its kind that has none, be it that a
    /// track was removed from it or that the peer's offer made it (W3C addTrack, and reuse of m-lines).
    pub fn add_transceiver(&mut self, init: TransceiverInit) {
        let free = |t: &&mut Transceiver| {
            t.kind == init.kind && t.track.is_none() && !t.stopping && !t.stopped
        };
        match self.transceivers.iter_mut().find(free) {
            Some(transceiver) if init.track.is_some() => transceiver.take_track(init),
            _ => {
                let transceiver = self.new_transceiver(init);
                self.transceivers.push(transceiver);
            }
        }
    }

    /// Stops sending a track (W3C removeTrack); its m-line stays.
    pub fn remove_track(&mut self, track: TrackId) {
        self.refused.retain(|t| t.track != Some(track));
        for transceiver in &mut self.transceivers {
            if transceiver.track == Some(track) {
                transceiver.drop_track();
            }
        }
        self.transceivers.retain(Transceiver::is_of_use);
    }

    /// Changes what an input can make. A track the peer had refused is tried again.
    pub fn set_track_codecs(&mut self, track: TrackId, codecs: Vec<CodecOffer>) {
        for transceiver in &mut self.transceivers {
            if transceiver.track == Some(track) {
                transceiver.codecs.clone_from(&codecs);
            }
        }
        let again = |t: &Transceiver| t.track == Some(track) && t.codecs != codecs;
        if let Some(index) = self.refused.iter().position(again) {
            let mut transceiver = self.refused.swap_remove(index);
            transceiver.codecs = codecs;
            self.transceivers.push(transceiver);
        }
    }

    /// Wants an m-line for data channels, as the first data channel does (DC-11). If the peer refused one
    /// before it is tried again.
    pub fn add_data(&mut self) {
        self.data.wanted = true;
    }

    /// Whether data channels have an m-line or will be offered one; not if a side refused it.
    pub fn wants_data(&self) -> bool {
        self.data.wanted || self.data.line.is_some()
    }

    /// Makes an offer and applies it as our local description. Possible in `stable` and, to replace our
    /// own, in `have-local-offer`.
    pub fn create_offer(&mut self, local: &LocalTransport) -> Result<String, JsepError> {
        let mut next = self.clone();
        let text = next.offer(local)?;
        *self = next;
        Ok(text)
    }

    /// Applies a description of the peer; on an error everything stays as before. An offer in
    /// `have-local-offer` rolls ours back first (PC-43).
    pub fn apply_remote(
        &mut self,
        kind: DescriptionKind,
        sdp: &str,
    ) -> Result<RemoteApplied, JsepError> {
        let mut next = self.clone();
        let applied = match kind {
            DescriptionKind::Offer => next.apply_offer(sdp)?,
            DescriptionKind::Answer => next.apply_answer(sdp, true)?,
            DescriptionKind::Pranswer => next.apply_answer(sdp, false)?,
            DescriptionKind::Rollback => {
                next.roll_back()?;
                RemoteApplied {
                    transport: None,
                    ice_restart: false,
                }
            }
        };
        *self = next;
        Ok(applied)
    }

    /// Makes an answer to the peer's offer and applies it. `role` (active or passive) is taken where the
    /// peer leaves the choice to us and none was made before.
    pub fn create_answer(
        &mut self,
        local: &LocalTransport,
        role: Setup,
    ) -> Result<String, JsepError> {
        let mut next = self.clone();
        let text = next.answer(local, role)?;
        *self = next;
        Ok(text)
    }

    /// As [`Self::create_answer`], but what it makes is provisional: another answer may follow.
    pub fn create_pranswer(
        &mut self,
        local: &LocalTransport,
        role: Setup,
    ) -> Result<String, JsepError> {
        let mut next = self.clone();
        let (text, agreed) = next.answered(local, role)?;
        next.pending = Pending::LocalPranswer(agreed);
        *self = next;
        Ok(text)
    }

    /// Takes back the offer under way, ours or the peer's (PC-42).
    pub fn rollback(&mut self) -> Result<(), JsepError> {
        self.roll_back()
    }

    /// The signaling state.
    pub fn signaling_state(&self) -> SignalingState {
        match self.pending {
            Pending::None => SignalingState::Stable,
            Pending::LocalOffer(_) => SignalingState::HaveLocalOffer,
            Pending::RemoteOffer(_) => SignalingState::HaveRemoteOffer,
            Pending::RemotePranswer(_) => SignalingState::HaveRemotePranswer,
            Pending::LocalPranswer(_) => SignalingState::HaveLocalPranswer,
        }
    }

    /// Whether what is wanted differs from what was negotiated (W3C webrtc-pc §4.7.3, PC-31); false
    /// outside of `stable`.
    pub fn negotiation_needed(&self) -> bool {
        self.is_needed()
    }

    /// What the last answer or pranswer decided, with tracks added and removed since; empty before the
    /// first.
    pub fn media(&self) -> NegotiatedMedia {
        self.outcome()
    }

    /// Our DTLS role, active or passive, once an answer decided it.
    pub fn local_setup(&self) -> Option<Setup> {
        self.role
    }

    /// The mid and index of the m-line that our candidates belong to, once we made a description.
    pub fn transport_line(&self) -> Option<(Mid, u16)> {
        let sections = match (&self.pending, &self.agreed) {
            (Pending::LocalOffer(local), _) => &local.sections,
            (Pending::RemotePranswer(agreed) | Pending::LocalPranswer(agreed), _)
            | (_, Some(agreed)) => &agreed.local.sections,
            (_, None) => return None,
        };
        let index = sections.iter().position(|section| section.port != 0)?;
        Some((self.mid_at(index, sections)?, u16::try_from(index).ok()?))
    }

    pub(crate) fn wrong_state(&self, what: &'static str) -> JsepError {
        JsepError::WrongState {
            what,
            state: self.signaling_state(),
        }
    }

    pub(crate) fn new_transceiver(&mut self, init: TransceiverInit) -> Transceiver {
        self.next_id += 1;
        let (ssrc, rtx_ssrc) = (self.new_ssrc(None), self.new_ssrc(None));
        let rtx_ssrc = match rtx_ssrc == ssrc {
            true => self.new_ssrc(Some(ssrc)),
            false => rtx_ssrc,
        };
        Transceiver::new(self.next_id, init, ssrc, rtx_ssrc)
    }

    /// Random, not 0, and not in use on our side (RFC 3550 §8.1).
    fn new_ssrc(&self, but: Option<Ssrc>) -> Ssrc {
        loop {
            let ssrc = Ssrc(rand::random());
            let mut all = self.transceivers.iter().chain(&self.refused);
            let taken = all.any(|t| t.ssrc == ssrc || t.rtx_ssrc == ssrc) || but == Some(ssrc);
            if ssrc.0 != 0 && !taken {
                return ssrc;
            }
        }
    }

    /// The transceiver of an m-line.
    pub(crate) fn at(&self, index: usize) -> Option<&Transceiver> {
        let here = |t: &&Transceiver| t.line.as_ref().is_some_and(|line| line.index == index);
        self.transceivers.iter().find(here)
    }

    /// The mid of an m-line, ours where the peer gave none.
    pub(crate) fn mid_at(&self, index: usize, sections: &[Section]) -> Option<Mid> {
        let line = self.at(index).and_then(|t| t.line.as_ref());
        let line = line.or_else(|| self.data.at(index));
        line.map(|line| line.mid.clone())
            .or_else(|| sections.get(index)?.mid.clone())
    }

    /// The smallest number that is no mid yet (RFC 9429 §5.2.1: at most 3 bytes, no user information).
    pub(crate) fn new_mid(&self, also: &[Section]) -> Mid {
        let agreed = self.agreed.iter();
        let sections = agreed.flat_map(|a| a.local.sections.iter().chain(&a.remote.sections));
        let in_sections = sections
            .chain(also)
            .filter_map(|section| section.mid.as_ref());
        let in_lines = self
            .transceivers
            .iter()
            .filter_map(|t| t.line.as_ref())
            .chain(&self.data.line)
            .map(|l| &l.mid);
        let used: Vec<&Mid> = in_sections.chain(in_lines).collect();
        let mut number = 0_u32;
        loop {
            let mid = Mid::from(number.to_string().as_str());
            if !used.contains(&&mid) {
                return mid;
            }
            number += 1;
        }
    }

    /// The direction a transceiver can go in: no receiving without codecs for it.
    pub(crate) fn able(&self, transceiver: &Transceiver) -> Direction {
        let able = transceiver.able();
        Direction::new(
            able.sends(),
            able.receives() && self.receives(transceiver.kind),
        )
    }

    /// Whether anything of a kind is received.
    pub(crate) fn receives(&self, kind: MediaKind) -> bool {
        self.config
            .receive_codecs
            .iter()
            .any(|codec| codec.kind() == kind)
    }

    /// The text of a description of ours; its version grows if it differs from the last one
    /// (RFC 9429 §5.2.2).
    pub(crate) fn write(&mut self, description: &mut Description) -> String {
        description.origin = self.origin;
        let text = crate::write::write(description);
        if text == self.last_text {
            return text;
        }
        self.origin.1 += 1;
        description.origin = self.origin;
        self.last_text = crate::write::write(description);
        self.last_text.clone()
    }

    /// What becomes of a track whose m-line is gone. A peer that stopped an m-line on which it sent is done
    /// with what it sent, and ours goes on on another; one that stopped what was ours alone, or did not
    /// take it up, has refused it.
    fn let_go(&mut self, mut transceiver: Transceiver) {
        if transceiver.track.is_none() {
            return;
        }
        if transceiver.peer_sent {
            let again = self.new_transceiver(TransceiverInit {
                kind: transceiver.kind,
                direction: transceiver.wanted,
                track: transceiver.track,
                codecs: transceiver.codecs,
                stream: transceiver.stream,
            });
            self.transceivers.push(again);
            return;
        }
        transceiver.line = None;
        transceiver.stopping = false;
        transceiver.negotiated_codecs = None;
        self.refused.push(transceiver);
    }

    /// Ends a negotiation: m-lines that either side rejected lose their transceivers.
    pub(crate) fn settle(&mut self, agreed: Agreed) {
        let rejected = |index: usize| {
            let is = |d: &Description| d.sections.get(index).is_none_or(Section::is_rejected);
            is(&agreed.local) || is(&agreed.remote)
        };
        if self
            .data
            .line
            .as_ref()
            .is_some_and(|line| rejected(line.index))
        {
            self.data.refuse();
        }
        let index_of = |t: &Transceiver| t.line.as_ref().map(|line| line.index);
        let gone = |t: &mut Transceiver| t.stopping || index_of(t).is_some_and(rejected);
        let gone: Vec<_> = self.transceivers.extract_if(.., gone).collect();
        for transceiver in gone {
            self.let_go(transceiver);
        }
        for transceiver in &mut self.transceivers {
            if transceiver.line.is_some() {
                transceiver.by_offer = false;
                transceiver.peer_sent |= index_of(transceiver)
                    .and_then(|index| agreed.remote.sections.get(index))
                    .is_some_and(|section| section.direction.sends());
                transceiver.negotiated_codecs = Some(transceiver.codecs.clone());
            }
        }
        self.saved.clear();
        self.pending = Pending::None;
        self.agreed = Some(agreed);
    }
}
