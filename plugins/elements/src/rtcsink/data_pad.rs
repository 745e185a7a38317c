// SPDX-License-Identifier: MPL-2.0
//! A `data_%u` pad of `rtcsink`: its settings, and the channel that every session has for it.
use super::RtcSink;
use super::running::Running;
use crate::data::{self, DataTap, Lane, Leaky, Priority, TapSetup};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::MediaKind;
use rtc_session::{ChannelInit, ChannelKey};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

glib::wrapper! {
    /// An input of messages; its settings alone.
    pub struct RtcSinkDataPad(ObjectSubclass<imp::RtcSinkDataPad>)
        @extends gst::GhostPad, gst::ProxyPad, gst::Pad, gst::Object;
}

/// The input behind the pad.
pub(super) struct DataInput {
    pad: RtcSinkDataPad,
    tap: DataTap,
    lane: Arc<Lane>,
    key: Mutex<Option<ChannelKey>>,
}

impl DataInput {
    /// Adds the tap to the element; the pad is not shown yet.
    pub(super) fn new(
        sink: &RtcSink,
        template: &gst::PadTemplate,
        name: &str,
    ) -> Result<Arc<Self>, glib::BoolError> {
        let lane = Arc::new(Lane::default());
        let pad = gst::PadBuilder::<RtcSinkDataPad>::from_template(template)
            .name(name)
            .build();
        let _ = pad.imp().lane.set(Arc::clone(&lane));
        let input = Arc::new_cyclic(|weak: &std::sync::Weak<Self>| {
            let [begin, finish] = [weak.clone(), weak.clone()];
            let elements: [_; 3] = std::array::from_fn(|_| sink.downgrade());
            let [of_begin, of_finish, of_fault] = elements;
            let (of_stamp, stamped) = (sink.downgrade(), pad.downgrade());
            let leaky = pad.downgrade();
            let setup = TapSetup {
                lane: Arc::clone(&lane),
                leaky: Box::new(move || {
                    let pad = leaky.upgrade();
                    pad.map_or(Leaky::None, |pad| pad.imp().settings().leaky)
                }),
                begin: Box::new(move || {
                    if let (Some(sink), Some(input)) = (of_begin.upgrade(), begin.upgrade())
                        && let Some(running) = sink.imp().running().clone()
                    {
                        input.start(&running);
                    }
                }),
                finish: Box::new(move || {
                    if let (Some(sink), Some(input)) = (of_finish.upgrade(), finish.upgrade())
                        && let Some(running) = sink.imp().running().clone()
                    {
                        input.close(&running);
                    }
                }),
                stamp: Box::new(move |running| {
                    let name = stamped.upgrade()?.imp().settings().sync_to.clone();
                    let video = of_stamp.upgrade()?.imp().video(&name)?;
                    Some(video.rtp_time_at(running))
                }),
                fault: Box::new(move |fault| {
                    if let Some(sink) = of_fault.upgrade() {
                        crate::endpoint::post(&sink, fault.structure());
                    }
                }),
            };
            Self {
                tap: DataTap::new(name, setup),
                pad: pad.clone(),
                lane,
                key: Mutex::new(None),
            }
        });
        sink.add(&input.tap)?;
        let target = input.tap.static_pad("sink").expect("every sink has one");
        pad.set_target(Some(&target))?;
        input.tap.sync_state_with_parent()?;
        Ok(input)
    }

    pub(super) fn pad(&self) -> &RtcSinkDataPad {
        &self.pad
    }

    /// Sessions have the channel from now on.
    pub(super) fn start(&self, running: &Running) {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if key.is_some() {
            return;
        }
        let init = self.pad.init();
        *key = Some(init.key);
        let lane = Arc::clone(&self.lane);
        running
            .endpoint()
            .add_channel(running.attachment(), init, lane);
    }

    fn close(&self, running: &Running) {
        if let Some(key) = self.take_key() {
            running.endpoint().remove_channel(key);
        }
    }

    /// The endpoint closes the channel with all else of the element.
    pub(super) fn stop(&self) {
        self.take_key();
    }

    fn take_key(&self) -> Option<ChannelKey> {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        key.take()
    }

