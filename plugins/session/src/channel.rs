// SPDX-License-Identifier: MPL-2.0
//! Data channels as an application sees them (W3C webrtc-pc §6): what is asked, told and refused.
use bytes::Bytes;
use std::fmt;

/// Names a data channel of one session.
///
/// Whoever opens a channel chooses its key; it may be the same in several sessions, so that one message
/// can go to all of them. Keys with the top bit set are the session's own, for channels the peer opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelKey(pub u64);

impl ChannelKey {
    const BY_PEER: u64 = 1 << 63;

    /// The key of the nth channel the peer opened.
    pub(crate) fn by_peer(number: u64) -> Self {
        Self(Self::BY_PEER | number)
    }

    /// Whether the session chose it, for a channel the peer opened.
    pub fn is_by_peer(self) -> bool {
        self.0 & Self::BY_PEER != 0
    }
}

impl fmt::Display for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_by_peer() {
            true => write!(f, "peer's {}", self.0 & !Self::BY_PEER),
            false => write!(f, "{}", self.0),
        }
    }
}

/// A data channel to be opened (W3C RTCDataChannelInit).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelInit {
    /// Its key, with the top bit clear; not that of another channel of the session that is not closed.
    pub key: ChannelKey,
    /// Its label, at most 65535 bytes.
    pub label: String,
    /// The subprotocol spoken on it, at most 65535 bytes; may be empty.
    pub protocol: String,
    /// Whether messages arrive in the order sent.
    pub ordered: bool,
    /// Repetitions of a message that is lost; `None`: until it arrives. Not together with a lifetime.
    pub max_retransmits: Option<u16>,
    /// Milliseconds for which a message is sent and repeated; `None`: until it arrives.
    pub max_packet_lifetime_ms: Option<u16>,
    /// Whether both sides open it by themselves, with the same `id`; else the peer is told by DCEP.
    pub negotiated: bool,
    /// The SCTP stream, 0-65534: needed if `negotiated`, ignored otherwise.
    pub id: Option<u16>,
    /// Its share against others (RFC 8831 §6.4): 128 very low, 256 low, 512 medium, 1024 high.
    pub priority: u16,
    /// [`ChannelEvent::BufferedAmountLow`] comes when no more than this many bytes wait.
    pub low_threshold: u64,
}

impl ChannelInit {
    /// A reliable, ordered channel of low priority (W3C's defaults), told to the peer.
    pub fn new(key: ChannelKey, label: impl Into<String>) -> Self {
        Self {
            key,
            label: label.into(),
            protocol: String::new(),
            ordered: true,
            max_retransmits: None,
            max_packet_lifetime_ms: None,
            negotiated: false,
            id: None,
            priority: 256,
            low_threshold: 0,
        }
    }
}

/// Something that happened to a data channel, in the order it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// Messages can be sent.
    Opened {
        /// Which.
        key: ChannelKey,
        /// What it is: as asked, or as the peer told. `id` is the SCTP stream and always known.
        init: ChannelInit,
        /// Whether the peer opened it, by DCEP.
        by_peer: bool,
    },
    /// A message arrived.
    Message {
        /// On which channel.
        key: ChannelKey,
        /// Its bytes; may be none.
        data: Bytes,
        /// Whether the peer says it is UTF-8 text (verified: text that isn't is told as binary).
        text: bool,
    },
    /// What waited fell to `low_threshold` or below.
    BufferedAmountLow {
        /// Which.
        key: ChannelKey,
    },
    /// Messages left the queue.
    Sent {
        /// Which.
        key: ChannelKey,
        /// Bytes of messages that left since it was opened. Those of accepted messages less this is
        /// W3C's bufferedAmount at the caller, who knows what is still under way to the session.
        sent: u64,
        /// Bytes of messages that wait now.
        buffered: u64,
    },
    /// The channel is being closed, by whichever side; nothing more can be sent.
    Closing {
        /// Which.
        key: ChannelKey,
    },
    /// The channel is gone, its key free. Comes for every channel, also when the session ends, and for
    /// one that could never be opened.
    Closed {
        /// Which.
        key: ChannelKey,
        /// Why, if not because a side wanted it.
        error: Option<ChannelError>,
    },
    /// Something asked of it was not done; the channel, if there is one, stays as it is.
    Refused {
        /// Which.
        key: ChannelKey,
        /// If it was a message: its size, bytes. It was dropped.
        message: Option<u64>,
        /// Why.
        error: ChannelError,
    },
}

/// What can be wrong with a data channel or a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The message is larger than the peer takes (W3C TypeError).
    #[error("a message of {size} bytes was refused: the peer takes at most {limit} bytes")]
    TooLarge {
        /// Its size, bytes.
        size: u64,
        /// The peer's `a=max-message-size`, or less where we set a bound of our own, bytes.
        limit: u64,
    },
    /// Too much waits already (W3C OperationError).
    #[error(
        "a message of {size} bytes was refused: {buffered} bytes wait and {limit} may wait in all"
    )]
    BufferFull {
        /// Its size, bytes.
        size: u64,
        /// Bytes that wait on all channels of the session.
        buffered: u64,
        /// The bound, bytes.
        limit: u64,
    },
    /// The channel is not open, or there is none (W3C InvalidStateError).
    #[error("the data channel is not open")]
    NotOpen,
    /// What was asked contradicts itself or is out of range (W3C TypeError).
    #[error("the data channel cannot be opened: {reason}")]
    Init {
        /// What is wrong.
        reason: &'static str,
    },
    /// No SCTP stream can be had for it (W3C OperationError, data-channel-failure).
    #[error("no SCTP stream for the data channel: {reason}")]
    NoStream {
        /// Why.
        reason: &'static str,
    },
    /// The peer broke the protocol on this channel, which was closed for it (data-channel-failure).
    #[error("the data channel was closed: {reason}")]
    Protocol {
        /// What it did.
        reason: String,
    },
    /// The SCTP association failed (sctp-failure).
    #[error("SCTP failed: {reason}")]
    Sctp {
        /// What is known of it.
        reason: String,
        /// The cause of the peer's ABORT (RFC 9260 §3.3.10), if it told one.
        cause: Option<u16>,
    },
}
