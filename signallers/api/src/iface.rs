// SPDX-License-Identifier: MPL-2.0
//! The GInterface `GstRtcSignaller`: five vfuncs, their overridable signals, and what a signaller reports.
//!
//! The only file of the crate with unsafe code: glib asks for it to register an interface.
#![allow(unsafe_code)]
use gst::glib;
use gst::glib::object::{Cast, IsA};
use gst::glib::subclass::prelude::*;
use std::sync::LazyLock;

glib::wrapper! {
    /// A signaller: carries descriptions, candidates and goodbyes, as text, between this endpoint and its
    /// peers.
    ///
    /// Implement [`SignallerImpl`] in Rust. From Python or C, use the application signaller or add the
    /// interface to a type; a vfunc that is not implemented emits the signal of its name.
    pub struct Signaller(ObjectInterface<Interface>);
}

// SAFETY: the interface itself holds no data. A vfunc may be called and a signal emitted from any thread,
// and `SignallerImpl` demands `Send + Sync` of the implementing struct; a foreign implementor is told so
// by the documentation, as GStreamer tells those of its own interfaces.
unsafe impl Send for Signaller {}
// SAFETY: as above.
unsafe impl Sync for Signaller {}

/// The vfuncs. They take Rust types, so that only Rust fills them; other languages use the signals.
#[derive(Clone, Copy)]
#[repr(C)]
#[allow(missing_debug_implementations)]
pub struct Vtable {
    parent: glib::gobject_ffi::GTypeInterface,
    pub(crate) start: fn(&Signaller) -> Result<(), String>,
    pub(crate) stop: fn(&Signaller),
    pub(crate) send_description: fn(&Signaller, &str, &str, &str),
    pub(crate) send_candidate: fn(&Signaller, &str, Option<&str>, Option<&str>, i32),
    pub(crate) end_session: fn(&Signaller, &str, &str, &str),
}

// SAFETY: `Vtable` is `repr(C)` and begins with `GTypeInterface`.
unsafe impl InterfaceStruct for Vtable {
    type Type = Interface;
}

/// The type of the interface; glib registers it on first use.
#[allow(missing_debug_implementations)]
pub enum Interface {}

#[glib::object_interface]
impl ObjectInterface for Interface {
    const NAME: &'static str = "GstRtcSignaller";
    type Instance = std::ffi::c_void;
    type Interface = Vtable;
    type Prerequisites = (glib::Object,);

    fn interface_init(vtable: &mut Vtable) {
        vtable.start = crate::overridable::start;
        vtable.stop = crate::overridable::stop;
        vtable.send_description = crate::overridable::send_description;
        vtable.send_candidate = crate::overridable::send_candidate;
        vtable.end_session = crate::overridable::end_session;
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> =
            LazyLock::new(crate::overridable::signals);
        &SIGNALS
    }
}

/// What a signaller written in Rust implements. Every vfunc is called from the endpoint's control thread,
/// must not block on the network, and may be called for a session that is already gone.
pub trait SignallerImpl: ObjectImpl + ObjectSubclass<Type: IsA<Signaller>> + Send + Sync {
    /// Begins: binds, connects, or waits. An error says what was wrong and what to write instead.
    fn start(&self) -> Result<(), String> {
        crate::overridable::start(self.obj().upcast_ref())
    }

    /// Ends every session and closes what `start` opened. Called once for each successful `start`.
    fn stop(&self) {
        crate::overridable::stop(self.obj().upcast_ref());
    }

    /// Sends our description; `kind` is `offer`, `pranswer`, `answer` or `rollback`.
    fn send_description(&self, session_id: &str, kind: &str, sdp: &str) {
        crate::overridable::send_description(self.obj().upcast_ref(), session_id, kind, sdp);
    }

    /// Sends a candidate of ours (`candidate:…`); `None` says that there are no more. `mid` and `index`
    /// name its m-line, `index` is -1 where unknown.
    fn send_candidate(
        &self,
        session_id: &str,
        candidate: Option<&str>,
        mid: Option<&str>,
        index: i32,
    ) {
        crate::overridable::send_candidate(
            self.obj().upcast_ref(),
            session_id,
            candidate,
            mid,
            index,
        );
    }

    /// Tells the peer that the session is over; `code` is one of [`crate::EndCode`]'s texts.
    fn end_session(&self, session_id: &str, code: &str, text: &str) {
        crate::overridable::end_session(self.obj().upcast_ref(), session_id, code, text);
    }
}

// SAFETY: `T: SignallerImpl` is the very bound of the functions put into the table.
unsafe impl<T: SignallerImpl> IsImplementable<T> for Signaller {
    fn interface_init(iface: &mut glib::Interface<Self>) {
        let vtable = iface.as_mut();
        vtable.start = |object| imp::<T>(object).start();
        vtable.stop = |object| imp::<T>(object).stop();
        vtable.send_description =
            |object, id, kind, sdp| imp::<T>(object).send_description(id, kind, sdp);
        vtable.send_candidate = |object, id, candidate, mid, index| {
            imp::<T>(object).send_candidate(id, candidate, mid, index);
        };
        vtable.end_session = |object, id, code, text| imp::<T>(object).end_session(id, code, text);
    }
}

fn imp<T: SignallerImpl>(object: &Signaller) -> &T {
    // SAFETY: the table this was called from belongs to the class of `T` or of a subclass of it.
    unsafe { object.unsafe_cast_ref::<T::Type>().imp() }
}
