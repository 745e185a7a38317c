// SPDX-License-Identifier: MPL-2.0
//! Tones as they go through a pipeline: buffers of `application/x-rtc-dtmf`, each the text of a structure, and
//! GStreamer's `dtmf-event`.
use rtc_rtp::{ReceivedTone, tone_character};

/// The caps of tones, to be sent and received.
pub(crate) fn caps() -> gst::Caps {
    gst::Caps::new_empty_simple("application/x-rtc-dtmf")
}

/// What is asked with a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToneRequest {
    /// W3C's insertDTMF.
    Insert {
        tones: String,
        duration_ms: u32,
        gap_ms: u32,
    },
    /// A key is pressed.
    Start { tone: char, volume: u8 },
    /// It is released.
    Stop,
}

impl ToneRequest {
    pub(crate) fn to_buffer(&self) -> gst::Buffer {
        let structure = gst::Structure::builder(NAME);
        let structure = match self {
            Self::Insert {
                tones,
                duration_ms,
                gap_ms,
            } => structure
                .field("tones", tones)
                .field("duration", duration_ms)
                .field("inter-tone-gap", gap_ms),
            Self::Start { tone, volume } => structure
                .field("start", tone.to_string())
                .field("volume", u32::from(*volume)),
            Self::Stop => structure.field("stop", true),
        };
        gst::Buffer::from_slice(structure.build().to_string().into_bytes())
    }

    /// `None` for what is not such a text.
    pub(crate) fn from_buffer(buffer: &gst::BufferRef) -> Option<Self> {
        let map = buffer.map_readable().ok()?;
        let text = std::str::from_utf8(&map).ok()?;
        let structure: gst::Structure = text.parse().ok()?;
        if structure.name() != NAME {
            return None;
        }
        if let Ok(tones) = structure.get::<String>("tones") {
            let number = |field, default| structure.get::<u32>(field).unwrap_or(default);
            return Some(Self::Insert {
                tones,
                duration_ms: number("duration", DEFAULT_DURATION),
                gap_ms: number("inter-tone-gap", DEFAULT_GAP),
            });
        }
        if let Ok(start) = structure.get::<String>("start") {
            let volume = structure.get::<u32>("volume").ok();
            return Some(Self::Start {
                tone: start.chars().next()?,
                volume: volume.and_then(|v| u8::try_from(v).ok()).unwrap_or(VOLUME),
            });
        }
        structure.get::<bool>("stop").ok()?.then_some(Self::Stop)
    }

    /// From GStreamer's `dtmf-event`; `None` for in-band sound, which is an encoder's business.
    pub(crate) fn from_event(structure: &gst::StructureRef) -> Option<Self> {
        if structure.name() != DTMF_EVENT {
            return None;
        }
        let number = |field| structure.get::<i32>(field).ok();
        if number("type") != Some(1) || number("method").is_some_and(|method| method != 1) {
            return None;
        }
        if !structure.get::<bool>("start").ok()? {
            return Some(Self::Stop);
        }
        let event = number("number").and_then(|number| u8::try_from(number).ok())?;
        let volume = number("volume").and_then(|volume| u8::try_from(volume).ok());
        Some(Self::Start {
            tone: tone_character(event)?,
            volume: volume.unwrap_or(VOLUME).min(63),
        })
    }
}

/// A tone of a peer as `rtpdtmfdepay` tells it, and more.
pub(crate) fn received(tone: &ReceivedTone, session: &str) -> gst::Structure {
    let duration_ms = u32::try_from(tone.duration.as_millis()).unwrap_or(u32::MAX);
    gst::Structure::builder(DTMF_EVENT)
        .field("type", 1)
        .field("number", i32::from(tone.event))
        .field("volume", i32::from(tone.volume))
        .field("method", 1)
        .field("tone", tone.character().to_string())
        .field("duration", duration_ms)
        .field("session", session)
        .field("mid", tone.mid.as_str())
        .field("rtp-time", tone.rtp_time)
        .build()
}

