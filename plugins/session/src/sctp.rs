// SPDX-License-Identifier: MPL-2.0
//! The SCTP association of a session (RFC 8831 §5, §6), by `dcsctp`: the one file that knows it.
//!
//! `dcsctp::Socket` cannot move between threads, so neither can a session once it has data channels: it is
//! made and used on the io thread.
use crate::SctpCounters;
use crate::sctp_guard::Guard;
use dcsctp::api::{
    DcSctpSocket, ErrorKind, Message, Options, PpId, SendOptions, Socket, SocketEvent, SocketState,
    SocketTime, StreamId, ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
};
use std::fmt;
use std::time::{Duration, Instant};

/// The largest SCTP packet, bytes: with DTLS 1.2's 37 bytes of a record no UDP payload is larger than
/// 1200 bytes, as for media.
const MTU: usize = 1160;
/// Bytes of messages that are not complete or not taken yet. It has to be larger than the largest message
/// we announce, for the window the peer sees is nine tenths of it.
const RECEIVE_BUFFER: usize = 5 * 1024 * 1024;
/// The window we announce when nothing is held: dcsctp reckons it in `f32` from nine tenths.
const WHOLE_WINDOW: u32 = (RECEIVE_BUFFER as f32 * 0.9) as u32;
/// Bytes that wait in all streams together; what exceeds it waits in the channels' own queues, where it
/// is shared by sessions.
const SEND_BUFFER: usize = 1024 * 1024;
/// Retransmissions come no rarer than this, so that a path that comes back is noticed soon. How long the
/// peer may be silent is for ICE to say, not for SCTP.
const MAX_BACKOFF: Duration = Duration::from_secs(3);
/// A message that is lost alone is repeated after this: a peer may keep its acknowledgement for 200 ms.
const MIN_RTO: Duration = Duration::from_millis(250);
/// From its time zero on dcsctp counts; it takes no point before.
const NEVER: SocketTime = SocketTime::infinite_future();

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
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) stream: u16,
    pub(crate) ppid: u32,
    pub(crate) payload: Vec<u8>,
}

/// An SCTP association over DTLS.
pub(crate) struct Association {
    socket: Socket,
    guard: Guard,
    epoch: Instant,
    local_port: u16,
    remote_port: u16,
}

impl Association {
    pub(crate) fn new(name: &str, local_port: u16, remote_port: u16, now: Instant) -> Self {
        let options = Options {
            local_port,
            remote_port,
            mtu: MTU,
            // The channels check it: sizes of the peer's description may change.
            max_message_size: usize::MAX,
            max_receiver_window_buffer_size: RECEIVE_BUFFER,
            max_send_buffer_size: SEND_BUFFER,
            per_stream_send_queue_limit: SEND_BUFFER,
            rto_min: MIN_RTO,
            max_timer_backoff_duration: Some(MAX_BACKOFF),
            max_retransmissions: None,
            max_init_retransmits: None,
            enable_message_interleaving: true,
            zero_checksum_alternate_error_detection_method:
                ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
            ..Options::default()
        };
        Self {
            socket: Socket::new(name, &options),
            guard: Guard::new(WHOLE_WINDOW),
            epoch: now,
            local_port,
            remote_port,
        }
    }

    pub(crate) fn ports(&self) -> (u16, u16) {
        (self.local_port, self.remote_port)
    }

    /// Sends INIT. Both sides do (RFC 8831 §5 leaves it open, all browsers do): a collision is resolved by
    /// RFC 9260 §5.2.
    pub(crate) fn connect(&mut self, now: Instant) {
        self.advance(now);
        self.socket.connect();
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.socket.state() == SocketState::Connected
    }

    /// `false`: it was not taken, for the peer makes us hold too many small pieces.
    pub(crate) fn handle_packet(&mut self, packet: &[u8], now: Instant) -> bool {
        let admitted = self.guard.admits(packet);
        if admitted {
            self.advance(now);
            self.socket.handle_input(packet);
        }
        admitted
    }

