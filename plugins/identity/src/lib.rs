// SPDX-License-Identifier: MPL-2.0
//! Identity providers (W3C webrtc-identity, RFC 8827 §7): who vouches that a certificate's owner is
//! `user@domain`, and how an endpoint asks them.
//!
//! A provider is any GObject that implements the GInterface `GstRtcIdentityProvider`. It answers by
//! `GstPromise`, from any thread, when it can. A vfunc's default implementation emits a signal of the same
//! name, so a provider can be written in any language: connect to the signals of
//! [`ApplicationIdentityProvider`]. [`WebIdentityProvider`] asks one by HTTPS.
#![warn(missing_docs)]

mod answer;
mod application;
mod iface;
#[allow(missing_docs)] // What the derive makes of properties; their blurbs tell.
mod web;

pub use answer::{IdentityFault, Vouched, asserted_answer, fault_answer, vouched_answer};
pub use application::ApplicationIdentityProvider;
pub use iface::{IdentityProvider, IdentityProviderExt, IdentityProviderImpl};
pub use web::WebIdentityProvider;

/// Makes the types known by name, so that applications without a typelib can make objects of them.
pub fn register() {
    use gst::glib::prelude::StaticType;
    ApplicationIdentityProvider::static_type();
    WebIdentityProvider::static_type();
}
