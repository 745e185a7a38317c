// SPDX-License-Identifier: MPL-2.0
//! What an input shows and how long its viewers may wait: what encoders are tuned for.
use gst::glib;
use std::time::Duration;

/// `content-hint`, after W3C's mst-content-hint: what is given up first where bits are scarce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcContentHint")]
pub enum ContentHint {
    /// Nothing is known.
    #[default]
    #[enum_value(name = "Nothing known: sharpness goes first", nick = "none")]
    None,
    /// Sports, people, games.
    #[enum_value(name = "Every frame counts, sharpness goes first", nick = "motion")]
    Motion,
    /// Pictures, film of fine structure.
    #[enum_value(name = "Sharpness counts, frames go first", nick = "detail")]
    Detail,
    /// Slides, terminals, documents.
    #[enum_value(name = "Text: edges count, frames go first", nick = "text")]
    Text,
}

impl ContentHint {
    /// Whether frames are given up before sharpness.
    pub(crate) fn keeps_sharpness(self) -> bool {
        matches!(self, Self::Detail | Self::Text)
    }
}

/// What the encoders of an input are tuned for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tuning {
    /// What the input shows.
    pub(crate) hint: ContentHint,
    /// How long viewers may hold frames back; zero = as short as can be.
    pub(crate) budget: Duration,
}
