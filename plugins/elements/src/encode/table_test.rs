// SPDX-License-Identifier: MPL-2.0
//! Rows against the encoders that are installed, and against factories that copy the names, types and units
//! of those that are not.
use super::super::hint::ContentHint;
use super::super::mock_test as mock;
use super::*;
use std::time::Duration;

fn of(codec: Codec, factory: &str) -> Choice {
    let found = candidates(codec, None);
    let found = found.into_iter().find(|choice| choice.name() == factory);
    found.unwrap_or_else(|| panic!("{factory} has no row"))
}

fn made(codec: Codec, factory: &str, bits: u64) -> gst::Element {
    of(codec, factory).create(bits).expect("an element")
}

/// A property's value as gst-inspect would write it.
fn text(encoder: &gst::Element, property: &str) -> String {
    let value = encoder.property_value(property);
    let text = value.serialize().expect("a value that can be written");
    text.trim_matches('"').to_owned()
}

#[track_caller]
fn assert_set(encoder: &gst::Element, expected: &[(&str, &str)]) {
    for (property, value) in expected {
        assert_eq!(text(encoder, property), *value, "{property}");
    }
}

#[test]
fn every_row_says_what_caps_can_be_made_of() {
    gst::init().expect("GStreamer starts");
    for row in hardware::TABLE.iter().chain(&software::TABLE) {
        if !row.filter.is_empty() {
            let filter: gst::Caps = row.filter.parse().expect("caps");
            assert_eq!(caps::codec_of(&filter), Some(row.codec), "{}", row.factory);
        }
        if !row.raw.is_empty() {
            let raw: gst::Caps = row.raw.parse().expect("caps");
            let name = raw.structure(0).expect("one").name().to_owned();
            assert_eq!(name, "video/x-raw", "{}", row.factory);
        }
    }
}

#[test]
fn every_software_row_can_be_made_where_it_is_installed_and_takes_its_settings() {
    gst::init().expect("GStreamer starts");
    for row in &software::TABLE {
        let Some(factory) = gst::ElementFactory::find(row.factory) else {
            continue;
        };
        let encoder = factory.create().build().expect("an element");
        let hints = row.hints.iter().flat_map(|(_, settings)| *settings);
        for (property, value) in row.settings.iter().chain(hints) {
            let spec = encoder.find_property(property);
            let spec = spec.unwrap_or_else(|| panic!("{} lacks {property}", row.factory));
            let value = glib::Value::deserialize_with_pspec(&resolve(value), &spec);
            assert!(value.is_ok(), "{} {property}", row.factory);
        }
        for (property, _) in row.buffers {
            assert!(
                encoder.has_property(property),
                "{} lacks {property}",
                row.factory
            );
        }
    }
}

#[test]
fn software_encoders_get_their_bitrate_in_their_unit() {
    gst::init().expect("GStreamer starts");
    let vp8 = made(Codec::Vp8, "vp8enc", 750_000);
    assert_set(
        &vp8,
        &[("target-bitrate", "750000"), ("buffer-size", "1000")],
    );
    let x264 = made(Codec::H264, "x264enc", 750_000);
    assert_set(
        &x264,
        &[
            ("bitrate", "750"),
            ("bframes", "0"),
            ("key-int-max", "3000"),
        ],
    );
    assert!(known(Codec::H264).contains("openh264enc"));
}

#[test]
fn a_hint_and_a_budget_change_the_tuning() {
    gst::init().expect("GStreamer starts");
    let tuned = |hint, milliseconds| {
        let budget = Duration::from_millis(milliseconds);
        let choice = of(Codec::H264, "x264enc").tuned(Tuning { hint, budget });
        choice.create(1_000_000).expect("an element")
    };
    let text_tuned = tuned(ContentHint::Text, 0);
    assert_set(
        &text_tuned,
        &[("speed-preset", "veryfast"), ("vbv-buf-capacity", "300")],
    );
    assert_eq!(text(&text_tuned, "tune"), "Still image+Zero latency");
    let motion = tuned(ContentHint::Motion, 400);
    assert_set(
        &motion,
        &[("tune", "Zero latency"), ("vbv-buf-capacity", "700")],
    );
}

/// Codec, factory, and properties with their values.
type Expected = (Codec, &'static str, &'static [(&'static str, &'static str)]);

