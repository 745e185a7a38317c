// SPDX-License-Identifier: MPL-2.0
//! Encoders that fail, that run on, that start anew; inputs that make no keyframes.
use crate::kit::until;
use crate::sink_viewers::Stage;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Devices' encoders that are of no use, called as real ones.
macro_rules! broken {
    ($($module:ident $gtype:literal: $chain:expr, $start:expr;)+) => {$(
        mod $module {
            use super::*;

            #[derive(Debug)]
            pub struct Imp(gst::Pad, gst::Pad);

            #[glib::object_subclass]
            impl ObjectSubclass for Imp {
                const NAME: &'static str = $gtype;
                type Type = Wrapper;
                type ParentType = gst::Element;

                fn with_class(class: &Self::Class) -> Self {
                    let pad = |name| {
                        let template = class.pad_template(name).unwrap();
                        gst::Pad::builder_from_template(&template)
                    };
                    let sink = pad("sink").chain_function(|pad, parent, _| {
                        let element = parent.unwrap().downcast_ref::<gst::Element>().unwrap();
                        let refuse: fn(&gst::Pad, &gst::Element) -> gst::FlowError = $chain;
                        Err(refuse(pad, element))
                    });
                    Self(sink.build(), pad("src").build())
                }
            }

            glib::wrapper! {
                pub struct Wrapper(ObjectSubclass<Imp>) @extends gst::Element, gst::Object;
            }

            impl ObjectImpl for Imp {
                fn constructed(&self) {
                    self.parent_constructed();
                    self.obj().add_pad(&self.0).unwrap();
                    self.obj().add_pad(&self.1).unwrap();
                }
            }

            impl GstObjectImpl for Imp {}

            impl ElementImpl for Imp {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                        let class = "Codec/Encoder/Video/Hardware";
                        gst::subclass::ElementMetadata::new("Broken", class, "Broken", "tests")
                    });
                    Some(&METADATA)
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                        let caps = "video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au";
                        let sides = [
                            ("sink", gst::PadDirection::Sink, "video/x-raw,format=NV12"),
                            ("src", gst::PadDirection::Src, caps),
                        ];
                        let template = |(name, direction, caps): (&str, _, &str)| {
                            let caps: gst::Caps = caps.parse().unwrap();
                            let always = gst::PadPresence::Always;
                            gst::PadTemplate::new(name, direction, always, &caps).unwrap()
                        };
                        sides.map(template).into()
                    });
                    &TEMPLATES
                }

                fn change_state(
                    &self,
                    transition: gst::StateChange,
                ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
                    if transition == gst::StateChange::NullToReady && !$start {
                        gst::element_imp_error!(self, gst::LibraryError::Init, ("no device"));
                        return Err(gst::StateChangeError);
                    }
                    self.parent_change_state(transition)
                }
            }
        }
    )+};
}

broken! {
    at_start "BrokenAtStart": |_, _| gst::FlowError::Error, false;
    at_first_frame "BrokenAtFirstFrame": |_, element| {
        gst::element_error!(element, gst::LibraryError::Encode, ("no session is left"));
        gst::FlowError::Error
    }, true;
    silently "BrokenSilently": |_, _| gst::FlowError::NotNegotiated, true;
}

const H264: &str = "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=30/1 ! \
    rtcsink name=s video-caps=video/x-h264";

/// The text of a warning of the sink.
fn warning(stage: &Stage) -> String {
    let is_warning = |message: &gst::Message| match message.view() {
        gst::MessageView::Warning(warning) => Some(warning.error().to_string()),
        _ => None,
    };
    stage.sink.wait("a warning", is_warning)
}

fn gives_way(broken: glib::Type, reason: &str) {
    crate::kit::init();
    gst::Element::register(None, "nvh264enc", gst::Rank::PRIMARY, broken).unwrap();
    let stage = Stage::new(H264);
    let viewer = stage.viewer("H264");
    viewer.sees(10);
    assert_eq!(stage.encoders(), ["x264enc"]);
    let text = warning(&stage);
    for part in ["nvh264enc", reason, "video_0", "x264enc:MAX"] {
        assert!(text.contains(part), "{text}");
    }
    // Who comes later has no trouble with it.
    drop(viewer);
    let second = stage.viewer("H264");
    second.sees(5);
}

#[test]
fn an_encoder_that_does_not_start_gives_way_with_a_warning() {
    gives_way(at_start::Wrapper::static_type(), "no device");
}

#[test]
fn an_encoder_that_fails_at_its_first_frame_gives_way_with_a_warning() {
    gives_way(at_first_frame::Wrapper::static_type(), "no session is left");
}

#[test]
fn an_encoder_that_refuses_frames_without_a_word_gives_way_too() {
    gives_way(silently::Wrapper::static_type(), "format");
}

#[test]
fn an_encoder_runs_on_for_the_next_viewer_unless_encoding_is_on_demand() {
    for (on_demand, left) in [(false, vec!["x264enc"]), (true, vec![])] {
        let stage = Stage::new(&format!("{H264} on-demand={on_demand}"));
        let viewer = stage.viewer("H264");
        viewer.sees(5);
        drop(viewer);
        until("no session", || stage.sessions() == 0);
        until("the encoder's fate", || stage.encoders() == left);
        let next = stage.viewer("H264");
        next.sees(5);
        assert_eq!(stage.encoders(), ["x264enc"]);
    }
}

/// Encoded video with a keyframe every ten seconds, whatever is asked for.
const STUBBORN: &str = "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=30/1 ! \
    vp8enc deadline=1 keyframe-max-dist=300 ! identity name=i ! rtcsink name=s";

fn stubborn(properties: &str) -> (Stage, std::sync::Arc<AtomicUsize>) {
    let stage = Stage::new(&format!("{STUBBORN} {properties}"));
    let identity = stage.sink.get("i");
    let src = identity.static_pad("src").unwrap();
    src.add_probe(gst::PadProbeType::EVENT_UPSTREAM, |_, info| {
        match info.event().map(|event| event.type_()) {
            Some(gst::EventType::CustomUpstream) => gst::PadProbeReturn::Drop,
            _ => gst::PadProbeReturn::Ok,
        }
    });
    let frames = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&frames);
    src.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    (stage, frames)
}

#[test]
fn who_joins_an_input_without_keyframes_on_request_sees_a_picture_at_once() {
    let (stage, frames) = stubborn("");
    until("four seconds", || frames.load(Ordering::Relaxed) >= 120);
    let viewer = stage.viewer("VP8");
    viewer.sees(1);
    let joined = frames.load(Ordering::Relaxed);
    assert!(joined < 240, "the keyframe of frame 300 is not what it saw");
    // It runs through the past: far more frames than came meanwhile.
    let start = Instant::now();
    viewer.sees(100);
    let came = frames.load(Ordering::Relaxed) - joined;
    assert!(came < 80, "{came} in {:?}", start.elapsed());
    // And a second one, who finds the same past.
    let second = stage.viewer("VP8");
    second.sees(100);
}

#[test]
fn without_the_cache_who_joins_waits_for_the_keyframe() {
    let (stage, frames) = stubborn("gop-cache=off");
    until("two seconds", || frames.load(Ordering::Relaxed) >= 60);
    let viewer = stage.viewer("VP8");
    until("a session", || stage.sessions() == 1);
    until("six seconds more", || frames.load(Ordering::Relaxed) >= 250);
    assert_eq!(viewer.count(), 0);
    viewer.sees(1);
    assert!(frames.load(Ordering::Relaxed) >= 300);
}
