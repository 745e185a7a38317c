// SPDX-License-Identifier: MPL-2.0
//! GObject, Element, BaseSrc and PushSrc traits of `rtcdtmfsrc`.
use super::state::{InsertError, State};
use crate::tones::{self, CAT, ToneRequest, ToneState};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_src::CreateSuccess;
use gst_base::subclass::prelude::*;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

/// See the module above.
#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::RtcDtmfSrc)]
pub struct RtcDtmfSrc {
    #[property(name = "tones", type = String, get = |s: &Self| s.state().tones.clone(), set = Self::set_tones,
        blurb = "Tones to insert as soon as somebody takes them, in place of those that wait: 0-9 A-D * # and the comma for two seconds of pause (text; empty, the default, for none; changeable at any time, each time anew)")]
    #[property(name = "duration", type = u32, get = |s: &Self| s.state().duration, set = |s: &Self, ms| s.state().duration = ms,
        minimum = 40, maximum = 6000, default_value = tones::DEFAULT_DURATION,
        blurb = "How long each of the property's tones lasts (ms, 40-6000; default 100 as W3C has it; changeable at any time, for the next tones)")]
    #[property(name = "inter-tone-gap", type = u32, get = |s: &Self| s.state().gap, set = |s: &Self, ms| s.state().gap = ms,
        minimum = 30, maximum = 6000, default_value = tones::DEFAULT_GAP,
        blurb = "How long the silence after each of the property's tones is (ms, 30-6000; default 70 as W3C has it; changeable at any time, for the next tones)")]
    #[property(name = "tone-buffer", type = String, get = |s: &Self| s.state().tone_buffer.clone(),
        blurb = "The tones that still wait (text; read-only)")]
    #[property(name = "can-insert-dtmf", type = bool, get = |s: &Self| s.state().can_insert,
        blurb = "Whether a connected peer takes tones now (read-only)")]
    state: Mutex<State>,
    more: Condvar,
}

#[glib::object_subclass]
impl ObjectSubclass for RtcDtmfSrc {
    const NAME: &'static str = "GstRtcDtmfSrc";
    type Type = super::RtcDtmfSrc;
    type ParentType = gst_base::PushSrc;
}

impl RtcDtmfSrc {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_tones(&self, tones: String) {
        let inserted = {
            let mut state = self.state();
            state.is_pending = !tones.is_empty();
            state.tones = tones;
            state.insert_pending()
        };
        self.tell_inserted(inserted);
    }

    /// The action signal.
    fn insert(&self, tones: &str, duration_ms: u32, gap_ms: u32) -> bool {
        let inserted = self.state().insert(tones, duration_ms, gap_ms);
        let done = inserted.is_ok();
        self.tell_inserted(inserted);
        done
    }

    /// Called without a lock, for it calls the application.
    fn tell_inserted(&self, inserted: Result<(), InsertError>) {
        match inserted {
            Ok(()) => {
                self.more.notify_all();
                self.obj().notify_tone_buffer();
            }
            Err(error) => {
                gst::element_imp_warning!(self, gst::StreamError::Failed, ("no tones: {error}"));
            }
        }
    }

    fn request(&self, request: ToneRequest) -> bool {
        let mut state = self.state();
        if !state.can_insert {
            gst::warning!(CAT, imp = self, "{request:?}: nobody takes tones now");
            return false;
        }
        state.push(request);
        drop(state);
        self.more.notify_all();
        true
    }

    /// What a sink says of the tones.
    fn told(&self, told: ToneState) {
        gst::debug!(CAT, imp = self, "{told:?}");
        match told {
            ToneState::CanInsert(can) => {
                let inserted = {
                    let mut state = self.state();
                    if std::mem::replace(&mut state.can_insert, can) == can {
                        return;
                    }
                    let pending = state.is_pending;
                    pending.then(|| state.insert_pending())
                };
                self.obj().notify_can_insert_dtmf();
                if let Some(inserted) = inserted.filter(|_| can) {
                    self.tell_inserted(inserted);
                }
            }
            ToneState::Change { tone, buffer } => {
                self.state().tone_buffer = buffer;
                self.obj().notify_tone_buffer();
                self.obj().emit_by_name::<()>("tone-change", &[&tone]);
            }
        }
    }

    /// Whether a custom event was for this element.
    fn take_event(&self, event: &gst::EventRef) -> Option<bool> {
        let structure = tones::custom(event)?;
        if let Some(told) = ToneState::from_event(structure) {
            self.told(told);
            return Some(true);
        }
        ToneRequest::from_event(structure).map(|request| self.request(request))
    }
}

#[glib::derived_properties]
impl ObjectImpl for RtcDtmfSrc {
    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        obj.set_live(true);
        obj.set_format(gst::Format::Time);
        obj.set_do_timestamp(true);
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            // tone-change (tone): it begins to sound now; "" when the series is over.
            let change = glib::subclass::Signal::builder("tone-change");
            // insert-dtmf (tones, duration ms, gap ms) -> whether they were taken; if not, a warning says
            // why, by W3C's names. No tones: what waits is dropped.
            let insert = glib::subclass::Signal::builder("insert-dtmf");
            vec![
                change
                    .param_types([String::static_type()])
                    .run_last()
                    .build(),
                insert
                    .param_types([
                        String::static_type(),
                        u32::static_type(),
                        u32::static_type(),
                    ])
                    .return_type::<bool>()
                    .run_last()
                    .action()
                    .class_handler(|values| {
                        let element: super::RtcDtmfSrc = values[0].get().ok()?;
                        let tones: Option<String> = values[1].get().ok()?;
                        let (duration, gap) = (values[2].get().ok()?, values[3].get().ok()?);
                        let tones = tones.unwrap_or_default();
                        Some(element.imp().insert(&tones, duration, gap).to_value())
                    })
                    .build(),
            ]
        });
        &SIGNALS
    }
}

impl GstObjectImpl for RtcDtmfSrc {}

impl ElementImpl for RtcDtmfSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static META: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "WebRTC telephone tones",
                "Source/Network/WebRTC",
                "Sends telephone tones (DTMF) on the audio of an rtcsink: to be linked to its dtmf_%u pad",
                "The rtc plugin set's authors",
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
                &tones::caps(),
            );
            vec![template.expect("name, direction and presence agree")]
        });
        &TEMPLATES
    }

    fn send_event(&self, event: gst::Event) -> bool {
        match self.take_event(&event) {
            Some(taken) => taken,
            None => self.parent_send_event(event),
        }
    }
}

impl BaseSrcImpl for RtcDtmfSrc {
    fn event(&self, event: &gst::Event) -> bool {
        match self.take_event(event) {
            Some(taken) => taken,
            None => self.parent_event(event),
        }
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.state().reset();
        Ok(())
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        self.state().flushing = true;
        self.more.notify_all();
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        self.state().flushing = false;
        Ok(())
    }
}

impl PushSrcImpl for RtcDtmfSrc {
    fn create(
        &self,
        _buffer: Option<&mut gst::BufferRef>,
    ) -> Result<CreateSuccess, gst::FlowError> {
        let mut state = self.state();
        loop {
            if state.flushing {
                return Err(gst::FlowError::Flushing);
            }
            if let Some(request) = state.pop() {
                return Ok(CreateSuccess::NewBuffer(request.to_buffer()));
            }
            state = self
                .more
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
