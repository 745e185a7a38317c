// SPDX-License-Identifier: MPL-2.0
//! One WebRTC peer connection, sans-IO: ICE, DTLS-SRTP, offers and answers, RTP, data channels.
//!
//! ```text
//! session.handle_command(command, now);          // what the application wants
//! session.handle_datagram(datagram, now);        // what the socket got
//! session.handle_timeout(now);                   // when the deadline passed
//! session.send_block(&block, now);               // a frame, packetised once for all sessions
//! loop { match session.poll_output(now) {        // drain after every input
//!     Output::Transmit(t) => { socket.send(&t); session.recycle(t.contents) }
//!     Output::Event(e) => tell(e),
//!     Output::Timeout(at) => { wake_at(at); break }
//! } }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod candidates;
mod certificate;
mod channel;
mod channel_flow;
mod channels;
mod command;
mod config;
mod convert;
mod datagram;
mod dcep;
mod dtls;
mod error;
mod event;
mod gather;
mod generation;
mod ice;
mod local;
mod mapped;
mod negotiate;
mod network;
mod outage;
mod outgoing;
mod relay;
mod request;
mod requested;
mod sctp;
mod server;
mod session;
mod source;
mod state;
mod stats;
mod stream;
mod told;
mod tones;
mod turn;

pub use certificate::{Certificate, MAX_LIFETIME};
pub use channel::{ChannelError, ChannelEvent, ChannelInit, ChannelKey};
pub use command::Command;
pub use config::{DtlsVersion, HostAddresses, SessionConfig};
pub use datagram::{Datagram, Transport};
pub use error::SessionError;
pub use event::{
    CandidateError, DataState, Event, IceParameters, LoginWanted, MediaState, Output, SelectedPair,
    Transmit,
};
pub use request::{Refusal, RefusalKind, Reply, Request, RequestId};
pub use rtc_jsep::{
    CodecOffer, DescriptionKind, Direction, SignalingState, TransceiverInit, TransceiverState,
};
pub use rtc_jsep::{
    DescribedIdentity, IdentityAssertion, Outline, add_candidate, contents_cover,
    identity_contents, identity_of, with_identity,
};
pub use server::{
    IceServer, IceTransportPolicy, Login, ServerError, ServerTransport, ServerUrl, rest_credential,
};
pub use session::Session;
pub use state::{
    ConnectionState, DtlsState, GatheringState, IceConnectionState, SctpState, aggregate,
};
pub use stats::{DtlsStats, PairStats, SctpCounters, SctpStats, SessionStats};
pub use stream::{StreamInput, StreamKey, StreamOutput};
