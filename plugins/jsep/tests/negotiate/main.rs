// SPDX-License-Identifier: MPL-2.0
//! Negotiations between two negotiators, with recorded browser offers, and with broken texts.
mod broken;
mod browser;
mod glare;
mod kit;
mod pair;
mod peers;
mod random;
