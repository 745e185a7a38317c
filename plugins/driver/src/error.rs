// SPDX-License-Identifier: MPL-2.0
//! Why a driver could not start.
use std::io;

/// Why a driver could not start; once it runs, only sessions fail, each by its own event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// Every UDP port tried is in use: free one or choose another.
    #[error("UDP ports {first} to {last} are all in use; free one, or choose others")]
    PortsTaken {
        /// The first one tried.
        first: u16,
        /// The last one tried.
        last: u16,
        /// What the system said of the last.
        source: io::Error,
    },
    /// No UDP socket could be opened at all.
    #[error("no UDP socket could be opened on port {port} (0: any)")]
    Socket {
        /// The port tried.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The name of an address to announce is unknown.
    #[error("the name `{name}` to announce has no address; correct it, or write the IP address")]
    UnknownName {
        /// The name.
        name: String,
        /// What the system's resolver said.
        source: io::Error,
    },
    /// The machine has no address that may be used.
    #[error("no network interface fits: {0}")]
    NoAddress(String),
    /// The io thread or its poller could not be made.
    #[error("the io thread could not be started")]
    Thread(#[source] io::Error),
}
