// SPDX-License-Identifier: MPL-2.0
//! GObject, Element, BaseSrc, PushSrc and ChildProxy traits of `rtcdatasrc`.
use super::attached::Attached;
use super::settings::{self, OnClose, Settings};
use crate::connect::{Connect, Role};
use crate::data::{DataChannel, Flow, Leaky, Next, Queue, template_caps};
use crate::endpoint::{AttachmentId, Endpoint, SessionSettings};
use crate::fault::{self, Fault};
use crate::object;
use bytes::Bytes;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_src::CreateSuccess;
use gst_base::subclass::prelude::*;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// See the module above.
#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::RtcDataSrc)]
pub struct RtcDataSrc {
    #[property(name = "label", get, set, type = String, member = label, mutable_ready,
        blurb = "Labels of the channels to read: * stands for any text, ? for any one character (text; empty, the default, for all; may change in NULL)")]
    #[property(name = "protocol", get, set, type = String, member = protocol, mutable_ready,
        blurb = "Subprotocol of the channels to read (text; empty, the default, for any; may change in NULL)")]
    #[property(name = "max-bytes", get, set, type = u64, member = max_bytes, mutable_ready, minimum = 1,
        default_value = settings::DEFAULT_MAX_BYTES,
        blurb = "Bytes of messages that may wait for the pipeline, 128 added for each; then leaky says what happens (some megabytes more may come until the peer has stopped; the default is sixteen of a browser's largest; may change in NULL)")]
    #[property(name = "leaky", get, set, type = Leaky, member = leaky, mutable_ready,
        blurb = "What happens when max-bytes wait: none, the default, lets the peer wait, which holds up all channels of its session; downstream drops the oldest message (may change in NULL)",
        builder(Leaky::None))]
    #[property(name = "on-close", get, set, type = OnClose, member = on_close, mutable_ready,
        blurb = "What happens when the last channel that is read closes: wait, the default, for the next, as peers come and go; eos, to end a file (may change in NULL)",
        builder(OnClose::Wait))]
    settings: Mutex<Settings>,
    connect: Mutex<Connect>,
    /// Messages that `leaky` dropped.
    #[property(name = "dropped", type = u64, get = Self::dropped,
        blurb = "Messages dropped since READY because max-bytes waited (number; read-only)")]
    #[property(name = "current-level-bytes", type = u64, get = Self::level,
        blurb = "Bytes of messages that wait for the pipeline, 128 added for each (number; read-only)")]
    running: Mutex<Option<Running>>,
    flow: Mutex<Flow>,
}

/// From READY on.
#[derive(Clone, Debug)]
struct Running {
    endpoint: Arc<Endpoint>,
    attachment: AttachmentId,
    queue: Arc<Queue>,
}

#[glib::object_subclass]
impl ObjectSubclass for RtcDataSrc {
    const NAME: &'static str = "GstRtcDataSrc";
    type Type = super::RtcDataSrc;
    type ParentType = gst_base::PushSrc;
    type Interfaces = (gst::ChildProxy,);
}

impl RtcDataSrc {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self) -> MutexGuard<'_, Connect> {
        self.connect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> Option<Arc<Queue>> {
        self.running().as_ref().map(|r| Arc::clone(&r.queue))
    }

    fn dropped(&self) -> u64 {
        self.queue().map_or(0, |queue| queue.dropped())
    }

    fn level(&self) -> u64 {
        self.queue().map_or(0, |queue| queue.level())
    }

    fn begin(&self) -> Result<(), Fault> {
        let settings = self.settings().clone();
        let sessions = SessionSettings::default();
        let options = self.connect().options(Role::Data, sessions);
        let options = options.map_err(fault::settings)?;
        let leaky = settings.leaky == Leaky::Downstream;
        let ends = settings.on_close == OnClose::Eos;
        let queue = Arc::new(Queue::new(settings.max_bytes, leaky, ends));
        let endpoint = Endpoint::acquire(options).map_err(|error| fault::endpoint(&error))?;
        let attached = Attached {
            element: self.obj().downgrade(),
            queue: Arc::clone(&queue),
            label: settings.label,
            protocol: settings.protocol,
        };
        let attachment = endpoint.attach(Arc::new(attached), Vec::new());
        *self.running() = Some(Running {
            endpoint,
            attachment,
            queue,
        });
        Ok(())
    }

    fn finish(&self) {
        let Some(running) = self.running().take() else {
            return;
        };
        running.endpoint.detach(running.attachment);
        running.queue.end();
        *self.flow.lock().unwrap_or_else(PoisonError::into_inner) = Flow::default();
    }

    fn send(&self, session: &str, label: &str, data: &Bytes, text: bool) -> bool {
        if text && std::str::from_utf8(data).is_err() {
            gst::warning!(
                crate::data::CAT,
                imp = self,
                "text that is no UTF-8 is not sent"
            );
            return false;
        }
        let endpoint = self.running().as_ref().map(|r| Arc::clone(&r.endpoint));
        endpoint.is_some_and(|endpoint| endpoint.send(session, label, data, text))
    }
}

