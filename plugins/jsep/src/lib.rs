// SPDX-License-Identifier: MPL-2.0
//! Offers and answers (JSEP, RFC 9429) as data: no transport, no clock.
//!
//! A [`Negotiator`] holds the transceivers and descriptions of one peer connection. The session tells it
//! what to send and receive, gives it the peer's texts, and asks for offers, answers and the outcome
//! ([`NegotiatedMedia`]). A call that fails leaves everything as it was.
//!
//! ```text
//! text --parse--> Description --apply--> Negotiator --offer, answer--> Description --write--> text
//!                                            |
//!                                         outcome --> NegotiatedMedia
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod answer;
mod apply;
mod candidate;
mod capability;
mod data;
mod description;
mod error;
mod extension;
mod fmtp;
mod identity;
mod needed;
mod negotiated;
mod negotiator;
mod offer;
mod outcome;
mod outline;
mod parse;
mod parse_section;
mod payload_type;
mod rollback;
mod state;
mod tones;
mod transceiver;
mod transceiver_init;
mod transceivers;
mod transport;
mod write;

pub use candidate::check_candidate;
pub use data::MAX_MESSAGE_SIZE;
pub use error::JsepError;
pub use identity::{
    DescribedIdentity, IdentityAssertion, contents_cover, identity_contents, identity_of,
    with_identity,
};
pub use negotiated::{
    NegotiatedCodec, NegotiatedData, NegotiatedExtensions, NegotiatedLine, NegotiatedMedia,
    NegotiatedRecv, NegotiatedSend, NegotiatedTones,
};
pub use negotiator::{JsepConfig, Negotiator, RemoteApplied};
pub use outline::{DescribedCandidate, Outline, add_candidate};
pub use state::{DescriptionKind, Direction, SignalingState};
pub use transceiver_init::{CodecOffer, TransceiverInit};
pub use transceivers::TransceiverState;
pub use transport::{LocalTransport, RemoteCandidate, RemoteTransport, Setup};
