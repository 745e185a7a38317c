// SPDX-License-Identifier: MPL-2.0
//! How elements reach peers: the properties that `rtcsink`, `rtcsrc` and `rtcdatasrc` have in common.
//!
//! A property is one row of `properties.rs`; the elements' `imp.rs` hand names and values to
//! [`Connect::set`] and [`Connect::get`], and `settings.rs` makes an endpoint's options of them.
mod login;
mod properties;
mod servers;
mod settings;

pub(crate) use login::{
    ask as ask_for_login, signal as login_signal, signalled as signalled_servers,
};
pub(crate) use servers::IceSettings;
pub(crate) use settings::{Connect, Role};
