// SPDX-License-Identifier: MPL-2.0
//! H.264: RFC 6184 in packetization-mode 1, Annex B byte streams at both ends.
mod annexb;
mod depacketize;
mod packetize;
mod parameter_sets;
mod sps;

#[cfg(test)]
mod h264_test;

pub(crate) use depacketize::Depacketizer;
pub(crate) use packetize::Packetizer;

/// NAL unit types (H.264 table 7-1; RFC 6184 table 1 from 24 on).
mod nal {
    pub(super) const TYPE: u8 = 0x1f;
    /// nal_ref_idc: zero where no other picture refers to the unit.
    pub(super) const NRI: u8 = 0x60;
    /// forbidden_zero_bit and nal_ref_idc.
    pub(super) const F_NRI: u8 = 0xe0;
    pub(super) const FORBIDDEN: u8 = 0x80;
    pub(super) const IDR: u8 = 5;
    pub(super) const SPS: u8 = 7;
    pub(super) const PPS: u8 = 8;
    pub(super) const AUD: u8 = 9;
    pub(super) const LAST_SINGLE: u8 = 23;
    pub(super) const STAP_A: u8 = 24;
    pub(super) const STAP_B: u8 = 25;
    pub(super) const MTAP16: u8 = 26;
    pub(super) const MTAP24: u8 = 27;
    pub(super) const FU_A: u8 = 28;
    pub(super) const FU_B: u8 = 29;
    /// FU header: first and last fragment.
    pub(super) const FU_START: u8 = 0x80;
    pub(super) const FU_END: u8 = 0x40;

    /// The type of a unit; 0 (unspecified) of no bytes.
    pub(super) fn kind(unit: &[u8]) -> u8 {
        unit.first().map_or(0, |byte| byte & TYPE)
    }

    /// Whether a unit of this type can be a payload of its own.
    pub(super) fn is_single(kind: u8) -> bool {
        (1..=LAST_SINGLE).contains(&kind)
    }
}
