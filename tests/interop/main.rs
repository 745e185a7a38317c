// SPDX-License-Identifier: MPL-2.0
//! Peers that nobody here wrote: FFmpeg's WHIP muxer, aiortc, GStreamer's webrtcbin.
mod lifecycle;
mod publish;
mod readme;
mod view;
mod wrong_input;
