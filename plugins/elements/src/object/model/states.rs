// SPDX-License-Identifier: MPL-2.0
//! States of the session and of its transports.
use super::Model;
use crate::object::enums::{
    DtlsTransportState, IceConnectionState, IceTransportState, PeerConnectionState,
    SctpTransportState, SignalingState,
};
use crate::object::error::RtcError;
use crate::object::mirror::Mirror;
use crate::object::sctp_transport::SctpTransport;
use gst::prelude::*;
use rtc_session::{ConnectionState, SctpState, SessionError, aggregate};

impl Model {
    pub(super) fn on_signaling(&self, state: SignalingState, mirror: &Mirror<'_>) {
        if let Some(old) = self.session.set_signaling(state) {
            let (old, new) = (old.as_str(), state.as_str());
            mirror.change("session", "signaling-state-change", old, new);
            self.session.notify_signaling_state();
        }
    }

    /// ICE or DTLS changed: the transport's state is told before those of the whole (webrtc-pc §5.5, §5.6.6).
    pub(super) fn on_states(&self, mirror: &Mirror<'_>, error: Option<&SessionError>) {
        let ice = IceTransportState::from(self.ice_state);
        let dtls = DtlsTransportState::from(self.dtls_state);
        let whole = IceConnectionState::from(self.ice_state);
        let connection = PeerConnectionState::from(aggregate(self.ice_state, self.dtls_state));
        let of_ice = self.ice.set_state(ice);
        let of_dtls = self.dtls.set_state(dtls);
        let of_whole = self.session.set_ice(whole);
        let of_connection = self.session.set_connection(connection);
        if let Some(old) = of_ice {
            mirror.change("ice-transport", "state-change", old.as_str(), ice.as_str());
            self.ice.notify_state();
        }
        if let Some(error) = error {
            let structure = dtls_error(error);
            mirror.event("dtls-transport", "error", |event| {
                event.set("message", error.to_string());
            });
            self.dtls.emit_by_name::<()>("on-error", &[&structure]);
        }
        if let Some(old) = of_dtls {
            let (old, new) = (old.as_str(), dtls.as_str());
            mirror.change("dtls-transport", "state-change", old, new);
            self.dtls.notify_state();
        }
        if let Some(old) = of_whole {
            let (old, new) = (old.as_str(), whole.as_str());
            mirror.change("session", "ice-connection-state-change", old, new);
            self.session.notify_ice_connection_state();
        }
        if let Some(old) = of_connection {
            self.tell_connection(old, connection, mirror);
        }
    }

    /// What the session says of the whole follows from the parts, which it told before.
    pub(super) fn on_connection(&self, state: ConnectionState, mirror: &Mirror<'_>) {
        let state = state.into();
        if let Some(old) = self.session.set_connection(state) {
            self.tell_connection(old, state, mirror);
        }
    }

    fn tell_connection(
        &self,
        old: PeerConnectionState,
        new: PeerConnectionState,
        mirror: &Mirror<'_>,
    ) {
        let (old, new) = (old.as_str(), new.as_str());
        mirror.change("session", "connection-state-change", old, new);
        self.session.notify_connection_state();
    }

    pub(super) fn tell_pair(&self, mirror: &Mirror<'_>) {
        mirror.event("ice-transport", "selected-candidate-pair-change", |event| {
            event.set_if_some("pair", self.ice.pair());
        });
        self.ice
            .emit_by_name::<()>("on-selected-candidate-pair-change", &[]);
    }

    /// Made when data channels are negotiated, or as they connect.
    pub(super) fn sctp_transport(&mut self) -> SctpTransport {
        let dtls = &self.dtls;
        let sctp = self.sctp.get_or_insert_with(|| SctpTransport::new(dtls));
        let sctp = sctp.clone();
        self.session.set_sctp(Some(sctp.clone()));
        sctp
    }

    pub(super) fn on_sctp(&mut self, state: SctpState, mirror: &Mirror<'_>) {
        let (sctp, state) = (self.sctp_transport(), SctpTransportState::from(state));
        if let Some(old) = sctp.set_state(state) {
            let (old, new) = (old.as_str(), state.as_str());
            mirror.change("sctp-transport", "state-change", old, new);
            sctp.notify_state();
        }
    }

    /// The session is over by other hands than the application's.
    pub(crate) fn on_closed(&self, error: Option<&SessionError>, mirror: &Mirror<'_>) {
        if !self.session.is_closed_here() {
            if let Some(error) = error {
                let structure = gst::Structure::builder("rtc-session-error")
                    .field("name", RtcError::OperationError.name())
                    .field("message", error.to_string())
                    .build();
                self.session
                    .emit_by_name::<()>("on-session-error", &[&structure]);
            }
            self.on_signaling(SignalingState::Closed, mirror);
        }
        self.session.close_silently();
    }

    /// The endpoint stops: nobody is told.
    pub(crate) fn stop(&self) {
        self.session.close_silently();
    }
}

/// W3C's RTCError of a DTLS transport.
fn dtls_error(error: &SessionError) -> gst::Structure {
    let detail = match error {
        SessionError::Fingerprint => "fingerprint-failure",
        _ => "dtls-failure",
    };
    gst::Structure::builder("rtc-error")
        .field("name", RtcError::OperationError.name())
        .field("message", error.to_string())
        .field("error-detail", detail)
        .build()
}
