// SPDX-License-Identifier: MPL-2.0
//! What the user wishes of an `rtcdatasrc`, and what becomes of it at NULL -> READY.
use crate::data::Leaky;
use gst::glib;

pub(super) const DEFAULT_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// `on-close`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcOnClose")]
pub enum OnClose {
    /// For the next channel.
    #[default]
    #[enum_value(name = "Wait for the next channel", nick = "wait")]
    Wait,
    /// For files.
    #[enum_value(
        name = "End the stream with the last channel that closes",
        nick = "eos"
    )]
    Eos,
}

/// The properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) label: String,
    pub(super) protocol: String,
    pub(super) max_bytes: u64,
    pub(super) leaky: Leaky,
    pub(super) on_close: OnClose,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            label: String::new(),
            protocol: String::new(),
            max_bytes: DEFAULT_MAX_BYTES,
            leaky: Leaky::None,
            on_close: OnClose::Wait,
        }
    }
}
