// SPDX-License-Identifier: MPL-2.0
//! The way from an application's objects to their session.
use rtc_driver::Handle;
use rtc_payload::SessionId;
use rtc_session::Command;

/// Held by every object of a session. Not the endpoint: objects outlive it, and must not keep it.
pub(crate) struct Link {
    pub(crate) id: SessionId,
    pub(crate) handle: Handle,
}

impl Link {
    /// Asks something of the session; nothing happens once it is over.
    pub(crate) fn command(&self, command: Command) {
        self.handle.command(self.id, command);
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({})", self.id)
    }
}
