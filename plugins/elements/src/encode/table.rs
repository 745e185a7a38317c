// SPDX-License-Identifier: MPL-2.0
//! The encoder table: a row per factory that is known (`hardware.rs`, `software.rs`), and a guess for
//! those that are not.
//!
//! Devices come before the processor, and rows are tried in order until one starts. A factory that the
//! user gave the highest rank (`GST_PLUGIN_FEATURE_RANK=x264enc:MAX`) comes before all others. A factory
//! without a row is used where no row fits, by its rank; its properties are found by name and its
//! bitrate's unit by the property's own blurb.
use super::bitrate::Bitrate;
use super::control::Control;
use super::hint::Tuning;
use super::memory::{self, Way};
use super::row::{HALF_THE_CORES, KEYFRAME_FRAMES, Row, Settings};
use super::{hardware, software};
use crate::caps;
use gst::glib;
use gst::prelude::*;
use rtc_payload::{Codec, MediaKind};
use std::borrow::Cow;
use std::num::NonZero;
use std::sync::LazyLock;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtcencode",
        gst::DebugColorFlags::empty(),
        Some("Encoders of rtcsink"),
    )
});

/// What encoders without a row may be set to, by the names that most of them use.
const GUESSES: Settings = &[
    ("tune", "zerolatency"),
    ("low-latency", "true"),
    ("rate-control", "cbr"),
    ("b-frames", "0"),
    ("bframes", "0"),
    ("max-bframes", "0"),
    ("rc-lookahead", "0"),
    ("lag-in-frames", "0"),
    ("key-int-max", KEYFRAME_FRAMES),
    ("keyframe-max-dist", KEYFRAME_FRAMES),
    ("gop-size", KEYFRAME_FRAMES),
];

/// An encoder chosen for a codec.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    codec: Codec,
    factory: gst::ElementFactory,
    row: Option<&'static Row>,
    bitrate: Option<Bitrate>,
    filter: gst::Caps,
    tuning: Tuning,
}

fn rows(codec: Codec) -> impl Iterator<Item = &'static Row> {
    let all = hardware::TABLE.iter().chain(&software::TABLE);
    all.filter(move |row| row.codec == codec)
}

/// The encoder for a codec, if one is installed.
pub(crate) fn choose(codec: Codec) -> Option<Choice> {
    candidates(codec, None).into_iter().next()
}

/// All encoders for a codec, the one to try first first: those that read the input's memory, then by the
/// table's order.
pub(crate) fn candidates(codec: Codec, input: Option<&gst::CapsRef>) -> Vec<Choice> {
    let mut found: Vec<Choice> = Vec::new();
    for row in rows(codec) {
        if row.upload.is_some_and(|name| !memory::is_installed(name)) {
            continue;
        }
        for factory in factories(row.factory, codec) {
            if found.iter().all(|choice| choice.factory != factory) {
                found.push(Choice::known(row, factory));
            }
        }
    }
    let reads = |choice: &Choice| choice.row.is_some_and(|row| memory::reads(input, row));
    found.sort_by_key(|choice| (!is_preferred(&choice.factory), !reads(choice)));
    found.extend(by_rank(codec, &found));
    found
}

/// The names of the factories that can be installed for a codec, for error messages.
pub(crate) fn known(codec: Codec) -> String {
    let rows = software::TABLE.iter().filter(|row| row.codec == codec);
    let names: Vec<_> = rows.map(|row| row.factory).collect();
    names.join(", ")
}

/// Whether the user put it before all others.
fn is_preferred(factory: &gst::ElementFactory) -> bool {
    factory.rank() >= gst::Rank::from(i32::MAX)
}

/// The factories that a name, or a name with `*`, stands for.
fn factories(pattern: &str, codec: Codec) -> Vec<gst::ElementFactory> {
    let Some((before, after)) = pattern.split_once('*') else {
        return gst::ElementFactory::find(pattern).into_iter().collect();
    };
    let fits = |factory: &gst::ElementFactory| {
        let name = factory.name();
        let len = before.len() + after.len();
        name.len() > len && name.starts_with(before) && name.ends_with(after)
    };
    encoders(codec, gst::Rank::NONE)
        .into_iter()
        .filter(fits)
        .collect()
}

fn encoders(codec: Codec, least: gst::Rank) -> Vec<gst::ElementFactory> {
    let kind = match codec.kind() {
        MediaKind::Video => gst::ElementFactoryType::VIDEO_ENCODER,
        MediaKind::Audio => gst::ElementFactoryType::AUDIO_ENCODER,
    };
    let media = gst::Caps::new_empty_simple(caps::media(codec));
    let all = gst::ElementFactory::factories_with_type(kind, least);
    all.into_iter()
        .filter(|factory| factory.can_src_any_caps(&media))
        .collect()
}

/// The encoder of the highest rank that has no row.
fn by_rank(codec: Codec, known: &[Choice]) -> Option<Choice> {
    let mut encoders = encoders(codec, gst::Rank::MARGINAL);
    encoders.retain(|factory| known.iter().all(|choice| choice.factory != *factory));
    let factory = encoders.into_iter().max_by_key(|factory| factory.rank())?;
    let encoder = factory.create().build().ok();
    Some(Choice {
        codec,
        bitrate: encoder.and_then(|encoder| Bitrate::discover(&encoder)),
        filter: filter_of(&factory, codec),
        tuning: Tuning::default(),
        row: None,
        factory,
    })
}

