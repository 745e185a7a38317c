// SPDX-License-Identifier: MPL-2.0
//! Identifiers shared by every floor: newtypes, so that no `u32` is taken for another.
use std::fmt;
use std::sync::Arc;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_id!(
    /// Identification tag of an m-line (RFC 5888, `a=mid`).
    Mid
);
text_id!(
    /// Identifier of one simulcast encoding (RFC 8851, `a=rid`).
    Rid
);
number_id!(
    /// Synchronisation source of an RTP stream (RFC 3550 §3).
    Ssrc(u32)
);
number_id!(
    /// RTP payload type, 0-127 (RFC 3550 §5.1).
    Pt(u8)
);
number_id!(
    /// One input of the pipeline inside an endpoint: what a sender of a session is fed from.
    TrackId(u32)
);
number_id!(
    /// One peer connection of an endpoint; never used twice in a process.
    SessionId(u64)
);
