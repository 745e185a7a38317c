// SPDX-License-Identifier: MPL-2.0
//! GObject, Element, Bin and ChildProxy traits of `rtcsink`.
use super::data_pad::{DataInput, RtcSinkDataPad};
use super::dtmf_pad::{self, RtcSinkDtmfPad};
use super::gop::GopCache;
use super::pad::RtcSinkPad;
use super::running::Running;
use super::settings::{
    CongestionControl, DEFAULT_MAX_BITRATE, DEFAULT_MIN_BITRATE, DEFAULT_START_BITRATE, Settings,
};
use super::stream::Stream;
use crate::connect::{Connect, Role};
use crate::data::{DataChannel, template_caps};
use crate::encode::hint::ContentHint;
use crate::{caps, fault, object, tones};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::subclass::prelude::NavigationImpl;
use rtc_payload::MediaKind;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

/// See the module above.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::RtcSink)]
#[allow(missing_debug_implementations)] // Mutexes of what GStreamer shows better.
pub struct RtcSink {
    #[property(name = "video-caps", get, set, type = gst::Caps, member = video_caps, mutable_ready,
        blurb = "Codecs that raw video is offered as, most wanted first (caps; default every codec known, \
                 H.264 first as it is the cheapest to decode; changeable until READY)")]
    #[property(name = "audio-caps", get, set, type = gst::Caps, member = audio_caps, mutable_ready,
        blurb = "Codecs that raw audio is offered as, most wanted first (caps; default every codec known, \
                 Opus first as it sounds best; changeable until READY)")]
    #[property(name = "layers", get, set, type = u32, member = layers, mutable_ready,
        minimum = 1, maximum = 4, default = 1,
        blurb = "Encodings of each raw video input, each of half the width and height of the one above, none \
                 narrower than 160 pixels; each is made once for all viewers and only while one takes it, and \
                 a viewer gets the largest that its path carries (number 1-4; default 1 = one encoder, whose \
                 bitrate follows the slowest viewer but not below half of what the median viewer can take; \
                 changeable until READY)")]
    #[property(name = "start-bitrate", get, set, type = u32, member = start_bitrate, mutable_ready,
        minimum = 1_000, default = DEFAULT_START_BITRATE,
        blurb = "What a viewer is thought to bear before it is measured (bit/s per viewer, 1000 or more; \
                 default 2048000 = 720p of middling quality; changeable until READY)")]
    #[property(name = "min-bitrate", get, set, type = u32, member = min_bitrate, mutable_ready,
        minimum = 1_000, default = DEFAULT_MIN_BITRATE,
        blurb = "No encoder is set below this and no estimate falls below it (bit/s per viewer, 1000 or \
                 more; default 50000 = a picture that still moves; changeable until READY)")]
    #[property(name = "max-bitrate", get, set, type = u32, member = max_bitrate, mutable_ready,
        minimum = 1_000, default = DEFAULT_MAX_BITRATE,
        blurb = "No encoder is set above this and no estimate rises above it (bit/s per viewer, 1000 or \
                 more; default 8192000 = 1080p of good quality; changeable until READY)")]
    #[property(name = "congestion-control", get, set, type = CongestionControl, member = congestion_control,
        mutable_ready, blurb = "How the bitrate follows each viewer's path (default gcc = estimated by delay and loss; \
                 disabled = start-bitrate whatever happens; changeable until READY)",
        builder(CongestionControl::Gcc))]
    #[property(name = "do-retransmission", get, set, type = bool, member = do_retransmission, mutable_ready,
        default = true,
        blurb = "Offer RTX, by which lost packets are sent again (default true, as one lost packet spoils \
                 all frames to the next keyframe; changeable until READY)")]
    #[property(name = "max-consumers", get, set, type = u32, member = max_consumers, mutable_ready,
        blurb = "Sessions that may run at a time; further peers are refused as busy (number, default 0 = no \
                 limit; changeable until READY)")]
    #[property(name = "content-hint", get, set, type = ContentHint, member = content_hint, mutable_ready,
        blurb = "What raw video shows, and so what is given up first where bits are scarce: motion keeps every \
                 frame and lets sharpness go; detail and text keep edges sharp and let frames go, down to 5 a \
                 second (default none = sharpness goes first, up to a limit; changeable until READY)",
        builder(ContentHint::None))]
    #[property(name = "gop-cache", get, set, type = GopCache, member = gop_cache, mutable_ready,
        blurb = "Keep the frames of encoded video since its last keyframe, up to 16 MiB and 20 s, so that who joins \
                 sees a picture at once and runs through them to the present (default auto = until the source \
                 has answered three requests for keyframes, as an encoder does and a camera or a file does not; \
                 changeable until READY)",
        builder(GopCache::Auto))]
    #[property(name = "on-demand", get, set, type = bool, member = on_demand, mutable_ready,
        blurb = "Whether raw input is encoded only while someone watches (default false = a codec's encoder is made \
                 for its first viewer and then runs on, so that the next one need not wait for it; true spares \
                 its processor time; changeable until READY)")]
    #[property(name = "latency-budget", get, set, type = u32, member = latency_budget, mutable_ready,
        maximum = 40_950,
        blurb = "How far behind live video shall be played, so that it is even on a path that is not: told to viewers \
                 that take the playout-delay extension, and encoders of raw video spread large frames over it \
                 (ms, 0-40950; default 0 = as low as each path allows, and viewers decide; changeable until READY)")]
    #[property(name = "enable-control-data-channel", get, set, type = bool, member = enable_control_data_channel,
        mutable_ready, blurb = "Whether peers may steer the pipeline: on a data channel `control` their requests become navigation \
                 events, or upstream events of their own making (default false, as whoever watches would be let \
                 in to more than watching; changeable until READY)")]
    #[property(name = "enable-data-channel-navigation", get, set, type = bool, member = enable_data_channel_navigation,
        mutable_ready, blurb = "The same by a data channel `input` that takes navigation events alone, unanswered, as older pages \
                 for webrtcsink have it (default false; changeable until READY)")]
    pub(super) settings: Mutex<Settings>,
    pub(super) connect: Mutex<Connect>,
    pub(super) running: Mutex<Option<Running>>,
    pub(super) streams: Mutex<BTreeMap<String, Arc<Stream>>>,
    pub(super) data: Mutex<BTreeMap<String, Arc<DataInput>>>,
}