impl ObjectImpl for RtcDataSrc {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            [
                RtcDataSrc::derived_properties(),
                &Connect::specs(Role::Data),
                &object::session_properties(),
            ]
            .concat()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, spec: &glib::ParamSpec) {
        if !self.connect().set(spec.name(), value) {
            self.derived_set_property(id, value, spec);
        }
    }

    fn property(&self, id: usize, spec: &glib::ParamSpec) -> glib::Value {
        let shared = self.connect().get(spec.name());
        let shared = shared.or_else(|| object::session_property(&*self.obj(), spec.name()));
        shared.unwrap_or_else(|| self.derived_property(id, spec))
    }

    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_format(gst::Format::Time);
        self.obj().set_live(true);
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            let text = String::static_type();
            let (bytes, flag) = (glib::Bytes::static_type(), bool::static_type());
            let mut signals = vec![
                // (session, channel): a data channel is open; its messages have not come yet.
                glib::subclass::Signal::builder("on-data-channel")
                    .param_types([text, DataChannel::static_type()])
                    .build(),
                // (session, label, data, is-text) -> taken. With an empty session: to all that have the
                // channel; else it is opened where it is missing.
                glib::subclass::Signal::builder("send")
                    .param_types([text, text, bytes, flag])
                    .return_type::<bool>()
                    .action()
                    .class_handler(|values| {
                        let element = values[0].get::<super::RtcDataSrc>().ok()?;
                        let string = |at: usize| values[at].get::<Option<String>>().ok();
                        let (session, label) = (string(1)??, string(2)??);
                        let data = values[3].get::<Option<glib::Bytes>>().ok()?;
                        let data = data.map_or_else(Bytes::new, Bytes::from_owner);
                        let text = values[4].get::<bool>().ok()?;
                        let taken = element.imp().send(&session, &label, &data, text);
                        Some(taken.to_value())
                    })
                    .build(),
            ];
            signals.extend(object::session_signals::<super::RtcDataSrc>());
            signals
        });
        &SIGNALS
    }

    fn dispose(&self) {
        self.finish();
    }
}

impl GstObjectImpl for RtcDataSrc {}

impl ElementImpl for RtcDataSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "WebRTC data source",
                "Source/Network/WebRTC",
                "Messages of data channels of browsers and other WebRTC peers, each a buffer",
                "The rtc plugin set's authors",
            )
        });
        Some(&METADATA)
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

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady
            && let Err(fault) = self.begin()
        {
            fault::post(&*self.obj(), &fault);
            return Err(gst::StateChangeError);
        }
        let result = self.parent_change_state(transition);
        if transition == gst::StateChange::ReadyToNull
            || (result.is_err() && transition == gst::StateChange::NullToReady)
        {
            self.finish();
        }
        result
    }
}

impl BaseSrcImpl for RtcDataSrc {
    fn negotiate(&self) -> Result<(), gst::LoggableError> {
        Ok(()) // The caps come with the first message.
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        if let Some(queue) = self.queue() {
            queue.set_flushing(true);
        }
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        if let Some(queue) = self.queue() {
            queue.set_flushing(false);
        }
        Ok(())
    }
}

impl PushSrcImpl for RtcDataSrc {
    fn create(&self, _: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
        let queue = self.queue().ok_or(gst::FlowError::Flushing)?;
        loop {
            match queue.next(PATIENCE) {
                Next::Message(item) => {
                    let mut flow = self.flow.lock().unwrap_or_else(PoisonError::into_inner);
                    let source = self.obj();
                    if let Some(buffer) = flow.buffer(source.upcast_ref(), item) {
                        return Ok(CreateSuccess::NewBuffer(buffer));
                    }
                }
                Next::Idle => {}
                Next::Flushing => return Err(gst::FlowError::Flushing),
                Next::Ended => return Err(gst::FlowError::Eos),
            }
        }
    }
}

impl ChildProxyImpl for RtcDataSrc {
    fn children_count(&self) -> u32 {
        1
    }

    /// `signaller`, so that `signaller::name=value` works.
    fn child_by_name(&self, name: &str) -> Option<glib::Object> {
        let signaller = (name == "signaller").then(|| self.connect().signaller(Role::Data).ok());
        signaller.flatten().map(Cast::upcast)
    }

    fn child_by_index(&self, index: u32) -> Option<glib::Object> {
        (index == 0).then(|| self.child_by_name("signaller"))?
    }
}

/// One wait; then it is looked again.
const PATIENCE: Duration = Duration::from_secs(3600);

impl object::HasSessions for super::RtcDataSrc {
    fn session_list(&self) -> Option<object::SessionList> {
        let running = self.imp().running();
        Some(running.as_ref()?.endpoint.sessions().clone())
    }
}
