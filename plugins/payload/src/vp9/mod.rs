// SPDX-License-Identifier: MPL-2.0
//! VP9: RFC 9628.
mod depacketize;
mod descriptor;
mod header;
mod packetize;
#[cfg(test)]
mod vp9_test;

pub(crate) use depacketize::Depacketizer;
pub(crate) use packetize::Packetizer;
