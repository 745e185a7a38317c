// SPDX-License-Identifier: MPL-2.0
//! AV1: the Alliance for Open Media's RTP payload format, version 1.0.
mod depacketize;
mod obu;
mod packetize;
mod plan;
mod sequence_header;

#[cfg(test)]
mod av1_test;

pub(crate) use depacketize::Depacketizer;
pub(crate) use packetize::Packetizer;

/// The aggregation header (§4.4): |Z|Y| W |N|-|-|-|.
mod aggregation {
    /// The first element continues one of the payload before.
    pub(super) const Z: u8 = 0x80;
    /// The last element is continued in the next payload.
    pub(super) const Y: u8 = 0x40;
    /// Number of elements, of which the last has no length; 0: all have one.
    pub(super) const W_SHIFT: u32 = 4;
    pub(super) const W_MASK: u8 = 3;
    /// First payload of a coded video sequence.
    pub(super) const N: u8 = 0x08;
}
