// SPDX-License-Identifier: MPL-2.0
//! `GstRtcDataChannel`: W3C's RTCDataChannel as an object of properties, signals and actions.
//!
//! Signals are emitted on the endpoint's control thread, in the order of W3C webrtc-pc §6. A handler that
//! takes long holds up that endpoint's signalling, not its media.
use super::channel::Channel;
use super::priority::Priority;
use bytes::Bytes;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_session::{ChannelError, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

glib::wrapper! {
    /// One data channel of one session. A `GstObject`, which any thread may use.
    pub struct DataChannel(ObjectSubclass<imp::DataChannel>) @extends gst::Object;
}

/// W3C's RTCDataChannelState.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstRtcDataChannelState")]
pub enum DataChannelState {
    /// It is being opened.
    #[default]
    #[enum_value(name = "Connecting", nick = "connecting")]
    Connecting,
    /// Messages flow.
    #[enum_value(name = "Open", nick = "open")]
    Open,
    /// It is being closed.
    #[enum_value(name = "Closing", nick = "closing")]
    Closing,
    /// It is gone.
    #[enum_value(name = "Closed", nick = "closed")]
    Closed,
}

impl DataChannel {
    pub(crate) fn new(channel: &Arc<Channel>) -> Self {
        let object: Self = glib::Object::new();
        let imp = object.imp();
        assert!(imp.channel.set(Arc::clone(channel)).is_ok(), "set once");
        imp.threshold
            .store(channel.init.low_threshold, Ordering::Relaxed);
        object.set_state(DataChannelState::Open);
        object
    }

    /// Whether anybody wants messages by signal.
    pub(crate) fn has_listeners(&self) -> bool {
        let listens = |id| glib::signal::signal_has_handler_pending(self, id, None, false);
        MESSAGE_SIGNALS.iter().copied().any(listens)
    }

    pub(crate) fn emit_open(&self) {
        self.emit_by_name::<()>("on-open", &[]);
    }

    pub(crate) fn emit_message(&self, data: &Bytes, text: bool) {
        // Text was found to be UTF-8 by the session; a zero in it can't be in a string of C.
        match std::str::from_utf8(data).ok().filter(|_| text) {
            Some(string) if !string.contains('\0') => {
                self.emit_by_name::<()>("on-message-string", &[&string]);
            }
            _ => {
                let bytes = glib::Bytes::from_owned(data.clone());
                self.emit_by_name::<()>("on-message-data", &[&bytes]);
            }
        }
    }

    pub(crate) fn emit_low(&self) {
        self.emit_by_name::<()>("on-buffered-amount-low", &[]);
    }

    /// `by_us`: the application knows, for it asked for that.
    pub(crate) fn emit_closing(&self, by_us: bool) {
        self.set_state(DataChannelState::Closing);
        if !by_us {
            self.emit_by_name::<()>("on-closing", &[]);
        }
    }

    pub(crate) fn emit_close(&self, error: Option<&ChannelError>) {
        self.set_state(DataChannelState::Closed);
        if let Some(error) = error {
            self.emit_error(error);
        }
        self.emit_by_name::<()>("on-close", &[]);
    }

    pub(crate) fn emit_error(&self, error: &ChannelError) {
        let mut structure = gst::Structure::builder("rtc-error")
            .field("error-detail", detail(error))
            .field("message", error.to_string())
            .build();
        if let ChannelError::Sctp {
            cause: Some(cause), ..
        } = error
        {
            structure.set("sctp-cause-code", u32::from(*cause));
        }
        self.emit_by_name::<()>("on-error", &[&structure]);
    }

    fn set_state(&self, state: DataChannelState) {
        let old = std::mem::replace(&mut *self.imp().state(), state);
        if old != state {
            self.notify("ready-state");
        }
    }
}

/// W3C's RTCErrorDetailType, or for what W3C throws, the name of what is thrown.
pub(crate) fn detail(error: &ChannelError) -> &'static str {
    match error {
        ChannelError::TooLarge { .. } => "too-large",
        ChannelError::BufferFull { .. } => "operation-error",
        ChannelError::NotOpen => "invalid-state-error",
        ChannelError::Init { .. } => "type-error",
        ChannelError::Sctp { .. } => "sctp-failure",
        _ => "data-channel-failure",
    }
}

