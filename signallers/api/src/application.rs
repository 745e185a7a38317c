// SPDX-License-Identifier: MPL-2.0
//! `application:` — a signaller whose wire is the application: it connects to the vfuncs' signals
//! (`start`, `send-description`, …) and emits what arrives (`session-requested`, `description`, …).
//!
//! A class of another language may as well derive from it and override those signals, in Python:
//!
//! ```python
//! Base = GObject.type_from_name('GstRtcApplicationSignaller').pytype
//! class Mine(Base):
//!     __gsignals__ = {'start': 'override', 'send-description': 'override'}
//!     def do_start(self): return None          # or why it failed
//!     def do_send_description(self, session_id, kind, sdp): ...
//! ```
use crate::{Signaller, SignallerImpl};
use gst::glib;
use gst::glib::subclass::prelude::*;

glib::wrapper! {
    /// The GObject `GstRtcApplicationSignaller`; it has nothing of its own beside the interface.
    pub struct ApplicationSignaller(ObjectSubclass<imp::Application>) @implements Signaller;
}

impl Default for ApplicationSignaller {
    fn default() -> Self {
        glib::Object::new()
    }
}

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct Application;

    #[glib::object_subclass]
    impl ObjectSubclass for Application {
        const NAME: &'static str = "GstRtcApplicationSignaller";
        type Type = ApplicationSignaller;
        type Interfaces = (Signaller,);
    }

    impl ObjectImpl for Application {}

    // Every vfunc keeps its default, which emits the signal of its name.
    impl SignallerImpl for Application {}
}
