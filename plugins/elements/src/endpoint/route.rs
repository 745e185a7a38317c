// SPDX-License-Identifier: MPL-2.0
//! The driver's outlet: frames go straight to their sinks, all else to the control thread.
use super::attachment::FrameSink;
use super::inbox::{Inbox, Message};
use crate::data::Hub;
use rtc_driver::Outlet;
use rtc_payload::{Mid, SessionId};
use rtc_rtp::MediaEvent;
use rtc_session::Event;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

type Table = HashMap<SessionId, HashMap<Mid, Arc<dyn FrameSink>>>;

/// Which frames go where; written by the control thread alone, rarely.
#[derive(Clone, Default)]
pub(super) struct Routes(Arc<RwLock<Table>>);

impl Routes {
    pub(super) fn insert(&self, session: SessionId, mid: Mid, sink: Arc<dyn FrameSink>) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        table.entry(session).or_default().insert(mid, sink);
    }

    /// The sink is told that nothing more will come.
    pub(super) fn remove(&self, session: SessionId, mid: &Mid) {
        let removed = {
            let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let Some(mids) = table.get_mut(&session) else {
                return;
            };
            let removed = mids.remove(mid);
            if mids.is_empty() {
                table.remove(&session);
            }
            removed
        };
        if let Some(sink) = removed {
            sink.ended();
        }
    }
}

/// See the module.
pub(super) struct Route {
    inbox: Inbox,
    routes: Routes,
    hub: Hub,
}

impl Route {
    pub(super) fn new(inbox: Inbox, routes: Routes, hub: Hub) -> Self {
        Self { inbox, routes, hub }
    }
}

impl Outlet for Route {
    fn event(&mut self, session: SessionId, event: Event) {
        let frame = match event {
            Event::Rtp(MediaEvent::Frame(frame)) => frame,
            Event::Channel(event) => {
                if let Some(event) = self.hub.on_event(session, event) {
                    let event = Event::Channel(event);
                    self.inbox.send(Message::Session(session, event));
                }
                return;
            }
            other => {
                if let Event::Data(Some(data)) = other {
                    self.hub.on_negotiated(session, data);
                }
                self.inbox.send(Message::Session(session, other));
                return;
            }
        };
        let table = self.routes.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(sink) = table.get(&session).and_then(|mids| mids.get(&frame.mid)) {
            sink.frame(frame);
        }
    }
}