static MESSAGE_SIGNALS: LazyLock<[glib::subclass::SignalId; 2]> = LazyLock::new(|| {
    ["on-message-data", "on-message-string"].map(|name| {
        glib::subclass::SignalId::lookup(name, DataChannel::static_type())
            .expect("the class has these signals")
    })
});

/// W3C leaves the bound to the browser; this is what they have.
const MAX_BUFFERED: u64 = 16 * 1024 * 1024;

mod imp {
    use super::*;
    use std::sync::MutexGuard;

    #[derive(Debug, Default)]
    pub struct DataChannel {
        pub(super) channel: OnceLock<Arc<Channel>>,
        state: Mutex<DataChannelState>,
        pub(super) threshold: AtomicU64,
    }

    impl DataChannel {
        fn channel(&self) -> Option<&Arc<Channel>> {
            self.channel.get()
        }

        pub(super) fn state(&self) -> MutexGuard<'_, DataChannelState> {
            self.state.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Whether the message was taken.
        fn send(&self, data: Bytes, text: bool) -> bool {
            let Some(channel) = self.channel() else {
                return false;
            };
            let size = data.len() as u64;
            let buffered = channel.outbox().buffered();
            let error = if buffered + size > MAX_BUFFERED {
                ChannelError::BufferFull {
                    size,
                    buffered,
                    limit: MAX_BUFFERED,
                }
            } else {
                match channel.send(data, text) {
                    Ok(true) => return true,
                    Ok(false) => ChannelError::NotOpen,
                    Err(limit) => ChannelError::TooLarge { size, limit },
                }
            };
            self.obj().emit_error(&error);
            false
        }

        fn close(&self) {
            if let Some(channel) = self.channel()
                && *self.state() == DataChannelState::Open
            {
                channel.close();
            }
        }

        fn set_threshold(&self, bytes: u64) {
            self.threshold.store(bytes, Ordering::Relaxed);
            if let Some(channel) = self.channel() {
                channel.outbox().threshold = bytes;
                let channel_key = channel.init.key;
                channel.command(Command::SetLowThreshold {
                    channel: channel_key,
                    bytes,
                });
            }
        }

        fn get(&self, name: &str) -> Option<glib::Value> {
            if name == "ready-state" {
                return Some(self.state().to_value());
            }
            let channel = self.channel()?;
            let init = &channel.init;
            let optional = |number: Option<u16>| number.map_or(-1, i32::from).to_value();
            Some(match name {
                "session" => channel.session_name.to_value(),
                "label" => init.label.to_value(),
                "protocol" => init.protocol.to_value(),
                "ordered" => init.ordered.to_value(),
                "priority" => Priority::nearest(init.priority).to_value(),
                "negotiated" => init.negotiated.to_value(),
                "max-retransmits" => optional(init.max_retransmits),
                "max-packet-life-time" => optional(init.max_packet_lifetime_ms),
                "id" => optional(init.id.filter(|id| *id != u16::MAX)),
                "buffered-amount" => channel.outbox().buffered().to_value(),
                "max-message-size" => channel.max_message_size.load(Ordering::Relaxed).to_value(),
                _ => self.threshold.load(Ordering::Relaxed).to_value(),
            })
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for DataChannel {
        const NAME: &'static str = "GstRtcDataChannel";
        type Type = super::DataChannel;
        type ParentType = gst::Object;
    }

    impl GstObjectImpl for DataChannel {}
    impl ObjectImpl for DataChannel {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties);
            &PROPERTIES
        }

        fn property(&self, _: usize, spec: &glib::ParamSpec) -> glib::Value {
            // Without a channel only in an object that an application made itself.
            self.get(spec.name())
                .unwrap_or_else(|| spec.default_value().clone())
        }

