// SPDX-License-Identifier: MPL-2.0
//! The kit of the integration tests: labs, programs and browsers.
pub mod browser;
pub mod data;
pub mod idp;
pub mod lab;
pub mod link;
pub mod page;
pub mod pair;
pub mod swarm;
pub mod throttle;
pub mod usage;
