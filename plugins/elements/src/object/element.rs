// SPDX-License-Identifier: MPL-2.0
//! What every element with sessions has alike: their list, and signals about them.
use super::Session;
use crate::connect::login_signal;
use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The sessions of an endpoint; written by its control thread. Clones are the same list.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionList(Arc<Mutex<Vec<Session>>>);

impl SessionList {
    pub(crate) fn add(&self, session: Session) {
        self.lock().push(session);
    }

    pub(crate) fn remove(&self, session: &Session) {
        self.lock().retain(|other| other != session);
    }

    /// The sessions as of now.
    pub(crate) fn all(&self) -> Vec<Session> {
        self.lock().clone()
    }

    pub(crate) fn find(&self, id: &str) -> Option<Session> {
        let all = self.all();
        all.into_iter().find(|s| s.name_in_signalling() == id)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An element whose endpoint has sessions.
pub(crate) trait HasSessions: IsA<gst::Element> {
    /// Those of its endpoint; `None` in NULL.
    fn session_list(&self) -> Option<SessionList>;
}

const SESSIONS: &str = "sessions";

/// The properties.
pub(crate) fn session_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecObject::builder::<gio::ListModel>(SESSIONS)
            .blurb(
                "The sessions that run, as of now: a list of GstRtcSession, each one peer connection \
                 (read-only)",
            )
            .read_only()
            .build(),
    ]
}

/// The value of one of [`session_properties`]; `None` if it is none of them.
pub(crate) fn session_property<T: HasSessions>(element: &T, name: &str) -> Option<glib::Value> {
    (name == SESSIONS).then(|| {
        let store = gio::ListStore::new::<Session>();
        let list = element.session_list();
        store.extend_from_slice(&list.map(|list| list.all()).unwrap_or_default());
        store.upcast::<gio::ListModel>().to_value()
    })
}

/// The signals.
pub(crate) fn session_signals<T: HasSessions>() -> Vec<Signal> {
    let session = Session::static_type();
    vec![
        // (session): it begins; nothing was asked of it yet. Also told to an element that comes later.
        Signal::builder("session-added")
            .param_types([session])
            .build(),
        // (session): it is over; its objects may still be read.
        Signal::builder("session-removed")
            .param_types([session])
            .build(),
        login_signal(),
        // (id) -> GstRtcSession, or NULL
        Signal::builder("get-session")
            .param_types([String::static_type()])
            .return_type::<Option<Session>>()
            .action()
            .class_handler(|values| {
                let element = values[0].get::<T>().ok()?;
                let id = values[1].get::<Option<String>>().ok()?.unwrap_or_default();
                let list = element.session_list();
                Some(list.and_then(|list| list.find(&id)).to_value())
            })
            .build(),
    ]
}
