// SPDX-License-Identifier: MPL-2.0
//! Factories that are called as encoders of devices this machine lacks, with their properties' names,
//! types, ranges and units.
use gst::glib::translate::{FromGlib, IntoGlib};
use gst::glib::{self, ParamSpec};
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Once;

/// An encoder without a row, of the highest rank of those.
pub(super) const UNKNOWN: &str = "acmeh264enc";

macro_rules! enums {
    ($($name:ident $gtype:literal: $first:ident $first_nick:literal $(, $variant:ident $nick:literal)*;)+) => {$(
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
        #[enum_type(name = $gtype)]
        enum $name {
            #[default]
            #[enum_value(name = $first_nick, nick = $first_nick)]
            $first,
            $(#[enum_value(name = $nick, nick = $nick)] $variant,)*
        }
    )+};
}

enums! {
    OldNvPreset "MockOldNvPreset": Default "default", Hp "hp", LowLatency "low-latency", LowLatencyHq "low-latency-hq";
    OldNvRate "MockOldNvRate": Default "default", ConstQp "constqp", Cbr "cbr", Vbr "vbr", LowDelay "cbr-ld-hq";
    NvPreset "MockNvPreset": Default "default", LowLatencyHq "low-latency-hq", P1 "p1", P4 "p4", P7 "p7";
    NvTune "MockNvTune": Default "default", HighQuality "high-quality", LowLatency "low-latency", Ultra "ultra-low-latency";
    NvRate "MockNvRate": Default "default", ConstQp "constqp", Cbr "cbr", Vbr "vbr";
    VaRate "MockVaRate": Cqp "cqp", Vbr "vbr", Cbr "cbr";
    VaLpRate "MockVaLpRate": Cqp "cqp", Vbr "vbr";
    QsvRate "MockQsvRate": Vbr "vbr", Cbr "cbr", Cqp "cqp";
    AmfUsage "MockAmfUsage": Transcoding "transcoding", Ultra "ultra-low-latency", LowLatency "low-latency";
    AmfPreset "MockAmfPreset": Default "default", Balanced "balanced", Speed "speed";
    AmfRate "MockAmfRate": Default "default", Cqp "cqp", Lcvbr "lcvbr", Vbr "vbr", Cbr "cbr";
    MfRate "MockMfRate": Uvbr "uvbr", Cbr "cbr", Pcvbr "pcvbr", Qvbr "qvbr";
    MppRate "MockMppRate": Vbr "vbr", Cbr "cbr", FixQp "fixqp";
    MppHeader "MockMppHeader": First "first-frame", Each "each-idr";
    OmxRate "MockOmxRate": Default "default", Disable "disable", Variable "variable", Constant "constant";
    JetsonRate "MockJetsonRate": Variable "variable_bitrate", Constant "constant_bitrate";
    JetsonPreset "MockJetsonPreset": Off "DisablePreset", Fast "UltraFastPreset";
}

fn uint(name: &'static str, most: u32, blurb: &'static str) -> ParamSpec {
    let spec = glib::ParamSpecUInt::builder(name).maximum(most);
    spec.blurb(blurb).build()
}

fn int(name: &'static str, least: i32, most: i32) -> ParamSpec {
    let spec = glib::ParamSpecInt::builder(name).minimum(least);
    spec.maximum(most).build()
}

fn flag(name: &'static str, default: bool) -> ParamSpec {
    let spec = glib::ParamSpecBoolean::builder(name);
    spec.default_value(default).build()
}

fn one_of<T>(name: &'static str) -> ParamSpec
where
    T: StaticType + FromGlib<i32> + IntoGlib<GlibType = i32> + Default,
{
    glib::ParamSpecEnum::builder::<T>(name).build()
}

fn controls() -> ParamSpec {
    glib::ParamSpecBoxed::builder::<gst::Structure>("extra-controls").build()
}

const KBIT: &str = "Bitrate in kbit/sec (0 = automatic)";
const MOST: u32 = 2_000 * 1_024;

fn nv(rate: ParamSpec, preset: ParamSpec) -> Vec<ParamSpec> {
    vec![
        uint("bitrate", MOST, KBIT),
        int("gop-size", -1, i32::MAX),
        uint("bframes", 4, ""),
        uint("rc-lookahead", 32, ""),
        flag("zerolatency", false),
        rate,
        preset,
    ]
}

fn va(rate: ParamSpec) -> Vec<ParamSpec> {
    vec![
        uint(
            "bitrate",
            MOST,
            "The desired bitrate expressed in kbps (0: auto-calculate)",
        ),
        uint("key-int-max", 1_024, ""),
        uint("b-frames", 31, ""),
        uint("ref-frames", 16, ""),
        uint("target-usage", 7, ""),
        rate,
    ]
}

/// An encoder of that name and rank; its templates, its properties.
macro_rules! mocks {
    ($($module:ident $gtype:literal $factory:ident $rank:ident: $sink:literal => $src:literal, $specs:expr;)+) => {
        $(mod $module {
            use super::*;
            use std::collections::HashMap;
            use std::sync::{LazyLock, Mutex};

            #[derive(Debug, Default)]
            pub struct Imp(Mutex<HashMap<String, glib::GString>>);

            #[glib::object_subclass]
            impl ObjectSubclass for Imp {
                const NAME: &'static str = $gtype;
                type Type = Wrapper;
                type ParentType = gst::Element;
            }

            glib::wrapper! {
                pub struct Wrapper(ObjectSubclass<Imp>) @extends gst::Element, gst::Object;
            }

            impl ObjectImpl for Imp {
                fn properties() -> &'static [ParamSpec] {
                    static SPECS: LazyLock<Vec<ParamSpec>> = LazyLock::new(|| $specs);
                    &SPECS
                }

                fn set_property(&self, _: usize, value: &glib::Value, spec: &ParamSpec) {
                    let text = value.serialize().unwrap();
                    self.0.lock().unwrap().insert(spec.name().into(), text);
                }

                fn property(&self, _: usize, spec: &ParamSpec) -> glib::Value {
                    let set = self.0.lock().unwrap().get(spec.name()).cloned();
                    match set {
                        Some(text) => glib::Value::deserialize_with_pspec(&text, spec).unwrap(),
                        None => spec.default_value().clone(),
                    }
                }
            }

            impl GstObjectImpl for Imp {}

            impl ElementImpl for Imp {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                        let class = "Codec/Encoder/Video/Hardware";
                        gst::subclass::ElementMetadata::new($gtype, class, "A mock", "tests")
                    });
                    Some(&METADATA)
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                        let sides = [
                            ("sink", gst::PadDirection::Sink, $sink),
                            ("src", gst::PadDirection::Src, $src),
                        ];
                        sides.map(|(name, direction, caps)| {
                            let caps: gst::Caps = caps.parse().unwrap();
                            gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
                                .unwrap()
                        })
                        .into()
                    });
                    &TEMPLATES
                }
            }
        })+

        fn register_all() {
            $(
                let rank = gst::Rank::$rank;
                let name = stringify!($factory);
                gst::Element::register(None, name, rank, $module::Wrapper::static_type()).unwrap();
            )+
        }
    };
}

