// SPDX-License-Identifier: MPL-2.0
//! The clients against servers that answer as a script says.
// clippy exempts functions marked as tests, not those they call.
#![allow(clippy::unwrap_used)]

mod kit;
mod refusals;
mod sessions;
mod tls;
