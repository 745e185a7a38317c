// SPDX-License-Identifier: MPL-2.0
//! The internal source behind a `data_%u` pad of `rtcsrc`: the messages of one channel.
use super::{Flow, Next, Queue, template_caps};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_src::CreateSuccess;
use gst_base::subclass::prelude::*;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

glib::wrapper! {
    /// Not registered, so it can't be made by name.
    pub(crate) struct DataFeed(ObjectSubclass<imp::DataFeed>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

/// What a feed is made with.
pub(crate) struct FeedSetup {
    pub(crate) queue: Arc<Queue>,
    /// Whether somebody takes buffers now; messages for nobody are dropped.
    pub(crate) is_linked: Box<dyn Fn() -> bool + Send + Sync>,
}

impl DataFeed {
    pub(crate) fn new(name: &str, setup: FeedSetup) -> Self {
        let feed: Self = glib::Object::builder().property("name", name).build();
        feed.set_format(gst::Format::Time);
        feed.set_live(true);
        assert!(feed.imp().setup.set(setup).is_ok(), "set only here");
        feed
    }
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub(crate) struct DataFeed {
        pub(super) setup: OnceLock<FeedSetup>,
        flow: Mutex<Flow>,
    }

    impl DataFeed {
        fn setup(&self) -> &FeedSetup {
            self.setup.get().expect("set before it gets a parent")
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for DataFeed {
        const NAME: &'static str = "GstRtcDataFeed";
        type Type = super::DataFeed;
        type ParentType = gst_base::PushSrc;
    }

    impl ObjectImpl for DataFeed {}
    impl GstObjectImpl for DataFeed {}

    impl ElementImpl for DataFeed {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static META: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "WebRTC data feed",
                    "Source/Network",
                    "Messages of one data channel; part of rtcsrc",
                    "The rtc plugin's authors",
                )
            });
            Some(&META)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let template = gst::PadTemplate::new(
                    "src",
                    gst::PadDirection::Src,
                    gst::PadPresence::Always,
                    &template_caps(),
                );
                vec![template.expect("the caps are valid")]
            });
            &TEMPLATES
        }
    }

    impl BaseSrcImpl for DataFeed {
        fn negotiate(&self) -> Result<(), gst::LoggableError> {
            Ok(()) // The caps come with the first message.
        }

        fn is_seekable(&self) -> bool {
            false
        }

        fn unlock(&self) -> Result<(), gst::ErrorMessage> {
            self.setup().queue.set_flushing(true);
            Ok(())
        }

        fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
            self.setup().queue.set_flushing(false);
            Ok(())
        }
    }

    impl PushSrcImpl for DataFeed {
        fn create(&self, _: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
            let setup = self.setup();
            loop {
                match setup.queue.next(PATIENCE) {
                    Next::Message(item) if (setup.is_linked)() => {
                        let mut flow = self.flow.lock().unwrap_or_else(PoisonError::into_inner);
                        let source = self.obj();
                        if let Some(buffer) = flow.buffer(source.upcast_ref(), item) {
                            return Ok(CreateSuccess::NewBuffer(buffer));
                        }
                    }
                    Next::Message(_) | Next::Idle => {}
                    Next::Flushing => return Err(gst::FlowError::Flushing),
                    Next::Ended => return Err(gst::FlowError::Eos),
                }
            }
        }
    }
}

/// One wait; then it is looked again.
const PATIENCE: Duration = Duration::from_secs(3600);
