// SPDX-License-Identifier: MPL-2.0
//! What stands behind a feed: built when frames meet a linked pad, rebuilt when either changes.
use super::{RtcSrc, RtcSrcPad};
use crate::decode::{self, Way};
use crate::feed::{Outflow, Queue};
use gst::glib;
use gst::prelude::*;
use rtc_payload::Codec;
use rtc_rtp::ReceivedFrame;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// The way from a feed to its pad. Changed on the feed's streaming thread only, until the stream ends.
pub(super) struct Tail {
    src: glib::WeakRef<RtcSrc>,
    pad: RtcSrcPad,
    feed: OnceLock<glib::WeakRef<gst::Pad>>,
    queue: Arc<Queue>,
    /// The pad was linked anew: look at its peer again.
    stale: AtomicBool,
    built: Mutex<Option<Built>>,
}

struct Built {
    codec: Codec,
    /// What the feed's pad has. Encoded, with the size of the first frame, and that for good: browsers
    /// change it as the path permits, muxers want one and refuse another, decoders read it themselves.
    caps: gst::Caps,
    way: Option<Way>,
    chain: Option<gst::Bin>,
}

impl Built {
    fn nothing(codec: Codec, caps: gst::Caps) -> Self {
        Self {
            codec,
            caps,
            way: None,
            chain: None,
        }
    }
}

impl Tail {
    pub(super) fn new(src: &RtcSrc, pad: RtcSrcPad, queue: Arc<Queue>) -> Arc<Self> {
        let tail = Arc::new(Self {
            src: src.downgrade(),
            pad,
            feed: OnceLock::new(),
            queue,
            stale: AtomicBool::new(true),
            built: Mutex::new(None),
        });
        let weak = Arc::downgrade(&tail);
        tail.pad.connect_linked(move |_, _| {
            if let Some(tail) = weak.upgrade() {
                tail.stale.store(true, Ordering::Release);
                tail.queue.set_unwanted(false, Instant::now());
            }
        });
        tail
    }

    pub(super) fn set_feed(&self, pad: &gst::Pad) {
        let _ = self.feed.set(pad.downgrade());
    }

    /// Takes down what was built; after the feed has stopped.
    pub(super) fn clear(&self) {
        let built = self.take();
        if let (Some(src), Some(chain)) = (self.src.upgrade(), built.and_then(|b| b.chain)) {
            remove(&src, &chain);
        }
    }

    /// Whether an element is part of what is built.
    pub(super) fn contains(&self, element: &gst::Object) -> bool {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let chain = built.as_ref().and_then(|built| built.chain.as_ref());
        chain.is_some_and(|chain| element.has_as_ancestor(chain))
    }

    fn take(&self) -> Option<Built> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.take()
    }

    /// The caps for the frame, once what is built fits it and the pad's peer; `None` if the peer can't
    /// take it.
    fn prepare(&self, frame: &ReceivedFrame) -> Option<gst::Caps> {
        let stale = self.stale.swap(false, Ordering::AcqRel);
        let built = match self.take() {
            Some(built) if built.codec == frame.codec && !stale => Some(built),
            old => self.rebuild(old, frame),
        };
        let caps = built.as_ref().filter(|built| built.way.is_some());
        let caps = caps.map(|built| built.caps.clone());
        *self.built.lock().unwrap_or_else(PoisonError::into_inner) = built;
        caps
    }

    fn rebuild(&self, old: Option<Built>, frame: &ReceivedFrame) -> Option<Built> {
        let src = self.src.upgrade()?;
        let (codec, caps) = (frame.codec, decode::caps_of(frame));
        let want = self.pad.peer_query_caps(None);
        let way = decode::way(codec, &caps, &want);
        if let Some(old) = old {
            if old.codec == codec && old.way == way {
                return Some(old);
            }
            // Whatever it was: the feed may have one link only.
            let _ = self.pad.set_target(gst::Pad::NONE);
            if let Some(chain) = &old.chain {
                remove(&src, chain);
            }
        }
        let built = match way {
            Some(way) => self.build(&src, codec, way),
            None => {
                self.warn_of(&src, codec, &want);
                return Some(Built::nothing(codec, caps));
            }
        };
        let caps = match way {
            Some(Way::Decode) => crate::caps::form(codec),
            _ => caps,
        };
        match built {
            Ok(chain) => Some(Built {
                codec,
                caps,
                way,
                chain,
            }),
            Err(error) => {
                gst::element_error!(src, gst::CoreError::MissingPlugin, ("{error}"));
                Some(Built::nothing(codec, caps))
            }
        }
    }

    fn warn_of(&self, src: &RtcSrc, codec: Codec, want: &gst::Caps) {
        gst::element_warning!(
            src,
            gst::StreamError::Format,
            (
                "{} takes {want}, but the peer sends {}; take raw media there, or let the peer send \
                 nothing else by the properties video-codecs and audio-codecs",
                self.pad.name(),
                codec.name()
            )
        );
    }

    fn build(
        &self,
        src: &RtcSrc,
        codec: Codec,
        way: Way,
    ) -> Result<Option<gst::Bin>, decode::DecodeError> {
        let failed = |source| decode::DecodeError::Build { codec, source };
        let feed = self.feed.get().and_then(glib::WeakRef::upgrade);
        let feed = feed.ok_or_else(|| failed(glib::bool_error!("the stream is gone")))?;
        let name = format!("{}-decode", self.pad.name());
        let chain = decode::chain(codec, way, &name)?;
        let end = match &chain {
            None => feed,
            Some(chain) => self.insert(src, &feed, chain).map_err(failed)?,
        };
        self.pad.set_target(Some(&end)).map_err(failed)?;
        gst::info!(super::imp::CAT, obj = self.pad, "{} {way:?}", codec.name());
        Ok(chain)
    }

    fn insert(
        &self,
        src: &RtcSrc,
        feed: &gst::Pad,
        chain: &gst::Bin,
    ) -> Result<gst::Pad, glib::BoolError> {
        let pad = |name| {
            let pad = chain.static_pad(name);
            pad.ok_or_else(|| glib::bool_error!("the chain has no pad {name}"))
        };
        src.add(chain)?;
        let linked = feed.link(&pad("sink")?);
        linked.map_err(|error| glib::bool_error!("the feed can't be linked: {error:?}"))?;
        chain.sync_state_with_parent()?;
        pad("src")
    }
}

impl Outflow for Tail {
    fn caps_for(&self, frame: &ReceivedFrame) -> Option<gst::Caps> {
        if !self.pad.is_linked() {
            return None;
        }
        self.prepare(frame)
    }

    fn is_waiting(&self) -> bool {
        self.stale.load(Ordering::Acquire) && self.pad.is_linked()
    }
}

fn remove(src: &RtcSrc, chain: &gst::Bin) {
    let _ = chain.set_locked_state(true);
    let _ = chain.set_state(gst::State::Null);
    let _ = src.remove(chain);
}
