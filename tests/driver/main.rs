// SPDX-License-Identifier: MPL-2.0
//! Drivers over real UDP on the loopback interface.
mod connect;
mod faults;
mod lanes;
mod sharing;
mod world;
