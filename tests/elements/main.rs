// SPDX-License-Identifier: MPL-2.0
//! Whole pipelines of the elements, in one process.
mod src_kit;
mod src_receive;
