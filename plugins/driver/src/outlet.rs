// SPDX-License-Identifier: MPL-2.0
//! The one door out.
use rtc_payload::SessionId;
use rtc_session::Event;

/// Where the events of all sessions of a driver go.
///
/// Every call is made on the io thread, in the order things happened. It must not block and must not
/// call application code: hand the event to a queue and return. A call that panics ends its session.
pub trait Outlet: Send + 'static {
    /// Something happened in a session. After [`Event::Closed`] nothing comes from that session.
    fn event(&mut self, session: SessionId, event: Event);
}

impl<F: FnMut(SessionId, Event) + Send + 'static> Outlet for F {
    fn event(&mut self, session: SessionId, event: Event) {
        self(session, event);
    }
}
