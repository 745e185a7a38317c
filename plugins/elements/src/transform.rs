// SPDX-License-Identifier: MPL-2.0
//! Encoded-frame transforms: `GstRtcFrameMeta`, and how a frame changed by a pad probe is noticed.
//!
//! Every encoded frame passes one pad (handed out by `encoded-pad-added`): on the way out between
//! encoder and packetiser, on the way in between depacketiser and decoder. An application's pad probe
//! there may read, replace or drop it. The buffer bears a custom meta, readable from C by
//! `gst_buffer_get_custom_meta` and from Python by `Gst.Buffer.get_custom_meta`, named [`META_NAME`].
//!
//! A packetiser must not parse bytes that were encrypted. A probe may write into the memory it was
//! given, so neither the buffer's nor the memory's identity tells; the meta therefore carries a
//! fingerprint of the bytes as the encoder made them, and [`frame_info`] compares. It is a word-wise
//! mix (about 0.2 ns a byte) meant to notice change, not to resist a forger: the application that
//! could forge it owns the process.
use rtc_payload::{Codec, FrameInfo};
use std::sync::LazyLock;

/// The registered name of the custom meta, and of the structure in it.
pub const META_NAME: &str = "GstRtcFrameMeta";

const FINGERPRINT: &str = "fingerprint";

/// What one frame's meta says; the fields of `GstRtcFrameMeta` in the words of W3C's
/// `RTCEncodedVideoFrameMetadata` and `RTCEncodedAudioFrameMetadata`.
#[derive(Clone, Debug)]
pub struct FrameFacts<'a> {
    /// `mime-type` (string): the codec's, as `video/VP8`.
    pub codec: Codec,
    /// `ssrc` (uint), where one is known: an outgoing frame is shared by sessions, each with its own.
    pub ssrc: Option<u32>,
    /// `payload-type` (uint 0-127), where known.
    pub payload_type: Option<u8>,
    /// `rtp-timestamp` (uint), in units of the codec's clock rate.
    pub rtp_time: u32,
    /// `frame-id` (uint64): counts the frames of this stream from 0.
    pub frame_id: u64,
    /// `keyframe` (boolean), `temporal-index`, `spatial-index` (uint), `discardable` (boolean),
    /// `width`, `height` (uint, absent where unknown).
    pub info: &'a FrameInfo,
    /// `capture-time` (uint64): when the frame was captured by the clock of who captured it, in
    /// nanoseconds since 1970; absent where unknown.
    pub capture_time: Option<u64>,
    /// `receive-time` (uint64): running time at which its first packet arrived, ns; received frames only.
    pub receive_time: Option<gst::ClockTime>,
    /// `audio-level` (double 0.0-1.0, linear) and `voice-activity` (boolean), from RFC 6464's -dBov.
    pub audio_level: Option<(u8, bool)>,
}

/// Registers the meta; called before any is attached or looked up, as often as one likes.
pub fn register() {
    static ONCE: LazyLock<()> = LazyLock::new(|| gst::meta::CustomMeta::register(META_NAME, &[]));
    LazyLock::force(&ONCE);
}

/// Attaches the meta to an encoded frame, in place of one it may have from where it was received.
pub fn attach(buffer: &mut gst::BufferRef, facts: &FrameFacts<'_>) {
    register();
    // Nobody packetises a received frame, so nobody asks whether it was changed.
    let fingerprint = facts.receive_time.is_none().then(|| fingerprint(buffer));
    if gst::meta::CustomMeta::from_mut_buffer(buffer, META_NAME).is_err()
        && gst::meta::CustomMeta::add(buffer, META_NAME).is_err()
    {
        return; // Only possible for a name that is not registered.
    }
    let Ok(mut meta) = gst::meta::CustomMeta::from_mut_buffer(buffer, META_NAME) else {
        return;
    };
    fill(meta.mut_structure(), facts, fingerprint);
}

fn fill(fields: &mut gst::StructureRef, facts: &FrameFacts<'_>, fingerprint: Option<u64>) {
    fields.remove_all_fields();
    let info = facts.info;
    fields.set("mime-type", facts.codec.mime());
    fields.set("rtp-timestamp", facts.rtp_time);
    fields.set("frame-id", facts.frame_id);
    fields.set("keyframe", info.keyframe);
    fields.set("discardable", info.discardable);
    fields.set("temporal-index", u32::from(info.temporal));
    fields.set("spatial-index", u32::from(info.spatial));
    fields.set_if_some(FINGERPRINT, fingerprint);
    fields.set_if_some("ssrc", facts.ssrc);
    fields.set_if_some("payload-type", facts.payload_type.map(u32::from));
    fields.set_if_some("width", info.width.map(u32::from));
    fields.set_if_some("height", info.height.map(u32::from));
    fields.set_if_some("capture-time", facts.capture_time);
    fields.set_if_some(
        "receive-time",
        facts.receive_time.map(|time| time.nseconds()),
    );
    if let Some((level, voice)) = facts.audio_level {
        fields.set("audio-level", linear_level(level));
        fields.set("voice-activity", voice);
    }
}

