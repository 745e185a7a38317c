// SPDX-License-Identifier: MPL-2.0
//! Encoders that run on the processor.
use super::bitrate::Bitrate;
use super::hint::ContentHint::{Detail, Motion, Text};
use super::row::{HALF_THE_CORES, KEYFRAME_FRAMES, Row};
use rtc_payload::Codec;

const CONSTRAINED_BASELINE: &str =
    "video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au";

/// The first installed one of a codec is used.
pub(super) const TABLE: [Row; 10] = [
    Row {
        settings: &[
            ("tune", "zerolatency"),
            ("speed-preset", "superfast"),
            ("bframes", "0"),
            ("b-adapt", "false"),
            ("key-int-max", KEYFRAME_FRAMES),
            ("byte-stream", "true"),
        ],
        hints: &[
            // No limit to its quantizer: it has no way to keep the bitrate then.
            (Detail, &[("speed-preset", "veryfast")]),
            // A still picture's tuning keeps edges; the deblocking it lowers would blur letters.
            (
                Text,
                &[
                    ("tune", "zerolatency+stillimage"),
                    ("speed-preset", "veryfast"),
                ],
            ),
        ],
        // Frames of even size: a third of a second of buffer, not x264's 600 ms.
        buffers: &[("vbv-buf-capacity", 300)],
        filter: CONSTRAINED_BASELINE,
        counts_frames: true,
        ..Row::new(
            Codec::H264,
            "x264enc",
            Some(Bitrate::live("bitrate", 1_000)),
        )
    },
    Row {
        settings: &[
            ("rate-control", "bitrate"),
            ("complexity", "low"),
            ("gop-size", KEYFRAME_FRAMES),
            ("enable-frame-skip", "false"),
        ],
        hints: &[
            // What a limited quantizer can't keep of the bitrate, skipped frames do.
            (Detail, &[("qp-max", "40"), ("enable-frame-skip", "true")]),
            (
                Text,
                &[
                    ("usage-type", "screen"),
                    ("qp-max", "36"),
                    ("enable-frame-skip", "true"),
                ],
            ),
        ],
        filter: CONSTRAINED_BASELINE,
        ..Row::new(
            Codec::H264,
            "openh264enc",
            Some(Bitrate::live("bitrate", 1)),
        )
    },
    Row {
        settings: &[
            ("deadline", "1"),
            ("cpu-used", "-6"),
            ("end-usage", "cbr"),
            ("lag-in-frames", "0"),
            ("error-resilient", "default"),
            ("keyframe-max-dist", KEYFRAME_FRAMES),
            ("threads", HALF_THE_CORES),
            ("min-quantizer", "2"),
            ("max-quantizer", "56"),
            // A keyframe takes a fifth of a second of the rate, not one: a viewer waits for it.
            ("max-intra-bitrate", "600"),
            ("overshoot", "15"),
            ("undershoot", "95"),
        ],
        hints: &[
            (Motion, &[("max-quantizer", "63")]),
            (
                Detail,
                &[
                    ("max-quantizer", "44"),
                    ("cpu-used", "-4"),
                    ("dropframe-threshold", "30"),
                ],
            ),
            // libvpx's own advice for screens.
            (
                Text,
                &[
                    ("max-quantizer", "40"),
                    ("cpu-used", "-4"),
                    ("static-threshold", "100"),
                    ("dropframe-threshold", "30"),
                ],
            ),
        ],
        // libvpx's own advice for calls.
        buffers: &[
            ("buffer-initial-size", 500),
            ("buffer-optimal-size", 600),
            ("buffer-size", 1_000),
        ],
        filter: "video/x-vp8",
        ..Row::new(
            Codec::Vp8,
            "vp8enc",
            Some(Bitrate::live("target-bitrate", 1)),
        )
    },
    Row {
        settings: &[
            ("deadline", "1"),
            ("cpu-used", "8"),
            ("end-usage", "cbr"),
            ("lag-in-frames", "0"),
            ("error-resilient", "default"),
            ("keyframe-max-dist", KEYFRAME_FRAMES),
            ("threads", HALF_THE_CORES),
            ("row-mt", "true"),
            ("tile-columns", "2"),
            ("frame-parallel-decoding", "true"),
            ("max-intra-bitrate", "600"),
            ("min-quantizer", "2"),
            ("max-quantizer", "56"),
        ],
        hints: &[
            (Motion, &[("max-quantizer", "63")]),
            (
                Detail,
                &[
                    ("max-quantizer", "44"),
                    ("cpu-used", "6"),
                    ("dropframe-threshold", "30"),
                ],
            ),
            (
                Text,
                &[
                    ("max-quantizer", "40"),
                    ("cpu-used", "6"),
                    ("static-threshold", "100"),
                    ("dropframe-threshold", "30"),
                ],
            ),
        ],
        buffers: &[
            ("buffer-initial-size", 500),
            ("buffer-optimal-size", 600),
            ("buffer-size", 1_000),
        ],
        filter: "video/x-vp9,profile=(string)0",
        ..Row::new(
            Codec::Vp9,
            "vp9enc",
            Some(Bitrate::live("target-bitrate", 1)),
        )
    },
    Row {
        settings: &[
            ("preset", "12"),
            ("intra-period-length", KEYFRAME_FRAMES),
            ("parameters-string", "pred-struct=1:rc=2:lookahead=0:scm=0"),
        ],
        hints: &[
            (Detail, &[("preset", "11")]),
            // scm: screen content tools (palettes, block copies).
            (
                Text,
                &[
                    ("preset", "11"),
                    ("parameters-string", "pred-struct=1:rc=2:lookahead=0:scm=1"),
                ],
            ),
        ],
        filter: "video/x-av1",
        // Its max-bitrate alone may change while it runs, and only in VBR.
        ..Row::new(
            Codec::Av1,
            "svtav1enc",
            Some(Bitrate::at_start("target-bitrate", 1_000)),
        )
    },
    Row {
        settings: &[
            ("usage-profile", "realtime"),
            ("cpu-used", "10"),
            ("end-usage", "cbr"),
            ("lag-in-frames", "0"),
            ("keyframe-max-dist", KEYFRAME_FRAMES),
            ("threads", HALF_THE_CORES),
            ("row-mt", "true"),
            ("tile-columns", "1"),
            ("min-quantizer", "2"),
            ("max-quantizer", "58"),
        ],
        hints: &[
            (Motion, &[("max-quantizer", "63")]),
            (
                Detail,
                &[
                    ("max-quantizer", "46"),
                    ("cpu-used", "9"),
                    ("drop-frame", "30"),
                ],
            ),
            (
                Text,
                &[
                    ("max-quantizer", "42"),
                    ("cpu-used", "9"),
                    ("drop-frame", "30"),
                ],
            ),
        ],
        buffers: &[
            ("buf-initial-sz", 500),
            ("buf-optimal-sz", 600),
            ("buf-sz", 1_000),
        ],
        filter: "video/x-av1",
        // libaom aborts the process when the bitrate of a running encoder changes (seen with 3.6).
        ..Row::new(
            Codec::Av1,
            "av1enc",
            Some(Bitrate::at_start("target-bitrate", 1_000)),
        )
    },
    Row {
        settings: &[
            ("low-latency", "true"),
            ("speed-preset", "10"),
            ("max-key-frame-interval", KEYFRAME_FRAMES),
            ("error-resilient", "true"),
        ],
        filter: "video/x-av1",
        counts_frames: true,
        ..Row::new(Codec::Av1, "rav1enc", Some(Bitrate::at_start("bitrate", 1)))
    },
    Row {
        settings: &[
            ("inband-fec", "true"),
            ("packet-loss-percentage", "5"),
            ("frame-size", "20"),
            ("perfect-timestamp", "true"),
        ],
        filter: "audio/x-opus",
        // Audio keeps the encoder's own 64 kbit/s: the estimate is for video to follow.
        ..Row::new(Codec::Opus, "opusenc", None)
    },
    Row {
        filter: "audio/x-mulaw",
        ..Row::new(Codec::Pcmu, "mulawenc", None)
    },
    Row {
        filter: "audio/x-alaw",
        ..Row::new(Codec::Pcma, "alawenc", None)
    },
];
