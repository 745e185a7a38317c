// SPDX-License-Identifier: MPL-2.0
//! What a person sees in Chromium and Firefox, from plain `gst-launch-1.0` lines.
mod data;
mod data_pages;
mod dtmf;
mod hear_and_see;
mod ours;
mod passthrough;
mod publish;
mod relay;
mod transform;
mod two_way;
