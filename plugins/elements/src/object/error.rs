// SPDX-License-Identifier: MPL-2.0
//! W3C's exceptions as GErrors of the domain `rtc-error-quark` (WebIDL DOMException, W3C RTCError).
use gst::glib;
use rtc_session::{ChannelError, Refusal, RefusalKind};

macro_rules! errors {
    ($($(#[$doc:meta])* $variant:ident),+ $(,)?) => {
        /// One code for each name of an exception.
        #[allow(clippy::enum_variant_names)] // They are W3C's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, glib::ErrorDomain)]
        #[error_domain(name = "rtc-error-quark")]
        pub(crate) enum RtcError {
            $($(#[$doc])* $variant),+
        }

        impl RtcError {
            /// The name of the exception.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant)),+
                }
            }
        }
    };
}

errors!(
    /// Not in this state.
    InvalidStateError,
    /// Not acceptable as it is.
    InvalidAccessError,
    /// This may not be changed so.
    InvalidModificationError,
    /// A character that may not be there.
    InvalidCharacterError,
    /// It failed, for any other reason.
    OperationError,
    /// It can't be read.
    SyntaxError,
    /// Of the wrong type, or missing.
    TypeError,
    /// Outside of the range.
    RangeError,
    /// Not supported.
    NotSupportedError,
    /// Not found.
    NotFoundError,
    /// Anything else.
    UnknownError,
);

/// The answer to a promise that is not kept: `error` (a GError) and `error-name`.
pub(crate) fn failure(kind: RtcError, text: &str) -> gst::Structure {
    gst::Structure::builder("rtc-reply")
        .field("error", glib::Error::new(kind, text))
        .field("error-name", kind.name())
        .build()
}

/// As [`failure`], with the `details` of an RTCError where it is one.
pub(crate) fn refused(refusal: &Refusal) -> gst::Structure {
    let kind = match refusal.kind {
        RefusalKind::InvalidState => RtcError::InvalidStateError,
        RefusalKind::InvalidAccess => RtcError::InvalidAccessError,
        RefusalKind::InvalidModification => RtcError::InvalidModificationError,
        RefusalKind::Type => RtcError::TypeError,
        _ => RtcError::OperationError,
    };
    let mut answer = failure(kind, &refusal.text);
    if let RefusalKind::SdpSyntax(line) = refusal.kind {
        let details = gst::Structure::builder("rtc-error-details")
            .field("error-detail", "sdp-syntax-error")
            .field("sdp-line-number", u32::try_from(line).unwrap_or(u32::MAX))
            .build();
        answer.set("details", details);
    }
    answer
}

/// Why a data channel is not opened.
pub(crate) fn no_channel(error: &ChannelError) -> gst::Structure {
    let kind = match error {
        ChannelError::Init { .. } => RtcError::TypeError,
        ChannelError::NotOpen => RtcError::InvalidStateError,
        _ => RtcError::OperationError,
    };
    let mut answer = failure(kind, &error.to_string());
    let details = gst::Structure::builder("rtc-error-details")
        .field("error-detail", crate::data::error_detail(error))
        .build();
    answer.set("details", details);
    answer
}