    /// To be called before anything else at a new time.
    pub(crate) fn advance(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.epoch);
        self.socket.advance_time(SocketTime::zero() + since);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let at = self.socket.poll_timeout();
        if at == NEVER {
            return None;
        }
        self.epoch.checked_add(at - SocketTime::zero())
    }

    pub(crate) fn poll_event(&mut self) -> Option<SctpEvent> {
        loop {
            let ids = |streams: Vec<StreamId>| streams.into_iter().map(|id| id.0).collect();
            return Some(match self.socket.poll_event()? {
                SocketEvent::SendPacket(packet) => {
                    self.guard.sent(&packet);
                    SctpEvent::Packet(packet)
                }
                SocketEvent::OnConnected() => SctpEvent::Connected,
                SocketEvent::OnClosed() => SctpEvent::Ended {
                    reason: "the peer shut the association down".into(),
                    cause: None,
                },
                SocketEvent::OnAborted(kind, text) => ended(kind, &text),
                SocketEvent::OnStreamsResetPerformed(streams) => SctpEvent::Reset(ids(streams)),
                SocketEvent::OnStreamsResetFailed(streams) => SctpEvent::ResetFailed(ids(streams)),
                SocketEvent::OnIncomingStreamReset(streams) => SctpEvent::PeerReset(ids(streams)),
                SocketEvent::OnError(kind, text) => {
                    tracing::debug!(?kind, text, "SCTP");
                    continue;
                }
                _ => continue,
            });
        }
    }

    /// The next whole message. What is not taken closes the window the peer may send into.
    pub(crate) fn poll_message(&mut self) -> Option<Incoming> {
        let message = self.socket.get_next_message()?;
        self.guard.came_out(message.payload.len());
        Some(Incoming {
            stream: message.stream_id.0,
            ppid: message.ppid.0,
            payload: message.payload,
        })
    }

    /// Queues a message that is not empty; `false`: there is no room.
    pub(crate) fn send(
        &mut self,
        stream: u16,
        ppid: u32,
        payload: Vec<u8>,
        delivery: Delivery,
    ) -> bool {
        let options = SendOptions {
            unordered: !delivery.ordered,
            lifetime: delivery.lifetime,
            max_retransmissions: delivery.max_retransmits,
            lifecycle_id: None,
        };
        let message = Message::new(StreamId(stream), PpId(ppid), payload);
        self.socket.send(message, &options).is_ok()
    }

    /// Bytes that wait to be sent for the first time on a stream.
    pub(crate) fn buffered(&self, stream: u16) -> usize {
        self.socket.buffered_amount(StreamId(stream))
    }

    pub(crate) fn set_priority(&mut self, stream: u16, priority: u16) {
        self.socket.set_stream_priority(StreamId(stream), priority);
    }

    /// Asks for a reset of our outgoing stream; `false`: the peer knows no resets (RFC 6525).
    pub(crate) fn reset(&mut self, streams: &[u16]) -> bool {
        let streams: Vec<StreamId> = streams.iter().map(|id| StreamId(*id)).collect();
        self.socket.reset_streams(&streams).is_ok()
    }

    /// Sends ABORT; packets are polled for the last time after it.
    pub(crate) fn abort(&mut self, now: Instant) {
        self.advance(now);
        self.socket.close();
    }

    /// The number of streams we may send on.
    pub(crate) fn max_streams(&self) -> u16 {
        let metrics = self.socket.get_metrics();
        metrics.map_or(0, |m| m.negotiated_maximum_outgoing_streams)
    }

    pub(crate) fn counters(&self) -> SctpCounters {
        let Some(metrics) = self.socket.get_metrics() else {
            return SctpCounters::default();
        };
        SctpCounters {
            rtt: metrics.srtt,
            window: metrics.cwnd_bytes as u64,
            peer_window: metrics.peer_rwnd_bytes.into(),
            packets_sent: metrics.tx_packets_count as u64,
            packets_received: metrics.rx_packets_count as u64,
            packets_repeated: metrics.rtx_packets_count as u64,
            interleaving: metrics.uses_message_interleaving,
            zero_checksum: metrics.uses_zero_checksum,
        }
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Association")
            .field("state", &self.socket.state())
            .field("remote_port", &self.remote_port)
            .finish_non_exhaustive()
    }
}

/// dcsctp tells the causes of an ABORT (RFC 9260 §3.3.10) by text only.
fn ended(kind: ErrorKind, text: &str) -> SctpEvent {
    const CAUSES: [(&str, u16); 5] = [
        ("Missing Mandatory Parameter", 2),
        ("Unrecognized Chunk Type", 6),
        ("No User Data", 9),
        ("User-Initiated Abort", 12),
        ("Protocol Violation", 13),
    ];
    let named = CAUSES.iter().find(|(name, _)| text.starts_with(name));
    let cause = named
        .filter(|_| kind == ErrorKind::PeerReported)
        .map(|(_, code)| *code);
    let reason = match (kind, text) {
        (ErrorKind::PeerReported, "") => "the peer aborted the association".to_owned(),
        (ErrorKind::PeerReported, text) => format!("the peer aborted the association: {text}"),
        (_, text) => text.to_owned(),
    };
    SctpEvent::Ended { reason, cause }
}
