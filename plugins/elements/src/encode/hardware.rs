// SPDX-License-Identifier: MPL-2.0
//! Encoders that run on a device: names, types and units as the elements' documentation has them.
//!
//! Their factories exist where the device does. One that fails when it starts is passed over.
use super::bitrate::Bitrate;
use super::row::{KEYFRAME_FRAMES, Row, Settings};
use rtc_payload::Codec::{self, Av1, H264, Vp8, Vp9};

const CUDA: &str = "memory:CUDAMemory";
const GL: &str = "memory:GLMemory";
const D3D11: &str = "memory:D3D11Memory";
const VA: &str = "memory:VAMemory";
const DMABUF: &str = "memory:DMABuf";
const NVMM: &str = "memory:NVMM";

const NV12: &str = "video/x-raw,format=NV12";
const NV12_OR_I420: &str = "video/x-raw,format={NV12,I420}";

/// A device's encoder that takes `raw` from system memory, and what `memory` names without a copy.
const fn device(
    codec: Codec,
    factory: &'static str,
    bitrate: Bitrate,
    memory: &'static [&'static str],
    settings: Settings,
) -> Row {
    Row {
        settings,
        memory,
        raw: NV12,
        counts_frames: true,
        ..Row::new(codec, factory, Some(bitrate))
    }
}

const KILO: Bitrate = Bitrate::live("bitrate", 1_000);

/// NVENC: the older element's names first, the newer ones' after them.
const NV: Settings = &[
    ("preset", "low-latency-hq"),
    ("preset", "p4"),
    ("tune", "ultra-low-latency"),
    ("rc-mode", "cbr-ld-hq"),
    ("rc-mode", "cbr"),
    ("rate-control", "cbr"),
    ("gop-size", KEYFRAME_FRAMES),
    ("bframes", "0"),
    ("b-frames", "0"),
    ("rc-lookahead", "0"),
    ("zerolatency", "true"),
    ("zero-reorder-delay", "true"),
    ("repeat-sequence-header", "true"),
];
/// Jetson.
const NVV4L2: Settings = &[
    ("control-rate", "constant_bitrate"),
    ("preset-level", "UltraFastPreset"),
    ("iframeinterval", KEYFRAME_FRAMES),
    ("idrinterval", KEYFRAME_FRAMES),
    ("num-B-Frames", "0"),
    ("insert-sps-pps", "true"),
    ("maxperf-enable", "true"),
];
const VA_SETTINGS: Settings = &[
    ("rate-control", "vbr"),
    ("rate-control", "cbr"),
    ("target-usage", "6"),
    ("key-int-max", "1024"),
    ("b-frames", "0"),
    ("ref-frames", "1"),
];
const QSV: Settings = &[
    ("rate-control", "vbr"),
    ("rate-control", "cbr"),
    ("low-latency", "true"),
    ("target-usage", "6"),
    ("gop-size", KEYFRAME_FRAMES),
    ("b-frames", "0"),
    ("ref-frames", "1"),
];
const MSDK: Settings = &[
    ("rate-control", "cbr"),
    ("lowdelay-brc", "on"),
    ("target-usage", "6"),
    ("gop-size", KEYFRAME_FRAMES),
    ("b-frames", "0"),
    ("ref-frames", "1"),
    ("async-depth", "1"),
];
const VAAPI: Settings = &[
    ("rate-control", "cbr"),
    ("keyframe-period", KEYFRAME_FRAMES),
    ("max-bframes", "0"),
    ("quality-level", "6"),
];
const AMF: Settings = &[
    ("usage", "low-latency"),
    ("usage", "ultra-low-latency"),
    ("preset", "speed"),
    ("rate-control", "cbr"),
    ("gop-size", KEYFRAME_FRAMES),
    ("b-frames", "0"),
    ("max-b-frames", "0"),
];
const MF: Settings = &[
    ("low-latency", "true"),
    ("rc-mode", "cbr"),
    ("gop-size", KEYFRAME_FRAMES),
    ("bframes", "0"),
    ("quality-vs-speed", "33"),
];
const VT: Settings = &[
    ("realtime", "true"),
    ("allow-frame-reordering", "false"),
    ("rate-control", "cbr"),
    ("max-keyframe-interval", KEYFRAME_FRAMES),
];
const MPP: Settings = &[
    ("rc-mode", "cbr"),
    ("gop", KEYFRAME_FRAMES),
    ("header-mode", "each-idr"),
    ("profile", "baseline"),
    ("max-pending", "1"),
];
const OMX: Settings = &[
    ("control-rate", "constant"),
    ("control-rate", "low-latency"),
    ("interval-intraframes", KEYFRAME_FRAMES),
    ("periodicity-idr", "1"),
    ("gop-length", KEYFRAME_FRAMES),
    ("b-frames", "0"),
    ("inline-header", "true"),
];
const VPU: Settings = &[("gop-size", KEYFRAME_FRAMES)];
const V4L2_H264: Settings = &[(
    "extra-controls",
    "controls,video_bitrate_mode=(int)1,video_gop_size=(int)3000,h264_i_frame_period=(int)3000,video_b_frames=(int)0,repeat_sequence_header=(int)1",
)];
const V4L2_VP: Settings = &[(
    "extra-controls",
    "controls,video_bitrate_mode=(int)1,video_gop_size=(int)3000",
)];

