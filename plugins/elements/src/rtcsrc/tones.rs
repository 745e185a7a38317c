// SPDX-License-Identifier: MPL-2.0
//! Tones that peers send: a message each, and a buffer on a `dtmf_%u` pad.
//!
//! The pad comes with the first tone of an m-line, so that who waits for audio and video meets no pad it can't
//! use, and goes with the m-line.
use super::RtcSrc;
use super::audible::Audible;
use crate::tones::{self, CAT};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::{Mid, SessionId};
use rtc_rtp::ReceivedTone;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

/// The name of the pad template.
pub(super) const TEMPLATE: &str = "dtmf_%u";

/// Tones that wait for who is linked at most; nobody dials faster than he hears.
const MAX_QUEUED: usize = 64;

pub(super) fn template() -> gst::PadTemplate {
    gst::PadTemplate::new(
        TEMPLATE,
        gst::PadDirection::Src,
        gst::PadPresence::Sometimes,
        &tones::caps(),
    )
    .expect("the template's caps are valid")
}

/// One m-line's tones.
pub(super) struct ToneStream {
    pub(super) session: SessionId,
    pub(super) mid: Mid,
    pub(super) pad: gst::Pad,
    sender: Mutex<Option<SyncSender<gst::Buffer>>>,
    leaving: AtomicBool,
}

impl ToneStream {
    /// The pad; not shown yet.
    fn new(src: &RtcSrc, session: SessionId, mid: &Mid, name: &str) -> Arc<Self> {
        let template = src.pad_template(TEMPLATE).expect("the class has it");
        Arc::new_cyclic(|weak: &Weak<Self>| {
            let weak = weak.clone();
            let pad = gst::Pad::builder_from_template(&template)
                .name(name)
                .activatemode_function(move |_, _, _, active| {
                    // Who deactivates a pad waits for its thread, which waits for a tone.
                    if let Some(stream) = weak.upgrade().filter(|_| !active) {
                        stream.end();
                    }
                    Ok(())
                })
                .build();
            Self {
                session,
                mid: mid.clone(),
                pad,
                sender: Mutex::new(None),
                leaving: AtomicBool::new(false),
            }
        })
    }

    /// Shows the pad and starts to push. Called without a lock.
    fn expose(&self, src: &RtcSrc) -> Result<(), glib::BoolError> {
        self.pad.set_active(true)?;
        let (sender, receiver) = sync_channel(MAX_QUEUED);
        *self.sender() = Some(sender);
        src.add_pad(&self.pad)?;
        self.start_events(src);
        let (pad, src) = (self.pad.downgrade(), src.downgrade());
        let (session, mid) = (self.session, self.mid.clone());
        self.pad.start_task(move || {
            let Some(pad) = pad.upgrade() else {
                return;
            };
            if !push_next(&pad, &receiver) {
                let _ = pad.pause_task();
                // This is the pad's own thread: it can't be joined from here.
                if let Some(src) = src.upgrade() {
                    let mid = mid.clone();
                    src.call_async(move |src| src.imp().end_tones(session, Some(&mid)));
                }
            }
        })
    }

    fn start_events(&self, src: &RtcSrc) {
        let id = format!("rtc/{}/{}/tones", self.session, self.mid);
        self.pad.push_event(gst::event::StreamStart::new(&id));
        self.pad.push_event(gst::event::Caps::new(&tones::caps()));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        self.pad.push_event(gst::event::Segment::new(&segment));
        gst::debug!(CAT, obj = src, "{} is there", self.pad.name());
    }

    fn sender(&self) -> MutexGuard<'_, Option<SyncSender<gst::Buffer>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, buffer: gst::Buffer) {
        if let Some(sender) = &*self.sender()
            && sender.try_send(buffer).is_err()
        {
            gst::warning!(
                CAT,
                obj = self.pad,
                "a tone is dropped: nothing moves downstream"
            );
        }
    }

    /// No tone will come any more: the EOS is pushed, then the pad goes.
    fn end(&self) {
        *self.sender() = None;
    }

    /// Takes it out of the element. Never on its own thread.
    pub(super) fn remove(&self, src: &RtcSrc) {
        if self.leaving.swap(true, Ordering::AcqRel) {
            return;
        }
        self.end();
        let _ = self.pad.set_active(false);
        let _ = self.pad.stop_task();
        if self.pad.parent().is_some() {
            let _ = src.remove_pad(&self.pad);
        }
    }
}

