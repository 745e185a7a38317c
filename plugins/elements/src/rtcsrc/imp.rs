// SPDX-License-Identifier: MPL-2.0
//! The GObject, Element, Bin, ChildProxy and URIHandler traits of `rtcsrc`.
use super::data::{self, DataStream};
use super::running::Running;
use super::settings::{self, Settings};
use super::stream::{Parts, Stream, template_name};
use super::tones;
use crate::connect::{Connect, Role};
use crate::data::{Channel, DataChannel};
use crate::endpoint::{Endpoint, IncomingMedia};
use crate::fault::{self, Fault};
use crate::{caps, object, report};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::{MediaKind, Mid, SessionId};
use rtc_session::ChannelKey;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtcsrc",
        gst::DebugColorFlags::empty(),
        Some("Receives audio and video of WebRTC peers"),
    )
});

#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::RtcSrc)]
pub struct RtcSrc {
    #[property(name = "latency", get, set, type = u32, member = latency, mutable_ready, maximum = 10_000,
        blurb = "The least latency to report, and so to wait for late packets, in milliseconds (0, the default: adaptive, from 40 ms up to max-latency by the lateness measured; may change in NULL)")]
    #[property(name = "max-latency", get, set, type = u32, member = max_latency, mutable_ready, maximum = 10_000,
        default_value = settings::DEFAULT_MAX_LATENCY,
        blurb = "The longest to wait for a missing packet, and the most latency to report, in milliseconds (the default lets a retransmission pass twice round the world; may change in NULL)")]
    #[property(name = "do-retransmission", get, set, type = bool, member = do_retransmission, mutable_ready,
        default_value = true,
        blurb = "Ask peers to send lost packets again (NACK and RTX; on by default, off only for tests; may change in NULL)")]
    #[property(name = "dtmf-audible", get, set, type = bool, member = dtmf_audible,
        blurb = "Whether telephone tones that a peer sends sound in its audio, where raw audio is taken; each right behind the place it was sent at, as its length is known only then (default false, for they are told as messages; changeable at any time)")]
    settings: Mutex<Settings>,
    connect: Mutex<Connect>,
    /// The properties that `Settings` holds in another form.
    #[property(name = "video-codecs", type = gst::Array, get = Self::video_codecs, set = Self::set_video_codecs,
        element_spec = &codec_spec(),
        mutable_ready,
        blurb = "Names of the video codecs to receive, the most wanted first (VP8, H264, VP9, AV1; empty, the default, for all with a decoder installed, in this order; may change in NULL)")]
    #[property(name = "audio-codecs", type = gst::Array, get = Self::audio_codecs, set = Self::set_audio_codecs,
        element_spec = &codec_spec(),
        mutable_ready,
        blurb = "Names of the audio codecs to receive, the most wanted first (opus, PCMU, PCMA; empty, the default, for all with a decoder installed, in this order; may change in NULL)")]
    state: Mutex<Option<Running>>,
}

#[glib::object_subclass]
impl ObjectSubclass for RtcSrc {
    const NAME: &'static str = "GstRtcSrc";
    type Type = super::RtcSrc;
    type ParentType = gst::Bin;
    type Interfaces = (gst::ChildProxy, gst::URIHandler);
}

impl RtcSrc {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn dtmf_audible(&self) -> bool {
        self.settings().dtmf_audible
    }

    fn connect(&self) -> MutexGuard<'_, Connect> {
        self.connect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, Option<Running>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn video_codecs(&self) -> gst::Array {
        gst::Array::new(&self.settings().video_codecs)
    }

    fn set_video_codecs(&self, names: gst::Array) {
        self.settings().video_codecs = texts(&names);
    }

    fn audio_codecs(&self) -> gst::Array {
        gst::Array::new(&self.settings().audio_codecs)
    }

    fn set_audio_codecs(&self, names: gst::Array) {
        self.settings().audio_codecs = texts(&names);
    }

    fn stats(&self) -> gst::Structure {
        let running = self.state().as_ref().map(|r| (r.endpoint(), r.dropped()));
        let Some((endpoint, dropped)) = running else {
            return report::sessions(Vec::new());
        };
        let mut report = report::sessions(endpoint.stats());
        for (pad, frames) in dropped {
            let pad_report = gst::Structure::builder("rtc-pad-stats")
                .field("dropped-frames", frames)
                .build();
            report.set(pad.as_str(), pad_report);
        }
        report
    }

    fn start(&self) -> Result<(), Fault> {
        let settings = self.settings().clone();
        let codecs = settings.receive_codecs().map_err(fault::settings)?;
        let options = self.connect().options(Role::Source, settings.sessions());
        let options = options.map_err(fault::settings)?;
        let endpoint = Endpoint::acquire(options).map_err(|error| fault::endpoint(&error))?;
        let running = Running::start(&self.obj(), endpoint, codecs, settings.latency());
        *self.state() = Some(running);
        Ok(())
    }

