// SPDX-License-Identifier: MPL-2.0
//! Two sessions on simulated time: what they do together, one behaviour a file.
mod connect;
mod connection_time;
mod data;
mod data_flow;
mod data_share;
mod disorder;
mod end_of_candidates;
mod hostile;
mod media;
mod negotiation;
mod restart;
mod silence;
mod tones;