/// Waits for a tone and pushes it; false at the end.
fn push_next(pad: &gst::Pad, tones: &Receiver<gst::Buffer>) -> bool {
    let Ok(buffer) = tones.recv() else {
        pad.push_event(gst::event::Eos::new());
        return false;
    };
    match pad.push(buffer) {
        Ok(_) | Err(gst::FlowError::NotLinked) => true,
        Err(error) => {
            gst::debug!(CAT, obj = pad, "downstream: {error:?}");
            !matches!(error, gst::FlowError::Flushing | gst::FlowError::Eos)
        }
    }
}

impl super::imp::RtcSrc {
    /// Tells a tone. On the control thread.
    pub(super) fn add_tone(&self, session: SessionId, name: &str, tone: &ReceivedTone) {
        let src = self.obj();
        let structure = tones::received(tone, name);
        gst::info!(CAT, obj = src, "{structure}");
        let mut buffer = gst::Buffer::from_slice(structure.to_string().into_bytes());
        let message = gst::message::Element::builder(structure).src(&*src).build();
        // Without a bus nobody wants to know.
        let _ = src.post_message(message);
        if let Some(buffer) = buffer.get_mut() {
            let age = Instant::now().saturating_duration_since(tone.arrived);
            let age = gst::ClockTime::try_from(age).unwrap_or_default();
            buffer.set_pts(
                src.current_running_time()
                    .map(|now| now.saturating_sub(age)),
            );
            buffer.set_duration(gst::ClockTime::try_from(tone.duration).ok());
        }
        if self.dtmf_audible() {
            for stream in self.streams_of(session, Some(&tone.mid)) {
                let pad = &stream.pad;
                let audible = pad.imp().audible.get_or_init(|| Audible::watch(pad));
                audible.play(tone);
            }
        }
        if let Some(stream) = self.tone_stream(session, &tone.mid) {
            stream.push(buffer);
        }
    }

    fn tone_stream(&self, session: SessionId, mid: &Mid) -> Option<Arc<ToneStream>> {
        let number = {
            let mut state = self.state();
            let running = state.as_mut()?;
            let found = running.tones.iter();
            if let Some(found) = { found }.find(|s| s.session == session && s.mid == *mid) {
                return Some(Arc::clone(found));
            }
            let is_free = |number: &u32| {
                let name = TEMPLATE.replace("%u", &number.to_string());
                running.tones.iter().all(|stream| stream.pad.name() != name)
            };
            (0..).find(is_free).expect("fewer than 2^32 pads exist")
        };
        let src = self.obj();
        let name = TEMPLATE.replace("%u", &number.to_string());
        let stream = ToneStream::new(&src, session, mid, &name);
        self.state().as_mut()?.tones.push(Arc::clone(&stream));
        if let Err(error) = stream.expose(&src) {
            gst::error!(CAT, obj = src, "no pad for tones: {error}");
            self.end_tones(session, Some(mid));
            return None;
        }
        Some(stream)
    }

    /// No more tones come of a session, or of one m-line of it.
    pub(super) fn finish_tones(&self, session: SessionId, mid: Option<&Mid>) {
        for stream in self.tones_of(session, mid) {
            stream.end();
        }
    }

    /// Takes pads of tones out of the element. Not on their own threads.
    fn end_tones(&self, session: SessionId, mid: Option<&Mid>) {
        let streams = self.tones_of(session, mid);
        for stream in &streams {
            stream.remove(&self.obj());
        }
        if let Some(running) = self.state().as_mut() {
            running
                .tones
                .retain(|stream| !streams.iter().any(|gone| Arc::ptr_eq(gone, stream)));
        }
    }

    fn tones_of(&self, session: SessionId, mid: Option<&Mid>) -> Vec<Arc<ToneStream>> {
        let state = self.state();
        let tones = state.as_ref().map_or(&[][..], |running| &running.tones);
        let of = |s: &&Arc<ToneStream>| s.session == session && mid.is_none_or(|mid| s.mid == *mid);
        tones.iter().filter(of).cloned().collect()
    }
}
