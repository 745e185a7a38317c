// SPDX-License-Identifier: MPL-2.0
//! A provider that is the application: it connects to the signals `generate-assertion` and
//! `validate-assertion`, and answers the promises.
use crate::{IdentityProvider, IdentityProviderImpl};
use gst::glib;
use gst::glib::subclass::prelude::*;

glib::wrapper! {
    /// The GObject `GstRtcApplicationIdentityProvider`; it has nothing of its own beside the interface.
    pub struct ApplicationIdentityProvider(ObjectSubclass<imp::Application>)
        @implements IdentityProvider;
}

impl Default for ApplicationIdentityProvider {
    fn default() -> Self {
        glib::Object::new()
    }
}

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct Application;

    #[glib::object_subclass]
    impl ObjectSubclass for Application {
        const NAME: &'static str = "GstRtcApplicationIdentityProvider";
        type Type = ApplicationIdentityProvider;
        type Interfaces = (IdentityProvider,);
    }

    impl ObjectImpl for Application {}

    // Both vfuncs keep their defaults, which emit the signals of their names.
    impl IdentityProviderImpl for Application {}
}