#[glib::object_subclass]
impl ObjectSubclass for RtcSink {
    const NAME: &'static str = "GstRtcSink";
    type Type = super::RtcSink;
    type ParentType = gst::Bin;
    type Interfaces = (gst::ChildProxy, gst_video::Navigation);
}

impl ObjectImpl for RtcSink {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            // The derive knows no structures.
            let stats = glib::ParamSpecBoxed::builder::<gst::Structure>(STATS)
                .blurb(
                    "Figures of every session: state, addresses, round-trip time in seconds, DTLS, \
                     counters (a structure in a structure by session; read-only, asked of the io thread \
                     at each read)",
                )
                .read_only()
                .build();
            [
                RtcSink::derived_properties(),
                &[stats],
                &Connect::specs(Role::Sink),
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
        if spec.name() == STATS {
            return self.stats().to_value();
        }
        let shared = self.connect().get(spec.name());
        let shared = shared.or_else(|| object::session_property(&*self.obj(), spec.name()));
        shared.unwrap_or_else(|| self.derived_property(id, spec))
    }

    fn constructed(&self) {
        self.parent_constructed();
        // A sink even before its first pad, so that the pipeline waits for its EOS.
        self.obj().set_suppressed_flags(gst::ElementFlags::SINK);
        self.obj().set_element_flags(gst::ElementFlags::SINK);
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            let mut signals = vec![
                // encoder-setup (pad, encoder): before the encoder starts.
                glib::subclass::Signal::builder("encoder-setup")
                    .param_types([gst::Pad::static_type(), gst::Element::static_type()])
                    .run_last()
                    .build(),
                // encoded-pad-added (pad, direction, mid): every encoded frame passes that pad. One
                // input's frames go to all sessions, so in place of a mid it names the input's pad.
                glib::subclass::Signal::builder("encoded-pad-added")
                    .param_types([
                        gst::Pad::static_type(),
                        String::static_type(),
                        String::static_type(),
                    ])
                    .run_last()
                    .build(),
                // on-data-channel (session, channel): a data channel is open, whoever opened it; its
                // messages have not come yet.
                glib::subclass::Signal::builder("on-data-channel")
                    .param_types([String::static_type(), DataChannel::static_type()])
                    .run_last()
                    .build(),
            ];
            signals.extend(object::session_signals::<super::RtcSink>());
            signals
        });
        &SIGNALS
    }
}

impl GstObjectImpl for RtcSink {}

