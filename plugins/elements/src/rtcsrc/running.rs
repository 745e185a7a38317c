// SPDX-License-Identifier: MPL-2.0
//! What exists of an `rtcsrc` from READY on: its endpoint, its sessions' clocks, its streams.
use super::RtcSrc;
use super::data::{self, DataStream};
use super::receiver::Receiver;
use super::stream::{self, Parts, Stream};
use super::tones::ToneStream;
use crate::clock::SessionClock;
use crate::endpoint::{AttachmentId, Endpoint, IncomingMedia};
use gst::glib;
use gst::prelude::*;
use rtc_payload::{Codec, MediaKind, Mid, SessionId};
use rtc_session::Command;
use std::collections::HashMap;
use std::sync::Arc;

/// See the module.
pub(super) struct Running {
    endpoint: Arc<Endpoint>,
    attachment: AttachmentId,
    latency: (gst::ClockTime, gst::ClockTime),
    sessions: HashMap<SessionId, Shared>,
    streams: Vec<Arc<Stream>>,
    pub(super) tones: Vec<Arc<ToneStream>>,
    /// Pads of data channels.
    pub(super) data: Vec<Arc<DataStream>>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("endpoint", &self.endpoint)
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}

/// What the streams of one session have in common.
struct Shared {
    clock: SessionClock,
    group: gst::GroupId,
}

impl Running {
    /// Attaches to the endpoint; from now on the control thread calls.
    pub(super) fn start(
        src: &RtcSrc,
        endpoint: Arc<Endpoint>,
        codecs: Vec<Codec>,
        latency: (gst::ClockTime, gst::ClockTime),
    ) -> Self {
        let attachment = endpoint.attach(Arc::new(Receiver::new(src)), codecs);
        Self {
            endpoint,
            attachment,
            latency,
            sessions: HashMap::new(),
            streams: Vec::new(),
            tones: Vec::new(),
            data: Vec::new(),
        }
    }

    pub(super) fn endpoint(&self) -> Arc<Endpoint> {
        Arc::clone(&self.endpoint)
    }

    /// Detaches, which waits for a call of the control thread that is under way, and gives the streams
    /// that are left to be removed. Called without a lock.
    pub(super) fn stop(self) -> Vec<Arc<Stream>> {
        self.endpoint.detach(self.attachment);
        self.streams
    }

    /// What a new stream of a session is made with.
    pub(super) fn parts(&mut self, media: &IncomingMedia) -> Parts {
        let number = self.free_number(media.kind);
        let shared = self
            .sessions
            .entry(media.session)
            .or_insert_with(|| Shared {
                clock: SessionClock::default(),
                group: gst::GroupId::next(),
            });
        // Not the endpoint itself: dropped on its own io thread it could not join that.
        let (handle, session, mid) = (
            self.endpoint.handle().clone(),
            media.session,
            media.mid.clone(),
        );
        let is_video = media.kind == MediaKind::Video;
        let timeline = self.endpoint.timeline(session, &mid).filter(|_| is_video);
        Parts {
            number,
            timeline,
            clock: shared.clock.stream(stream::clock_rate(media)),
            group: shared.group,
            latency: self.latency,
            want_keyframe: Box::new(move || {
                handle.command(session, Command::RequestKeyframe(mid.clone()));
            }),
        }
    }

    pub(super) fn add(&mut self, stream: Arc<Stream>) {
        self.streams.push(stream);
    }

    /// A stream is gone from the element.
    pub(super) fn forget(&mut self, gone: &Arc<Stream>) {
        self.streams.retain(|stream| !Arc::ptr_eq(stream, gone));
    }

    /// The streams of a session, of one m-line or of all.
    pub(super) fn of(&self, session: SessionId, mid: Option<&Mid>) -> Vec<Arc<Stream>> {
        let wanted = |stream: &&Arc<Stream>| {
            stream.session == session && mid.is_none_or(|mid| stream.mid == *mid)
        };
        self.streams.iter().filter(wanted).cloned().collect()
    }

    pub(super) fn forget_session(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// Whether an element is part of a stream of which nothing more will come.
    pub(super) fn ended(&self, element: &gst::Object) -> bool {
        let mut ended = self.streams.iter().filter(|s| s.queue.has_ended());
        ended.any(|stream| stream.decodes_by(element))
    }

    /// Frames that did not get into the pipeline, by pad name.
    pub(super) fn dropped(&self) -> Vec<(glib::GString, u64)> {
        let of = |stream: &Arc<Stream>| (stream.pad.name(), stream.queue.dropped());
        self.streams.iter().map(of).collect()
    }

    /// The smallest number no pad of a data channel has; `None` if the session has all it may have: each
    /// is a thread, and a peer may open a thousand channels.
    pub(super) fn data_number(&self, session: SessionId) -> Option<u32> {
        let of_session = self.data.iter().filter(|stream| stream.session == session);
        if of_session.count() >= data::MAX_PADS {
            return None;
        }
        let prefix = data::TEMPLATE.trim_end_matches("%u");
        let is_taken = |number: &u32| {
            let name = format!("{prefix}{number}");
            self.data.iter().any(|stream| stream.pad.name() == name)
        };
        (0..).find(|number| !is_taken(number))
    }

    /// The smallest number no pad of the kind has.
    fn free_number(&self, kind: MediaKind) -> u32 {
        let prefix = stream::template_name(kind).trim_end_matches("%u");
        (0..)
            .find(|number| {
                let name = format!("{prefix}{number}");
                !self.streams.iter().any(|stream| stream.pad.name() == name)
            })
            .expect("fewer than 2^32 pads exist")
    }
}
