// SPDX-License-Identifier: MPL-2.0
//! Whole pipelines of the elements, in one process.
// What fails in a test shall fail it; the kits serve several files.
#![allow(clippy::unwrap_used, unreachable_pub)]
mod data_flow;
mod data_kit;
mod data_messages;
mod encoders;
mod endpoint_life;
mod endpoint_sessions;
mod endpoint_two_way;
mod identity;
mod in_step;
mod kit;
mod objects;
mod objects_by_hand;
mod objects_names;
mod objects_stats;
mod sink_input;
mod sink_layers;
mod sink_viewers;
mod src_kit;
mod src_receive;
mod src_sync;
mod tones;
mod tones_audible;
