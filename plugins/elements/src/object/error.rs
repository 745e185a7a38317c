// SPDX-License-Identifier: MPL-2.0
//! W3C's exceptions as GErrors of the domain `rtc-error-quark` (WebIDL DOMException, W3C RTCError).
use gst::glib;

macro_rules! errors {
    ($($(#[$doc:meta])* $variant:ident),+ $(,)?) => {
        /// One code for each name of an exception.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, glib::ErrorDomain)]
        #[error_domain(name = "rtc-error-quark")]
        pub enum RtcError {
            $($(#[$doc])* $variant),+
        }

        impl RtcError {
            /// The name of the exception.
            pub fn name(self) -> &'static str {
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