        fn set_property(&self, _: usize, value: &glib::Value, _: &glib::ParamSpec) {
            // The only one that is writable.
            if let Ok(bytes) = value.get() {
                self.set_threshold(bytes);
            }
        }

        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(signals);
            &SIGNALS
        }
    }

    fn properties() -> Vec<glib::ParamSpec> {
        let text = |name, blurb| {
            glib::ParamSpecString::builder(name)
                .blurb(blurb)
                .read_only()
                .build()
        };
        let flag = |name, blurb| {
            glib::ParamSpecBoolean::builder(name)
                .blurb(blurb)
                .read_only()
                .build()
        };
        let optional = |name, blurb| {
            glib::ParamSpecInt::builder(name)
                .minimum(-1)
                .maximum(65_535)
                .default_value(-1)
                .blurb(blurb)
                .read_only()
                .build()
        };
        let bytes = |name| glib::ParamSpecUInt64::builder(name);
        vec![
            text("session", "The session's name in signalling (read-only)"),
            text("label", "The label (read-only)"),
            text("protocol", "The subprotocol (read-only)"),
            flag("ordered", "Whether messages arrive in order (read-only)"),
            flag("negotiated", "Whether both sides opened it (read-only)"),
            optional(
                "max-retransmits",
                "Repetitions, -1: until it arrives (read-only)",
            ),
            optional(
                "max-packet-life-time",
                "Milliseconds, -1: until it arrives (read-only)",
            ),
            optional("id", "The SCTP stream (read-only)"),
            glib::ParamSpecEnum::builder::<DataChannelState>("ready-state")
                .blurb("W3C's readyState (read-only)")
                .read_only()
                .build(),
            glib::ParamSpecEnum::builder_with_default("priority", Priority::Low)
                .blurb("W3C's priority: its share against other channels (read-only)")
                .read_only()
                .build(),
            bytes("buffered-amount")
                .blurb("Bytes of messages that wait (read-only)")
                .read_only()
                .build(),
            bytes("max-message-size")
                .blurb("The largest message the peer takes in bytes, 0 for any (read-only)")
                .read_only()
                .build(),
            bytes("buffered-amount-low-threshold")
                .blurb("on-buffered-amount-low comes when no more bytes than this wait (any time)")
                .build(),
        ]
    }

    fn signals() -> Vec<glib::subclass::Signal> {
        let signal = glib::subclass::Signal::builder;
        let bytes = glib::Bytes::static_type();
        vec![
            signal("on-open").build(),
            signal("on-closing").build(),
            signal("on-close").build(),
            signal("on-buffered-amount-low").build(),
            // (rtc-error: error-detail, message, sctp-cause-code if one is known)
            signal("on-error")
                .param_types([gst::Structure::static_type()])
                .build(),
            signal("on-message-data").param_types([bytes]).build(),
            signal("on-message-string")
                .param_types([String::static_type()])
                .build(),
            signal("send-data")
                .param_types([bytes])
                .return_type::<bool>()
                .action()
                .class_handler(|values| {
                    let object = values[0].get::<super::DataChannel>().ok()?;
                    let data = values[1].get::<Option<glib::Bytes>>().ok()?;
                    let data = data.map_or_else(Bytes::new, Bytes::from_owner);
                    Some(object.imp().send(data, false).to_value())
                })
                .build(),
            signal("send-string")
                .param_types([String::static_type()])
                .return_type::<bool>()
                .action()
                .class_handler(|values| {
                    let object = values[0].get::<super::DataChannel>().ok()?;
                    let text = values[1].get::<Option<String>>().ok()?.unwrap_or_default();
                    Some(object.imp().send(Bytes::from(text), true).to_value())
                })
                .build(),
            signal("close")
                .action()
                .class_handler(|values| {
                    values[0].get::<super::DataChannel>().ok()?.imp().close();
                    None
                })
                .build(),
        ]
    }
}
