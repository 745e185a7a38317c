// SPDX-License-Identifier: MPL-2.0
//! Offers and answers (JSEP, RFC 9429) as data: no transport, no clock.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod state;
mod transceiver_init;

pub use state::{DescriptionKind, Direction, SignalingState};
pub use transceiver_init::{CodecOffer, TransceiverInit};
