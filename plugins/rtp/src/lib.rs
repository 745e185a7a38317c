// SPDX-License-Identifier: MPL-2.0
//! SRTP, RTP and RTCP of one WebRTC session, sans-IO: time and bytes come in as arguments.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod block;
mod event;
mod params;

pub use block::PacketBlock;
pub use event::{MediaEvent, ReceivedFrame};
pub use params::{CodecParams, ExtensionIds, RecvParams, SendParams};
