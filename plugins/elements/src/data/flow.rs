// SPDX-License-Identifier: MPL-2.0
//! From message to buffer: which caps, which time, which meta.
use super::envelope::{Envelope, Kind};
use super::{CAT, Item, meta, template_caps};
use gst::prelude::*;
use gst_base::prelude::*;
use std::sync::LazyLock;

/// What a source of messages knows of what is behind it.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    caps: Option<gst::Caps>,
    allowed: Option<gst::Caps>,
    warned: bool,
}

impl Flow {
    /// The buffer of a message; `None` if nothing behind the source takes its kind, or the clock stands.
    pub(crate) fn buffer(&mut self, source: &gst_base::BaseSrc, item: Item) -> Option<gst::Buffer> {
        let Item { channel, message } = item;
        let envelope = match channel.is_synced() {
            true => Envelope::open(&message.data),
            false => None,
        };
        let kind = envelope.as_ref().map_or(
            if message.text {
                Kind::Text
            } else {
                Kind::Bytes
            },
            |envelope| envelope.kind,
        );
        let rtp_time = envelope.as_ref().map(|envelope| envelope.rtp_time);
        let data = envelope.map_or(message.data, |envelope| envelope.payload);
        let pts = rtp_time.and_then(|rtp_time| channel.timeline()?.pts(rtp_time));
        let now = source.current_running_time()?;
        let Some(caps) = self.choose(source, kind, &data) else {
            if !std::mem::replace(&mut self.warned, true) {
                gst::warning!(
                    CAT,
                    obj = source,
                    "messages of `{}` are dropped: nothing behind takes {}",
                    channel.init.label,
                    if kind.is_text() { "text" } else { "binary" }
                );
            }
            return None;
        };
        if self.caps.as_ref() != Some(&caps) {
            if source.set_caps(&caps).is_err() {
                gst::warning!(CAT, obj = source, "downstream refuses {caps}");
            }
            self.caps = Some(caps);
        }
        let waited = u64::try_from(message.arrived.elapsed().as_nanos()).unwrap_or(0);
        let arrived = now.saturating_sub(gst::ClockTime::from_nseconds(waited));
        let mut buffer = match data.is_empty() {
            true => gst::Buffer::new(),
            false => gst::Buffer::from_slice(data),
        };
        let writable = buffer.get_mut().expect("a new buffer has one owner");
        writable.set_pts(pts.unwrap_or(arrived));
        meta::attach(writable, &channel, message.text, rtp_time);
        Some(buffer)
    }

    /// The caps for a message, the most fitting that downstream takes.
    fn choose(&mut self, source: &gst_base::BaseSrc, kind: Kind, data: &[u8]) -> Option<gst::Caps> {
        let pad = source.src_pad();
        if pad.check_reconfigure() || self.allowed.is_none() {
            self.allowed = Some(pad.peer_query_caps(Some(&TEMPLATE)));
        }
        let allowed = self.allowed.as_ref()?;
        let names: &[&str] = match kind {
            Kind::Text => &[TEXT, JSON, BYTES, KLV],
            Kind::Json => &[JSON, TEXT, BYTES, KLV],
            Kind::Bytes => &[BYTES, KLV, TEXT, JSON],
            Kind::Klv => &[KLV, BYTES, TEXT, JSON],
        };
        let fit = |name: &&&str| {
            let is_text = [TEXT, JSON].contains(name);
            !is_text || std::str::from_utf8(data).is_ok()
        };
        names.iter().filter(fit).find_map(|name| {
            let structure = allowed.iter().find(|structure| structure.name() == *name)?;
            let mut caps = gst::Caps::builder_full()
                .structure(structure.to_owned())
                .build();
            caps.fixate();
            Some(caps)
        })
    }
}

static TEMPLATE: LazyLock<gst::Caps> = LazyLock::new(template_caps);

const TEXT: &str = "text/x-raw";
const JSON: &str = "application/x-json";
const BYTES: &str = "application/octet-stream";
const KLV: &str = "meta/x-klv";
