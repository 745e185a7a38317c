// SPDX-License-Identifier: MPL-2.0
//! The SCTP association of a session (RFC 8831 §5, §6), by `rtc-sctp`: the one file that knows it.
use crate::SctpCounters;
use bytes::Bytes;
use rtc_sctp::{Config, Event, SendOptions};
use std::time::{Duration, Instant};

/// How a message is to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) ordered: bool,
    pub(crate) max_retransmits: Option<u16>,
    pub(crate) lifetime: Option<Duration>,
}

impl Delivery {
    /// Until it arrives, in order.
    pub(crate) const RELIABLE: Self = Self {
        ordered: true,
        max_retransmits: None,
        lifetime: None,
    };
}

/// What came of an input.
#[derive(Debug)]
pub(crate) enum SctpEvent {
    /// To be sent by DTLS.
    Packet(Vec<u8>),
    Connected,
    /// It ended: by the peer's ABORT or SHUTDOWN, or by a breach of the protocol.
    Ended {
        reason: String,
        cause: Option<u16>,
    },
    /// Our outgoing streams were reset.
    Reset(Vec<u16>),
    ResetFailed(Vec<u16>),
    /// The peer reset its outgoing streams; an empty list: all of them.
    PeerReset(Vec<u16>),
}

/// A whole message.
pub(crate) use rtc_sctp::Message as Incoming;

/// An SCTP association over DTLS.
#[derive(Debug)]
pub(crate) struct Association {
    socket: rtc_sctp::Association,
    local_port: u16,
    remote_port: u16,
    now: Instant,
}

impl Association {
    pub(crate) fn new(local_port: u16, remote_port: u16, now: Instant) -> Self {
        // The packets of 1160 bytes that it makes, with DTLS 1.2's 37 bytes of a record, are no larger than
        // 1200 bytes, as for media (RFC 8831 §5): no path's MTU is probed.
        let config = Config::new(local_port, remote_port);
        Self {
            socket: rtc_sctp::Association::new(config),
            local_port,
            remote_port,
            now,
        }
    }

    pub(crate) fn ports(&self) -> (u16, u16) {
        (self.local_port, self.remote_port)
    }

    /// Sends INIT. Both sides do (RFC 8831 §5 leaves it open, all browsers do): a collision is resolved by
    /// RFC 9260 §5.2.
    pub(crate) fn connect(&mut self, now: Instant) {
        self.advance(now);
        self.socket.connect(now);
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.socket.is_connected()
    }

    pub(crate) fn handle_packet(&mut self, packet: &[u8], now: Instant) {
        self.now = now;
        self.socket.handle_packet(packet, now);
    }

    /// To be called before anything else at a new time.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = now;
        self.socket.handle_timeout(now);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.socket.poll_timeout()
    }

    pub(crate) fn poll_event(&mut self) -> Option<SctpEvent> {
        let Some(event) = self.socket.poll_event() else {
            return self.socket.poll_packet(self.now).map(SctpEvent::Packet);
        };
        Some(match event {
            Event::Connected => SctpEvent::Connected,
            Event::Ended { reason, cause } => SctpEvent::Ended { reason, cause },
            Event::Reset(streams) => SctpEvent::Reset(streams),
            Event::ResetFailed(streams) => SctpEvent::ResetFailed(streams),
            Event::PeerReset(streams) => SctpEvent::PeerReset(streams),
        })
    }

    /// The next whole message. What is not taken closes the window the peer may send into.
    pub(crate) fn poll_message(&mut self) -> Option<Incoming> {
        self.socket.poll_message()
    }

    /// Queues a message that is not empty; `false`: there is no room.
    pub(crate) fn send(
        &mut self,
        stream: u16,
        ppid: u32,
        payload: Bytes,
        delivery: Delivery,
    ) -> bool {
        let options = SendOptions {
            unordered: !delivery.ordered,
            max_retransmits: delivery.max_retransmits,
            expires: delivery
                .lifetime
                .and_then(|left| self.now.checked_add(left)),
        };
        self.socket.send(stream, ppid, payload, options)
    }

    /// Bytes that wait to be sent for the first time on a stream.
    pub(crate) fn buffered(&self, stream: u16) -> usize {
        self.socket.buffered(stream)
    }

    pub(crate) fn set_priority(&mut self, stream: u16, priority: u16) {
        self.socket.set_weight(stream, priority);
    }

    /// Asks for a reset of our outgoing stream; `false`: the peer knows no resets (RFC 6525).
    pub(crate) fn reset(&mut self, streams: &[u16]) -> bool {
        self.socket.reset(streams)
    }

    /// Packets go another way from now on (RFC 8831 §5).
    pub(crate) fn path_changed(&mut self) {
        self.socket.path_changed();
    }

    /// Sends ABORT; packets are polled for the last time after it.
    pub(crate) fn abort(&mut self, now: Instant) {
        self.advance(now);
        self.socket.abort();
    }

    /// The number of streams we may send on.
    pub(crate) fn max_streams(&self) -> u16 {
        self.socket.max_streams()
    }

    pub(crate) fn counters(&self) -> SctpCounters {
        let counters = self.socket.counters();
        SctpCounters {
            rtt: counters.rtt.unwrap_or_default(),
            window: counters.window,
            peer_window: counters.peer_window,
            packets_sent: counters.packets_sent,
            packets_received: counters.packets_received,
            packets_repeated: counters.packets_repeated,
            interleaving: counters.interleaving,
            zero_checksum: counters.zero_checksum,
        }
    }
}
