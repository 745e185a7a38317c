// SPDX-License-Identifier: MPL-2.0
//! The offer/answer state machine: what a session calls.
use crate::{
    CodecOffer, DescriptionKind, JsepError, LocalTransport, NegotiatedMedia, RemoteTransport,
    Setup, SignalingState, TransceiverInit,
};
use rtc_payload::{Codec, Mid, TrackId};

/// What a negotiator is made with.
#[derive(Clone, Debug)]
pub struct JsepConfig {
    /// Codecs that may be received, most wanted first; empty of a kind: m-lines of that kind that would
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
    /// The transport the peer wants; `None` after a rollback, or if the peer rejected every m-line.
    pub transport: Option<RemoteTransport>,
    /// The peer's ufrag or pwd differ from those before: it restarts ICE (RFC 8445 §9).
    pub ice_restart: bool,
}

/// Offers and answers of one peer connection (JSEP, RFC 9429).
#[derive(Clone, Debug)]
pub struct Negotiator {
    config: JsepConfig,
    state: SignalingState,
}

impl Negotiator {
    /// A negotiator in state `stable` without transceivers.
    pub fn new(config: JsepConfig) -> Self {
        Self {
            config,
            state: SignalingState::Stable,
        }
    }

    /// Adds a transceiver; one with a track reuses a transceiver of its kind that has no track (W3C addTrack).
    pub fn add_transceiver(&mut self, init: TransceiverInit) {
        let _ = init;
    }

    /// Stops sending a track (W3C removeTrack); its m-line stays.
    pub fn remove_track(&mut self, track: TrackId) {
        let _ = track;
    }

    /// Changes what an input can make.
    pub fn set_track_codecs(&mut self, track: TrackId, codecs: Vec<CodecOffer>) {
        let _ = (track, codecs);
    }

    /// Makes an offer and applies it as our local description.
    pub fn create_offer(&mut self, local: &LocalTransport) -> Result<String, JsepError> {
        let _ = local;
        Err(JsepError::NothingToOffer)
    }

    /// Applies a description of the peer; on an error everything stays as before. An offer in
    /// `have-local-offer` rolls our offer back first (PC-43).
    pub fn apply_remote(
        &mut self,
        kind: DescriptionKind,
        sdp: &str,
    ) -> Result<RemoteApplied, JsepError> {
        let _ = (kind, sdp);
        Err(self.wrong_state("a remote description"))
    }

    /// Makes an answer to the peer's offer and applies it. `role` (active or passive) is taken where the
    /// peer leaves the choice to us and no role was decided before.
    pub fn create_answer(
        &mut self,
        local: &LocalTransport,
        role: Setup,
    ) -> Result<String, JsepError> {
        let _ = (local, role);
        Err(self.wrong_state("an answer"))
    }

    /// Takes back the offer under way, ours or the peer's (PC-42).
    pub fn rollback(&mut self) -> Result<(), JsepError> {
        Err(self.wrong_state("a rollback"))
    }

    /// The signaling state.
    pub fn signaling_state(&self) -> SignalingState {
        self.state
    }

    /// Whether what is wanted differs from what was negotiated (W3C webrtc-pc §4.7.3); false outside of
    /// `stable`.
    pub fn negotiation_needed(&self) -> bool {
        false
    }

    /// What the last answer decided; empty before the first.
    pub fn media(&self) -> NegotiatedMedia {
        NegotiatedMedia::default()
    }

    /// Our DTLS role, active or passive, once an answer decided it.
    pub fn local_setup(&self) -> Option<Setup> {
        None
    }

    /// The mid and index of the m-line that candidates belong to, once a description was made.
    pub fn transport_line(&self) -> Option<(Mid, u16)> {
        None
    }

    fn wrong_state(&self, what: &'static str) -> JsepError {
        let _ = &self.config;
        JsepError::WrongState {
            what,
            state: self.state,
        }
    }
}
