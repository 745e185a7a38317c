// SPDX-License-Identifier: MPL-2.0
//! Byte streams to TURN servers over TCP and TLS, which the driver opens for a session.
use std::net::SocketAddr;

/// Names a stream within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey(pub u32);

/// What a session asks of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum StreamOutput {
    /// Connect to a server; the answer is [`StreamInput::Connected`] or [`StreamInput::Closed`].
    Open {
        /// Its name from now on.
        key: StreamKey,
        /// The server.
        server: SocketAddr,
        /// Speak TLS; the server's certificate must be valid for this name or address.
        tls: Option<String>,
    },
    /// Send bytes, in the order given.
    Send {
        /// On which.
        key: StreamKey,
        /// The bytes.
        contents: Vec<u8>,
    },
    /// Send what waits, then close. Nothing is told of it afterwards.
    Close(StreamKey),
}

/// What happened to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamInput<'a> {
    /// It can be used; with TLS, the server is who it should be.
    Connected,
    /// Bytes of the server.
    Data(&'a [u8]),
    /// It is over, or could not be opened.
    Closed {
        /// Why, for a human.
        reason: &'a str,
    },
}
