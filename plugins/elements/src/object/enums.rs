// SPDX-License-Identifier: MPL-2.0
//! W3C's state enums; their nicks are W3C's texts, so that `gst-launch`, JSON and browsers agree.
use gst::glib;
use rtc_session as session;

/// A GEnum whose nicks are W3C's texts, and the enum of the session it stands for.
macro_rules! w3c {
    ($(#[$doc:meta])* $name:ident as $gtype:literal of $source:ty {
        $($variant:ident = $nick:literal),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, glib::Enum)]
        #[enum_type(name = $gtype)]
        pub enum $name {
            $(
                #[doc = concat!("`", $nick, "`")]
                #[enum_value(name = $nick, nick = $nick)]
                $variant
            ),+
        }

        impl Default for $name {
            /// The first.
            fn default() -> Self {
                [$(Self::$variant),+][0]
            }
        }

        impl $name {
            /// W3C's text.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $nick),+
                }
            }
        }

        impl From<$source> for $name {
            fn from(state: $source) -> Self {
                match state {
                    $(<$source>::$variant => Self::$variant),+
                }
            }
        }
    };
}

w3c!(
    /// RTCSignalingState (W3C webrtc-pc §4.3.1).
    SignalingState as "GstRtcSignalingState" of session::SignalingState {
        Stable = "stable",
        HaveLocalOffer = "have-local-offer",
        HaveRemoteOffer = "have-remote-offer",
        HaveLocalPranswer = "have-local-pranswer",
        HaveRemotePranswer = "have-remote-pranswer",
        Closed = "closed",
    }
);

w3c!(
    /// RTCIceGatheringState and RTCIceGathererState (W3C webrtc-pc §4.3.2, §5.6.5).
    IceGatheringState as "GstRtcIceGatheringState" of session::GatheringState {
        New = "new",
        Gathering = "gathering",
        Complete = "complete",
    }
);

w3c!(
    /// RTCPeerConnectionState (W3C webrtc-pc §4.3.3).
    PeerConnectionState as "GstRtcPeerConnectionState" of session::ConnectionState {
        New = "new",
        Connecting = "connecting",
        Connected = "connected",
        Disconnected = "disconnected",
        Failed = "failed",
        Closed = "closed",
    }
);

w3c!(
    /// RTCIceConnectionState (W3C webrtc-pc §4.3.4).
    IceConnectionState as "GstRtcIceConnectionState" of session::IceConnectionState {
        New = "new",
        Checking = "checking",
        Connected = "connected",
        Completed = "completed",
        Disconnected = "disconnected",
        Failed = "failed",
        Closed = "closed",
    }
);

w3c!(
    /// RTCIceTransportState (W3C webrtc-pc §5.6.6).
    IceTransportState as "GstRtcIceTransportState" of session::IceConnectionState {
        New = "new",
        Checking = "checking",
        Connected = "connected",
        Completed = "completed",
        Disconnected = "disconnected",
        Failed = "failed",
        Closed = "closed",
    }
);

w3c!(
    /// RTCDtlsTransportState (W3C webrtc-pc §5.5.1).
    DtlsTransportState as "GstRtcDtlsTransportState" of session::DtlsState {
        New = "new",
        Connecting = "connecting",
        Connected = "connected",
        Closed = "closed",
        Failed = "failed",
    }
);

w3c!(
    /// RTCSctpTransportState (W3C webrtc-pc §6.1.2).
    SctpTransportState as "GstRtcSctpTransportState" of session::SctpState {
        Connecting = "connecting",
        Connected = "connected",
        Closed = "closed",
    }
);

/// RTCRtpTransceiverDirection (W3C webrtc-pc §5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcTransceiverDirection")]
pub enum TransceiverDirection {
    /// `sendrecv`
    #[default]
    #[enum_value(name = "sendrecv", nick = "sendrecv")]
    SendRecv,
    /// `sendonly`
    #[enum_value(name = "sendonly", nick = "sendonly")]
    SendOnly,
    /// `recvonly`
    #[enum_value(name = "recvonly", nick = "recvonly")]
    RecvOnly,
    /// `inactive`
    #[enum_value(name = "inactive", nick = "inactive")]
    Inactive,
    /// `stopped`
    #[enum_value(name = "stopped", nick = "stopped")]
    Stopped,
    /// Nothing was negotiated yet; W3C has null there.
    #[enum_value(name = "null: not negotiated yet", nick = "null")]
    Null,
}

impl TransceiverDirection {
    /// W3C's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
            Self::Stopped => "stopped",
            Self::Null => "null",
        }
    }

    /// What may be negotiated for; `None` for `stopped` and `null`.
    pub(crate) fn wanted(self) -> Option<session::Direction> {
        Some(match self {
            Self::SendRecv => session::Direction::SendRecv,
            Self::SendOnly => session::Direction::SendOnly,
            Self::RecvOnly => session::Direction::RecvOnly,
            Self::Inactive => session::Direction::Inactive,
            Self::Stopped | Self::Null => return None,
        })
    }
}

impl From<Option<session::Direction>> for TransceiverDirection {
    fn from(direction: Option<session::Direction>) -> Self {
        match direction {
            Some(session::Direction::SendRecv) => Self::SendRecv,
            Some(session::Direction::SendOnly) => Self::SendOnly,
            Some(session::Direction::RecvOnly) => Self::RecvOnly,
            Some(session::Direction::Inactive) => Self::Inactive,
            None => Self::Null,
        }
    }
}

/// RTCIceRole (W3C webrtc-pc §5.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcIceRole")]
pub enum IceRole {
    /// `unknown`
    #[default]
    #[enum_value(name = "unknown", nick = "unknown")]
    Unknown,
    /// `controlling`
    #[enum_value(name = "controlling", nick = "controlling")]
    Controlling,
    /// `controlled`
    #[enum_value(name = "controlled", nick = "controlled")]
    Controlled,
}

/// RTCIceComponent (W3C webrtc-pc §5.6); RTCP always goes with RTP here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcIceComponent")]
pub enum IceComponent {
    /// `rtp`
    #[default]
    #[enum_value(name = "rtp", nick = "rtp")]
    Rtp,
    /// `rtcp`
    #[enum_value(name = "rtcp", nick = "rtcp")]
    Rtcp,
}

/// A boolean of W3C's that may be null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcTriState")]
pub enum TriState {
    /// It is not known, or left to others.
    #[default]
    #[enum_value(name = "null", nick = "null")]
    Null,
    /// No.
    #[enum_value(name = "false", nick = "false")]
    False,
    /// Yes.
    #[enum_value(name = "true", nick = "true")]
    True,
}

impl From<Option<bool>> for TriState {
    fn from(value: Option<bool>) -> Self {
        match value {
            None => Self::Null,
            Some(false) => Self::False,
            Some(true) => Self::True,
        }
    }
}

/// MediaStreamTrack's `kind`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcMediaKind")]
pub enum Kind {
    /// `audio`
    #[default]
    #[enum_value(name = "audio", nick = "audio")]
    Audio,
    /// `video`
    #[enum_value(name = "video", nick = "video")]
    Video,
}

impl From<rtc_payload::MediaKind> for Kind {
    fn from(kind: rtc_payload::MediaKind) -> Self {
        match kind {
            rtc_payload::MediaKind::Audio => Self::Audio,
            rtc_payload::MediaKind::Video => Self::Video,
        }
    }
}
