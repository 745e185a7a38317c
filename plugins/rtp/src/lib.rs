// SPDX-License-Identifier: MPL-2.0
//! SRTP, RTP and RTCP of one WebRTC session, sans-IO: time and bytes come in as arguments.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod assemble;
mod block;
mod clock;
mod demux;
mod error;
mod estimate;
#[cfg(test)]
mod estimate_test;
mod event;
mod extension;
mod header;
mod history;
mod inbound;
mod keys;
mod media;
#[cfg(test)]
mod media_test;
mod nack;
mod outbound;
mod pacer;
mod packetize;
#[cfg(test)]
mod pair_test;
mod params;
mod receive;
mod reception;
mod replay;
mod rtcp;
mod send;
mod srtp;
mod stats;
#[cfg(test)]
mod testkit;
mod train;
mod twcc;

pub use block::PacketBlock;
pub use clock::WallClock;
pub use error::RtpError;
pub use event::{MediaEvent, ReceivedFrame};
pub use keys::SrtpProfile;
pub use media::{Media, MediaConfig};
pub use packetize::Packetizer;
pub use params::{CodecParams, ExtensionIds, RecvParams, SendParams};
pub use stats::{MediaStats, RecvStats, SendStats};
pub use train::Train;
