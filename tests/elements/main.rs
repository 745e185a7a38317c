// SPDX-License-Identifier: MPL-2.0
//! Whole pipelines of the elements, in one process.
mod endpoint_life;
mod endpoint_sessions;
mod kit;
mod sink_input;
mod src_kit;
mod src_receive;
