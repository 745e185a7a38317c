// SPDX-License-Identifier: MPL-2.0
//! GObject, Element, Bin and ChildProxy traits of `rtcsink`.
use super::data_pad::{DataInput, RtcSinkDataPad};
use super::dtmf_pad::{self, RtcSinkDtmfPad};
use super::pad::RtcSinkPad;
use super::running::Running;
use super::settings::{
    CongestionControl, DEFAULT_MAX_BITRATE, DEFAULT_MIN_BITRATE, DEFAULT_START_BITRATE,
    DEFAULT_UDP_PORT, DEFAULT_WEB_ADDRESS, Dtls, Families, Settings,
};
use super::stream::Stream;
use crate::data::{DataChannel, template_caps};
use crate::network::{Network, TransportPolicy};
use crate::{caps, fault, tones};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::MediaKind;
use rtc_signaller::Signaller;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

/// See the module above.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::RtcSink)]
#[allow(missing_debug_implementations)] // Mutexes of what GStreamer shows better.
pub struct RtcSink {
    #[property(name = "endpoint", get, set, type = String, member = endpoint, mutable_ready,
        blurb = "Name of the endpoint: elements of one process with the same name share one signaller, one \
                 UDP port and the same sessions (text; default empty = an endpoint of its own; changeable \
                 until READY)")]
    #[property(name = "uri", get, set, type = String, member = uri, mutable_ready,
        blurb = "How peers are found: empty (default) = serve, an embedded web server with page, WHEP and \
                 WebSocket at web-address, so that nothing else need be started; whip://HOST:PORT/PATH or \
                 whips:// to publish to a WHIP server; loopback:NAME; application: (URI; changeable until READY)")]
    #[property(name = "signaller", get, set, nullable, type = Option<Signaller>, member = signaller, mutable_ready,
        blurb = "The object that carries the descriptions, in place of the one uri names; its properties \
                 are reached as signaller::name=value (object implementing GstRtcSignaller; default none = \
                 made from uri; changeable until READY)")]
    #[property(name = "web-address", get, set, type = String, member = web_address, mutable_ready,
        default = Some(DEFAULT_WEB_ADDRESS),
        blurb = "Where the web server of serve listens (host:port, port 0 = any free one; default \
                 127.0.0.1:8080 = this machine alone, so that nothing is public unasked; changeable until READY)")]
    #[property(name = "auth-token", set, type = String, member = auth_token, mutable_ready,
        blurb = "Bearer token that serve demands of its peers, or that a WHIP server demands of us (text, write-only; default empty = none, for \
                 it listens on this machine alone; changeable until READY)")]
    #[property(name = "udp-port", get, set, type = u32, member = udp_port, mutable_ready,
        maximum = 65_535, default = DEFAULT_UDP_PORT,
        blurb = "UDP port of all sessions; if it is taken the next 15 are tried (port number 0-65535, 0 = \
                 any free one; default 8189 = one port to open in a firewall; changeable until READY)")]
    #[property(name = "ip-families", get, set, type = Families, member = ip_families, mutable_ready,
        blurb = "IP versions of the sessions' sockets and candidates (default both, as the peer may have \
                 either; changeable until READY)",
        builder(Families::Both))]
    #[property(name = "interfaces", get, set, type = String, member = interfaces, mutable_ready,
        blurb = "Network interfaces whose addresses are offered, by name (separated by commas; default \
                 empty = all, as the peer may be behind any; changeable until READY)")]
    #[property(name = "announced-addresses", get, set, type = String, member = announced_addresses, mutable_ready,
        blurb = "IP addresses to offer beside the machine's own: those of a NAT that forwards udp-port here \
                 (separated by commas; default empty; changeable until READY)")]
    #[property(name = "dtls-version", get, set, type = Dtls, member = dtls_version, mutable_ready,
        blurb = "DTLS versions spoken (default auto = the newest the peer offers; 1.2 gives cheaper \
                 encryption with some browsers; changeable until READY)",
        builder(Dtls::Auto))]
    #[property(name = "video-caps", get, set, type = gst::Caps, member = video_caps, mutable_ready,
        blurb = "Codecs that raw video is offered as, most wanted first (caps; default every codec known, \
                 H.264 first as it is the cheapest to decode; changeable until READY)")]
    #[property(name = "audio-caps", get, set, type = gst::Caps, member = audio_caps, mutable_ready,
        blurb = "Codecs that raw audio is offered as, most wanted first (caps; default every codec known, \
                 Opus first as it sounds best; changeable until READY)")]
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
    #[property(name = "quiet", get, set, type = bool, member = quiet,
        blurb = "Whether the line on standard error that tells the address is left out; the rtc-listening \
                 message comes all the same (default false, so that gst-launch tells it; changeable at any time)")]
    pub(super) settings: Mutex<Settings>,
    #[property(name = "stun-server", get, set, type = String, member = stun_server, mutable_ready,
        blurb = "STUN server that tells each session its address outside a NAT (stun:HOST:PORT; default \
                 empty = none, for nothing is told to third parties unasked; changeable until READY)")]
    #[property(name = "turn-servers", get, set, type = String, member = turn_servers, mutable_ready,
        blurb = "TURN servers that relay where nothing else gets through \
                 (turn://USER:PASSWORD@HOST:PORT?transport=udp or tcp, turns:// for TLS, separated by commas; \
                 with turn-secret turn:HOST:PORT; default empty = none; changeable until READY)")]
    #[property(name = "turn-secret", set, type = String, member = turn_secret, mutable_ready,
        blurb = "Secret shared with the turn-servers that are written without a user: each session gets a \
                 credential of its own, good for a day (text, write-only; default empty; changeable until READY)")]
    #[property(name = "ice-servers", get, set, type = gst::Array, member = ice_servers,
        mutable_ready,
        blurb = "Further STUN and TURN servers (array of structures with urls, a text or an array of texts, \
                 and for TURN username and credential, as W3C's RTCIceServer; default empty; changeable until READY)")]
    #[property(name = "ice-transport-policy", get, set, type = TransportPolicy, member = policy, mutable_ready,
        blurb = "Which ways to the peer may be used: all (default), or relay = by TURN alone, so that peers \
                 never see an address of this machine (changeable until READY)",
        builder(TransportPolicy::All))]
    #[property(name = "ice-tcp", get, set, type = bool, member = ice_tcp, mutable_ready, default = true,
        blurb = "Take connections by TCP on the number of udp-port, and make them, where UDP finds no path \
                 within a second (default true, as some networks let no UDP through; changeable until READY)")]
    #[property(name = "tls-ca", get, set, type = String, member = tls_ca, mutable_ready,
        blurb = "Certificate authorities that turns: servers are verified with (path of a PEM file; default \
                 empty = those of the system; changeable until READY)")]
    pub(super) network: Mutex<Network>,
    pub(super) running: Mutex<Option<Running>>,
    pub(super) streams: Mutex<BTreeMap<String, Arc<Stream>>>,
    pub(super) data: Mutex<BTreeMap<String, Arc<DataInput>>>,
}

#[glib::object_subclass]
impl ObjectSubclass for RtcSink {
    const NAME: &'static str = "GstRtcSink";
    type Type = super::RtcSink;
    type ParentType = gst::Bin;
    type Interfaces = (gst::ChildProxy,);
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
            [RtcSink::derived_properties(), &[stats]].concat()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, spec: &glib::ParamSpec) {
        self.derived_set_property(id, value, spec);
    }

    fn property(&self, id: usize, spec: &glib::ParamSpec) -> glib::Value {
        if spec.name() == STATS {
            return self.stats().to_value();
        }
        self.derived_property(id, spec)
    }

    fn constructed(&self) {
        self.parent_constructed();
        // A sink even before its first pad, so that the pipeline waits for its EOS.
        self.obj().set_suppressed_flags(gst::ElementFlags::SINK);
        self.obj().set_element_flags(gst::ElementFlags::SINK);
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            vec![
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
            ]
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
