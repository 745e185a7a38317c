// SPDX-License-Identifier: MPL-2.0
//! The default signaller: an HTTP and WebSocket server inside the endpoint, with a player page at `/`, a
//! publish page at `/publish`, WHEP at `/whep`, WHIP at `/whip`, and `/ws` for the pages (`PROTOCOL.md`).
//!
//! ```text
//! server ── http ──┬─ pages                            connections, routes, files
//!                  ├─ resource ── sdpfrag              WHIP, WHEP: a session is a URL
//!                  └─ ws ── conversation ── wire       a session is a socket
//! gate (Host, Origin, token)    sessions (where messages go)    hub (what they share)
//! ```
//! Everything a peer sends is bounded: bodies and messages 128 KiB, 100 messages a second, one session a
//! socket, `max-sessions`, connections, and the time each step may take.

mod address;
mod conversation;
mod gate;
mod held;
mod http;
mod hub;
mod imp;
mod own;
mod pages;
mod problem;
mod resource;
mod sdpfrag;
mod server;
mod sessions;
mod wire;
mod ws;

use gst::glib::{self, prelude::*};
use rtc_signaller::Signaller;

glib::wrapper! {
    /// The GObject `GstRtcServeSignaller`.
    pub struct ServeSignaller(ObjectSubclass<imp::Serve>) @implements Signaller;
}

impl Default for ServeSignaller {
    fn default() -> Self {
        glib::Object::new()
    }
}

/// Makes the empty URI (and `serve:`) known to [`rtc_signaller::registry`].
pub fn register() {
    // So that it can be made by its name, too.
    ServeSignaller::ensure_type();
    rtc_signaller::registry::register(&["", "serve"], |_| Ok(ServeSignaller::default().upcast()));
}
