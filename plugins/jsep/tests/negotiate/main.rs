// SPDX-License-Identifier: MPL-2.0
//! Negotiations between two negotiators, with recorded browser offers, and with broken texts.
#![allow(clippy::unwrap_used)] // clippy spares #[test] functions only, not the kit's.

mod broken;
mod browser;
mod corpus;
mod data;
mod glare;
mod kit;
mod pair;
mod peers;
mod random;
mod tones;
