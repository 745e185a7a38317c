// SPDX-License-Identifier: MPL-2.0
//! How Rust code calls a signaller, reports from one, and listens to one.
use crate::{Role, Signaller, Wish};
use gst::glib::object::{IsA, ObjectExt};
use gst::glib::{self, prelude::*};

/// Methods of everything that implements `GstRtcSignaller`.
///
/// The `report_*` methods are for signallers and may be called on any thread; the handlers of the
/// `connect_*` methods run on that thread and must only pass the message on.
pub trait SignallerExt: IsA<Signaller> + 'static {
    /// Begins; the error says what was wrong and what to write instead.
    fn start(&self) -> Result<(), String> {
        let object = self.upcast_ref();
        (vtable(object).start)(object)
    }

    /// Ends every session and closes what `start` opened.
    fn stop(&self) {
        let object = self.upcast_ref();
        (vtable(object).stop)(object);
    }

    /// Sends our description to the peer of a session.
    fn send_description(&self, session_id: &str, kind: &str, sdp: &str) {
        let object = self.upcast_ref();
        (vtable(object).send_description)(object, session_id, kind, sdp);
    }

    /// Sends a candidate of ours; `None` says that there are no more. `index` is -1 where unknown.
    fn send_candidate(
        &self,
        session_id: &str,
        candidate: Option<&str>,
        mid: Option<&str>,
        index: i32,
    ) {
        let object = self.upcast_ref();
        (vtable(object).send_candidate)(object, session_id, candidate, mid, index);
    }

    /// Tells the peer that the session is over; `code` is one of [`crate::EndCode`]'s texts.
    fn end_session(&self, session_id: &str, code: &str, text: &str) {
        let object = self.upcast_ref();
        (vtable(object).end_session)(object, session_id, code, text);
    }

    /// A peer asks for a session. With [`Role::Answer`] its offer follows as a description.
    fn report_session_requested(&self, session_id: &str, peer: &str, role: Role, wish: Wish) {
        let (role, wish) = (role.as_str(), wish.as_str());
        self.emit_by_name::<()>("session-requested", &[&session_id, &peer, &role, &wish]);
    }

    /// The peer took the session up.
    fn report_session_started(&self, session_id: &str) {
        self.emit_by_name::<()>("session-started", &[&session_id]);
    }

    /// The peer ended the session, or was lost to signalling for good.
    fn report_session_ended(&self, session_id: &str, code: &str, text: &str) {
        self.emit_by_name::<()>("session-ended", &[&session_id, &code, &text]);
    }

    /// The peer sent its description.
    fn report_description(&self, session_id: &str, kind: &str, sdp: &str) {
        self.emit_by_name::<()>("description", &[&session_id, &kind, &sdp]);
    }

    /// The peer sent a candidate; `None` says that there are no more.
    fn report_candidate(
        &self,
        session_id: &str,
        candidate: Option<&str>,
        mid: Option<&str>,
        index: i32,
    ) {
        self.emit_by_name::<()>("candidate", &[&session_id, &candidate, &mid, &index]);
    }

    /// The signaller itself failed; running sessions live on.
    fn report_error(&self, text: &str) {
        self.emit_by_name::<()>("error", &[&text]);
    }

    /// The signaller gave up: no session runs and none will come; `text` says why and what to do.
    fn report_closed(&self, text: &str) {
        self.emit_by_name::<()>("closed", &[&text]);
    }

    /// The signaller can be reached at `web_uri`; `text` is more for the user's eye (may be empty).
    fn report_listening(&self, web_uri: &str, text: &str) {
        self.emit_by_name::<()>("listening", &[&web_uri, &text]);
    }

    /// STUN and TURN servers to use for a session.
    fn report_ice_servers(&self, session_id: &str, servers: &gst::Structure) {
        self.emit_by_name::<()>("ice-servers", &[&session_id, servers]);
    }

    /// Asks the element for the `meta` to announce to peers.
    fn request_meta(&self) -> Option<gst::Structure> {
        self.emit_by_name("request-meta", &[])
    }

    /// `handler(signaller, session_id, peer, role, wish)`; see [`Role`] and [`Wish`] for the texts.
    fn connect_session_requested<F>(&self, handler: F) -> glib::SignalHandlerId
    where
        F: Fn(&Signaller, &str, &str, Role, Wish) + Send + Sync + 'static,
    {
        connect(
            self.upcast_ref(),
            "session-requested",
            move |object, values| {
                let role = Role::from_text(text(values, 3)).unwrap_or(Role::Offer);
                let wish = Wish::from_text(text(values, 4)).unwrap_or(Wish::Any);
                handler(object, text(values, 1), text(values, 2), role, wish);
            },
        )
    }

    /// `handler(signaller, session_id)`
    fn connect_session_started<F>(&self, handler: F) -> glib::SignalHandlerId
    where
        F: Fn(&Signaller, &str) + Send + Sync + 'static,
    {
        connect(
            self.upcast_ref(),
            "session-started",
            move |object, values| {
                handler(object, text(values, 1));
            },
        )
    }

    /// `handler(signaller, session_id, code, text)`
    fn connect_session_ended<F>(&self, handler: F) -> glib::SignalHandlerId
    where
        F: Fn(&Signaller, &str, &str, &str) + Send + Sync + 'static,
    {
        connect(self.upcast_ref(), "session-ended", move |object, values| {
            handler(object, text(values, 1), text(values, 2), text(values, 3));
        })
    }

    /// `handler(signaller, session_id, kind, sdp)`
    fn connect_description<F>(&self, handler: F) -> glib::SignalHandlerId
    where
        F: Fn(&Signaller, &str, &str, &str) + Send + Sync + 'static,
    {
        connect(self.upcast_ref(), "description", move |object, values| {
            handler(object, text(values, 1), text(values, 2), text(values, 3));
        })
    }

    /// `handler(signaller, session_id, candidate, mid, index)`
    fn connect_candidate<F>(&self, handler: F) -> glib::SignalHandlerId
    where
        F: Fn(&Signaller, &str, Option<&str>, Option<&str>, i32) + Send + Sync + 'static,
    {
        connect(self.upcast_ref(), "candidate", move |object, values| {
            let (candidate, mid) = (maybe_text(values, 2), maybe_text(values, 3));
            let index = values.get(4).and_then(|v| v.get().ok()).unwrap_or(-1);
            handler(object, text(values, 1), candidate, mid, index);
        })
    }

    /// `handler(signaller, text)`
    fn connect_error<F>(&self, handler: F) -> glib::SignalHandlerId
    where
        F: Fn(&Signaller, &str) + Send + Sync + 'static,
    {
        connect(self.upcast_ref(), "error", move |object, values| {
            handler(object, text(values, 1));
        })
    }

    /// `handler(signaller, text)`
    fn connect_closed<F>(&self, handler: F) -> glib::SignalHandlerId
    where
        F: Fn(&Signaller, &str) + Send + Sync + 'static,
    {
        connect(self.upcast_ref(), "closed", move |object, values| {
            handler(object, text(values, 1));
        })
    }

    /// `handler(signaller, web_uri, text)`
    fn connect_listening<F>(&self, handler: F) -> glib::SignalHandlerId
    where
        F: Fn(&Signaller, &str, &str) + Send + Sync + 'static,
    {
        connect(self.upcast_ref(), "listening", move |object, values| {
            handler(object, text(values, 1), text(values, 2));
        })
    }

    /// `handler(signaller, session_id, servers)`
    fn connect_ice_servers<F>(&self, handler: F) -> glib::SignalHandlerId
    where
        F: Fn(&Signaller, &str, &gst::StructureRef) + Send + Sync + 'static,
    {
        connect(self.upcast_ref(), "ice-servers", move |object, values| {
            if let Some(Ok(servers)) = values.get(2).map(glib::Value::get::<gst::Structure>) {
                handler(object, text(values, 1), &servers);
            }
        })
    }

    /// `handler(signaller)` returns the `meta` to announce.
    fn connect_request_meta<F>(&self, handler: F) -> glib::SignalHandlerId
    where
        F: Fn(&Signaller) -> Option<gst::Structure> + Send + Sync + 'static,
    {
        self.connect("request-meta", false, move |values| {
            let object = values.first()?.get::<Signaller>().ok()?;
            Some(handler(&object).to_value())
        })
    }
}

impl<T: IsA<Signaller>> SignallerExt for T {}

fn vtable(object: &Signaller) -> crate::iface::Vtable {
    *object
        .interface::<Signaller>()
        .expect("the wrapper exists only for objects that implement the interface")
        .as_ref()
}

fn connect<F>(object: &Signaller, name: &str, handler: F) -> glib::SignalHandlerId
where
    F: Fn(&Signaller, &[glib::Value]) + Send + Sync + 'static,
{
    object.connect(name, false, move |values| {
        if let Some(Ok(object)) = values.first().map(glib::Value::get::<Signaller>) {
            handler(&object, values);
        }
        None
    })
}

/// A string argument; a foreign emitter's NULL reads as empty.
fn text(values: &[glib::Value], index: usize) -> &str {
    maybe_text(values, index).unwrap_or_default()
}

fn maybe_text(values: &[glib::Value], index: usize) -> Option<&str> {
    values.get(index)?.get::<Option<&str>>().ok()?
}
