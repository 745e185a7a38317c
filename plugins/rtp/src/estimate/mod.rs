// SPDX-License-Identifier: MPL-2.0
//! What the path to the peer carries, measured from transport-wide feedback.
mod log;

pub(crate) use log::SentLog;
