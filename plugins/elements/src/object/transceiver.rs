// SPDX-License-Identifier: MPL-2.0
//! `GstRtcTransceiver`: W3C's RTCRtpTransceiver (webrtc-pc §5.4).
use super::enums::{Kind, TransceiverDirection};
use super::link::Link;
use super::receiver::Receiver;
use super::sender::Sender;
use super::slot;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_session::{Command, TransceiverState};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

glib::wrapper! {
    /// One transceiver of one session. A `GstObject`, which any thread may use.
    pub struct Transceiver(ObjectSubclass<imp::Transceiver>) @extends gst::Object;
}

/// A change of what an application reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) mid: bool,
    pub(crate) direction: Option<TransceiverDirection>,
    pub(crate) current: Option<TransceiverDirection>,
}

impl Transceiver {
    pub(crate) fn new(
        state: &TransceiverState,
        link: &Arc<Link>,
        sender: &Sender,
        receiver: &Receiver,
    ) -> Self {
        let object: Self = glib::Object::new();
        let imp = object.imp();
        slot::replace(&imp.kind, state.kind.into());
        slot::replace(&imp.sender, Some(sender.clone()));
        slot::replace(&imp.receiver, Some(receiver.clone()));
        let known = (state.id, Arc::clone(link));
        assert!(imp.link.set(known).is_ok(), "set once");
        object.apply(state);
        object
    }

    /// Its identifier in the session.
    pub(crate) fn id(&self) -> Option<u64> {
        self.imp().link.get().map(|(id, _)| *id)
    }

    /// Takes what the session says, without a word.
    pub(crate) fn apply(&self, state: &TransceiverState) -> Changed {
        let imp = self.imp();
        let mid = state.mid.as_ref().map(|mid| mid.as_str().to_owned());
        Changed {
            mid: slot::replace(&imp.mid, mid).is_some(),
            direction: slot::replace(&imp.direction, Some(state.direction).into()),
            current: slot::replace(&imp.current_direction, state.current_direction.into()),
        }
    }

    /// It is stopped, without a word.
    pub(crate) fn stop(&self) -> Changed {
        let (imp, stopped) = (self.imp(), TransceiverDirection::Stopped);
        Changed {
            mid: slot::replace(&imp.mid, None).is_some(),
            direction: slot::replace(&imp.direction, stopped),
            current: slot::replace(&imp.current_direction, stopped),
        }
    }

    /// Tells what changed.
    pub(crate) fn tell(&self, changed: Changed) {
        if changed.mid {
            self.notify_mid();
        }
        if changed.direction.is_some() {
            self.notify_direction();
        }
        if changed.current.is_some() {
            self.notify_current_direction();
        }
    }
}

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Transceiver)]
    pub struct Transceiver {
        #[property(
            name = "mid",
            get,
            nullable,
            blurb = "The mid of its m-line; NULL while it has none (read-only)"
        )]
        pub(super) mid: Mutex<Option<String>>,
        #[property(
            name = "kind",
            get,
            blurb = "Audio or video (read-only)",
            builder(Kind::Audio)
        )]
        pub(super) kind: Mutex<Kind>,
        #[property(name = "direction", get, set = Self::set_direction, blurb = "The direction to negotiate for; stopped is for reading alone (any time)",
            builder(TransceiverDirection::SendRecv))]
        pub(super) direction: Mutex<TransceiverDirection>,
        #[property(
            name = "current-direction",
            get,
            blurb = "The direction negotiated last (read-only)",
            builder(TransceiverDirection::Null)
        )]
        pub(super) current_direction: Mutex<TransceiverDirection>,
        #[property(name = "sender", get, nullable, blurb = "Its sending half (read-only)")]
        pub(super) sender: Mutex<Option<Sender>>,
        #[property(
            name = "receiver",
            get,
            nullable,
            blurb = "Its receiving half (read-only)"
        )]
        pub(super) receiver: Mutex<Option<Receiver>>,
        pub(super) link: OnceLock<(u64, Arc<Link>)>,
    }

    impl Transceiver {
        fn set_direction(&self, direction: TransceiverDirection) {
            let stopped = slot::read(&self.direction) == TransceiverDirection::Stopped;
            let (Some(wanted), Some((id, link)), false) =
                (direction.wanted(), self.link.get(), stopped)
            else {
                gst::warning!(
                    super::super::CAT,
                    imp = self,
                    "direction can't be set to {}",
                    direction.as_str()
                );
                return;
            };
            // Read back at once, as in a browser; the session says the same.
            slot::replace(&self.direction, direction);
            link.command(Command::SetDirection(*id, wanted));
        }

        fn stop(&self) {
            if let Some((id, link)) = self.link.get() {
                link.command(Command::StopTransceiver(*id));
            }
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Transceiver {
        const NAME: &'static str = "GstRtcTransceiver";
        type Type = super::Transceiver;
        type ParentType = gst::Object;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Transceiver {
        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
                vec![
                    // W3C's stop(): for good; the m-line is switched off by the next negotiation.
                    glib::subclass::Signal::builder("stop")
                        .action()
                        .class_handler(|values| {
                            values[0].get::<super::Transceiver>().ok()?.imp().stop();
                            None
                        })
                        .build(),
                ]
            });
            &SIGNALS
        }
    }

    impl GstObjectImpl for Transceiver {}
}