    fn stop(&self) {
        // From here on the control thread finds nothing to add to.
        let Some(running) = self.state().take() else {
            return;
        };
        let data = running.data.clone();
        let tones = running.tones.clone();
        for stream in running.stop() {
            stream.remove(&self.obj());
        }
        for stream in data {
            stream.remove(&self.obj());
        }
        for stream in tones {
            stream.remove(&self.obj());
        }
    }

    pub(super) fn parts_for(&self, media: &IncomingMedia) -> Option<Parts> {
        self.state().as_mut().map(|running| running.parts(media))
    }

    /// Keeps a stream until its end; gives it back if the element has stopped meanwhile.
    pub(super) fn keep(&self, stream: Arc<Stream>) -> Result<(), Arc<Stream>> {
        match self.state().as_mut() {
            Some(running) => {
                running.add(stream);
                Ok(())
            }
            None => Err(stream),
        }
    }

    pub(super) fn streams_of(&self, session: SessionId, mid: Option<&Mid>) -> Vec<Arc<Stream>> {
        let state = self.state();
        state.as_ref().map_or_else(Vec::new, |r| r.of(session, mid))
    }

    /// Whether it decodes a stream of which nothing more will come.
    fn is_of_ended(&self, element: &gst::Object) -> bool {
        let state = self.state();
        state.as_ref().is_some_and(|running| running.ended(element))
    }

    /// Takes a stream out of the element. Not on one of the stream's own threads.
    pub(super) fn end_stream(&self, session: SessionId, mid: &Mid) {
        for stream in self.streams_of(session, Some(mid)) {
            stream.remove(&self.obj());
            // Only now: until then its names are taken, so its number must be too.
            if let Some(running) = self.state().as_mut() {
                running.forget(&stream);
            }
        }
    }

    /// Shows a channel that a peer opened as a pad.
    pub(super) fn add_data(&self, channel: &Arc<Channel>) {
        let state = self.state();
        let number = state.as_ref().and_then(|r| r.data_number(channel.session));
        drop(state);
        let Some(number) = number else {
            return;
        };
        let stream = match DataStream::new(&self.obj(), channel, number) {
            Ok(stream) => stream,
            Err(error) => {
                gst::error!(CAT, imp = self, "no pad for {channel:?}: {error}");
                return;
            }
        };
        let kept = match self.state().as_mut() {
            Some(running) => {
                running.data.push(Arc::clone(&stream));
                true
            }
            None => false,
        };
        if !kept || stream.expose(&self.obj()).is_err() {
            stream.remove(&self.obj());
        }
    }

    /// Takes a channel's pad out of the element. Not on its own streaming thread.
    pub(super) fn end_data(&self, session: SessionId, key: ChannelKey) {
        let of = |s: &Arc<DataStream>| s.session == session && s.key == key;
        let streams: Vec<_> = match self.state().as_mut() {
            Some(running) => running.data.extract_if(.., |s| of(s)).collect(),
            None => return,
        };
        for stream in streams {
            stream.remove(&self.obj());
        }
    }

    pub(super) fn forget_session(&self, session: SessionId) {
        if let Some(running) = self.state().as_mut() {
            running.forget_session(session);
        }
    }
}

impl ObjectImpl for RtcSrc {
    /// `stats` is added by hand: a structure has no derived property.
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = glib::ParamSpecBoxed::builder::<gst::Structure>(STATS)
                .nick("Statistics")
                .blurb(
                    "Figures of every session and pad: a structure for each session, and one for each \
                     pad with the frames that did not get into the pipeline (read-only; waits for the \
                     sessions up to a second)",
                )
                .read_only()
                .build();
            [
                RtcSrc::derived_properties(),
                &[stats],
                &Connect::specs(Role::Source),
                &object::session_properties(),
            ]
            .concat()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if !self.connect().set(pspec.name(), value) {
            self.derived_set_property(id, value, pspec);
        }
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        if pspec.name() == STATS {
            return self.stats().to_value();
        }
        let shared = self.connect().get(pspec.name());
        let shared = shared.or_else(|| object::session_property(&*self.obj(), pspec.name()));
        shared.unwrap_or_else(|| self.derived_property(id, pspec))
    }

    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_element_flags(gst::ElementFlags::SOURCE);
        self.obj()
            .set_suppressed_flags(gst::ElementFlags::SOURCE | gst::ElementFlags::SINK);
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            let types = [
                gst::Pad::static_type(),
                String::static_type(),
                String::static_type(),
            ];
            // (pad, direction, mid): every encoded frame of the stream passes the pad; direction is
            // "receive". Emitted on the endpoint's control thread before the source pad is added.
            let added = glib::subclass::Signal::builder("encoded-pad-added");
            // (session, channel): a data channel is open, whoever opened it; its messages have not come
            // yet.
            let types_of_channel = [String::static_type(), DataChannel::static_type()];
            let channel = glib::subclass::Signal::builder("on-data-channel");
            let mut signals = vec![
                added.param_types(types).build(),
                channel.param_types(types_of_channel).build(),
            ];
            signals.extend(object::session_signals::<super::RtcSrc>());
            signals
        });
        &SIGNALS
    }

    fn dispose(&self) {
        self.stop();
    }
}

