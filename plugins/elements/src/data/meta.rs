// SPDX-License-Identifier: MPL-2.0
//! `GstRtcMessageMeta`: which message of which channel a buffer is.
//!
//! A custom meta, readable from C by `gst_buffer_get_custom_meta` and from Python by
//! `Gst.Buffer.get_custom_meta`. Its structure has the fields `session` and `label` (string), `id` (uint, the
//! SCTP stream), `protocol` (string) and `text` (boolean: sent as text, not as binary); and of a message
//! in step with a video `rtp-timestamp` (uint, that of the frame it belongs to).
use super::Channel;
use std::sync::LazyLock;

/// The registered name of the meta, and of the structure in it.
pub(crate) const META_NAME: &str = "GstRtcMessageMeta";

/// Registers the meta; called before any is attached or looked up, as often as one likes.
pub(crate) fn register() {
    static ONCE: LazyLock<()> = LazyLock::new(|| gst::meta::CustomMeta::register(META_NAME, &[]));
    LazyLock::force(&ONCE);
}

/// Attaches the meta to a received message.
pub(crate) fn attach(
    buffer: &mut gst::BufferRef,
    channel: &Channel,
    text: bool,
    rtp_time: Option<u32>,
) {
    register();
    let Ok(mut meta) = gst::meta::CustomMeta::add(buffer, META_NAME) else {
        return; // Only possible for a name that is not registered.
    };
    let fields = meta.mut_structure();
    fields.set("session", &channel.session_name);
    fields.set("label", &channel.init.label);
    fields.set("id", channel.init.id.map_or(u32::MAX, u32::from));
    fields.set("protocol", &channel.init.protocol);
    fields.set("text", text);
    fields.set_if_some("rtp-timestamp", rtp_time);
}
