// SPDX-License-Identifier: MPL-2.0
//! A bin whose failure is its own: no error of an encoder reaches the pipeline, by message or by flow, so
//! that another encoder can take its place.
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

glib::wrapper! {
    /// See the module; not registered with the plugin.
    pub struct Shield(ObjectSubclass<imp::Shield>)
        @extends gst::Bin, gst::Element, gst::Object;
}

/// Is told once what happened, on whatever thread it did.
pub(crate) type Failed = Box<dyn Fn(&str) + Send + Sync>;

impl Shield {
    /// An empty bin. Without `failed` errors go on as from any bin.
    pub(super) fn new(name: &str, failed: Option<Failed>) -> Self {
        let bin: Self = glib::Object::builder().property("name", name).build();
        if let Some(failed) = failed {
            assert!(bin.imp().failed.set(failed).is_ok(), "set only here");
        }
        bin
    }

    /// Adds the pad by which frames come in.
    pub(super) fn add_input(&self, target: &gst::Pad) -> Result<(), glib::BoolError> {
        let weak = self.downgrade();
        let pad = gst::GhostPad::builder_with_target(target)?
            .name("sink")
            .chain_function(move |pad, parent, buffer| match weak.upgrade() {
                Some(bin) => bin
                    .imp()
                    .take(|| gst::ProxyPad::chain_default(pad, parent, buffer)),
                None => Err(gst::FlowError::Flushing),
            })
            .build();
        self.add_pad(&pad)
    }
}

mod imp {
    use super::*;

    #[derive(Default)]
    #[allow(missing_debug_implementations)] // A closure has nothing to tell.
    pub struct Shield {
        pub(super) failed: OnceLock<Failed>,
        is_broken: AtomicBool,
    }

    impl Shield {
        /// Hands a frame in, unless the bin has failed: then it is dropped until the bin is taken out.
        pub(super) fn take(
            &self,
            push: impl FnOnce() -> Result<gst::FlowSuccess, gst::FlowError>,
        ) -> Result<gst::FlowSuccess, gst::FlowError> {
            if self.is_broken.load(Ordering::Acquire) {
                return Ok(gst::FlowSuccess::Ok);
            }
            match push() {
                Err(gst::FlowError::NotNegotiated) => {
                    self.fail("it does not take the input's format")
                }
                Err(gst::FlowError::Error | gst::FlowError::NotSupported) => {
                    self.fail("it refused a frame")
                }
                other => return other,
            }
            match self.failed.get() {
                Some(_) => Ok(gst::FlowSuccess::Ok),
                None => Err(gst::FlowError::Error),
            }
        }

        fn fail(&self, text: &str) {
            if let Some(failed) = self.failed.get()
                && !self.is_broken.swap(true, Ordering::AcqRel)
            {
                failed(text);
            }
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Shield {
        const NAME: &'static str = "GstRtcShield";
        type Type = super::Shield;
        type ParentType = gst::Bin;
    }

    impl ObjectImpl for Shield {}
    impl GstObjectImpl for Shield {}
    impl ElementImpl for Shield {}

    impl BinImpl for Shield {
        fn handle_message(&self, message: gst::Message) {
            if let gst::MessageView::Error(error) = message.view()
                && self.failed.get().is_some()
            {
                self.fail(&error.error().to_string());
                return;
            }
            self.parent_handle_message(message);
        }
    }
}
