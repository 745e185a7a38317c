// SPDX-License-Identifier: MPL-2.0
//! Between processes: FFmpeg's WHIP muxer, aiortc, GStreamer's webrtcbin, and our own elements.
mod data;
mod data_beside;
mod data_peers;
mod isolation;
mod lifecycle;
mod objects;
mod publish;
mod readme;
mod serve;
mod sip;
mod sip_capture;
mod two_processes;
mod view;
mod wrong_input;
