// SPDX-License-Identifier: MPL-2.0
//! `GstRtcDtmfSender`: W3C's RTCDTMFSender (webrtc-pc §7) of one session; `rtcdtmfsrc` sends to all.
use super::link::Link;
use super::slot;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::TrackId;
use rtc_session::Command;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

glib::wrapper! {
    /// Sends tones on the audio of one sender. A `GstObject`, which any thread may use.
    pub struct DtmfSender(ObjectSubclass<imp::DtmfSender>) @extends gst::Object;
}

/// What W3C has where nothing is said, and its bounds, ms.
const DEFAULT_DURATION: u32 = 100;
const DEFAULT_GAP: u32 = 70;

impl DtmfSender {
    pub(crate) fn new(link: &Arc<Link>) -> Self {
        let object: Self = glib::Object::new();
        assert!(object.imp().link.set(Arc::clone(link)).is_ok(), "set once");
        object
    }

    pub(crate) fn set_track(&self, track: Option<TrackId>) {
        slot::replace(&self.imp().track, track);
    }

    pub(crate) fn is_of(&self, track: TrackId) -> bool {
        slot::read(&self.imp().track) == Some(track)
    }

    pub(crate) fn set_possible(&self, possible: bool) {
        if slot::replace(&self.imp().can_insert_dtmf, possible).is_some() {
            self.notify_can_insert_dtmf();
        }
    }

    /// A tone begins; an empty one: the series is over.
    pub(crate) fn tone_changed(&self, tone: &str, buffer: &str) {
        slot::replace(&self.imp().tone_buffer, buffer.to_owned());
        self.emit_by_name::<()>("on-tone-change", &[&tone]);
    }
}

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::DtmfSender)]
    pub struct DtmfSender {
        #[property(
            name = "can-insert-dtmf",
            get,
            blurb = "Whether tones can be sent now (read-only)"
        )]
        pub(super) can_insert_dtmf: Mutex<bool>,
        #[property(name = "tone-buffer", get, blurb = "Tones that wait (read-only)")]
        pub(super) tone_buffer: Mutex<String>,
        pub(super) link: OnceLock<Arc<Link>>,
        pub(super) track: Mutex<Option<TrackId>>,
    }

    impl DtmfSender {
        /// Whether the tones were taken.
        fn insert(&self, tones: &str, duration: u32, gap: u32) -> bool {
            let tones = tones.to_ascii_uppercase();
            let known = |tone: char| tone.is_ascii_digit() || "ABCD*#,".contains(tone);
            let possible = slot::read(&self.can_insert_dtmf);
            let (Some(link), Some(track), true) = (
                self.link.get(),
                slot::read(&self.track),
                possible && tones.chars().all(known),
            ) else {
                return false;
            };
            *self
                .tone_buffer
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = tones.clone();
            let or = |value, default| if value == 0 { default } else { value };
            link.command(Command::InsertDtmf {
                track,
                tones,
                duration_ms: or(duration, DEFAULT_DURATION).clamp(40, 6000),
                gap_ms: or(gap, DEFAULT_GAP).max(30),
            });
            true
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for DtmfSender {
        const NAME: &'static str = "GstRtcDtmfSender";
        type Type = super::DtmfSender;
        type ParentType = gst::Object;
    }

    #[glib::derived_properties]
    impl ObjectImpl for DtmfSender {
        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
                vec![
                    // (tone): it begins; "" at the end of a series.
                    glib::subclass::Signal::builder("on-tone-change")
                        .param_types([String::static_type()])
                        .build(),
                    // (tones, duration, inter-tone-gap) -> taken; milliseconds, 0 for W3C's defaults. Not
                    // taken while can-insert-dtmf is false, and with a character that is no tone.
                    glib::subclass::Signal::builder("insert-dtmf")
                        .param_types([
                            String::static_type(),
                            u32::static_type(),
                            u32::static_type(),
                        ])
                        .return_type::<bool>()
                        .action()
                        .class_handler(|values| {
                            let object = values[0].get::<super::DtmfSender>().ok()?;
                            let tones = values[1].get::<Option<String>>().ok()?;
                            let (duration, gap) = (values[2].get().ok()?, values[3].get().ok()?);
                            let tones = tones.unwrap_or_default();
                            Some(object.imp().insert(&tones, duration, gap).to_value())
                        })
                        .build(),
                ]
            });
            &SIGNALS
        }
    }

    impl GstObjectImpl for DtmfSender {}
}
