// SPDX-License-Identifier: MPL-2.0
//! Being written.

pub mod clock;
pub mod transform;
