// SPDX-License-Identifier: MPL-2.0
//! The connection states a session reports, with W3C's own names.
use std::fmt;

macro_rules! w3c_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            #[default]
            $($(#[$vdoc])* $variant),+
        }

        impl $name {
            /// The W3C text.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

w3c_enum!(
    /// State of gathering candidates (W3C webrtc-pc §4.3.2 RTCIceGatheringState).
    GatheringState {
        /// It has not begun.
        New = "new",
        /// Servers are being asked.
        Gathering = "gathering",
        /// No further candidate will come.
        Complete = "complete",
    }
);

w3c_enum!(
    /// State of ICE (W3C webrtc-pc §4.3.4 RTCIceConnectionState).
    IceConnectionState {
        /// Nothing was tried yet.
        New = "new",
        /// Pairs are being checked.
        Checking = "checking",
        /// A pair works.
        Connected = "connected",
        /// A pair works, and no better one will come.
        Completed = "completed",
        /// The pair in use stopped answering a short while ago.
        Disconnected = "disconnected",
        /// No pair works, or consent was lost for 30 s (RFC 7675).
        Failed = "failed",
        /// The session is over.
        Closed = "closed",
    }
);

w3c_enum!(
    /// State of the whole connection (W3C webrtc-pc §4.3.3 RTCPeerConnectionState).
    ConnectionState {
        /// Nothing was tried yet.
        New = "new",
        /// ICE or DTLS are on their way.
        Connecting = "connecting",
        /// Media can flow.
        Connected = "connected",
        /// The peer stopped answering a short while ago.
        Disconnected = "disconnected",
        /// ICE or DTLS failed.
        Failed = "failed",
        /// The session is over.
        Closed = "closed",
    }
);

w3c_enum!(
    /// State of DTLS (W3C webrtc-pc §5.5.1 RTCDtlsTransportState).
    DtlsState {
        /// No handshake yet.
        New = "new",
        /// The handshake is on its way.
        Connecting = "connecting",
        /// The handshake is done and the peer's fingerprint verified.
        Connected = "connected",
        /// Ended by `close_notify`.
        Closed = "closed",
        /// The handshake or the verification failed.
        Failed = "failed",
    }
);

w3c_enum!(
    /// State of the SCTP association (W3C webrtc-pc §6.1.2 RTCSctpTransportState).
    SctpState {
        /// It waits for DTLS, or is being set up.
        Connecting = "connecting",
        /// Messages can flow.
        Connected = "connected",
        /// It is over: closed, aborted, or its m-line rejected.
        Closed = "closed",
    }
);

/// The connection state that follows from ICE and DTLS, there being one transport (BUNDLE is
/// required): the table of W3C webrtc-pc §4.3.3, first match wins.
pub fn aggregate(ice: IceConnectionState, dtls: DtlsState) -> ConnectionState {
    use IceConnectionState as Ice;
    match (ice, dtls) {
        (Ice::Closed, _) => ConnectionState::Closed,
        (Ice::Failed, _) | (_, DtlsState::Failed) => ConnectionState::Failed,
        (Ice::Disconnected, _) => ConnectionState::Disconnected,
        (Ice::New, DtlsState::New | DtlsState::Closed) => ConnectionState::New,
        (Ice::Connected | Ice::Completed, DtlsState::Connected | DtlsState::Closed) => {
            ConnectionState::Connected
        }
        _ => ConnectionState::Connecting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aggregate_follows_the_table() {
        use ConnectionState as C;
        use DtlsState as D;
        use IceConnectionState as I;
        let table = [
            (
                I::New,
                [C::New, C::Connecting, C::Connecting, C::New, C::Failed],
            ),
            (
                I::Checking,
                [
                    C::Connecting,
                    C::Connecting,
                    C::Connecting,
                    C::Connecting,
                    C::Failed,
                ],
            ),
            (
                I::Connected,
                [
                    C::Connecting,
                    C::Connecting,
                    C::Connected,
                    C::Connected,
                    C::Failed,
                ],
            ),
            (
                I::Completed,
                [
                    C::Connecting,
                    C::Connecting,
                    C::Connected,
                    C::Connected,
                    C::Failed,
                ],
            ),
            (
                I::Disconnected,
                [
                    C::Disconnected,
                    C::Disconnected,
                    C::Disconnected,
                    C::Disconnected,
                    C::Failed,
                ],
            ),
            (I::Failed, [C::Failed; 5]),
            (I::Closed, [C::Closed; 5]),
        ];
        for (ice, row) in table {
            for (dtls, expected) in [D::New, D::Connecting, D::Connected, D::Closed, D::Failed]
                .into_iter()
                .zip(row)
            {
                assert_eq!(aggregate(ice, dtls), expected, "{ice} {dtls}");
            }
        }
    }
}
