// SPDX-License-Identifier: MPL-2.0
//! The IO shell of [`rtc_session`]: sockets, timers, and the one thread that owns every session.
//!
//! ```text
//!   Handle::command ──── control lane ─┐            ┌── Outlet::event
//!   Handle::media ────── media lane ───┤   rtc-io   ├──
//!   UDP socket v4, v6 ── demux ────────┤            ├── UDP sockets
//!   deadlines, mDNS ───────────────────┘            ┘
//! ```
//!
//! All sessions of a driver share one UDP port, so a further session costs neither a thread nor a
//! descriptor. No lock is ever held around a session: whoever wants something of one sends a message.
//! A frame for a hundred viewers is one message with one `Arc`. A panic inside a session ends that
//! session, by [`rtc_session::Event::Closed`] with [`rtc_session::SessionError::Internal`].
#![warn(missing_docs)]

mod announced;
mod changes;
mod conceal;
mod config;
mod counters;
mod deadline;
mod demux;
mod driver;
mod error;
mod gop;
mod inbox;
mod interfaces;
mod media;
mod names;
mod network;
mod outlet;
mod ports;
mod resolve;
mod roots;
mod slots;
mod socket;
mod streams;
mod stun;
mod tcp;
mod wire;

pub use config::{DriverConfig, IpFamilies, IpHandling, SessionOptions};
pub use counters::DriverCounters;
pub use driver::Driver;
pub use error::DriverError;
pub use inbox::{Handle, JoinGuard};
pub use outlet::Outlet;