/// What the packetiser may believe of a frame that has passed the application's probes: the meta's
/// word where there is one, else the buffer's flags; `opaque` if the bytes are no longer the encoder's.
pub fn frame_info(buffer: &gst::BufferRef) -> FrameInfo {
    let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
    let Ok(meta) = gst::meta::CustomMeta::from_buffer(buffer, META_NAME) else {
        return FrameInfo {
            keyframe,
            opaque: true,
            ..FrameInfo::default()
        };
    };
    let fields = meta.structure();
    let number = |name| fields.get::<u32>(name).unwrap_or(0);
    let size = |name| {
        fields
            .get::<u32>(name)
            .ok()
            .and_then(|n| u16::try_from(n).ok())
    };
    FrameInfo {
        keyframe: fields.get("keyframe").unwrap_or(keyframe),
        discardable: fields.get("discardable").unwrap_or(false),
        temporal: u8::try_from(number("temporal-index")).unwrap_or(0),
        spatial: u8::try_from(number("spatial-index")).unwrap_or(0),
        width: size("width"),
        height: size("height"),
        talk_start: false,
        opaque: fields.get::<u64>(FINGERPRINT) != Ok(fingerprint(buffer)),
    }
}

/// RFC 6464's 0-127 -dBov as W3C's linear level; 127 is digital silence.
fn linear_level(minus_dbov: u8) -> f64 {
    match minus_dbov {
        127.. => 0.0,
        level => 10f64.powf(-f64::from(level) / 20.0),
    }
}

fn fingerprint(buffer: &gst::BufferRef) -> u64 {
    // An odd constant with well-mixed bits: the golden ratio, 2^64/phi.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    // A buffer of several memories is mapped as one, so their split does not matter.
    let Ok(map) = buffer.map_readable() else {
        return 0;
    };
    let mut hash = map.len() as u64;
    let mut mix = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = map.as_chunks::<8>();
    words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
    rest.iter().for_each(|byte| mix(u64::from(*byte)));
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &[u8]) -> gst::Buffer {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::from_slice(bytes.to_vec());
        describe(&mut buffer, None);
        buffer
    }

    fn describe(buffer: &mut gst::Buffer, received: Option<u64>) {
        let info = FrameInfo {
            keyframe: true,
            temporal: 2,
            width: Some(640),
            ..FrameInfo::default()
        };
        let facts = FrameFacts {
            codec: Codec::Vp8,
            ssrc: Some(7),
            payload_type: Some(96),
            rtp_time: u32::MAX,
            frame_id: 3,
            info: &info,
            capture_time: None,
            receive_time: received.map(gst::ClockTime::from_seconds),
            audio_level: Some((0, true)),
        };
        attach(buffer.get_mut().unwrap(), &facts);
    }

    #[test]
    fn an_untouched_frame_keeps_its_facts() {
        let info = frame(&[1; 21]).as_ref().to_owned();
        let info = frame_info(&info);
        assert!(!info.opaque && info.keyframe);
        assert_eq!(
            (info.temporal, info.width, info.height),
            (2, Some(640), None)
        );
    }

    #[test]
    fn a_byte_written_in_place_makes_it_opaque() {
        for at in [0, 9, 20] {
            let mut buffer = frame(&[1; 21]);
            buffer.get_mut().unwrap().map_writable().unwrap()[at] ^= 0xff;
            assert!(frame_info(&buffer).opaque, "byte {at}");
        }
    }

    #[test]
    fn a_new_buffer_without_meta_is_opaque_and_its_flags_count() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::from_slice(vec![1; 21]);
        buffer
            .get_mut()
            .unwrap()
            .set_flags(gst::BufferFlags::DELTA_UNIT);
        let info = frame_info(&buffer);
        assert!(info.opaque && !info.keyframe);
    }

    #[test]
    fn the_meta_is_found_by_name_and_follows_a_copy() {
        let mut buffer = frame(&[1, 2, 3]);
        describe(&mut buffer, Some(1));
        let copy = buffer.copy();
        let meta = gst::meta::CustomMeta::from_buffer(&copy, META_NAME).unwrap();
        let fields = meta.structure();
        assert_eq!(fields.get::<u32>("rtp-timestamp"), Ok(u32::MAX));
        assert_eq!(fields.get::<String>("mime-type"), Ok("video/VP8".into()));
        assert_eq!(fields.get::<u64>("receive-time"), Ok(1_000_000_000));
        assert_eq!(fields.get::<f64>("audio-level"), Ok(1.0));
        assert!(!fields.has_field("capture-time") && !fields.has_field(FINGERPRINT));
    }
}
