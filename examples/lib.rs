// SPDX-License-Identifier: MPL-2.0
//! The examples stand beside this file; run one with `cargo run -p rtc-examples --example NAME`.