impl GstObjectImpl for RtcSrc {}

impl ElementImpl for RtcSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static META: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "WebRTC source",
                "Source/Network/WebRTC",
                "Receives audio and video of WebRTC peers: browsers that publish on the page it serves, \
                 WHIP clients, rtcsink",
                "The rtc plugin's authors",
            )
        });
        Some(&META)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let template = |kind| {
                gst::PadTemplate::with_gtype(
                    template_name(kind),
                    gst::PadDirection::Src,
                    gst::PadPresence::Sometimes,
                    &caps::template(kind),
                    super::RtcSrcPad::static_type(),
                )
                .expect("the template's caps are valid")
            };
            vec![
                template(MediaKind::Video),
                template(MediaKind::Audio),
                data::template(),
                tones::template(),
            ]
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady
            && let Err(fault) = self.start()
        {
            fault::post(&*self.obj(), &fault);
            return Err(gst::StateChangeError);
        }
        let result = self.parent_change_state(transition);
        if result.is_err() && transition == gst::StateChange::NullToReady {
            self.stop();
        }
        match transition {
            // Live: there is nothing to preroll with.
            gst::StateChange::ReadyToPaused | gst::StateChange::PlayingToPaused => {
                result.map(|_| gst::StateChangeSuccess::NoPreroll)
            }
            gst::StateChange::ReadyToNull => {
                self.stop();
                result
            }
            _ => result,
        }
    }
}

impl BinImpl for RtcSrc {
    /// To a decoder it is an error if its stream ends before it gave anything. That is the peer's affair:
    /// it may take a track away as soon as it added it.
    fn handle_message(&self, message: gst::Message) {
        if let gst::MessageView::Error(error) = message.view()
            && error.error().matches(gst::StreamError::Decode)
            && message
                .src()
                .is_some_and(|element| self.is_of_ended(element))
        {
            gst::debug!(
                CAT,
                imp = self,
                "of a stream that has ended: {}",
                error.error()
            );
            return;
        }
        self.parent_handle_message(message);
    }
}

impl ChildProxyImpl for RtcSrc {
    fn child_by_index(&self, index: u32) -> Option<glib::Object> {
        let child = self.obj().children().into_iter().nth(index as usize);
        child.map(glib::Object::from)
    }

    /// `signaller` besides the bin's own children, so that `signaller::name=value` works.
    fn child_by_name(&self, name: &str) -> Option<glib::Object> {
        if name == "signaller" {
            return self
                .connect()
                .signaller(Role::Source)
                .ok()
                .map(Cast::upcast);
        }
        self.obj().by_name(name).map(glib::Object::from)
    }

    fn children_count(&self) -> u32 {
        self.obj().children().len().try_into().unwrap_or(0)
    }
}

impl URIHandlerImpl for RtcSrc {
    const URI_TYPE: gst::URIType = gst::URIType::Src;

    /// The schemes of signallers that bring media in and exist today.
    fn protocols() -> &'static [&'static str] {
        &["whep", "wheps", "whep+http", "whep+https", "loopback"]
    }

    fn uri(&self) -> Option<String> {
        Some(self.connect().uri.clone()).filter(|uri| !uri.is_empty())
    }

    fn set_uri(&self, uri: &str) -> Result<(), glib::Error> {
        if self.obj().current_state() != gst::State::Null {
            let text = "the uri may change in NULL only";
            return Err(glib::Error::new(gst::URIError::BadState, text));
        }
        self.connect().uri = uri.into();
        Ok(())
    }
}

fn codec_spec() -> glib::ParamSpec {
    glib::ParamSpecString::builder("codec-name")
        .nick("Codec")
        .blurb("A codec's name as SDP has it")
        .build()
}

fn texts(names: &gst::Array) -> Vec<String> {
    names.iter().filter_map(|name| name.get().ok()).collect()
}

const STATS: &str = "stats";

impl object::HasSessions for super::RtcSrc {
    fn session_list(&self) -> Option<object::SessionList> {
        let endpoint = self.imp().state().as_ref().map(Running::endpoint);
        Some(endpoint?.sessions().clone())
    }
}
