// SPDX-License-Identifier: MPL-2.0
//! The interface between endpoints and signallers, and nothing that speaks a wire.
//!
//! A signaller is any GObject that implements the GInterface `GstRtcSignaller`. An endpoint calls its
//! vfuncs (`start`, `stop`, `send_description`, `send_candidate`, `end_session`) and listens to its signals
//! (`session-requested`, `session-started`, `session-ended`, `description`, `candidate`, `ice-servers`,
//! `error`, `closed`, `listening`, `request-meta`). Everything that crosses is text; a session id is made by the
//! signaller and unique in the process ([`new_session_id`]).
//!
//! A vfunc's default implementation emits a signal of the same name (`start` returns NULL, or why it
//! failed), so a signaller can be written in any language: connect to those signals of
//! [`ApplicationSignaller`], emit the others.
#![warn(missing_docs)]

mod application;
mod ext;
mod iface;
#[cfg(test)]
mod iface_test;
mod message;
mod overridable;
pub mod registry;
pub mod runtime;

pub use application::ApplicationSignaller;
pub use ext::SignallerExt;
pub use iface::{Signaller, SignallerImpl};
pub use message::{EndCode, Role, Wish};

/// A new session id, unique and unguessable.
pub fn new_session_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