    /// Takes the tap out of the element.
    pub(super) fn remove(&self, sink: &RtcSink, running: Option<&Running>) {
        if let Some(running) = running {
            self.close(running);
        }
        let _ = self.tap.set_locked_state(true);
        let _ = self.tap.set_state(gst::State::Null);
        let _ = sink.remove(&self.tap);
    }
}

impl RtcSinkDataPad {
    /// What to open in each session.
    fn init(&self) -> ChannelInit {
        let settings = self.imp().settings().clone();
        let label = match settings.label.is_empty() {
            true => self.name().to_string(),
            false => settings.label,
        };
        ChannelInit {
            protocol: self.sync_protocol().unwrap_or(settings.protocol),
            ordered: settings.ordered,
            max_retransmits: u16::try_from(settings.max_retransmits).ok(),
            max_packet_lifetime_ms: u16::try_from(settings.max_packet_lifetime).ok(),
            negotiated: settings.negotiated,
            id: u16::try_from(settings.id).ok(),
            low_threshold: settings.buffered_amount_low_threshold,
            priority: settings.priority.number(),
            ..ChannelInit::new(data::new_key(), label)
        }
    }

    /// The subprotocol of messages that go in step with a video.
    fn sync_protocol(&self) -> Option<String> {
        let name = self.imp().settings().sync_to.clone();
        let sink = self.parent()?.downcast::<RtcSink>().ok()?;
        let track = sink.imp().video(&name)?.track();
        let streams = sink.imp().streams();
        let videos = streams.values().filter(|s| s.kind() == MediaKind::Video);
        let before = videos.filter(|stream| stream.track() < track).count();
        Some(data::sync_protocol(before))
    }

    /// What is wrong with the settings, for the user.
    pub(super) fn check(&self) -> Result<(), String> {
        let settings = self.imp().settings();
        let name = self.name();
        if settings.max_retransmits >= 0 && settings.max_packet_lifetime >= 0 {
            return Err(format!(
                "{name} has both max-retransmits={} and max-packet-lifetime={}: a message is given up \
                 after a number of repetitions or after a time, so set one of them to -1",
                settings.max_retransmits, settings.max_packet_lifetime
            ));
        }
        if settings.negotiated && settings.id < 0 {
            return Err(format!(
                "{name} is negotiated but has no id: set id to the stream that both sides use (0-65534)"
            ));
        }
        let sync_to = &settings.sync_to;
        if !sync_to.is_empty() && !settings.protocol.is_empty() {
            return Err(format!(
                "{name} has both sync-to={sync_to} and protocol={}: messages that go in step with a video have \
                 a subprotocol of their own, so leave protocol empty",
                settings.protocol
            ));
        }
        let sink = self.parent().and_downcast::<RtcSink>();
        if let Some(sink) = sink.filter(|_| !sync_to.is_empty())
            && sink.imp().video(sync_to).is_none()
        {
            return Err(format!(
                "{name} has sync-to={sync_to}, but {} has no video input of that name: name one that is \
                 linked, as {name}::sync-to=video_0",
                sink.name()
            ));
        }
        Ok(())
    }
}

mod imp {
    use super::*;
    use std::sync::OnceLock;

    /// The properties.
    #[derive(Clone, Debug)]
    pub(in super::super) struct Settings {
        pub(super) label: String,
        pub(super) protocol: String,
        pub(super) ordered: bool,
        pub(super) max_retransmits: i32,
        pub(super) max_packet_lifetime: i32,
        pub(super) negotiated: bool,
        pub(super) id: i32,
        pub(super) buffered_amount_low_threshold: u64,
        pub(super) leaky: Leaky,
        pub(super) priority: Priority,
        pub(super) sync_to: String,
    }