mocks! {
    nv_old "MockNvOld" nvh264enc PRIMARY:
        "video/x-raw,format=NV12; video/x-raw(memory:CUDAMemory),format=NV12" =>
        "video/x-h264,profile={main,high,constrained-baseline,baseline},stream-format=byte-stream,alignment=au",
        nv(one_of::<OldNvRate>("rc-mode"), one_of::<OldNvPreset>("preset"));
    nv_auto "MockNvAuto" nvautogpuh264enc NONE:
        "video/x-raw,format=NV12; video/x-raw(memory:CUDAMemory),format=NV12" =>
        "video/x-h264,profile={main,high,constrained-baseline,baseline}",
        [
            nv(one_of::<NvRate>("rc-mode"), one_of::<NvPreset>("preset")),
            vec![one_of::<NvTune>("tune"), flag("repeat-sequence-header", false)],
        ]
        .concat();
    va_h264 "MockVaH264" vah264enc NONE:
        "video/x-raw,format=NV12; video/x-raw(memory:VAMemory),format=NV12" =>
        "video/x-h264,profile={main,high,constrained-baseline},stream-format=byte-stream,alignment=au",
        va(one_of::<VaRate>("rate-control"));
    va_second "MockVaSecond" varenderD129h264enc NONE:
        "video/x-raw,format=NV12; video/x-raw(memory:VAMemory),format=NV12" =>
        "video/x-h264,profile={main,high,constrained-baseline}",
        va(one_of::<VaRate>("rate-control"));
    va_vp9 "MockVaVp9" vavp9lpenc NONE:
        "video/x-raw,format=NV12; video/x-raw(memory:VAMemory),format=NV12" => "video/x-vp9,profile=(string)0",
        va(one_of::<VaLpRate>("rate-control"));
    qsv "MockQsv" qsvh264enc NONE:
        "video/x-raw,format=NV12; video/x-raw(memory:VAMemory),format=NV12" =>
        "video/x-h264,profile={high,main,constrained-baseline},stream-format=byte-stream",
        vec![
            uint("bitrate", i32::MAX as u32, "Target bitrate in kbit/sec, Ignored when selected rate-control mode is constant QP variants"),
            one_of::<QsvRate>("rate-control"),
            flag("low-latency", false),
            uint("gop-size", u32::from(u16::MAX), ""),
            uint("b-frames", u32::from(u16::MAX), ""),
            uint("target-usage", 7, ""),
        ];
    amf "MockAmf" amfh264enc NONE:
        "video/x-raw,format=NV12; video/x-raw(memory:D3D11Memory),format=NV12" =>
        "video/x-h264,profile={main,high,constrained-baseline,constrained-high}",
        vec![
            uint("bitrate", i32::MAX as u32 / 1_000, "Target bitrate in kbit/sec (0: USAGE default)"),
            one_of::<AmfUsage>("usage"),
            one_of::<AmfPreset>("preset"),
            one_of::<AmfRate>("rate-control"),
            int("gop-size", -1, i32::MAX),
        ];
    mf "MockMf" mfh264enc SECONDARY:
        "video/x-raw,format=NV12" => "video/x-h264,profile={high,main,baseline},stream-format=byte-stream,alignment=au",
        vec![
            uint("bitrate", u32::MAX >> 10, "Bitrate in kbit/sec"),
            one_of::<MfRate>("rc-mode"),
            flag("low-latency", false),
            int("gop-size", -1, i32::MAX),
            uint("bframes", 2, ""),
        ];
    vt "MockVt" vtenc_h264 PRIMARY:
        "video/x-raw,format={NV12,I420}" => "video/x-h264,stream-format=avc,alignment=au",
        vec![
            uint("bitrate", u32::MAX, "Target video bitrate in kbps (0 = auto)"),
            flag("realtime", false),
            flag("allow-frame-reordering", true),
            int("max-keyframe-interval", 0, i32::MAX),
        ];
    mpp "MockMpp" mpph264enc PRIMARY:
        "video/x-raw,format={NV12,I420}" => "video/x-h264,profile={baseline,main,high},stream-format=byte-stream,alignment=au",
        vec![
            uint("bps", u32::MAX, "Target BPS (0 = auto calculate)"),
            one_of::<MppRate>("rc-mode"),
            int("gop", -1, i32::MAX),
            one_of::<MppHeader>("header-mode"),
        ];
    omx_kilo "MockOmxKilo" omxh264enc PRIMARY:
        "video/x-raw,format=NV12" => "video/x-h264,profile={baseline,main,high}",
        vec![
            uint("target-bitrate", u32::MAX, "Target bitrate in Kbps (0xffffffff=component default)"),
            one_of::<OmxRate>("control-rate"),
        ];
    omx_bits "MockOmxBits" omxvp8enc PRIMARY:
        "video/x-raw,format=NV12" => "video/x-vp8",
        vec![
            uint("target-bitrate", u32::MAX, "Target bitrate in bits per second (0xffffffff=component default)"),
            one_of::<OmxRate>("control-rate"),
        ];
    vpu "MockVpu" vpuenc_h264 PRIMARY:
        "video/x-raw,format={NV12,I420}" => "video/x-h264,stream-format={avc,byte-stream},alignment=au",
        vec![
            uint("bitrate", i32::MAX as u32, "set bit rate in kbps (0 for auto)"),
            uint("gop-size", 32_767, ""),
        ];
    jetson "MockJetson" nvv4l2h264enc PRIMARY:
        "video/x-raw(memory:NVMM),format={I420,NV12}" => "video/x-h264,stream-format=byte-stream,alignment={au,nal}",
        vec![
            uint("bitrate", u32::MAX, "Set bitrate for v4l2 encode"),
            one_of::<JetsonRate>("control-rate"),
            one_of::<JetsonPreset>("preset-level"),
            uint("iframeinterval", u32::MAX, ""),
            uint("idrinterval", u32::MAX, ""),
            uint("num-B-Frames", 2, ""),
            flag("insert-sps-pps", false),
            flag("maxperf-enable", false),
        ];
    jetson_converter "MockJetsonConverter" nvvidconv PRIMARY:
        "video/x-raw; video/x-raw(memory:NVMM)" => "video/x-raw; video/x-raw(memory:NVMM)", vec![];
    v4l2 "MockV4l2" v4l2h264enc PRIMARY:
        "video/x-raw,format={NV12,I420}" => "video/x-h264,profile={baseline,constrained-baseline,main,high},stream-format=byte-stream,alignment=au",
        vec![controls()];
    v4l2_second "MockV4l2Second" v4l2video11h264enc PRIMARY:
        "video/x-raw,format={NV12,I420}" => "video/x-h264,profile={baseline,constrained-baseline},stream-format=byte-stream,alignment=au",
        vec![controls()];
    unknown "MockUnknown" acmeh264enc PRIMARY:
        "video/x-raw,format=I420" => "video/x-h264,stream-format=byte-stream,alignment=au",
        vec![
            uint("bitrate", u32::MAX, "Rate in kilobits per second"),
            uint("gop-size", 65_535, ""),
            uint("b-frames", 4, ""),
        ];
}

/// Registers them in this process.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(register_all);
}