/// What `rtcsink` tells upstream of the tones it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToneState {
    /// Whether anybody takes tones now.
    CanInsert(bool),
    /// W3C's tonechange, with what waits behind it.
    Change { tone: String, buffer: String },
}

impl ToneState {
    pub(crate) fn to_event(&self) -> gst::Event {
        let structure = gst::Structure::builder(STATE);
        let structure = match self {
            Self::CanInsert(can) => structure.field("can-insert-dtmf", can),
            Self::Change { tone, buffer } => {
                structure.field("tone", tone).field("tone-buffer", buffer)
            }
        };
        gst::event::CustomUpstream::new(structure.build())
    }

    pub(crate) fn from_event(structure: &gst::StructureRef) -> Option<Self> {
        if structure.name() != STATE {
            return None;
        }
        if let Ok(can) = structure.get("can-insert-dtmf") {
            return Some(Self::CanInsert(can));
        }
        Some(Self::Change {
            tone: structure.get("tone").ok()?,
            buffer: structure.get("tone-buffer").ok()?,
        })
    }
}

/// The structure of a custom event.
pub(crate) fn custom(event: &gst::EventRef) -> Option<&gst::StructureRef> {
    let custom = [
        gst::EventType::CustomUpstream,
        gst::EventType::CustomDownstream,
        gst::EventType::CustomBoth,
        gst::EventType::CustomDownstreamOob,
        gst::EventType::CustomBothOob,
    ];
    custom.contains(&event.type_()).then(|| event.structure())?
}

/// W3C's defaults, ms.
pub(crate) const DEFAULT_DURATION: u32 = 100;
pub(crate) const DEFAULT_GAP: u32 = 70;
/// What browsers send, -dBm0.
const VOLUME: u8 = 10;

const NAME: &str = "rtc-dtmf";
const STATE: &str = "rtc-dtmf-state";
const DTMF_EVENT: &str = "dtmf-event";

/// A debug category is where the user looks.
pub(crate) static CAT: std::sync::LazyLock<gst::DebugCategory> = std::sync::LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtcdtmf",
        gst::DebugColorFlags::empty(),
        Some("Telephone tones sent and received"),
    )
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_their_buffers() {
        gst::init().expect("GStreamer starts");
        let insert = ToneRequest::Insert {
            tones: "0123456789*#ABCD,".into(),
            duration_ms: 100,
            gap_ms: 70,
        };
        let start = ToneRequest::Start {
            tone: '#',
            volume: 20,
        };
        for request in [insert, start, ToneRequest::Stop] {
            assert_eq!(
                ToneRequest::from_buffer(&request.to_buffer()),
                Some(request)
            );
        }
        for text in [&b"12#"[..], b"other, tones=(string)1", b"rtc-dtmf", b"\xff"] {
            let buffer = gst::Buffer::from_slice(text.to_vec());
            assert_eq!(ToneRequest::from_buffer(&buffer), None);
        }
    }

    #[test]
    fn dtmf_events_are_read_as_rtpdtmfsrc_reads_them() {
        gst::init().expect("GStreamer starts");
        let event = |kind: i32, number: i32, start: bool, method: i32| {
            let structure = gst::Structure::builder("dtmf-event")
                .field("type", kind)
                .field("number", number)
                .field("volume", 25)
                .field("start", start)
                .field("method", method)
                .build();
            ToneRequest::from_event(&structure)
        };
        let pressed = ToneRequest::Start {
            tone: '*',
            volume: 25,
        };
        assert_eq!(event(1, 10, true, 1), Some(pressed));
        assert_eq!(event(1, 10, false, 1), Some(ToneRequest::Stop));
        assert_eq!(event(0, 10, true, 1), None);
        assert_eq!(event(1, 16, true, 1), None);
        assert_eq!(event(1, 1, true, 2), None);
    }
}
