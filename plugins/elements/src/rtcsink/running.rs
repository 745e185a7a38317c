// SPDX-License-Identifier: MPL-2.0
//! What `rtcsink` does between NULL and NULL: its endpoint, its inputs.
use super::attached::Attached;
use super::data_pad::DataInput;
use super::gop::GopCache;
use super::imp::RtcSink;
use super::settings::Settings;
use super::stream::{Stream, Wishes};
use crate::connect::{Connect, Role};
use crate::control::Steering;
use crate::encode::hint::Tuning;
use crate::endpoint::{AttachmentId, Endpoint};
use crate::fault::{self, Fault};
use crate::object::{HasSessions, SessionList};
use crate::report;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::{Codec, MediaKind, TrackId};
use rtc_signaller::Signaller;
use std::sync::{Arc, MutexGuard, PoisonError};

/// While the element is at least READY.
#[derive(Clone)]
pub(super) struct Running {
    endpoint: Arc<Endpoint>,
    attachment: AttachmentId,
    codecs: Vec<Codec>,
    start_bitrate: u64,
    steering: Option<Arc<Steering>>,
    layers: u32,
    tuning: Tuning,
    gop_cache: GopCache,
    on_demand: bool,
}

impl Running {
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What peers may do besides watching.
    pub(super) fn steering(&self) -> Option<&Steering> {
        self.steering.as_deref()
    }

    pub(super) fn attachment(&self) -> AttachmentId {
        self.attachment
    }
}

impl RtcSink {
    /// NULL -> READY; the error is posted by the caller.
    pub(super) fn start(&self) -> Result<(), Fault> {
        for input in self.data_inputs() {
            input.pad().check().map_err(fault::settings)?;
        }
        let settings = self.settings().clone();
        let codecs = settings.codecs().map_err(fault::settings)?;
        let sessions = settings.sessions().map_err(fault::settings)?;
        let options = self.connect().options(Role::Sink, sessions);
        let options = options.map_err(fault::settings)?;
        let endpoint = Endpoint::acquire(options).map_err(|error| fault::endpoint(&error))?;
        let attached = Arc::new(Attached(self.obj().downgrade()));
        let running = Running {
            attachment: endpoint.attach(attached, Vec::new()),
            endpoint,
            codecs,
            start_bitrate: settings.start_bitrate.into(),
            steering: Steering::new(settings.steering(), &*self.obj()),
            layers: settings.layers,
            tuning: settings.tuning(),
            gop_cache: settings.gop_cache,
            on_demand: settings.on_demand,
        };
        *self.running() = Some(running.clone());
        if let Some(steering) = running.steering() {
            steering.open(running.endpoint(), running.attachment);
        }
        for stream in self.streams().values().cloned().collect::<Vec<_>>() {
            self.start_stream(&running, &stream);
        }
        for input in self.data_inputs() {
            input.start(&running);
        }
        Ok(())
    }

    /// READY -> PAUSED; the error is posted by the caller.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let streams: Vec<_> = self.streams().values().cloned().collect();
        streams.iter().try_for_each(|stream| stream.check())
    }

    /// READY -> NULL.
    pub(super) fn stop(&self) {
        let Some(running) = self.running().take() else {
            return;
        };
        running.endpoint.detach(running.attachment);
        for stream in self.streams().values().cloned().collect::<Vec<_>>() {
            stream.stop();
        }
        for input in self.data_inputs() {
            input.stop();
        }
        self.forget_tones();
    }

    fn start_stream(&self, running: &Running, stream: &Arc<Stream>) {
        stream.start(
            &running.endpoint,
            running.attachment,
            &self.obj().name(),
            Wishes {
                start_bitrate: running.start_bitrate,
                codecs: running.codecs.clone(),
                layers: running.layers,
                tuning: running.tuning,
                gop_cache: running.gop_cache,
                on_demand: running.on_demand,
            },
        );
    }

    /// A new input for a request pad.
    pub(super) fn add_stream(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
    ) -> Result<Arc<Stream>, glib::BoolError> {
        let kind = if template.name_template().starts_with("video") {
            MediaKind::Video
        } else {
            MediaKind::Audio
        };
        let name = match name {
            Some(name) if name != template.name_template() => name.to_owned(),
            _ => self.free_name(kind),
        };
        let stream = Stream::new(&self.obj(), template, &name, kind)?;
        self.streams().insert(name, stream.clone());
        let running = self.running().clone();
        if let Some(running) = running {
            self.start_stream(&running, &stream);
        }
        Ok(stream)
    }

    /// A new input of messages for a request pad.
    pub(super) fn add_data(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
    ) -> Result<gst::Pad, glib::BoolError> {
        let name = match name {
            Some(name) if name != template.name_template() => name.to_owned(),
            _ => {
                let inputs = self.data();
                (0..)
                    .map(|number: u32| format!("data_{number}"))
                    .find(|name| !inputs.contains_key(name))
                    .expect("there are more numbers than pads")
            }
        };
        let input = DataInput::new(&self.obj(), template, &name)?;
        let pad = input.pad().clone().upcast();
        self.data().insert(name, input);
        Ok(pad)
    }

    /// Whether it was one of messages.
    pub(super) fn remove_data(&self, pad: &gst::Pad) -> bool {
        let input = self.data().remove(pad.name().as_str());
        let running = self.running().clone();
        if let Some(input) = &input {
            input.remove(&self.obj(), running.as_ref());
        }
        input.is_some()
    }

    fn data_inputs(&self) -> Vec<Arc<DataInput>> {
        self.data().values().cloned().collect()
    }

    pub(super) fn data(
        &self,
    ) -> MutexGuard<'_, std::collections::BTreeMap<String, Arc<DataInput>>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn free_name(&self, kind: MediaKind) -> String {
        let streams = self.streams();
        (0..)
            .map(|number: u32| format!("{}_{number}", kind.as_str()))
            .find(|name| !streams.contains_key(name))
            .expect("there are more numbers than pads")
    }

    pub(super) fn remove_stream(&self, pad: &gst::Pad) {
        let stream = self.streams().remove(pad.name().as_str());
        if let Some(stream) = stream {
            stream.stop();
            stream.remove();
            self.forget_tones();
        }
    }

    /// The video input of that name.
    pub(super) fn video(&self, name: &str) -> Option<Arc<Stream>> {
        let stream = self.streams().get(name).cloned();
        stream.filter(|stream| stream.kind() == MediaKind::Video)
    }

    pub(super) fn stream_of(&self, track: TrackId) -> Option<Arc<Stream>> {
        let streams: Vec<_> = self.streams().values().cloned().collect();
        streams
            .into_iter()
            .find(|stream| stream.track() == Some(track))
    }

    /// The signaller as a child to set properties of: made when first asked for, and then kept.
    pub(super) fn child_signaller(&self) -> Option<Signaller> {
        self.connect().signaller(Role::Sink).ok()
    }

    pub(super) fn stats(&self) -> gst::Structure {
        let running = self.running().clone();
        report::sessions(
            running
                .map(|running| running.endpoint.stats())
                .unwrap_or_default(),
        )
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connect(&self) -> MutexGuard<'_, Connect> {
        self.connect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn streams(
        &self,
    ) -> MutexGuard<'_, std::collections::BTreeMap<String, Arc<Stream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HasSessions for super::RtcSink {
    fn session_list(&self) -> Option<SessionList> {
        let running = self.imp().running().clone();
        Some(running?.endpoint.sessions().clone())
    }
}
