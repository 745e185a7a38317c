// SPDX-License-Identifier: MPL-2.0
//! A `dtmf_%u` pad of `rtcsink`: tones for one of its audio inputs, and what becomes of them.
use super::RtcSink;
use crate::tones::{self, CAT, ToneRequest, ToneState};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::TrackId;
use std::sync::{Mutex, PoisonError};

glib::wrapper! {
    /// An input of tones.
    pub struct RtcSinkDtmfPad(ObjectSubclass<imp::RtcSinkDtmfPad>)
        @extends gst::Pad, gst::Object;
}

/// The name of the pad template.
pub(super) const TEMPLATE: &str = "dtmf_%u";

impl RtcSinkDtmfPad {
    /// Whether anybody takes tones, as far as it was told.
    fn state(&self) -> ToneState {
        let settings = &self.imp().settings;
        let settings = settings.lock().unwrap_or_else(PoisonError::into_inner);
        ToneState::CanInsert(settings.can_insert)
    }
}

impl super::imp::RtcSink {
    /// A new pad for tones.
    pub(super) fn add_dtmf(&self, template: &gst::PadTemplate, name: Option<&str>) -> gst::Pad {
        let name = match name {
            Some(name) if name != template.name_template() => name.to_owned(),
            _ => (0..)
                .map(|number: u32| TEMPLATE.replace("%u", &number.to_string()))
                .find(|name| self.obj().static_pad(name).is_none())
                .expect("there are more numbers than pads"),
        };
        let pad = gst::PadBuilder::<RtcSinkDtmfPad>::from_template(template)
            .name(name)
            .chain_function(|pad, parent, buffer| {
                let Some(sink) = parent.and_then(|parent| parent.downcast_ref::<RtcSink>()) else {
                    return Err(gst::FlowError::Flushing);
                };
                match ToneRequest::from_buffer(&buffer) {
                    Some(request) => sink.imp().request_tones(pad, request),
                    None => gst::warning!(CAT, obj = pad, "a buffer that asks for no tones"),
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .event_function(|pad, parent, event| {
                let sink = parent.and_then(|parent| parent.downcast_ref::<RtcSink>());
                if let (Some(sink), Some(structure)) = (sink, tones::custom(&event))
                    && let Some(request) = ToneRequest::from_event(structure)
                {
                    sink.imp().request_tones(pad, request);
                    return true;
                }
                if event.type_() == gst::EventType::Caps {
                    // Who is linked late has missed what was told before.
                    pad.push_event(pad.state().to_event());
                }
                gst::Pad::event_default(pad, parent, event)
            })
            .build();
        pad.upcast()
    }

    /// Pads whose audio is gone take no tones any more. Called without a lock.
    pub(super) fn forget_tones(&self) {
        for pad in self.obj().sink_pads() {
            let Ok(pad) = pad.downcast::<RtcSinkDtmfPad>() else {
                continue;
            };
            if self.track_of_tones(&pad).is_some() {
                continue;
            }
            let was_able = {
                let settings = &pad.imp().settings;
                let mut settings = settings.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut settings.can_insert)
            };
            if was_able {
                pad.push_event(ToneState::CanInsert(false).to_event());
            }
        }
    }

    /// Hands a `dtmf-event` upstream; `None` for another event.
    pub(super) fn pass_tones_on(&self, event: &gst::Event) -> Option<bool> {
        ToneRequest::from_event(tones::custom(event)?)?;
        let pads = self.obj().sink_pads().into_iter();
        let mut pads = pads.filter(|pad| pad.is::<RtcSinkDtmfPad>());
        Some(pads.any(|pad| pad.push_event(event.clone())))
    }

    fn request_tones(&self, pad: &RtcSinkDtmfPad, request: ToneRequest) {
        let Some(track) = self.track_of_tones(pad) else {
            gst::warning!(CAT, obj = pad, "there is no audio input for {request:?}");
            return;
        };
        let running = self.running().clone();
        if let Some(running) = running {
            gst::debug!(CAT, obj = pad, "{request:?}");
            running.endpoint().send_tones(track, request);
        }
    }

    fn track_of_tones(&self, pad: &RtcSinkDtmfPad) -> Option<TrackId> {
        let wanted = pad.audio();
        let streams: Vec<_> = self
            .streams()
            .iter()
            .filter(|(name, _)| match wanted.is_empty() {
                true => name.starts_with("audio_"),
                false => **name == wanted,
            })
            .map(|(_, stream)| stream.clone())
            .collect();
        streams.first()?.track()
    }

    /// Passes on what the endpoint says of a track's tones. Called without a lock.
    pub(super) fn tell_tones(&self, track: TrackId, state: &ToneState) {
        for pad in self.obj().sink_pads() {
            let Ok(pad) = pad.downcast::<RtcSinkDtmfPad>() else {
                continue;
            };
            if self.track_of_tones(&pad) != Some(track) {
                continue;
            }
            if let ToneState::CanInsert(can) = state {
                let settings = &pad.imp().settings;
                settings
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .can_insert = *can;
            }
            pad.push_event(state.to_event());
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Settings {
    audio: String,
    can_insert: bool,
}

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::RtcSinkDtmfPad)]
    pub struct RtcSinkDtmfPad {
        #[property(name = "audio", get, set, type = String, member = audio, nick = "Audio input",
            blurb = "Name of the audio pad in whose stream the tones are sent (text; default empty = the \
                     first; changeable at any time, but then only the next peer's tones can be told of)")]
        pub(super) settings: Mutex<Settings>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for RtcSinkDtmfPad {
        const NAME: &'static str = "GstRtcSinkDtmfPad";
        type Type = super::RtcSinkDtmfPad;
        type ParentType = gst::Pad;
    }

    #[glib::derived_properties]
    impl ObjectImpl for RtcSinkDtmfPad {}
    impl GstObjectImpl for RtcSinkDtmfPad {}
    impl PadImpl for RtcSinkDtmfPad {}
}
