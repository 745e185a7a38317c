// SPDX-License-Identifier: MPL-2.0
//! How an encoder is told its bitrate: by which property, in which unit, and whether while it runs.
use gst::prelude::*;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bitrate {
    knob: Knob,
    unit: Unit,
    live: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knob {
    /// A property that is a number.
    Property(&'static str),
    /// A field of the structure that V4L2 devices take their controls by.
    Control(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Bit/s in one unit of the property.
    Bits(u64),
    /// One name in different units, by whose build it is: the property's own blurb tells.
    Told,
}

/// The property of `v4l2*enc` that holds controls.
const CONTROLS: &str = "extra-controls";
/// The names by which encoders without a row have it.
const NAMES: [&str; 3] = ["target-bitrate", "bitrate", "bps"];

impl Bitrate {
    /// A property of so many bit/s a unit that may change while the encoder runs.
    pub(super) const fn live(property: &'static str, bits: u64) -> Self {
        Self {
            knob: Knob::Property(property),
            unit: Unit::Bits(bits),
            live: true,
        }
    }

    /// One that the encoder reads when it starts.
    pub(super) const fn at_start(property: &'static str, bits: u64) -> Self {
        Self {
            knob: Knob::Property(property),
            unit: Unit::Bits(bits),
            live: false,
        }
    }

    /// One whose unit stands in its blurb; it may change while the encoder runs.
    pub(super) const fn told(property: &'static str) -> Self {
        Self {
            knob: Knob::Property(property),
            unit: Unit::Told,
            live: true,
        }
    }

    /// A control of a V4L2 device, bit/s; the device takes it while it runs.
    pub(super) const fn control(field: &'static str) -> Self {
        Self {
            knob: Knob::Control(field),
            unit: Unit::Bits(1),
            live: true,
        }
    }

    /// That of an encoder nobody knows, by name and blurb.
    pub(super) fn discover(encoder: &gst::Element) -> Option<Self> {
        NAMES.into_iter().find_map(|name| {
            let spec = encoder.find_property(name)?;
            Some(Self {
                knob: Knob::Property(name),
                unit: Unit::Told,
                live: spec.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING),
            })
        })
    }

    /// Whether it may change while the encoder runs; if not, the encoder has to be started anew.
    pub(crate) fn is_live(self) -> bool {
        self.live
    }

    /// Sets it, within what the property takes; an encoder that lacks it keeps its own.
    pub(crate) fn set(self, encoder: &gst::Element, bits_per_second: u64) {
        match self.knob {
            Knob::Property(name) => self.set_property(encoder, name, bits_per_second),
            Knob::Control(field) => set_control(encoder, field, bits_per_second),
        }
    }

    fn set_property(self, encoder: &gst::Element, name: &str, bits_per_second: u64) {
        let Some(spec) = encoder.find_property(name) else {
            return;
        };
        let unit = match self.unit {
            Unit::Bits(bits) => bits,
            Unit::Told => unit_in(spec.blurb().unwrap_or_default()),
        };
        let value = (bits_per_second / unit).max(1);
        if let Some(spec) = spec.downcast_ref::<gst::glib::ParamSpecInt>() {
            let value = i32::try_from(value).unwrap_or(i32::MAX);
            encoder.set_property(name, value.clamp(spec.minimum(), spec.maximum()));
        } else if let Some(spec) = spec.downcast_ref::<gst::glib::ParamSpecUInt>() {
            let value = u32::try_from(value).unwrap_or(u32::MAX);
            encoder.set_property(name, value.clamp(spec.minimum(), spec.maximum()));
        }
    }
}

fn set_control(encoder: &gst::Element, field: &str, bits_per_second: u64) {
    if encoder.find_property(CONTROLS).is_none() {
        return;
    }
    let controls = encoder.property::<Option<gst::Structure>>(CONTROLS);
    let mut controls = controls.unwrap_or_else(|| gst::Structure::new_empty("controls"));
    controls.set(field, i32::try_from(bits_per_second).unwrap_or(i32::MAX));
    encoder.set_property(CONTROLS, controls);
}

/// Bit/s in one unit, by what a blurb says.
fn unit_in(blurb: &str) -> u64 {
    let blurb = blurb.to_lowercase();
    let kilo = ["kbit", "kbps", "kilobit", "kb/s"];
    match kilo.iter().any(|word| blurb.contains(word)) {
        true => 1_000,
        false => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_without_a_row_has_its_bitrate_found() {
        gst::init().expect("GStreamer starts");
        let encoder = |name| gst::ElementFactory::make(name).build().expect(name);
        let x264 = encoder("x264enc");
        let found = Bitrate::discover(&x264).expect("x264enc has one");
        assert!(found.is_live());
        found.set(&x264, 700_000);
        assert_eq!(x264.property::<u32>("bitrate"), 700);
        let vp8 = encoder("vp8enc");
        let found = Bitrate::discover(&vp8).expect("vp8enc has one");
        found.set(&vp8, 700_000);
        assert_eq!(vp8.property::<i32>("target-bitrate"), 700_000);
        assert_eq!(Bitrate::discover(&encoder("mulawenc")), None);
    }

    #[test]
    fn a_blurb_tells_the_unit() {
        for (blurb, unit) in [
            ("Target bitrate in Kbps", 1_000),
            ("Target bitrate, in kilobits per second", 1_000),
            ("Bitrate in kbit/sec (0 = automatic)", 1_000),
            ("Target bitrate in bits per second (0xffffffff=default)", 1),
            ("", 1),
        ] {
            assert_eq!(unit_in(blurb), unit, "{blurb}");
        }
    }
}
