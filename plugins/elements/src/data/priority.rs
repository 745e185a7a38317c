// SPDX-License-Identifier: MPL-2.0
//! How much a channel may send against others of its session.
use gst::glib;

/// W3C's RTCPriorityType (webrtc-priority §4), with the numbers that RFC 8831 §6.4 has for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcPriority")]
pub enum Priority {
    /// Half of low.
    #[enum_value(name = "Half of what low gets", nick = "very-low")]
    VeryLow = 128,
    /// What channels have unless told.
    #[default]
    #[enum_value(name = "The usual share", nick = "low")]
    Low = 256,
    /// Twice that.
    #[enum_value(name = "Twice what low gets", nick = "medium")]
    Medium = 512,
    /// Four times that.
    #[enum_value(name = "Four times what low gets", nick = "high")]
    High = 1024,
}

impl Priority {
    /// The number that DATA_CHANNEL_OPEN tells and the scheduler shares by.
    pub(crate) fn number(self) -> u16 {
        self as u16
    }

    /// The one a number stands for, which may be any that a peer tells.
    pub(crate) fn nearest(number: u16) -> Self {
        match number {
            0..=128 => Self::VeryLow,
            129..=256 => Self::Low,
            257..=512 => Self::Medium,
            _ => Self::High,
        }
    }
}
