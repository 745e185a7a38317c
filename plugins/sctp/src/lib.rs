// SPDX-License-Identifier: MPL-2.0
//! SCTP as WebRTC's data channels need it (RFC 8831 §5, §6), sans-IO: packets and time come in as arguments.
//!
//! RFC 9260 with partial reliability (RFC 3758, RFC 7496), resets of streams (RFC 6525), interleaving and
//! weighted fair queueing (RFC 8260), immediate acknowledgements (RFC 7053) and checksums left to DTLS (RFC
//! 9653). One path, no bundled INITs, no dynamic addresses: DTLS and ICE are below. Loss is recovered as in
//! QUIC (RFC 9002), and loss that is not congestion does not slow it down.
//!
//! ```
//! use rtc_sctp::{Association, Config, SendOptions};
//! use std::time::Instant;
//!
//! let now = Instant::now();
//! let mut sides = [5000, 5001].map(|port| Association::new(Config::new(port, 10_001 - port)));
//! sides.iter_mut().for_each(|side| side.connect(now));
//! for turn in 0..8 {
//!     let [a, b] = &mut sides;
//!     let (from, to) = if turn % 2 == 0 { (a, b) } else { (b, a) };
//!     while let Some(packet) = from.poll_packet(now) {
//!         to.handle_packet(&packet, now);
//!     }
//! }
//! assert!(sides[0].send(3, 51, "hello".into(), SendOptions::default()));
//! let packet = sides[0].poll_packet(now).expect("there is something to send");
//! sides[1].handle_packet(&packet, now);
//! assert_eq!(sides[1].poll_message().expect("it came").payload, b"hello");
//! ```
mod association;
mod congestion;
mod crc;
mod data;
mod flight;
mod handshake;
mod init;
mod input;
mod link;
mod output;
mod queue;
mod reassembly;
mod reset;
mod rtt;
mod tracker;
mod wire;

pub use association::{Association, Config, Counters, Event};
pub use queue::SendOptions;
pub use reassembly::Message;
