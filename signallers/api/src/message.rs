// SPDX-License-Identifier: MPL-2.0
//! The fixed words that cross the interface as texts.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Its text on the interface.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// From its text on the interface.
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// What we are to do in a requested session.
    Role {
        /// We make the offer.
        Offer = "offer",
        /// The peer's offer follows as a description.
        Answer = "answer",
    }
}

words! {
    /// What the peer wants of a session.
    Wish {
        /// To see and hear what we send.
        View = "view",
        /// To send to us.
        Publish = "publish",
        /// Either or both, as its description will say.
        Any = "any",
    }
}

words! {
    /// Why a session ended, with the HTTP status where signalling is HTTP.
    EndCode {
        /// Nothing went wrong (200).
        Bye = "bye",
        /// The peer's message made no sense (400).
        BadRequest = "bad-request",
        /// What the peer asked for is not here (404).
        NotFound = "not-found",
        /// No codec, or nothing else, in common (406).
        NotAcceptable = "not-acceptable",
        /// A message or a list in it was too large (413).
        TooLarge = "too-large",
        /// No room for another session now (503).
        Busy = "busy",
        /// Our fault (500).
        Error = "error",
    }
}

impl EndCode {
    /// The HTTP status that says the same.
    pub fn http_status(self) -> u16 {
        match self {
            Self::Bye => 200,
            Self::BadRequest => 400,
            Self::NotFound => 404,
            Self::NotAcceptable => 406,
            Self::TooLarge => 413,
            Self::Busy => 503,
            Self::Error => 500,
        }
    }
}
