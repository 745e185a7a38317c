// SPDX-License-Identifier: MPL-2.0
//! SRTP, RTP and RTCP of one WebRTC session, sans-IO: time and bytes come in as arguments.
//!
//! ```text
//! frame -> Packetizer -> Arc<PacketBlock>             once for all viewers
//! block -> Media::send_block -> send -> srtp -> Train    per viewer: header, copy, seal
//! packet -> Media::handle_packet -> srtp -> demux -> receive -> assemble -> MediaEvent::Frame
//! ```
//!
//! [`Media`] is one session's streams both ways. Its driver calls, after every input:
//! ```text
//! while let Some(train) = media.poll_transmit(now) { send(&train); media.recycle(train.contents) }
//! while let Some(event) = media.poll_event() { tell(event) }
//! match media.poll_timeout() { Some(at) => wake_at(at) /* then handle_timeout(now) */, None => {} }
//! ```
//!
//! A viewer holds no packets: its history names ranges of the shared blocks, and a repeat is written
//! from there. Without RTX a repeat is the same packet to the bit, for it bears the same SRTP index.
//! The estimator (`estimate`) lives on transport-wide feedback alone; without it nothing is paced.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod assemble;
mod beginning;
#[cfg(test)]
mod beginning_test;
mod block;
mod bound;
mod budget;
mod catch_up;
#[cfg(test)]
mod catch_up_test;
mod choice;
mod clock;
mod demux;
#[cfg(test)]
mod emulate_test;
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
#[cfg(test)]
mod kit_test;
mod ladder;
mod layering;
#[cfg(test)]
mod layering_test;
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
#[cfg(test)]
mod probe_test;
mod receive;
mod reception;
mod replay;
mod rtcp;
mod send;
mod srtp;
mod stats;
mod tone;
mod tone_receive;
mod tone_send;
mod tone_stream;
#[cfg(test)]
mod tone_test;
mod train;
mod twcc;

pub use block::PacketBlock;
pub use catch_up::MAX_CAUGHT_UP;
pub use clock::WallClock;
pub use error::RtpError;
pub use event::{MediaEvent, ReceivedFrame};
pub use keys::SrtpProfile;
pub use ladder::{Ladder, MAX_LAYERS, share};
pub use media::{Media, MediaConfig};
pub use packetize::Packetizer;
pub use params::{CodecParams, ExtensionIds, PlayoutDelay, RecvParams, SendParams};
pub use stats::{MediaStats, RecvStats, SendStats};
pub use tone::{
    MAX_TONES, ReceivedTone, ToneError, ToneFormat, ToneTiming, tone_character, tone_event,
};
pub use train::Train;
