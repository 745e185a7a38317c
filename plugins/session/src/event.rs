// SPDX-License-Identifier: MPL-2.0
//! What comes out of a session: datagrams, events and the next deadline.
use crate::{
    ChannelEvent, ConnectionState, DtlsState, GatheringState, IceConnectionState, Refusal, Reply,
    RequestId, SctpState, SessionError, SessionStats, StreamOutput, Transport,
};
use rtc_jsep::{DescriptionKind, SignalingState, TransceiverState};
use rtc_payload::{MediaKind, Mid, TrackId};
use rtc_rtp::{CodecParams, MediaEvent};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Datagrams to send; several of one size behind another go out by one GSO send.
#[derive(Debug)]
pub struct Transmit {
    /// What is to carry it. With TCP each datagram goes into a frame of the connection between the two
    /// addresses; a source with port 9 means one that we begin, and is opened if there is none.
    pub transport: Transport,
    /// The local address to send from (a host candidate's base).
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
    /// The bytes of all segments.
    pub contents: Vec<u8>,
    /// The size of each segment but the last, which may be shorter; `None` for one datagram.
    pub segment_size: Option<usize>,
}

/// One m-line after negotiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaState {
    /// Its mid.
    pub mid: Mid,
    /// Audio or video.
    pub kind: MediaKind,
    /// The input that is sent on it now, with the codec negotiated.
    pub sending: Option<(TrackId, CodecParams)>,
    /// Tones can be sent on it while the connection is `connected` (W3C canInsertDTMF).
    pub sends_tones: bool,
    /// The codecs the peer may send now; empty if it may not.
    pub receiving: Vec<CodecParams>,
    /// The peer's MediaStream ids (`a=msid`).
    pub streams: Vec<String>,
}

/// Data channels as negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataState {
    /// The largest message the peer takes, bytes; 0 for any.
    pub max_message_size: u64,
}

/// Our half of ICE and the peer's (W3C webrtc-pc §5.6 RTCIceParameters, RTCIceRole).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IceParameters {
    /// Whether we decide which pair is used; `None` before the first description.
    pub controlling: Option<bool>,
    /// Our username fragment and password.
    pub local: (String, String),
    /// The peer's, once known.
    pub remote: Option<(String, String)>,
}

/// The candidate pair in use (W3C webrtc-pc §5.6 RTCIceCandidatePair).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedPair {
    /// `candidate:…` of ours.
    pub local: String,
    /// `candidate:…` of the peer's; of type `prflx` if the peer never named it.
    pub remote: String,
}

/// A server was of no use (W3C webrtc-pc §4.8.3 RTCPeerConnectionIceErrorEvent).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateError {
    /// Our address it was asked from, where that is one and no secret.
    pub address: Option<IpAddr>,
    /// The port of that address.
    pub port: Option<u16>,
    /// The server's URI.
    pub url: String,
    /// The STUN error code, or 701 if the server could not be reached.
    pub code: u16,
    /// What the server said, or what went wrong.
    pub text: String,
}

/// A TURN server takes our login not, or no more; told beside the error it is. Answered by
/// [`crate::Command::SetLogin`], or left alone: an allocation that stands then runs out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginWanted {
    /// The server's URI.
    pub url: String,
    /// Its STUN error code.
    pub code: u16,
    /// The name under which an authorization server knows it, if it takes access tokens (RFC 7635 §6.1).
    pub authority: Option<String>,
}

/// Something that happened, in the order it happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A description of ours to be signalled.
    LocalDescription {
        /// Offer or answer.
        kind: DescriptionKind,
        /// The text, with the candidates known so far.
        sdp: String,
    },
    /// A candidate of ours found after the description; `None` ends them.
    LocalCandidate {
        /// `candidate:…`
        candidate: Option<String>,
        /// The m-line it belongs to.
        mid: Mid,
        /// The m-line's index.
        index: u16,
    },
    /// A description of the peer was applied; told before the signaling state it leads to.
    RemoteDescription {
        /// Offer, pranswer or answer.
        kind: DescriptionKind,
        /// The text.
        sdp: String,
    },
    /// The offer under way was taken back, ours or the peer's (PC-42).
    RolledBack,
    /// The transceivers, all of them, after any of them changed; told before the signaling state that
    /// the change led to.
    Transceivers(Vec<TransceiverState>),
    /// The peer began to send on a transceiver, or stopped (W3C webrtc-pc §5.1.4 "process remote track");
    /// told after the signaling state.
    Track {
        /// The transceiver's identifier.
        transceiver: u64,
        /// Whether the peer sends now.
        added: bool,
    },
    /// The credentials or the role of ICE changed.
    IceParameters(IceParameters),
    /// Another candidate pair is in use; `None` when there is none any more.
    SelectedPair(Option<SelectedPair>),
    /// The state of DTLS changed.
    Dtls {
        /// The state.
        state: DtlsState,
        /// The certificate the peer showed, DER, once it was verified.
        certificate: Option<Vec<u8>>,
        /// Why it failed, if it did.
        error: Option<SessionError>,
    },
    /// The last figures, told before [`Event::Closed`].
    LastStats(Box<SessionStats>),
    /// The gathering state changed.
    Gathering(GatheringState),
    /// A STUN or TURN server was of no use; told once a URI, and again when an allocation that stood
    /// is lost, as when its credential has run out.
    CandidateError(CandidateError),
    /// A TURN server wants another login.
    LoginWanted(LoginWanted),
    /// The name of a server must be resolved by DNS; the answer comes back by
    /// [`crate::Session::handle_server_resolved`].
    ResolveServer {
        /// The name.
        name: String,
    },
    /// The peer gave a candidate whose name must be resolved; the answer comes back by
    /// [`crate::Session::handle_resolved`].
    Resolve {
        /// The `.local` name.
        name: String,
    },
    /// Negotiation is needed (W3C webrtc-pc §4.7); answered by [`crate::Command::Negotiate`].
    NegotiationNeeded,
    /// The signaling state changed.
    Signaling(SignalingState),
    /// The ICE connection state changed.
    Ice(IceConnectionState),
    /// The connection state changed.
    Connection(ConnectionState),
    /// The m-lines after a negotiation was completed; all of them, in order.
    Media(Vec<MediaState>),
    /// What a finished negotiation says of data channels; told before [`Event::Media`].
    Data(Option<DataState>),
    /// Something in the media.
    Rtp(MediaEvent),
    /// The SCTP association's state changed; before the first channel opens and after it can't be used.
    Sctp(SctpState),
    /// Something happened to a data channel.
    Channel(ChannelEvent),
    /// What came of a request.
    Reply {
        /// Which.
        request: RequestId,
        /// What came of it.
        result: Result<Reply, Refusal>,
    },
    /// Something asked could not be done, the session lives on.
    Refused(SessionError),
    /// The session is over; nothing comes after it.
    Closed(Option<SessionError>),
}

/// Anything [`crate::Session::poll_output`] yields.
#[derive(Debug)]
pub enum Output {
    /// Send this.
    Transmit(Transmit),
    /// Do this with a stream to a server.
    Stream(StreamOutput),
    /// This happened.
    Event(Event),
    /// Nothing more until then, or until the next input.
    Timeout(Instant),
}