/// What 1.5 Mbit/s makes of each.
const EXPECTED: [Expected; 13] = [
    (
        Codec::H264,
        "nvh264enc",
        &[
            ("bitrate", "1500"),
            ("rc-mode", "cbr"),
            ("gop-size", "3000"),
            ("bframes", "0"),
            ("zerolatency", "true"),
            ("preset", "low-latency-hq"),
            ("rc-lookahead", "0"),
        ],
    ),
    (
        Codec::H264,
        "nvautogpuh264enc",
        &[
            ("bitrate", "1500"),
            ("rc-mode", "cbr"),
            ("preset", "p4"),
            ("tune", "ultra-low-latency"),
            ("repeat-sequence-header", "true"),
        ],
    ),
    (
        Codec::H264,
        "vah264enc",
        &[
            ("bitrate", "1500"),
            ("rate-control", "cbr"),
            // As many as it can.
            ("key-int-max", "1024"),
            ("b-frames", "0"),
            ("target-usage", "6"),
        ],
    ),
    (
        Codec::Vp9,
        "vavp9lpenc",
        &[("bitrate", "1500"), ("rate-control", "vbr")],
    ),
    (
        Codec::H264,
        "qsvh264enc",
        &[
            ("bitrate", "1500"),
            ("low-latency", "true"),
            ("gop-size", "3000"),
            ("b-frames", "0"),
        ],
    ),
    (
        Codec::H264,
        "amfh264enc",
        &[
            ("bitrate", "1500"),
            ("usage", "ultra-low-latency"),
            ("rate-control", "cbr"),
            ("gop-size", "3000"),
        ],
    ),
    (
        Codec::H264,
        "mfh264enc",
        &[
            ("bitrate", "1500"),
            ("low-latency", "true"),
            ("rc-mode", "cbr"),
        ],
    ),
    (
        Codec::H264,
        "vtenc_h264",
        &[
            ("bitrate", "1500"),
            ("realtime", "true"),
            ("allow-frame-reordering", "false"),
            ("max-keyframe-interval", "3000"),
        ],
    ),
    (
        Codec::H264,
        "mpph264enc",
        &[
            ("bps", "1500000"),
            ("gop", "3000"),
            ("rc-mode", "cbr"),
            ("header-mode", "each-idr"),
        ],
    ),
    (
        Codec::H264,
        "omxh264enc",
        &[("target-bitrate", "1500"), ("control-rate", "constant")],
    ),
    (
        Codec::Vp8,
        "omxvp8enc",
        &[("target-bitrate", "1500000"), ("control-rate", "constant")],
    ),
    (
        Codec::H264,
        "vpuenc_h264",
        &[("bitrate", "1500"), ("gop-size", "3000")],
    ),
    (
        Codec::H264,
        "nvv4l2h264enc",
        &[
            ("bitrate", "1500000"),
            ("control-rate", "constant_bitrate"),
            ("iframeinterval", "3000"),
            ("num-B-Frames", "0"),
            ("insert-sps-pps", "true"),
        ],
    ),
];

#[test]
fn devices_get_bitrate_keyframes_and_tuning_in_their_own_words() {
    gst::init().expect("GStreamer starts");
    mock::register();
    for (codec, factory, settings) in EXPECTED {
        println!("{factory}");
        assert_set(&made(codec, factory, 1_500_000), settings);
    }
}

#[test]
fn a_v4l2_device_gets_its_bitrate_as_a_control_among_others() {
    gst::init().expect("GStreamer starts");
    mock::register();
    for factory in ["v4l2h264enc", "v4l2video11h264enc"] {
        let choice = of(Codec::H264, factory);
        let encoder = choice.create(1_500_000).expect("an element");
        let controls = encoder.property::<gst::Structure>("extra-controls");
        assert_eq!(controls.get::<i32>("video_bitrate"), Ok(1_500_000));
        assert_eq!(controls.get::<i32>("video_gop_size"), Ok(3_000));
        choice.control(encoder.clone(), 1_500_000).set(800_000);
        let controls = encoder.property::<gst::Structure>("extra-controls");
        assert_eq!(controls.get::<i32>("video_bitrate"), Ok(800_000));
        assert_eq!(controls.get::<i32>("repeat_sequence_header"), Ok(1));
    }
}