/// What an encoder shall make: H.264 that every browser decodes, if its template lets one choose.
fn filter_of(factory: &gst::ElementFactory, codec: Codec) -> gst::Caps {
    let media = gst::Caps::new_empty_simple(caps::media(codec));
    if codec != Codec::H264 {
        return media;
    }
    let templates = factory.static_pad_templates();
    let sources = templates
        .into_iter()
        .filter(|template| template.direction() == gst::PadDirection::Src);
    let chooses = |caps: &gst::Caps| caps.iter().any(|structure| structure.has_field("profile"));
    if !sources
        .map(|template| template.caps())
        .any(|caps| chooses(&caps))
    {
        return media;
    }
    let profiles = ["constrained-baseline", "baseline"];
    let filters = profiles.map(|profile| {
        gst::Caps::builder(caps::media(codec))
            .field("profile", profile)
            .build()
    });
    let can = |caps: &gst::Caps| factory.can_src_any_caps(caps);
    filters.into_iter().find(can).unwrap_or(media)
}

impl Choice {
    fn known(row: &'static Row, factory: gst::ElementFactory) -> Self {
        Self {
            codec: row.codec,
            bitrate: row.bitrate,
            filter: match row.filter {
                "" => filter_of(&factory, row.codec),
                filter => filter.parse().expect("a test parses every filter"),
            },
            row: Some(row),
            tuning: Tuning::default(),
            factory,
        }
    }

    /// The factory's name.
    pub(crate) fn name(&self) -> glib::GString {
        self.factory.name()
    }

    /// The same encoder, set up for what the input shows.
    #[must_use]
    pub(crate) fn tuned(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// Makes the encoder, set up for its input and with its first bitrate.
    pub(super) fn create(&self, bits_per_second: u64) -> Result<gst::Element, glib::BoolError> {
        let encoder = self.factory.create().build()?;
        for (property, value) in self.row.map_or(GUESSES, |row| row.settings) {
            apply(&encoder, property, &resolve(value));
        }
        if let Some(row) = self.row {
            let budget = u64::try_from(self.tuning.budget.as_millis()).unwrap_or(u64::MAX);
            for (property, milliseconds) in row.buffers {
                let value = milliseconds.saturating_add(budget);
                apply(&encoder, property, &value.to_string());
            }
            let hinted = row
                .hints
                .iter()
                .filter(|(hint, _)| *hint == self.tuning.hint);
            for (property, value) in hinted.flat_map(|(_, settings)| *settings) {
                apply(&encoder, property, &resolve(value));
            }
        }
        if let Some(bitrate) = self.bitrate {
            bitrate.set(&encoder, bits_per_second);
        }
        Ok(encoder)
    }

    /// What follows the encoder as a caps filter.
    pub(super) fn filter(&self) -> &gst::Caps {
        &self.filter
    }

    /// What raw media must look like before it.
    pub(super) fn raw(&self) -> gst::Caps {
        match self.row.map(|row| row.raw) {
            Some(text) if !text.is_empty() => text.parse().expect("a test parses every one"),
            _ => caps::raw(self.codec),
        }
    }

    /// How frames of the input get to it; what is made smaller is so by the processor.
    pub(super) fn way(&self, input: Option<&gst::CapsRef>, layer: u8) -> Way {
        let row = self.row.filter(|_| layer == 0);
        memory::way(input, row, &self.factory)
    }

    /// What brings system memory to an encoder that reads none.
    pub(super) fn upload(&self) -> Option<&'static str> {
        self.row.and_then(|row| row.upload)
    }

    /// What steers the encoder made by [`Self::create`] with that bitrate.
    pub(super) fn control(&self, encoder: gst::Element, bits_per_second: u64) -> Control {
        let counts_frames = self.row.is_some_and(|row| row.counts_frames);
        let is_video = self.codec.kind() == MediaKind::Video;
        let keeps_sharpness = is_video && self.tuning.hint.keeps_sharpness();
        let traits = (counts_frames, keeps_sharpness);
        Control::new(encoder, self.bitrate, traits, bits_per_second)
    }
}

/// Sets a property, within its range, if the encoder has it and knows the value.
fn apply(encoder: &gst::Element, property: &str, value: &str) {
    let Some(spec) = encoder.find_property(property) else {
        return;
    };
    let clamped = clamp(value, &spec);
    match glib::Value::deserialize_with_pspec(clamped.as_deref().unwrap_or(value), &spec) {
        Ok(parsed) => encoder.set_property_from_value(property, &parsed),
        Err(_) => gst::debug!(CAT, obj = encoder, "{property} knows no {value}"),
    }
}

/// A number brought into the range of its property.
fn clamp(value: &str, spec: &glib::ParamSpec) -> Option<String> {
    let number = value.parse::<i64>().ok()?;
    let range = if let Some(spec) = spec.downcast_ref::<glib::ParamSpecInt>() {
        (i64::from(spec.minimum()), i64::from(spec.maximum()))
    } else {
        let spec = spec.downcast_ref::<glib::ParamSpecUInt>()?;
        (i64::from(spec.minimum()), i64::from(spec.maximum()))
    };
    Some(number.clamp(range.0, range.1).to_string())
}

/// The threads of libvpx and libaom wait for each other by spinning: as many as there are cores, and a
/// busy machine encodes slower with them than without.
fn resolve(value: &str) -> Cow<'_, str> {
    if value != HALF_THE_CORES {
        return value.into();
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    (cores / 2).clamp(1, 4).to_string().into()
}

#[cfg(test)]
#[path = "table_test.rs"]
mod tests;