impl ElementImpl for RtcSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "WebRTC sink",
                "Sink/Network/WebRTC",
                "Sends audio and video to browsers and other WebRTC peers",
                "The rtc plugin set's authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let pad = RtcSinkPad::static_type();
            [
                ("video_%u", caps::template(MediaKind::Video), pad),
                ("audio_%u", caps::template(MediaKind::Audio), pad),
                (DATA, template_caps(), RtcSinkDataPad::static_type()),
                (
                    dtmf_pad::TEMPLATE,
                    tones::caps(),
                    RtcSinkDtmfPad::static_type(),
                ),
            ]
            .map(|(name, caps, pad)| {
                gst::PadTemplate::with_gtype(
                    name,
                    gst::PadDirection::Sink,
                    gst::PadPresence::Request,
                    &caps,
                    pad,
                )
                .expect("name, direction and presence agree")
            })
            .into()
        });
        &TEMPLATES
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        let pad = match template.name_template() {
            DATA => self.add_data(template, name),
            dtmf_pad::TEMPLATE => Ok(self.add_dtmf(template, name)),
            _ => self
                .add_stream(template, name)
                .map(|s| s.pad().clone().upcast()),
        };
        let pad: gst::Pad = match pad {
            Ok(pad) => pad,
            Err(error) => {
                gst::error!(super::CAT, imp = self, "no pad: {error}");
                return None;
            }
        };
        pad.set_active(true).ok()?;
        self.obj().add_pad(&pad).ok()?;
        self.obj().child_added(&pad, &pad.name());
        Some(pad)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let _ = pad.set_active(false);
        let _ = self.obj().remove_pad(pad);
        self.obj().child_removed(pad, &pad.name());
        if !self.remove_data(pad) {
            if pad.is::<RtcSinkDtmfPad>() {
                return;
            }
            self.remove_stream(pad);
        }
    }

    /// `dtmf-event` sent to the pipeline goes to whoever makes tones, as with `rtpdtmfsrc`.
    fn send_event(&self, event: gst::Event) -> bool {
        match self.pass_tones_on(&event) {
            Some(taken) => taken,
            None => self.parent_send_event(event),
        }
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::NullToReady => {
                if let Err(fault) = self.start() {
                    fault::post(&*self.obj(), &fault);
                    return Err(gst::StateChangeError);
                }
            }
            gst::StateChange::ReadyToPaused => {
                if let Err(fault) = self.check() {
                    fault::post(&*self.obj(), &fault);
                    return Err(gst::StateChangeError);
                }
            }
            gst::StateChange::ReadyToNull => self.stop(),
            _ => {}
        }
        let result = self.parent_change_state(transition);
        if result.is_err() && transition == gst::StateChange::NullToReady {
            self.stop();
        }
        result
    }
}

impl BinImpl for RtcSink {}

impl NavigationImpl for RtcSink {
    /// What is done over the picture where the application shows it itself.
    fn send_event(&self, structure: gst::Structure) {
        let event = gst::event::Navigation::new(structure);
        for (_, stream) in self.streams().clone() {
            if stream.kind() == MediaKind::Video {
                stream.pad().push_event(event.clone());
            }
        }
    }
}

impl ChildProxyImpl for RtcSink {
    fn children_count(&self) -> u32 {
        let pads = self.streams().len() + self.data().len();
        u32::try_from(pads + 1).unwrap_or(u32::MAX)
    }

    fn child_by_name(&self, name: &str) -> Option<glib::Object> {
        if name == "signaller" {
            return self.child_signaller().map(Cast::upcast);
        }
        let pad = self.streams().get(name).map(|stream| stream.pad().clone());
        let data = self.data().get(name).map(|input| input.pad().clone());
        pad.map(Cast::upcast)
            .or_else(|| data.map(Cast::upcast))
            .or_else(|| self.obj().by_name(name).map(Cast::upcast))
    }

    fn child_by_index(&self, index: u32) -> Option<glib::Object> {
        if index == 0 {
            return self.child_signaller().map(Cast::upcast);
        }
        let index = index as usize - 1;
        let streams = self.streams();
        if let Some(stream) = streams.values().nth(index) {
            return Some(stream.pad().clone().upcast());
        }
        let index = index - streams.len();
        drop(streams);
        let data = self.data();
        Some(data.values().nth(index)?.pad().clone().upcast())
    }
}

const STATS: &str = "stats";
/// The template of inputs of messages.
const DATA: &str = "data_%u";