#[test]
fn what_may_change_while_it_runs_does_and_what_may_not_does_not() {
    gst::init().expect("GStreamer starts");
    mock::register();
    for (codec, factory, property, expected) in [
        (Codec::H264, "nvh264enc", "bitrate", "700"),
        (Codec::H264, "mpph264enc", "bps", "700000"),
        (Codec::H264, "mfh264enc", "bitrate", "1500"),
        (Codec::Av1, "av1enc", "target-bitrate", "1500"),
    ] {
        let choice = of(codec, factory);
        let encoder = choice.create(1_500_000).expect("an element");
        choice.control(encoder.clone(), 1_500_000).set(700_000);
        assert_eq!(text(&encoder, property), expected, "{factory}");
    }
}

#[test]
fn a_device_comes_before_the_processor_unless_the_user_ranks_otherwise() {
    gst::init().expect("GStreamer starts");
    mock::register();
    let names = |input: Option<&gst::Caps>| -> Vec<String> {
        let found = candidates(Codec::H264, input.map(|caps| &**caps));
        found.iter().map(|choice| choice.name().into()).collect()
    };
    let order = names(None);
    let at = |name: &str| order.iter().position(|other| other == name);
    assert_eq!(order[0], "nvh264enc");
    assert!(at("vah264enc") < at("varenderD129h264enc"));
    assert!(at("v4l2h264enc") < at("x264enc") && at("x264enc") < at("openh264enc"));
    // What reads the input's memory spares a copy.
    let surfaces = "video/x-raw(memory:VAMemory),format=NV12,width=640,height=360";
    let surfaces: gst::Caps = surfaces.parse().expect("caps");
    assert_eq!(names(Some(&surfaces))[0], "vah264enc");
    let x264 = gst::ElementFactory::find("x264enc").expect("x264enc is installed");
    x264.set_rank(gst::Rank::from(i32::MAX));
    assert_eq!(names(Some(&surfaces))[0], "x264enc");
}

#[test]
fn frames_in_the_devices_memory_stay_there() {
    gst::init().expect("GStreamer starts");
    mock::register();
    let way = |factory: &str, input: &str, layer| {
        let input: gst::Caps = input.parse().expect("caps");
        of(Codec::H264, factory).way(Some(&input), layer)
    };
    let cuda = "video/x-raw(memory:CUDAMemory),format=NV12,width=640,height=360";
    assert_eq!(way("nvh264enc", cuda, 0), Way::Device(None));
    assert_eq!(way("nvh264enc", cuda, 1), Way::System(Some("cudadownload")));
    assert_eq!(way("vah264enc", cuda, 0), Way::System(Some("cudadownload")));
    assert_eq!(way("x264enc", cuda, 0), Way::System(Some("cudadownload")));
    let surfaces = "video/x-raw(memory:VAMemory),format=NV12,width=640,height=360";
    assert_eq!(way("vah264enc", surfaces, 0), Way::Device(None));
    let nvmm = "video/x-raw(memory:NVMM),format=NV12,width=640,height=360";
    assert_eq!(way("nvv4l2h264enc", nvmm, 0), Way::Device(None));
    let system = "video/x-raw,format=YUY2,width=640,height=360";
    assert_eq!(way("nvv4l2h264enc", system, 0), Way::System(None));
    assert_eq!(of(Codec::H264, "nvv4l2h264enc").upload(), Some("nvvidconv"));
}

#[test]
fn an_encoder_nobody_knows_is_set_by_the_names_most_use() {
    gst::init().expect("GStreamer starts");
    mock::register();
    let unknown = candidates(Codec::H264, None);
    let unknown = unknown.last().expect("there are encoders");
    assert_eq!(unknown.name(), mock::UNKNOWN);
    let encoder = unknown.create(1_500_000).expect("an element");
    let expected = [("bitrate", "1500"), ("gop-size", "3000"), ("b-frames", "0")];
    assert_set(&encoder, &expected);
}

#[test]
fn h264_of_a_device_is_what_browsers_decode_where_it_lets_one_choose() {
    gst::init().expect("GStreamer starts");
    mock::register();
    let profile = |factory: &str| {
        let choice = of(Codec::H264, factory);
        let profile = choice
            .filter()
            .structure(0)
            .expect("one")
            .get::<String>("profile");
        profile.ok()
    };
    assert_eq!(
        profile("nvh264enc").as_deref(),
        Some("constrained-baseline")
    );
    assert_eq!(profile("mpph264enc").as_deref(), Some("baseline"));
    assert_eq!(profile("vtenc_h264"), None);
}
