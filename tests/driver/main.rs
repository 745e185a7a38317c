// SPDX-License-Identifier: MPL-2.0
//! Drivers over real UDP on the loopback interface.
// What fails in a test shall fail it.
#![allow(clippy::unwrap_used)]
mod connect;
mod data;
mod faults;
mod lanes;
mod sharing;
mod world;
