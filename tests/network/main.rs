// SPDX-License-Identifier: MPL-2.0
//! Real sockets, real NATs, a real TURN server, in a network of namespaces. Needs root, nftables and
//! coturn; without them the tests say so and pass.
#![allow(clippy::unwrap_used)]

mod call;
mod change;
mod family;
mod nat;
mod net;
mod relay;
mod tcp;
mod token;
mod turn;
mod watch;
