// SPDX-License-Identifier: MPL-2.0
//! `whip://…` and `whep://…` — clients of any WHIP (RFC 9725) or WHEP (draft-ietf-wish-whep-03) server.
//!
//! ```text
//! life ── session ── client ── wire      task, one session, requests, texts
//!   └── backoff        └── address       pauses; what the URI says
//! ```
//! At the start, and again whenever a session is lost, the endpoint is asked for an offer; the offer is
//! POSTed with its candidates in it, later ones are PATCHed where the server takes them, and the session
//! is DELETEd at the end. A server that makes the offer itself (406 with one) is answered by PATCH.
//! Whatever the server sends is bounded: answers 128 KiB, reasons 4 KiB, redirections 5, the time each
//! request takes.

mod address;
mod backoff;
mod client;
mod imp;
mod life;
mod session;
mod wire;

use gst::glib::{self, prelude::*};
use rtc_signaller::Signaller;

glib::wrapper! {
    /// The GObject `GstRtcHttpSignaller`.
    pub struct HttpSignaller(ObjectSubclass<imp::Http>) @implements Signaller;
}

impl HttpSignaller {
    /// A client of the endpoint that `uri` names.
    pub fn new(uri: &str) -> Self {
        glib::Object::builder().property("uri", uri).build()
    }
}

/// Makes the schemes `whip`, `whips`, `whep`, `wheps` (and `whip+http`, …) known to
/// [`rtc_signaller::registry`].
pub fn register() {
    // So that it can be made by its name, too.
    HttpSignaller::ensure_type();
    rtc_signaller::registry::register(&address::schemes(), |uri| {
        address::parse(uri)?;
        Ok(HttpSignaller::new(uri).upcast())
    });
}
