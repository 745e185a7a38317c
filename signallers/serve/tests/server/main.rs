// SPDX-License-Identifier: MPL-2.0
//! The server over real sockets, with a scripted endpoint behind it.
// clippy exempts functions marked as tests, not those they call.
#![allow(clippy::unwrap_used)]

mod kit;
mod limits;
mod resources;
mod sockets;
mod starting;