    impl Default for Settings {
        fn default() -> Self {
            Self {
                label: String::new(),
                protocol: String::new(),
                ordered: true,
                max_retransmits: -1,
                max_packet_lifetime: -1,
                negotiated: false,
                id: -1,
                buffered_amount_low_threshold: 0,
                leaky: Leaky::None,
                priority: Priority::Low,
                sync_to: String::new(),
            }
        }
    }

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::RtcSinkDataPad)]
    pub struct RtcSinkDataPad {
        #[property(name = "label", get, set, type = String, member = label,
            blurb = "The channel's label (text; default empty = the pad's name; changeable until the \
                     stream begins)")]
        #[property(name = "protocol", get, set, type = String, member = protocol,
            blurb = "The subprotocol spoken on the channel (text; default empty; changeable until the \
                     stream begins)")]
        #[property(name = "ordered", get, set, type = bool, member = ordered, default_value = true,
            blurb = "Whether messages arrive in the order sent (default true = nobody is surprised; \
                     changeable until the stream begins)")]
        #[property(name = "max-retransmits", get, set, type = i32, member = max_retransmits,
            minimum = -1, maximum = 65_535, default_value = -1,
            blurb = "How often a lost message is sent again (number, default -1 = until it arrives; not \
                     with max-packet-lifetime; changeable until the stream begins)")]
        #[property(name = "max-packet-lifetime", get, set, type = i32, member = max_packet_lifetime,
            minimum = -1, maximum = 65_535, default_value = -1,
            blurb = "How long a message is sent and sent again (milliseconds, default -1 = until it \
                     arrives; not with max-retransmits; changeable until the stream begins)")]
        #[property(name = "negotiated", get, set, type = bool, member = negotiated,
            blurb = "Whether the peer opens the channel by itself with the same id, so that it is not told \
                     (default false; changeable until the stream begins)")]
        #[property(name = "id", get, set, type = i32, member = id,
            minimum = -1, maximum = 65_534, default_value = -1,
            blurb = "The SCTP stream of a negotiated channel (0-65534, default -1 = chosen; changeable \
                     until the stream begins)")]
        #[property(name = "buffered-amount-low-threshold", get, set, type = u64,
            member = buffered_amount_low_threshold,
            blurb = "The channels' objects emit on-buffered-amount-low when no more than this waits (bytes, \
                     default 0; changeable until the stream begins)")]
        #[property(name = "priority", get, set, type = Priority, member = priority,
            blurb = "Its share against other channels of the session while they all wait: very-low, low \
                     (default, as W3C has it), medium or high, each twice the one before; with a peer \
                     that interleaves messages (RFC 8260) packet by packet, else message by message \
                     (changeable until the stream begins)",
            builder(Priority::Low))]
        #[property(name = "leaky", get, set, type = Leaky, member = leaky,
        blurb = "What happens when 2 MiB wait for a session: none (default) lets the pad wait, but \
                     closes the channel of a peer that takes nothing for 5 s while others do; downstream \
                     drops that session's oldest message (changeable at any time)",
        builder(Leaky::None))]
        #[property(name = "sync-to", get, set, type = String, member = sync_to,
            blurb = "Name of the video pad of the same element that messages go in step with: each is sent with the \
                     RTP timestamp of the frame at or before its own time, in an envelope that rtcsrc, \
                     rtcdatasrc and the page's telemetry.js take off (text; default empty = messages go \
                     as they are; changeable until READY)")]
        settings: Mutex<Settings>,
        #[property(name = "dropped", type = u64, get = Self::dropped,
            blurb = "Messages dropped, each counted once for every session that did not get it (number; \
                     read-only)")]
        pub(super) lane: OnceLock<Arc<Lane>>,
    }

    impl RtcSinkDataPad {
        pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
            self.settings.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn dropped(&self) -> u64 {
            let lane = self.lane.get();
            lane.map_or(0, |lane| lane.dropped.load(Ordering::Relaxed))
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for RtcSinkDataPad {
        const NAME: &'static str = "GstRtcSinkDataPad";
        type Type = super::RtcSinkDataPad;
        type ParentType = gst::GhostPad;
    }

    #[glib::derived_properties]
    impl ObjectImpl for RtcSinkDataPad {}
    impl GstObjectImpl for RtcSinkDataPad {}
    impl PadImpl for RtcSinkDataPad {}
    impl ProxyPadImpl for RtcSinkDataPad {}
    impl GhostPadImpl for RtcSinkDataPad {}
}
