// SPDX-License-Identifier: MPL-2.0
//! Why an endpoint could not start.
use rtc_driver::DriverError;
use rtc_session::SessionError;

/// Why an endpoint could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum EndpointError {
    /// The signaller said no; its text is meant for the user.
    #[error("{0}")]
    Signaller(String),
    /// No sockets.
    #[error("no UDP socket for sessions: {0}")]
    Driver(#[from] DriverError),
    /// No certificate.
    #[error("no certificate for DTLS: {0}")]
    Certificate(#[source] SessionError),
    /// No thread.
    #[error("no thread for the endpoint: {0}")]
    Thread(#[from] std::io::Error),
}