const V4L2: Bitrate = Bitrate::control("video_bitrate");
/// Bit/s.
const BITS: Bitrate = Bitrate::live("bitrate", 1);
const MF_KILO: Bitrate = Bitrate::at_start("bitrate", 1_000);
const VPU_KILO: Bitrate = Bitrate::at_start("bitrate", 1_000);
/// Bit/s, or kbit/s in Xilinx's builds.
const OMX_RATE: Bitrate = Bitrate::told("target-bitrate");

/// Jetson's encoder reads NVMM memory alone.
const fn jetson(codec: Codec, factory: &'static str) -> Row {
    Row {
        upload: Some("nvvidconv"),
        ..device(codec, factory, BITS, &[NVMM], NVV4L2)
    }
}

/// Rockchip's, the one that takes I420 as well.
const fn mpp(codec: Codec, factory: &'static str) -> Row {
    Row {
        raw: NV12_OR_I420,
        ..device(codec, factory, Bitrate::live("bps", 1), &[], MPP)
    }
}

/// The first installed one of a codec is used; a card of its own before what is part of the processor.
pub(super) const TABLE: [Row; 48] = [
    device(H264, "nvh264enc", KILO, &[CUDA, GL], NV),
    device(H264, "nvautogpuh264enc", KILO, &[CUDA, GL, D3D11], NV),
    device(H264, "nvcudah264enc", KILO, &[CUDA, GL], NV),
    device(H264, "nvd3d11h264enc", KILO, &[D3D11], NV),
    jetson(H264, "nvv4l2h264enc"),
    device(H264, "vah264enc", KILO, &[VA, DMABUF], VA_SETTINGS),
    device(H264, "vah264lpenc", KILO, &[VA, DMABUF], VA_SETTINGS),
    device(H264, "va*h264enc", KILO, &[VA, DMABUF], VA_SETTINGS),
    device(H264, "qsvh264enc", KILO, &[VA, D3D11], QSV),
    device(H264, "msdkh264enc", KILO, &[VA, DMABUF], MSDK),
    device(
        H264,
        "vaapih264enc",
        KILO,
        &["memory:VASurface", DMABUF],
        VAAPI,
    ),
    device(H264, "amfh264enc", KILO, &[D3D11], AMF),
    device(H264, "mfh264enc", MF_KILO, &[D3D11], MF),
    device(H264, "vtenc_h264_hw", KILO, &[], VT),
    device(H264, "vtenc_h264", KILO, &[], VT),
    mpp(H264, "mpph264enc"),
    device(H264, "omxh264enc", OMX_RATE, &[], OMX),
    device(H264, "vpuenc_h264", VPU_KILO, &[], VPU),
    device(H264, "v4l2h264enc", V4L2, &[], V4L2_H264),
    device(H264, "v4l2*h264enc", V4L2, &[], V4L2_H264),
    jetson(Vp8, "nvv4l2vp8enc"),
    device(Vp8, "vavp8enc", KILO, &[VA, DMABUF], VA_SETTINGS),
    device(Vp8, "vavp8lpenc", KILO, &[VA, DMABUF], VA_SETTINGS),
    device(
        Vp8,
        "vaapivp8enc",
        KILO,
        &["memory:VASurface", DMABUF],
        VAAPI,
    ),
    mpp(Vp8, "mppvp8enc"),
    device(Vp8, "omxvp8enc", OMX_RATE, &[], OMX),
    device(Vp8, "vpuenc_vp8", VPU_KILO, &[], VPU),
    device(Vp8, "v4l2vp8enc", V4L2, &[], V4L2_VP),
    device(Vp8, "v4l2*vp8enc", V4L2, &[], V4L2_VP),
    jetson(Vp9, "nvv4l2vp9enc"),
    device(Vp9, "vavp9enc", KILO, &[VA, DMABUF], VA_SETTINGS),
    device(Vp9, "vavp9lpenc", KILO, &[VA, DMABUF], VA_SETTINGS),
    device(Vp9, "qsvvp9enc", KILO, &[VA, D3D11], QSV),
    device(Vp9, "msdkvp9enc", KILO, &[VA, DMABUF], MSDK),
    device(
        Vp9,
        "vaapivp9enc",
        KILO,
        &["memory:VASurface", DMABUF],
        VAAPI,
    ),
    device(Vp9, "mfvp9enc", MF_KILO, &[D3D11], MF),
    device(Vp9, "v4l2vp9enc", V4L2, &[], V4L2_VP),
    device(Vp9, "v4l2*vp9enc", V4L2, &[], V4L2_VP),
    device(Av1, "nvav1enc", KILO, &[CUDA, GL], NV),
    device(Av1, "nvautogpuav1enc", KILO, &[CUDA, GL, D3D11], NV),
    device(Av1, "nvcudaav1enc", KILO, &[CUDA, GL], NV),
    device(Av1, "nvd3d11av1enc", KILO, &[D3D11], NV),
    jetson(Av1, "nvv4l2av1enc"),
    device(Av1, "vaav1enc", KILO, &[VA, DMABUF], VA_SETTINGS),
    device(Av1, "vaav1lpenc", KILO, &[VA, DMABUF], VA_SETTINGS),
    device(Av1, "qsvav1enc", KILO, &[VA, D3D11], QSV),
    device(Av1, "msdkav1enc", KILO, &[VA, DMABUF], MSDK),
    device(Av1, "amfav1enc", KILO, &[D3D11], AMF),
];
