// SPDX-License-Identifier: MPL-2.0
//! The session: one peer connection, driven by the loop the crate's documentation shows.
use crate::{
    Command, ConnectionState, Datagram, IceConnectionState, Output, SessionConfig, SessionStats,
};
use rtc_jsep::SignalingState;
use rtc_payload::SessionId;
use rtc_rtp::PacketBlock;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// One WebRTC peer connection.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
}

impl Session {
    /// A new session; nothing is sent before a description was applied.
    pub fn new(config: SessionConfig, _now: Instant) -> Self {
        Self { config }
    }

    /// Does, or queues behind what is being done, what the application asks.
    pub fn handle_command(&mut self, _command: Command, _now: Instant) {
        todo!()
    }

    /// Takes a datagram of any kind; what is not for this session is dropped.
    pub fn handle_datagram(&mut self, _datagram: Datagram<'_>, _now: Instant) {
        todo!()
    }

    /// To be called when the deadline of [`Output::Timeout`] has passed; earlier does no harm.
    pub fn handle_timeout(&mut self, _now: Instant) {
        todo!()
    }

    /// The answer to [`crate::Event::Resolve`]; no addresses if the name is unknown.
    pub fn handle_resolved(&mut self, _name: &str, _addresses: &[IpAddr], _now: Instant) {
        todo!()
    }

    /// Sends a frame on every sender that was negotiated for its track and codec.
    pub fn send_block(&mut self, _block: &Arc<PacketBlock>, _now: Instant) {
        todo!()
    }

    /// What to do next; to be called until it yields [`Output::Timeout`].
    pub fn poll_output(&mut self, _now: Instant) -> Output {
        todo!()
    }

    /// Gives the buffer of a [`crate::Transmit`] back for reuse.
    pub fn recycle(&mut self, _buffer: Vec<u8>) {
        todo!()
    }

    /// Whether a datagram from an address not seen before is for this session: a STUN binding
    /// request whose USERNAME starts with one of the session's username fragments (RFC 8445 §7.2.2).
    pub fn accepts(&self, _datagram: &Datagram<'_>) -> bool {
        todo!()
    }

    /// The newest local ICE username fragment.
    pub fn local_ufrag(&self) -> &str {
        todo!()
    }

    /// Its identifier.
    pub fn id(&self) -> SessionId {
        self.config.id
    }

    /// State of negotiation.
    pub fn signaling_state(&self) -> SignalingState {
        todo!()
    }

    /// State of ICE.
    pub fn ice_state(&self) -> IceConnectionState {
        todo!()
    }

    /// State of the whole.
    pub fn connection_state(&self) -> ConnectionState {
        todo!()
    }

    /// Whether [`crate::Event::Closed`] was queued: the session may be dropped once it was polled.
    pub fn is_closed(&self) -> bool {
        todo!()
    }

    /// Counters and what was negotiated, as of now.
    pub fn stats(&self) -> SessionStats {
        todo!()
    }
}
