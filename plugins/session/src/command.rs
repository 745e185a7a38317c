// SPDX-License-Identifier: MPL-2.0
//! What a caller may ask of a session.
use crate::{ChannelInit, ChannelKey, IceServer, Login, Request, RequestId};
use bytes::Bytes;
use rtc_jsep::{CodecOffer, DescriptionKind, Direction, TransceiverInit};
use rtc_payload::{Mid, TrackId};

/// Something asked of a session, in the order asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Adds a transceiver, or gives the track to a free one of the same kind (W3C addTrack).
    AddTransceiver(TransceiverInit),
    /// Stops sending a track (W3C removeTrack); the m-line stays.
    RemoveTrack(TrackId),
    /// Changes the direction to negotiate for of the transceiver with that identifier.
    SetDirection(u64, Direction),
    /// Stops the transceiver with that identifier for good; the next negotiation switches its m-line off.
    StopTransceiver(u64),
    /// Changes what an input can make (its caps became known or changed).
    SetTrackCodecs(TrackId, Vec<CodecOffer>),
    /// Makes and applies an offer as soon as the signaling state permits.
    Negotiate,
    /// Applies the peer's description; an offer is answered at once.
    RemoteDescription {
        /// Offer, pranswer, answer or rollback.
        kind: DescriptionKind,
        /// The text.
        sdp: String,
    },
    /// Adds a candidate of the peer; an empty text ends the candidates (RFC 8838 §13).
    RemoteCandidate {
        /// `candidate:…`, with or without `a=`.
        candidate: String,
        /// Its m-line's mid, if given.
        mid: Option<Mid>,
        /// Its m-line's index, if given.
        index: Option<u16>,
    },
    /// Asks the peer for a keyframe (PLI, or FIR where only that was negotiated).
    RequestKeyframe(Mid),
    /// Offers an m-line for data channels from now on, also while there is none (W3C webrtc-extensions §14
    /// alwaysNegotiateDataChannels), so that the peer can open one without another negotiation.
    OfferData,
    /// Sends tones on the audio of a track, in place of those that wait (W3C insertDTMF). Told by
    /// [`rtc_rtp::MediaEvent::ToneChange`], refused with [`crate::SessionError::Tones`].
    InsertDtmf {
        /// The input whose audio they are part of.
        track: TrackId,
        /// `0`-`9`, `A`-`D`, `*`, `#`, and `,` for two seconds of pause.
        tones: String,
        /// How long each tone lasts, ms; taken as 40-6000.
        duration_ms: u32,
        /// How long the silence after each is, ms; taken as 30-6000.
        gap_ms: u32,
    },
    /// Begins a tone that lasts until it is stopped, six seconds at most; after those that wait.
    StartTone {
        /// The input whose audio it is part of.
        track: TrackId,
        /// Its character.
        tone: char,
        /// Loudness, -dBm0, 0-63.
        volume: u8,
    },
    /// Stops the tone that was started.
    StopTone(TrackId),
    /// Opens a data channel; told by [`crate::ChannelEvent::Opened`] or, if it can't be, by
    /// [`crate::ChannelEvent::Closed`]. May be asked for before the session is connected.
    OpenChannel(ChannelInit),
    /// Sends a message on an open data channel, or queues it while that opens.
    SendMessage {
        /// On which.
        channel: ChannelKey,
        /// Its bytes; may be none. Not copied before SCTP takes it.
        data: Bytes,
        /// Whether it is UTF-8 text.
        text: bool,
    },
    /// Changes the `low_threshold` of a data channel, bytes.
    SetLowThreshold {
        /// Which.
        channel: ChannelKey,
        /// The threshold.
        bytes: u64,
    },
    /// Leaves the peer's messages where they are, or takes them again. The peer may send some megabytes
    /// more, then SCTP holds it back, on all channels of the session.
    HoldMessages(bool),
    /// Closes a data channel once the messages given before are sent.
    CloseChannel(ChannelKey),
    /// Asks further STUN and TURN servers too; candidates they yield are trickled.
    AddIceServers(Vec<IceServer>),
    /// Another login for the TURN server under that URI, as [`crate::Event::LoginWanted`] asks for.
    SetLogin {
        /// The URI, as it was given.
        url: String,
        /// The login.
        login: Login,
    },
    /// Something that is answered by [`crate::Event::Reply`].
    Request(RequestId, Request),
    /// Renews the ICE credentials (W3C restartIce).
    RestartIce,
    /// Ends the session: RTCP BYE, DTLS close_notify, then [`crate::Event::Closed`].
    Close,
}
