// SPDX-License-Identifier: MPL-2.0
//! Between processes: FFmpeg's WHIP muxer, aiortc, GStreamer's webrtcbin, and our own elements.
mod data;
mod isolation;
mod lifecycle;
mod publish;
mod readme;
mod serve;
mod two_processes;
mod view;
mod wrong_input;
