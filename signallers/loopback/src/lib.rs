// SPDX-License-Identifier: MPL-2.0
//! `loopback:NAME` — the signaller between two endpoints of one process: no network, no server.
//!
//! The first endpoint to start waits; when the second starts both get `session-requested`. The one whose
//! `role` is `sink` offers; with equal roles the one that started first does. Messages are delivered on the
//! sender's thread, so their order holds.

mod imp;
mod room;
#[cfg(test)]
mod room_test;

use gst::glib::{self, prelude::*};
use rtc_signaller::Signaller;

glib::wrapper! {
    /// The GObject `GstRtcLoopbackSignaller`.
    pub struct LoopbackSignaller(ObjectSubclass<imp::Loopback>) @implements Signaller;
}

impl LoopbackSignaller {
    /// One of the two ends of `room`.
    pub fn new(room: &str) -> Self {
        glib::Object::builder().property("room", room).build()
    }
}

/// Makes `loopback:NAME` known to [`rtc_signaller::registry`].
pub fn register() {
    // So that it can be made by its name, too.
    LoopbackSignaller::ensure_type();
    rtc_signaller::registry::register(&["loopback"], |uri| {
        let name = uri.split_once(':').map_or("", |(_, name)| name);
        match name.trim_start_matches('/') {
            "" => Err(format!(
                "`{uri}` names no meeting point; write loopback:NAME, the same NAME at both elements"
            )),
            name => Ok(LoopbackSignaller::new(name).upcast()),
        }
    });
}
